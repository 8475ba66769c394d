//! The pace of a run: it gives way to other sessions, keeps to its rate and its pauses, and waits for replicas and for a
//! machine that has too much to do. Whatever it waits for, the same rows go in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use retaind::outcome::{PolicyResult, RunMode, RunResult, Status, Wait};

use crate::engines::{Database, EngineKind, Server, ServerOptions};
use crate::needs::Need;
use crate::world::{World, set};

const ROWS: u64 = 1000;

/// A world of old rows, and three young ones.
fn world(db: Database, keys: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=ROWS);
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(1.0)), 2001..=2003);
    world.declare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n{keys}"
    ));
    world
}

/// Runs, and what became of the policy once all of its rows have gone.
async fn purged(world: &World) -> PolicyResult {
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    assert_eq!(world.ids(), set([2001, 2002, 2003]));
    let policy = result.policies.into_iter().next().unwrap();
    assert_eq!(policy.tally.rows_deleted, ROWS);
    policy
}

fn waited(policy: &PolicyResult, wait: Wait) -> u64 {
    policy.waited_ms.get(&wait).copied().unwrap_or(0)
}

/// Changes something again and again until it is told to stop.
fn application(world: &World) -> (Arc<AtomicBool>, std::thread::JoinHandle<u64>) {
    world.db.execute("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)");
    world.db.execute("INSERT INTO counter VALUES (1, 0)");
    let stop = Arc::new(AtomicBool::new(false));
    let (mut client, until) = (world.db.connect(), Arc::clone(&stop));
    // SQLite lets nobody in beside a writer that never rests.
    let (wait, rest) = match world.db.kind() {
        EngineKind::Postgres => ("SELECT pg_sleep(0.005)", Duration::ZERO),
        EngineKind::Sqlite => ("SELECT 1", Duration::from_millis(20)),
        _ => ("SELECT SLEEP(0.005)", Duration::ZERO),
    };
    let writer = std::thread::spawn(move || {
        let mut done = 0;
        while !until.load(Ordering::Relaxed) {
            client.query(wait).unwrap();
            std::thread::sleep(rest);
            done += u64::from(client.execute("UPDATE counter SET n = n + 1").is_ok());
        }
        done
    });
    world.db.wait_for("SELECT COUNT(*) FROM counter WHERE n > 0", "1");
    (stop, writer)
}

for_each_engine! {
    async fn gives_way_to_sessions_at_work(db) {
        let world = world(db, "batch = 5\n");
        // Long enough that the two meet.
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 10_001..=12_000);
        let (stop, writer) = application(&world);
        let result = world.run().await;
        stop.store(true, Ordering::Relaxed);
        assert_eq!((result.status, result.totals.rows_deleted), (Some(Status::Completed), ROWS + 2000), "{result:?}");
        let policy = &result.policies[0];
        assert!(writer.join().unwrap() > 2, "the application goes on");
        assert!(waited(policy, Wait::Others) > 100, "{policy:?}");
    }
}

for_each_engine! {
    async fn does_not_give_way_where_told(db) {
        let world = world(db, "batch = 20\npace = { yield = false }\n");
        let (stop, writer) = application(&world);
        let policy = purged(&world).await;
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        assert_eq!(policy.waited_ms.len(), 0, "{policy:?}");
    }
}

for_each_engine! {
    async fn keeps_to_its_rate(db) {
        let mut world = world(db, "pace = { rows_per_second = 1000 }\nbatch = 100\n");
        // What the policy does not say, the source does.
        world.source_keys.push_str("\npace = { rows_per_second = 10, yield = false }");
        let began = Instant::now();
        let policy = purged(&world).await;
        // The last of ten batches needs no rest.
        assert!(began.elapsed() >= Duration::from_millis(900), "{policy:?}");
        assert_eq!(policy.waited_ms.keys().collect::<Vec<_>>(), [&Wait::Rate], "{policy:?}");
    }
}

