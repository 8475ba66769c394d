//! Databases that take no changes, and statements that take too long: one message with the cause, in a plan as in a run.

use std::time::{Duration, Instant};

use crate::decided::assert_blocked;
use serde_json::json;

use retaind::outcome::{RunMode, Status};

use crate::cli::call_in;
use crate::engines::{Database, EngineKind, Server, ServerOptions};
use crate::needs::Need;
use crate::world::{World, set};

const AGED: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

fn world_on(server: &Server) -> World {
    let mut world = World::new(Database::on(server));
    world.create_items();
    (1..=5).for_each(|id| world.item(id, 40.0, None, None));
    world.declare(AGED);
    world
}

/// A plan, a run and `check` say the same, once.
async fn assert_refused(world: &World, because: &str) {
    let (plan, listed) = world.plan().await;
    let run = world.run().await;
    for result in [&plan, &run] {
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "read_only_source", json!({ "source": "app", "because": because }));
        assert_eq!(result.policies[0].error_count, 0, "{result:?}");
    }
    assert_eq!(listed.len(), 5);
    let checked = tokio::task::block_in_place(|| call_in(world, &["check", "--json"])).json();
    let said = checked["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "read_only_source");
    assert_eq!(said.count(), 1, "{checked:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_a_standby_blocks_until_promoted() {
    needs!(Need::Server);
    let primary = Server::start(EngineKind::Postgres, ServerOptions::default());
    let mut world = world_on(&primary);
    let standby = primary.standby();
    world.url = Some(standby.url_of(world.db.name()));
    assert_refused(&world, "standby").await;
    let runner = world.runner().await;
    tokio::task::block_in_place(|| standby.promote());
    let result = runner.run(world.request(RunMode::Enforce)).await.unwrap();
    assert_eq!((result.status, result.totals.rows_deleted), (Some(Status::Completed), 5), "{result:?}");
    assert_eq!(world.ids(), (1..=5).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_a_read_only_server_blocks_in_one_sentence() {
    needs!(Need::Server);
    let server = Server::start(EngineKind::MariaDb, ServerOptions::default());
    let world = world_on(&server);
    world.db.connect_as_superuser().execute("SET GLOBAL read_only = 1").unwrap();
    assert_refused(&world, "read_only").await;
    world.db.connect_as_superuser().execute("SET GLOBAL read_only = 0").unwrap();
    assert_eq!((world.run().await.status, world.ids()), (Some(Status::Completed), set([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_turning_read_only_ends_with_one_error() {
    needs!(Need::Server);
    let server = Server::start(EngineKind::Postgres, ServerOptions::default());
    let mut world = World::new(Database::on(&server));
    world.create_items();
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=5000);
    world.declare(&format!("{AGED}batch = 5\n"));
    let runner = world.runner().await;
    let mut request = world.request(RunMode::Enforce);
    let (sender, mut receiver) = tokio::sync::watch::channel(Default::default());
    request.progress = Some(sender);
    let run = tokio::spawn({
        let runner = runner.clone();
        async move { runner.run(request).await.unwrap() }
    });
    receiver.wait_for(|progress| progress.rows_done >= 20).await.unwrap();
    let read_only = |value: &str| {
        let mut superuser = world.db.connect_as_superuser();
        superuser.execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).unwrap();
        superuser.execute("SELECT pg_reload_conf()").unwrap();
    };
    read_only("on");
    let result = run.await.unwrap();
    assert_eq!((result.status, result.policies[0].error_count), (Some(Status::Failed), 1), "{result:?}");
    assert!(result.policies[0].errors[0].error.contains("read-only"), "{result:?}");
    let left = world.ids().len() as u64;
    assert_eq!(result.totals.rows_deleted, 5000 - left);
    let again = runner.run(world.request(RunMode::Enforce)).await.unwrap();
    assert_eq!(again.status, Some(Status::Blocked), "{again:?}");
    let mut superuser = world.db.connect_as_superuser();
    superuser.execute("SET default_transaction_read_only = off").unwrap();
    superuser.execute("ALTER SYSTEM SET default_transaction_read_only = off").unwrap();
    superuser.execute("SELECT pg_reload_conf()").unwrap();
    // As soon as the server has read its settings, without a restart.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let last = runner.run(world.request(RunMode::Enforce)).await.unwrap();
        if last.status == Some(Status::Completed) {
            break;
        }
        assert!(Instant::now() < deadline, "{last:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.ids(), set([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f40_a_slow_batch_ends_with_one_error() {
    needs!(Need::Server);
    let mut world = World::new(Database::create(EngineKind::Postgres));
    world.create_items();
    (1..=8).for_each(|id| world.item(id, 40.0, None, None));
    world.db.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN OLD; END $$; \
         CREATE TRIGGER slow BEFORE DELETE ON item FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    world.source_keys = "lock_timeout = \"1s\"\nstatement_timeout = \"1s\"".to_owned();
    world.declare(AGED);
    let began = Instant::now();
    let result = world.run().await;
    assert_eq!((result.status, result.policies[0].error_count), (Some(Status::Failed), 1), "{result:?}");
    assert!(result.policies[0].errors[0].error.contains("statement_timeout"), "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(world.ids(), (1..=8).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_foreign_key_without_index_is_named() {
    needs!(Need::Server);
    let mut world = World::new(Database::create(EngineKind::Postgres));
    world.create_items();
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=20_000);
    for table in ["part", "scan"] {
        world.db.execute(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, item_id int REFERENCES item ON DELETE CASCADE)"
        ));
        world.db.insert_series(&format!("{table} (id, item_id)"), "n, 1 + n % 20000", 1..=240_000);
    }
    world.source_keys = "lock_timeout = \"1s\"\nstatement_timeout = \"1s\"".to_owned();
    world.declare(AGED);
    let checked = tokio::task::block_in_place(|| call_in(&world, &["check"]));
    let result = world.run().await;
    assert_eq!((result.status, result.policies[0].error_count), (Some(Status::Failed), 1), "{result:?}");
    for table in ["part", "scan"] {
        let index = format!("CREATE INDEX CONCURRENTLY ON \"public\".\"{table}\" (\"item_id\");");
        assert!(result.policies[0].errors[0].error.contains(&index), "{result:?}");
        assert!(checked.stdout.replace('\n', " ").contains(&index), "{checked:?}");
    }
    world.db.execute("CREATE INDEX ON part (item_id); CREATE INDEX ON scan (item_id)");
    world.source_keys = "lock_timeout = \"1s\"\nstatement_timeout = \"20s\"".to_owned();
    assert_eq!((world.run().await.status, world.ids()), (Some(Status::Completed), set([])));
}
