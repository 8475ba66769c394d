//! What fails is recorded with its key, and the rest goes on; who stops a run finds true sums.

use std::time::Duration;

use crate::decided::assert_blocked;
use serde_json::json;

use retaind::outcome::{RunMode, Status};

use crate::engines::EngineKind;
use crate::needs::Need;
use crate::rows::files::WITH_FILES;
use crate::world::{World, paths, set};

const AGED: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

/// Rows that point to items and forbid that items 3 and 7 go.
fn forbid(world: &World) {
    let engine = if world.db.kind().is_mysql() { " ENGINE = InnoDB" } else { "" };
    world.db.execute(&format!(
        "CREATE TABLE holder (id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL, \
         CONSTRAINT holds FOREIGN KEY (item_id) REFERENCES item (id)){engine}"
    ));
    world.db.execute("INSERT INTO holder VALUES (1, 3), (2, 7)");
}

for_each_engine! {
    async fn g9_a_foreign_key_holds_only_its_row(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=20).for_each(|id| world.item(id, 40.0, None, None));
        forbid(&world);
        world.declare(AGED);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.ids(), set([3, 7]));
        let result = &result.policies[0];
        let mut keys: Vec<_> = result.errors.iter().filter_map(|failure| failure.key.as_deref()).collect();
        keys.sort_unstable();
        assert_eq!((keys, result.error_count), (vec!["3", "7"], 2));
        assert_eq!((result.tally.rows_matched, result.tally.rows_deleted), (20, 18));
    }

    async fn g9_with_files_the_held_rows_keep_theirs(db) {
        let mut world = World::new(db);
        world.create_items();
        for id in 1..=9 {
            world.put("images", &format!("{id}.png"), 1);
            world.item(id, 40.0, None, Some(&format!("{id}.png")));
        }
        forbid(&world);
        world.declare(&format!("{WITH_FILES}batch = 4\n"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.ids(), set([3, 7]));
        assert_eq!(world.files("images"), paths(["3.png", "7.png"]));
        assert!(world.ledger().await.owed().await.unwrap().is_empty());
    }

    async fn locked_rows_stay_and_the_rest_goes(db) {
        let mut world = World::new(db);
        if world.is(EngineKind::Sqlite) {
            // SQLite locks the whole database; see below.
            return;
        }
        world.create_items();
        (1..=10).for_each(|id| world.item(id, 40.0, None, Some(&format!("{id}.png"))));
        (1..=10).for_each(|id| world.put("images", &format!("{id}.png"), 1));
        let mut other = world.db.connect();
        other.execute("BEGIN").unwrap();
        other.query("SELECT id FROM item WHERE id IN (4, 5) FOR UPDATE").unwrap();
        world.declare(WITH_FILES);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.ids(), set([4, 5]));
        assert_eq!(world.files("images"), paths(["4.png", "5.png"]));
        assert_eq!(result.policies[0].error_count, 2, "{result:?}");
        other.execute("ROLLBACK").unwrap();
        let again = world.run().await;
        assert_eq!((again.status, world.ids()), (Some(Status::Completed), set([])));
    }

    async fn a_broken_condition_fails_its_policy_alone(db) {
        let mut world = World::new(db);
        world.create_items();
        world.item(1, 40.0, None, None);
        world.declare(&AGED.replace("policies.items", "policies.broken")).declare("where = \"no_such_column = 1\"");
        world.declare(AGED);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(result.policies[0].status, Status::Failed);
        assert!(result.policies[0].errors[0].error.contains("no_such_column"), "{result:?}");
        assert_eq!((result.policies[1].status, world.ids()), (Status::Completed, set([])));
    }

    async fn a_cancelled_run_says_what_it_did(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=20_000);
        world.declare(&format!("{AGED}batch = 50"));
        let mut request = world.request(RunMode::Enforce);
        let (sender, mut receiver) = tokio::sync::watch::channel(Default::default());
        request.progress = Some(sender);
        let cancel = request.cancel.clone();
        tokio::spawn(async move {
            let _ = receiver.wait_for(|progress| progress.rows_done >= 200).await;
            cancel.cancel();
        });
        let result = world.runner().await.run(request).await.unwrap();
        assert_eq!(result.status, Some(Status::Cancelled), "{result:?}");
        let left = world.ids().len() as u64;
        assert!(result.totals.rows_deleted >= 200 && left > 0, "{result:?}");
        assert_eq!(result.totals.rows_deleted, 20_000 - left);
        let kept = world.ledger().await.run(&result.run_id.to_string()).await.unwrap().unwrap();
        assert_eq!((kept.status, kept.totals.rows_deleted), (Some(Status::Cancelled), 20_000 - left));
    }

    async fn a_timeout_cancels_and_says_so(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=20_000);
        world.declare(&format!("{AGED}batch = 2"));
        let mut request = world.request(RunMode::Enforce);
        request.timeout = Some(Duration::from_millis(300));
        let result = world.runner().await.run(request).await.unwrap();
        assert_eq!((result.status, result.cause), (Some(Status::Cancelled), Some(retaind::outcome::Cause::Timeout)));
        assert_eq!(result.totals.rows_deleted, 20_000 - world.ids().len() as u64);
    }

    async fn g7_a_policy_never_runs_twice_at_once(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=3000);
        world.declare(&format!("{AGED}batch = 10"));
        let mut request = world.request(RunMode::Enforce);
        let (sender, mut receiver) = tokio::sync::watch::channel(Default::default());
        request.progress = Some(sender);
        let first = tokio::spawn({
            let runner = world.runner().await;
            async move { runner.run(request).await.unwrap() }
        });
        receiver.wait_for(|progress| progress.rows_done >= 10).await.unwrap();
        let second = world.run().await;
        assert_eq!(second.status, Some(Status::Blocked), "{second:?}");
        assert_blocked(&second.policies[0], "already_running", json!({ "policy": "items", "pid": std::process::id() }));
        let first = first.await.unwrap();
        assert_eq!((first.status, first.totals.rows_deleted), (Some(Status::Completed), 3000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_sqlite_database_is_waited_for() {
    let mut world = World::new(crate::engines::Database::create(EngineKind::Sqlite));
    world.create_items();
    (1..=10).for_each(|id| world.item(id, 40.0, None, None));
    let mut other = world.db.connect();
    other.execute("BEGIN IMMEDIATE").unwrap();
    world.declare(AGED);
    let run = tokio::spawn({
        let (runner, request) = (world.runner().await, world.request(RunMode::Enforce));
        async move { runner.run(request).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    other.execute("COMMIT").unwrap();
    let result = run.await.unwrap();
    assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([])), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_that_returns_loses_nothing() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let server = crate::engines::Server::start(kind, crate::engines::ServerOptions::default());
        let mut world = World::new(crate::engines::Database::on(&server));
        world.create_items();
        let old = world.days_ago(40.0);
        let path = if kind == EngineKind::Postgres { "n || '.png'" } else { "CONCAT(n, '.png')" };
        world.db.insert_series("item (id, at, image)", &format!("n, {old}, {path}"), 1..=2000);
        (1..=2000).for_each(|id| world.put("images", &format!("{id}.png"), 1));
        world.declare(&format!("{WITH_FILES}batch = 20\n"));
        let mut request = world.request(RunMode::Enforce);
        let (sender, mut receiver) = tokio::sync::watch::channel(Default::default());
        request.progress = Some(sender);
        let run = tokio::spawn({
            let runner = world.runner().await;
            async move { runner.run(request).await.unwrap() }
        });
        receiver.wait_for(|progress| progress.rows_done >= 100).await.unwrap();
        tokio::task::spawn_blocking({
            let server = server.clone();
            move || {
                server.kill();
                server.restart();
            }
        })
        .await
        .unwrap();
        let result = run.await.unwrap();
        assert!(matches!(result.status, Some(Status::Completed | Status::CompletedWithErrors)), "{kind:?} {result:?}");
        let last = world.run().await;
        assert_eq!(last.status, Some(Status::Completed), "{kind:?} {last:?}");
        assert_eq!((world.ids(), world.files("images")), (set([]), paths([])), "{kind:?}");
    }
}
