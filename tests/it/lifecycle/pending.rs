//! Pending files by requests and by commands while the daemon runs.

use serde_json::{Value, json};

use super::api::{get, post};
use super::commands::retaind;
use super::*;
use crate::http;
use crate::needs::Need;
use crate::rows::files::WITH_FILES;
use crate::rows::recovery::{fill as fill_items, owe};
use crate::world::paths;

/// A daemon, and files of rows 1 and 2 that became pending after its start.
fn two_pending() -> (World, Daemon) {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    fill_items(&world);
    world.declare(WITH_FILES);
    let daemon = Daemon::ready(&world);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(owe(&world, &[1, 2], None));
    world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
    (world, daemon)
}

fn actions(world: &World) -> Vec<String> {
    let rows = ledger(world).query("SELECT action, subject FROM audit ORDER BY number").unwrap();
    rows.iter().map(|row| format!("{} {}", text(&row[0]), text(&row[1]))).collect()
}

#[test]
fn pending_files_by_requests() {
    let (world, daemon) = two_pending();
    let listed = get(&world, "/pending?limit=1").body;
    assert_eq!((&listed["files_pending"], listed["pending"].as_array().unwrap().len()), (&json!(2), 1), "{listed}");
    assert_eq!((&listed["format_version"], &listed["pending"][0]["reason"]), (&json!(1), &json!("not_tried")));
    for (path, body) in [
        ("/pending/retry", json!({ "what": "images/9.png" })),
        ("/pending/retry", json!({ "what": "images/../1.png" })),
        ("/pending/forget", json!({ "file": "images/9.png" })),
        ("/pending/forget", json!({ "file": "images" })),
    ] {
        let refused = post(&world, path, body.clone());
        assert_eq!((refused.status, &refused.body["code"]), (409, &json!("not_pending")), "{body}: {}", refused.body);
    }
    let forgotten = post(&world, "/pending/forget", json!({ "file": "images/1.png" }));
    assert_eq!((forgotten.status, &forgotten.body["rows"][0]["policy"]), (200, &json!("items")), "{}", forgotten.body);
    let retried = post(&world, "/pending/retry", json!({}));
    assert_eq!((retried.status, &retried.body["files_deleted"]), (200, &json!(1)), "{}", retried.body);
    assert_eq!((&retried.body["files_pending"], &retried.body["pending"]), (&json!(0), &json!([])));
    assert_eq!(world.files("images"), paths(["1.png", "3.png", "4.png"]));
    let asked: Vec<_> = actions(&world).into_iter().filter(|asked| !asked.starts_with("run ")).collect();
    assert_eq!(asked, ["forget file images/1.png", "retry all"], "what was refused changes nothing");
    daemon.stop();
}

#[test]
fn commands_leave_pending_files_to_the_daemon() {
    let (world, daemon) = two_pending();
    let shown = retaind(&world, &["pending", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["files_pending"], 2);
    // What is on disk matters to nobody but the next reload.
    edit(&world, "keep = \"30d\"", "keep = 30");
    let forgotten = retaind(&world, &["pending", "forget", "images/2.png", "--yes"]);
    assert_eq!(forgotten.status.code(), Some(0), "{forgotten:?}");
    let retried = retaind(&world, &["pending", "retry", "images"]);
    assert_eq!(retried.status.code(), Some(0), "{retried:?}");
    assert_eq!(String::from_utf8_lossy(&retried.stdout), "1 file deleted.\n");
    assert_eq!(world.files("images"), paths(["2.png", "3.png", "4.png"]));
    assert!(log(&world).contains("is tried again, by") && log(&world).contains("images/2.png is pending no more"));
    let refused = retaind(&world, &["pending", "forget", "images/2.png", "--yes", "--json"]);
    let said: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(
        (refused.status.code(), &said["error"]["code"]),
        (Some(2), &json!("not_pending")),
        "as without a daemon"
    );
    daemon.stop();
}

/// Another attempt that waits for an answer about the first of two batches while `meanwhile` happens; its answer.
fn retried_while(meanwhile: impl FnOnce(&World, &mut Daemon)) -> (World, Daemon, Value) {
    let mut world = World::new(Database::create(EngineKind::Postgres));
    world.source_keys = "lock_timeout = \"60s\"".to_owned();
    fill_items(&world);
    world.declare(WITH_FILES);
    let mut daemon = Daemon::ready(&world);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(owe(&world, &[1], None));
    runtime.block_on(owe(&world, &[2], None));
    world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
    let mut other = world.db.connect();
    other.execute("BEGIN; LOCK TABLE item IN ACCESS EXCLUSIVE MODE").unwrap();
    let answer = std::thread::scope(|scope| {
        let socket = world.dir.join("state/retaind.sock");
        let retrying = scope.spawn(move || http::request(&socket, "POST", "/api/v1/pending/retry", "{}"));
        world.db.wait_for("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'item'::regclass", "t");
        meanwhile(&world, &mut daemon);
        other.execute("COMMIT").unwrap();
        retrying.join().unwrap()
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
    (world, daemon, answer.body)
}

#[test]
fn a_pause_ends_another_attempt() {
    needs!(Need::Server);
    let (world, daemon, answer) = retried_while(|world, _| {
        assert_eq!(post(world, "/policies/items/pause", json!({})).status, 200);
    });
    assert_eq!((&answer["files_deleted"], &answer["files_pending"]), (&json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["pending"][0]["reason"], "paused", "{answer}");
    assert_eq!(world.files("images"), paths(["2.png", "3.png", "4.png"]), "the batch under way came to its end");
    daemon.stop();
}

#[test]
fn a_careful_reload_ends_another_attempt() {
    needs!(Need::Server);
    let (world, daemon, answer) = retried_while(|world, daemon| {
        edit(world, "keep = \"30d\"", "keep = \"30d\"\nmode = \"report\"");
        assert!(!daemon.reload().contains("failed"));
    });
    assert_eq!((&answer["files_deleted"], &answer["files_pending"]), (&json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["pending"][0]["reason"], "report_mode", "{answer}");
    assert_eq!(world.files("images"), paths(["2.png", "3.png", "4.png"]), "the batch under way came to its end");
    daemon.stop();
}