/// A server of its own, on which nobody else is at work.
fn alone(kind: EngineKind) -> Database {
    match kind {
        EngineKind::Sqlite => Database::create(kind),
        kind => Database::on(&Server::start(kind, ServerOptions::default())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_nothing_where_nobody_is() {
    needs!(Need::Server);
    for kind in [EngineKind::Sqlite, EngineKind::Postgres, EngineKind::MariaDb] {
        let world = world(alone(kind), "batch = 20\n");
        let policy = purged(&world).await;
        // A server's own work may look like somebody's for a moment.
        assert!(waited(&policy, Wait::Others) < 500, "{kind:?}: {policy:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rests_after_each_batch() {
    let world = world(Database::create(EngineKind::Sqlite), "pace = { pause = \"30ms\" }\nbatch = 100\n");
    let policy = purged(&world).await;
    assert!((270..2000).contains(&waited(&policy, Wait::Pause)), "{policy:?}");
}

/// Runs until it has waited for a while, and stops it then.
async fn waits_in_vain(world: &World) -> RunResult {
    let mut request = world.request(RunMode::Enforce);
    request.timeout = Some(Duration::from_secs(2));
    let result = world.runner().await.run(request).await.unwrap();
    assert_eq!(result.status, Some(Status::Cancelled), "{result:?}");
    assert_eq!(result.totals.rows_deleted, 0);
    assert_eq!(world.ids().len() as u64, ROWS + 3);
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_while_the_machine_is_overloaded() {
    let mut world = world(Database::create(EngineKind::Sqlite), "pace = { max_load = 1e-9 }\n");
    if std::fs::read_to_string("/proc/loadavg").unwrap().starts_with("0.00 ") {
        return;
    }
    let result = waits_in_vain(&world).await;
    assert!(waited(&result.policies[0], Wait::Load) > 500, "{result:?}");
    world.redeclare(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
         pace = { max_load = 1000000 }\n",
    );
    assert_eq!(waited(&purged(&world).await, Wait::Load), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_replicas_that_are_behind() {
    needs!(Need::Server);
    let primary = Server::start(EngineKind::Postgres, ServerOptions::default());
    let db = Database::on(&primary);
    let grant = "GRANT pg_monitor TO retaind";
    let world = world(db, "batch = 50\npace = { max_replica_lag = \"1s\", pause = \"100ms\", yield = false }\n");
    // Nobody says how far anybody is.
    let result = waits_in_vain(&world).await;
    assert!(waited(&result.policies[0], Wait::Replica) > 500, "{result:?}");

    let standby = primary.standby();
    let result = waits_in_vain(&world).await;
    assert!(waited(&result.policies[0], Wait::Replica) > 500, "the login may not see it: {result:?}");
    world.db.connect_as_superuser().execute(grant).unwrap();

    let mut on_standby = crate::engines::Client::connect(&standby, "postgres", "postgres").unwrap();
    on_standby.execute("SELECT pg_wal_replay_pause()").unwrap();
    let running = {
        let (runner, request) = (world.runner().await, world.request(RunMode::Enforce));
        tokio::spawn(async move { runner.run(request).await.unwrap() })
    };
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (left, is_over) = (world.ids().len() as u64, running.is_finished());
    assert!(left > 3 && left < ROWS + 3 && !is_over, "it began and waits: {left} rows are left");
    on_standby.execute("SELECT pg_wal_replay_resume()").unwrap();
    let result = running.await.unwrap();
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    assert_eq!(world.ids(), set([2001, 2002, 2003]));
    assert!(waited(&result.policies[0], Wait::Replica) > 1000, "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_no_more_than_a_crashed_server_has() {
    needs!(Need::Server);
    let server = Server::start(EngineKind::Postgres, ServerOptions::default());
    let db = Database::on(&server);
    // What is committed stays in the server's memory for as long as it may.
    let mut superuser = db.connect_as_superuser();
    superuser.execute("ALTER SYSTEM SET wal_writer_delay = '10s'").unwrap();
    superuser.execute("SELECT pg_reload_conf()").unwrap();
    drop(superuser);
    let mut world = world(db, "batch = 10\npace = { pause = \"20ms\", yield = false }\n");
    world.source_keys.push_str("\nconnect_timeout = \"2s\"");
    let running = {
        let (runner, request) = (world.runner().await, world.request(RunMode::Enforce));
        tokio::spawn(async move { runner.run(request).await.unwrap() })
    };
    tokio::time::sleep(Duration::from_millis(700)).await;
    let before = world.ids().len() as u64;
    assert!(before < ROWS + 3 && !running.is_finished(), "it is in the middle: {before}");
    tokio::task::block_in_place(|| {
        server.kill();
        server.restart();
    });
    let result = running.await.unwrap();
    let left = world.ids();
    assert!(left.is_superset(&set([2001, 2002, 2003])), "{left:?}");
    let gone = ROWS + 3 - left.len() as u64;
    // No more than what is gone, and no less but for the moment before the crash.
    let counted = result.policies[0].tally.rows_deleted;
    assert!(counted <= gone && counted > 0, "{counted} of {gone}: {result:?}");
    assert_eq!(result.policies[0].notes.is_empty(), counted == gone, "{result:?}");
    // The next run takes what came back.
    assert_eq!(world.run().await.status, Some(Status::Completed));
    assert_eq!(world.ids(), set([2001, 2002, 2003]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_make_durable_commits_durably() {
    needs!(Need::Server);
    let world = world(Database::create(EngineKind::Postgres), "batch = 100\n");
    let mut superuser = world.db.connect_as_superuser();
    superuser.execute("REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text) FROM PUBLIC").unwrap();
    let policy = purged(&world).await;
    assert_eq!((policy.error_count, policy.notes), (0, Vec::new()));
}
