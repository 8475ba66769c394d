//! A statement of SQLite that takes for ever ends with its timeout, with the task's, and with a signal; and a MariaDB
//! server that logs statements is governed like any other.

use std::time::{Duration, Instant};

use retaind::outcome::{RunMode, Status};

use crate::cli::spawn_in;
use crate::engines::{Database, EngineKind, Server, ServerOptions};
use crate::needs::Need;
use crate::rows::files::WITH_FILES;
use crate::world::{World, paths, set};

/// Some minutes' work for each row.
const SLOW: &str = "where = \"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
                    SELECT count(*) FROM n) > item.id\"\n";

fn world(statement_timeout: &str) -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    (1..=3).for_each(|id| world.item(id, 40.0, None, None));
    world.source_keys = format!("lock_timeout = \"1s\"\nstatement_timeout = \"{statement_timeout}\"");
    world.declare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n{SLOW}"
    ));
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_statement_timeout_ends_a_slow_sqlite_statement() {
    let world = world("1s");
    for mode in [RunMode::Plan, RunMode::Enforce] {
        let began = Instant::now();
        let result = world.runner().await.run(world.request(mode)).await.unwrap();
        assert_eq!((result.status, result.policies[0].error_count), (Some(Status::Failed), 1), "{result:?}");
        assert!(result.policies[0].errors[0].error.contains("interrupted"), "{result:?}");
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }
    assert_eq!(world.ids(), set([1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f32_task_and_signal_end_a_slow_sqlite_statement() {
    let world = world("10m");
    let mut request = world.request(RunMode::Enforce);
    request.timeout = Some(Duration::from_millis(500));
    let began = Instant::now();
    let result = world.runner().await.run(request).await.unwrap();
    assert_eq!(result.status, Some(Status::Cancelled), "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let running = spawn_in(&world, &["run", "items"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let began = Instant::now();
    running.signal(rustix::process::Signal::TERM);
    let ended = tokio::task::block_in_place(|| running.ended());
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?} {ended:?}", began.elapsed());
    assert_eq!(world.ids(), set([1, 2, 3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn f33_a_server_that_logs_statements_is_governed() {
    needs!(Need::Server);
    let settings = ["log-bin=log", "server-id=1", "binlog-format=STATEMENT"].map(str::to_owned).to_vec();
    let server = Server::start(EngineKind::MariaDb, ServerOptions { settings, ..ServerOptions::default() });
    let mut world = World::new(Database::on(&server));
    assert_eq!(world.db.value("SELECT CONCAT(@@log_bin + 0, @@binlog_format)").as_deref(), Some("1STATEMENT"));
    world.create_items();
    world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER, image VARCHAR(50))");
    world.db.execute("CREATE TABLE hold (item_id INTEGER)");
    for id in 1..=6 {
        world.item(id, if id == 6 { 1.0 } else { 40.0 }, None, Some(&format!("{id}.png")));
        world.put("images", &format!("{id}.png"), 1);
    }
    world.put("images", "p1.png", 1);
    world.db.execute("INSERT INTO part VALUES (1, 1, 'p1.png')");
    world.db.execute("INSERT INTO hold VALUES (2)");
    world.declare(&format!(
        "{WITH_FILES}batch = 2\nprotected_by = [{{ table = \"hold\", on = \"hold.item_id = item.id\" }}]\n\
         children = [{{ table = \"part\", column = \"item_id\", references = \"id\", \
         files = [{{ store = \"images\", column = \"image\" }}] }}]\n"
    ));
    world.declare(
        "[policies.marked]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nwhere = \"note = 'n' AND id = 6\"\n\
         action = \"update\"\nset = { note = \"seen\" }\n",
    );
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    assert_eq!(world.ids(), set([2, 6]));
    assert_eq!(world.files("images"), paths(["2.png", "6.png"]));
    assert_eq!(world.db.column("SELECT note FROM item ORDER BY id"), ["n", "seen"]);
}
