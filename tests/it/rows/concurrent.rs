//! A writer beside the purge: what it touched or took over in time stays, with its file.

use std::collections::BTreeSet;

use retaind::outcome::{RunMode, Status};

use crate::engines::{Client, EngineKind};
use crate::rows::files::WITH_FILES;
use crate::world::World;

const ROWS: u64 = 1000;

/// What the writer did before the purge could take the row.
#[derive(Default)]
struct Saved {
    /// Made young again.
    touched: Vec<u64>,
    /// Its file is named by a new row, too.
    shared: Vec<u64>,
}

fn write(mut client: Client, kind: EngineKind, now: String) -> Saved {
    let mut saved = Saved::default();
    let (begin, lock) = match kind {
        EngineKind::Sqlite => ("BEGIN IMMEDIATE", ""),
        _ => ("BEGIN", " FOR UPDATE"),
    };
    // From the end, where the purge has not been yet, and across the place where it is.
    for n in 0..200 {
        let id = if n % 2 == 0 { ROWS - n } else { 1 + n * 5 % ROWS };
        let done = (|| {
            client.execute(begin)?;
            let there = !client.query(&format!("SELECT id FROM item WHERE id = {id}{lock}"))?.is_empty();
            if there && n % 3 == 0 {
                let new = 1_000_000 + n;
                client.execute(&format!("INSERT INTO item (id, at, image) VALUES ({new}, {now}, '{id}.png')"))?;
            } else if there {
                client.execute(&format!("UPDATE item SET at = {now} WHERE id = {id}"))?;
            }
            client.execute("COMMIT")?;
            Ok::<bool, Box<dyn std::error::Error + Send + Sync>>(there)
        })();
        match done {
            Ok(true) if n % 3 == 0 => saved.shared.push(id),
            Ok(true) => saved.touched.push(id),
            Ok(false) => {}
            // A deadlock or a locked database: this one was not written.
            Err(_) => drop(client.execute("ROLLBACK")),
        }
    }
    saved
}

for_each_engine! {
    async fn g2_a_row_touched_in_time_keeps_its_file(db) {
        let mut world = World::new(db);
        world.create_items();
        let path = if world.db.kind().is_mysql() { "CONCAT(n, '.png')" } else { "n || '.png'" };
        world.db.insert_series("item (id, at, image)", &format!("n, {}, {path}", world.days_ago(40.0)), 1..=ROWS);
        (1..=ROWS).for_each(|id| world.put("images", &format!("{id}.png"), 1));
        world.declare(&format!("{WITH_FILES}batch = 15\n"));
        let mut request = world.request(RunMode::Enforce);
        let (sender, mut receiver) = tokio::sync::watch::channel(Default::default());
        request.progress = Some(sender);
        let runner = world.runner().await;
        let run = tokio::spawn(async move { runner.run(request).await.unwrap() });
        receiver.wait_for(|progress| progress.rows_done > 0).await.unwrap();
        let (client, kind, now) = (world.db.connect(), world.db.kind(), world.days_ago(0.0));
        let saved = tokio::task::spawn_blocking(move || write(client, kind, now)).await.unwrap();
        let result = run.await.unwrap();
        // The writer may have made the purge wait too long somewhere; then the rest goes now.
        let again = world.run().await;
        assert!(matches!(again.status, Some(Status::Completed)), "{result:?}\n{again:?}");
        let (ids, files) = (world.ids(), world.files("images"));
        for id in &saved.touched {
            assert!(ids.contains(id), "row {id} was touched and is gone");
            assert!(files.contains(&format!("{id}.png")), "the file of row {id} is gone");
        }
        for id in &saved.shared {
            assert!(files.contains(&format!("{id}.png")), "the file that row {id} shared is gone");
        }
        let saved_files: BTreeSet<_> = saved.touched.iter().chain(&saved.shared).map(|id| format!("{id}.png")).collect();
        assert_eq!(files, saved_files, "and nothing else stays");
        assert!(!saved.touched.is_empty() && !saved.shared.is_empty());
    }
}
