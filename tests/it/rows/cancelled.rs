//! A run is stopped while something is asked, before anything is taken: it ends at once, and so does the server's work.

use std::time::{Duration, Instant};

use retaind::outcome::{RunMode, RunResult, Status};

use crate::engines::EngineKind;
use crate::world::{World, set};

const ROWS: u64 = 1500;
/// True of every row, and for each takes longer than a test.
const SLOW: &str = "(SELECT COUNT(*) FROM item AS one, item AS two, item AS three \
                    WHERE one.id + two.id + three.id + item.id > 0) >= 0";

fn slow_items(db: crate::engines::Database) -> World {
    let world = World::new(db);
    world.create_items();
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=ROWS);
    world
}

fn slow_rows(more: &str) -> String {
    format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
         where = \"{SLOW}\"\n{more}"
    )
}

/// Statements of the test that a server is still busy with.
fn busy(world: &World) -> u64 {
    let sql = match world.db.kind() {
        EngineKind::Sqlite => return 0,
        EngineKind::Postgres => {
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()"
        }
        _ => {
            "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = DATABASE() AND command <> 'Sleep' AND id <> CONNECTION_ID()"
        }
    };
    world.db.value(sql).unwrap().parse().unwrap()
}

/// Runs, and stops it a while later.
async fn cancelled(world: &World, mode: RunMode) -> RunResult {
    let request = world.request(mode);
    let cancel = request.cancel.clone();
    let runner = world.runner().await;
    let run = tokio::spawn(async move { runner.run(request).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!run.is_finished(), "it is busy: {:?}", run.await);
    let began = Instant::now();
    cancel.cancel();
    let result = run.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}: {result:?}", began.elapsed());
    assert_eq!(result.status, Some(Status::Cancelled), "{result:?}");
    assert_eq!((result.policies[0].status, &result.policies[0].errors), (Status::Cancelled, &Vec::new()));
    while busy(world) > 0 {
        assert!(began.elapsed() < Duration::from_secs(4), "the server goes on for nobody");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    result
}

for_each_engine! {
    async fn g8_a_run_is_cancelled_while_rows_are_counted(db) {
        let mut world = slow_items(db);
        world.declare(&slow_rows("max_rows = 1000000\n"));
        cancelled(&world, RunMode::Enforce).await;
        cancelled(&world, RunMode::Plan).await;
        // No guard counts: what is asked is whether the condition depends on the time.
        world.redeclare(&slow_rows(""));
        cancelled(&world, RunMode::Enforce).await;
        assert_eq!(world.ids().len() as u64, ROWS);
    }

    async fn g8_a_run_is_cancelled_while_references_are_read(db) {
        let mut world = slow_items(db);
        world.db.execute(&format!("CREATE VIEW slow AS SELECT thumb FROM item WHERE {SLOW}"));
        world.reference("thumbs", "slow", "thumb");
        world.put("thumbs", "1.jpg", 1);
        world.declare("[policies.lost]\nkind = \"orphans\"\nstore = \"thumbs\"\nkeep = \"1d\"\n");
        cancelled(&world, RunMode::Enforce).await;
        cancelled(&world, RunMode::Plan).await;
        assert_eq!(world.files("thumbs"), set(["1.jpg".to_owned()]));
    }
}
