//! The daemon's answers over its socket: what is, runs on request, pauses, approvals, reloads.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::*;
use crate::http::{self, Reply};

fn socket(world: &World) -> PathBuf {
    world.dir.join("state/retaind.sock")
}

fn request(world: &World, method: &str, path: &str, body: &str) -> Reply {
    http::request(&socket(world), method, path, body)
}

pub(super) fn get(world: &World, path: &str) -> Reply {
    request(world, "GET", &format!("/api/v1{path}"), "")
}

pub(super) fn post(world: &World, path: &str, body: Value) -> Reply {
    request(world, "POST", &format!("/api/v1{path}"), &body.to_string())
}

fn left(world: &World) -> Vec<String> {
    let rows = world.db.query("SELECT id FROM item ORDER BY id");
    rows.into_iter().map(|row| row[0].clone().unwrap()).collect()
}

/// Rows 1 and 2 are old, 3 is young.
fn three_items() -> (World, Daemon) {
    let world = world("every = \"20d\"");
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=2);
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(4.0)), 3..=3);
    let daemon = Daemon::ready(&world);
    (world, daemon)
}

fn ended(world: &World, run_id: &Value) -> Value {
    let path = format!("/runs/{}", run_id.as_str().unwrap());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let run = get(world, &path).body;
        if run["status"] != "running" {
            return run;
        }
        assert!(Instant::now() < deadline, "{run}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_run_on_request_deletes_and_is_recorded() {
    let (world, daemon) = three_items();
    let begun = post(&world, "/run", json!({ "names": ["items"] }));
    assert_eq!((begun.status, &begun.body["status"]), (202, &json!("running")), "{}", begun.body);
    assert!(begun.head.contains(&format!("location: /api/v1/runs/{}", begun.body["run_id"].as_str().unwrap())));
    let run = ended(&world, &begun.body["run_id"]);
    assert_eq!(
        (&run["status"], &run["trigger"], &run["mode"]),
        (&json!("completed"), &json!("api"), &json!("enforce"))
    );
    assert_eq!(run["totals"]["rows_deleted"], 2);
    assert_eq!(left(&world), ["3"]);
    let listed = get(&world, "/runs").body["runs"].clone();
    assert_eq!(listed[0]["run_id"], begun.body["run_id"]);
    daemon.stop();
}

#[test]
fn a_request_may_wait_for_its_run() {
    let (world, daemon) = three_items();
    let planned = post(&world, "/run?wait=20s", json!({ "names": ["items"], "mode": "plan" }));
    assert_eq!((planned.status, &planned.body["mode"]), (200, &json!("plan")), "{}", planned.body);
    assert_eq!(planned.body["totals"]["rows_deleted"], 2);
    assert_eq!(left(&world).len(), 3);
    let again = get(&world, &format!("/runs/{}", planned.body["run_id"].as_str().unwrap()));
    assert_eq!(again.body, planned.body, "a plan is remembered for a while, although no ledger has it");
    let run = post(&world, "/run?wait=20s", json!({ "names": ["sweep"] }));
    assert_eq!((run.status, &run.body["status"], &run.body["task"]), (200, &json!("completed"), &json!("sweep")));
    assert_eq!(left(&world), ["3"]);
    daemon.stop();
}

#[test]
fn progress_of_a_followed_run_never_falls() {
    let world = world("every = \"20d\"");
    fill(&world, 30_000);
    let daemon = Daemon::ready(&world);
    let begun = post(&world, "/run", json!({ "names": ["items"] }));
    let path = format!("/api/v1/runs/{}/events", begun.body["run_id"].as_str().unwrap());
    let answer = request(&world, "GET", &path, "").body;
    let events: Vec<(&str, Value)> = answer
        .as_str()
        .unwrap()
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("event: ")?.split_once("\ndata: "))
        .map(|(name, data)| (name, serde_json::from_str(data).unwrap()))
        .collect();
    let (last, before) = events.split_last().unwrap();
    assert_eq!((last.0, &last.1["status"]), ("end", &json!("completed")), "{answer}");
    let seen: Vec<u64> = before.iter().map(|(_, progress)| progress["progress"].as_u64().unwrap()).collect();
    assert!(seen.is_sorted() && seen.iter().all(|progress| *progress < 100), "{seen:?}");
    assert!(seen.iter().any(|progress| (1..99).contains(progress)), "it is seen in the middle: {seen:?}");
    assert_eq!(before[0].1["policies"], json!(["items"]));
    daemon.stop();
}

#[test]
fn g8_a_run_is_cancelled_on_request_between_batches() {
    let mut world = world("every = \"20d\"");
    // However long they take, batches are of one size.
    world.source_keys.push_str("\npace = { target = \"1m\" }");
    fill(&world, 60_000);
    let daemon = Daemon::ready(&world);
    let begun = post(&world, "/run", json!({ "names": ["items"] }));
    await_purge(&world, 60_000);
    let id = begun.body["run_id"].as_str().unwrap();
    assert_eq!(post(&world, &format!("/runs/{id}/cancel"), json!({})).status, 202);
    let run = ended(&world, &begun.body["run_id"]);
    assert_eq!((&run["status"], &run["cause"]), (&json!("cancelled"), &json!("request")));
    let gone = run["totals"]["rows_deleted"].as_u64().unwrap() as usize;
    assert_eq!((left(&world).len() + gone, gone % 100), (60_000, 0), "it stops between two batches");
    assert!(gone < 60_000, "it stops before the end");
    let again = post(&world, &format!("/runs/{id}/cancel"), json!({}));
    assert_eq!((again.status, &again.body["code"]), (409, &json!("run_ended")));
    daemon.stop();
}

#[test]
fn g7_a_busy_policy_is_refused() {
    let world = world("every = \"20d\"");
    fill(&world, 60_000);
    let daemon = Daemon::ready(&world);
    let begun = post(&world, "/run", json!({ "names": ["items"] }));
    await_purge(&world, 60_000);
    let busy = post(&world, "/run", json!({ "names": ["items"] }));
    assert_eq!((busy.status, &busy.body["code"]), (409, &json!("busy")), "{}", busy.body);
    assert_eq!(busy.body["run_id"], begun.body["run_id"]);
    assert_eq!(busy.body["type"], "urn:retaind:problem:busy");
    assert!(busy.head.contains("content-type: application/problem+json"), "{}", busy.head);
    let planned = post(&world, "/run?wait=20s", json!({ "names": ["items"], "mode": "plan" }));
    assert_eq!(planned.status, 200, "a plan disturbs nobody");
    daemon.stop();
}

#[test]
fn a_service_stop_cancels_requested_runs() {
    let world = world("every = \"20d\"");
    fill(&world, 60_000);
    let daemon = Daemon::ready(&world);
    post(&world, "/run", json!({ "names": ["items"] }));
    await_purge(&world, 60_000);
    daemon.stop();
    let runs = ledger(&world).query("SELECT status, cause FROM runs").unwrap();
    assert_eq!(runs, [[Some("cancelled".to_owned()), Some("signal".to_owned())]]);
    assert!(!socket(&world).exists());
}

#[test]
fn a_paused_policy_takes_nothing() {
    let (world, daemon) = three_items();
    let paused = post(&world, "/policies/items/pause", json!({ "reason": "migration" }));
    assert_eq!((paused.status, &paused.body["policy"]), (200, &json!("items")), "{}", paused.body);
    assert_eq!(paused.body["pause"]["reason"], "migration");
    let run = post(&world, "/run?wait=20s", json!({ "names": ["items"] })).body;
    assert_eq!((&run["status"], &run["policies"][0]["blocked_code"]), (&json!("blocked"), &json!("paused")), "{run}");
    let plan = post(&world, "/run?wait=20s", json!({ "names": ["items"], "mode": "plan" })).body;
    assert_eq!(plan["policies"][0]["blocked_code"], "paused");
    assert_eq!(plan["policies"][0]["rows_matched"], 2, "a plan counts all the same");
    assert_eq!(get(&world, "/status").body["paused"][0]["policy"], "items");
    assert_eq!(get(&world, "/policies").body["policies"][0]["is_paused"], true);
    assert_eq!(left(&world).len(), 3);
    assert_eq!(post(&world, "/policies/items/resume", json!({})).body["was_paused"], true);
    assert_eq!(post(&world, "/policies/items/resume", json!({})).body["was_paused"], false);
    post(&world, "/run?wait=20s", json!({ "names": ["items"] }));
    assert_eq!(left(&world), ["3"]);
    daemon.stop();
}

#[test]
fn a_pause_outlives_the_daemon() {
    let world = world("every = \"1s\"");
    fill(&world, 60_000);
    let daemon = Daemon::ready(&world);
    await_purge(&world, 60_000);
    post(&world, "/policies/items/pause", json!({}));
    let runs = await_runs(&world, 1);
    assert_eq!(text(&runs[0][1]), "cancelled");
    let rest = left(&world).len();
    daemon.stop();
    let daemon = Daemon::ready(&world);
    await_runs(&world, 3);
    assert_eq!(left(&world).len(), rest);
    daemon.stop();
}

#[test]
fn a_paused_task_skips_its_slots() {
    let world = world("every = \"1s\"");
    let daemon = Daemon::ready(&world);
    await_runs(&world, 1);
    post(&world, "/tasks/sweep/pause", json!({}));
    std::thread::sleep(Duration::from_millis(300));
    fill(&world, 10);
    let runs = await_runs(&world, 1).len();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!((await_runs(&world, 1).len(), left(&world).len()), (runs, 10));
    post(&world, "/tasks/sweep/resume", json!({}));
    await_runs(&world, runs + 1);
    daemon.stop();
}

#[test]
fn g5_an_unreadable_pause_blocks() {
    let (world, daemon) = three_items();
    post(&world, "/policies/items/pause", json!({}));
    std::fs::write(world.dir.join("state/pauses/policy.items"), "{").unwrap();
    let run = post(&world, "/run?wait=20s", json!({ "names": ["items"] })).body;
    assert_eq!(run["policies"][0]["blocked_code"], "pause_unknown", "{run}");
    assert_eq!(left(&world).len(), 3);
    daemon.stop();
}

#[test]
fn a_requested_reload_reports_what_changed() {
    let (world, daemon) = three_items();
    let before = get(&world, "/status").body["configuration"].clone();
    assert_eq!(before["differs_from_disk"], false);
    edit(&world, "keep = \"30d\"", "keep = \"60d\"");
    let done = post(&world, "/reload", json!({}));
    assert_eq!((done.status, &done.body["changes"]), (200, &json!("policy items: keep 30d → 60d")), "{}", done.body);
    assert_ne!(done.body["digest"], before["digest"]);
    edit(&world, "keep = \"60d\"", "keep = 60");
    let refused = post(&world, "/reload", json!({}));
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("configuration_invalid")), "{}", refused.body);
    assert!(refused.body["errors"][0].as_str().unwrap().contains("retaind.toml"), "{}", refused.body);
    assert_eq!(get(&world, "/status").body["configuration"]["reload_errors"], 1);
    daemon.stop();
}

#[test]
fn g11_an_approval_needs_what_was_shown() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    declare(&mut world, "every = \"20d\"");
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(20.0)), 1..=2);
    let mut daemon = Daemon::ready(&world);
    post(&world, "/run?wait=20s", json!({ "names": ["items"] }));
    edit(&world, "keep = \"30d\"", "keep = \"10d\"");
    daemon.reload();
    let run = post(&world, "/run?wait=20s", json!({ "names": ["items"] })).body;
    assert_eq!(run["policies"][0]["blocked_code"], "held", "{run}");
    let shown = get(&world, "/policies/items/proposal").body;
    assert_eq!((&shown["amount"], &shown["new"]["keep"]), (&json!(2), &json!("10d")), "{shown}");
    let approve = |fingerprint: &Value, amount: u64| {
        post(&world, "/policies/items/approve", json!({ "fingerprint": fingerprint, "amount": amount }))
    };
    assert_eq!(approve(&json!("0"), 2).status, 409);
    assert_eq!(approve(&shown["fingerprint"], 1).body["code"], "changed", "more would go than was shown");
    assert_eq!(post(&world, "/policies/items/approve", json!({})).status, 400);
    assert_eq!(left(&world).len(), 2);
    let approved = approve(&shown["fingerprint"], 2);
    assert_eq!((approved.status, &approved.body["approved"]), (200, &json!(true)), "{}", approved.body);
    post(&world, "/run?wait=20s", json!({ "names": ["items"] }));
    assert!(left(&world).is_empty());
    daemon.stop();
}

#[test]
fn a_malformed_request_is_a_problem() {
    let (world, daemon) = three_items();
    let cases = [
        ("POST", "/run", r#"{"names":["itms"]}"#, 404, "unknown_name"),
        ("POST", "/run", r#"{"names":["items"],"force":true}"#, 400, "invalid_request"),
        ("POST", "/run", r#"{"names":"items"}"#, 400, "invalid_request"),
        ("POST", "/run", "{", 400, "invalid_request"),
        ("POST", "/run", "", 400, "invalid_request"),
        ("POST", "/run", "{}", 400, "invalid_request"),
        ("POST", "/run", "null", 400, "invalid_request"),
        ("POST", "/policies/items/pause", r#"{"reason":"\u001b[2J"}"#, 400, "invalid_request"),
        ("POST", "/run?wait=soon", r#"{"names":["items"]}"#, 400, "invalid_request"),
        ("POST", "/run?dry=1", r#"{"names":["items"]}"#, 400, "invalid_request"),
        ("POST", "/run", r#"{"names":["items"],"params":{"id":"1"}}"#, 422, "invalid_parameter"),
        ("GET", "/runs/0192f3ab-0000-7000-8000-00000000cafe", "", 404, "unknown_run"),
        ("GET", "/runs/%ff", "", 400, "invalid_request"),
        ("GET", "/runs?limit=many", "", 400, "invalid_request"),
        ("GET", "/runs?before=0192f3ab-0000-7000-8000-00000000cafe", "", 404, "unknown_run"),
        ("POST", "/runs/xyz/cancel", "", 404, "unknown_run"),
        ("POST", "/policies/none/pause", "", 404, "unknown_name"),
        ("POST", "/tasks/..%2f..%2fetc/pause", "", 404, "unknown_name"),
        ("GET", "/run", "", 405, "method_not_allowed"),
        ("DELETE", "/runs", "", 405, "method_not_allowed"),
        ("GET", "/nothing", "", 404, "unknown_path"),
    ];
    for (method, path, body, status, code) in cases {
        let reply = request(&world, method, &format!("/api/v1{path}"), body);
        assert_eq!((reply.status, &reply.body["code"]), (status, &json!(code)), "{method} {path}: {}", reply.body);
        assert_eq!(reply.body["status"], status);
    }
    let large = format!("{{\"names\":[\"{}\"]}}", "a".repeat(70_000));
    assert_eq!(request(&world, "POST", "/api/v1/run", &large).status, 413);
    assert!(http::send(&socket(&world), b"hello\r\n\r\n").starts_with("HTTP/1.1 400"));
    assert_eq!(get(&world, "/runs").body["runs"], json!([]));
    assert_eq!(left(&world).len(), 3);
    assert_eq!(request(&world, "GET", "/healthz", "").status, 200);
    assert_eq!(request(&world, "GET", "/readyz", "").status, 200);
    daemon.stop();
}

#[test]
fn a_server_that_is_read_only_changes_nothing() {
    let mut world = world("every = \"20d\"");
    world.declare("[server]\nread_only = true\n");
    let daemon = Daemon::ready(&world);
    for path in
        ["/run", "/reload", "/policies/items/pause", "/policies/items/resume", "/tasks/sweep/pause", "/runs/a/cancel"]
    {
        let reply = post(&world, path, json!({}));
        assert_eq!((reply.status, &reply.body["code"]), (403, &json!("read_only")), "{path}");
    }
    assert_eq!(get(&world, "/status").status, 200);
    daemon.stop();
}

#[test]
fn the_socket_is_for_owner_and_group() {
    let world = world("every = \"20d\"");
    let mut daemon = Daemon::ready(&world);
    let mode = std::fs::metadata(socket(&world)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    daemon.signal(Signal::KILL);
    daemon.end_within(PATIENCE);
    assert!(socket(&world).exists(), "a dead daemon leaves it");
    let daemon = Daemon::ready(&world);
    assert_eq!(get(&world, "/status").status, 200);
    daemon.stop();
}

#[test]
fn a_file_with_the_sockets_name_stays() {
    let world = world("every = \"20d\"");
    std::fs::create_dir_all(socket(&world).parent().unwrap()).unwrap();
    std::fs::write(socket(&world), "somebody's").unwrap();
    let daemon = Daemon::ready(&world);
    daemon.stop();
    assert_eq!(std::fs::read_to_string(socket(&world)).unwrap(), "somebody's");
}

#[test]
fn status_says_what_is_in_force() {
    let (world, daemon) = three_items();
    let status = get(&world, "/status").body;
    assert_eq!(status["sources"], json!([{ "source": "app", "is_up": true }]));
    assert_eq!(status["tasks"].as_array().unwrap().last().unwrap()["task"], "sweep");
    assert_eq!(status["configuration"]["mode"], "enforce");
    let policies = get(&world, "/policies").body["policies"].clone();
    assert_eq!(policies[0]["configuration"]["keep"], "30d", "{policies}");
    assert_eq!(get(&world, "/stats?names=items").body["policies"][0]["rows_eligible"], 2);
    daemon.stop();
}

#[test]
fn idle_and_slow_clients_disturb_nobody() {
    let (world, daemon) = three_items();
    let idle: Vec<UnixStream> = (0..1000).map(|_| UnixStream::connect(socket(&world)).unwrap()).collect();
    let mut slow = UnixStream::connect(socket(&world)).unwrap();
    slow.write_all(b"POST /api/v1/run HTTP/1.1\r\nHost: re").unwrap();
    let mut body = UnixStream::connect(socket(&world)).unwrap();
    body.write_all(b"POST /api/v1/run HTTP/1.1\r\nHost: retaind\r\nContent-Length: 20\r\n\r\n{\"names\":").unwrap();
    let began = Instant::now();
    assert_eq!(get(&world, "/status").status, 200);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let mut answer = String::new();
    body.set_read_timeout(Some(PATIENCE)).unwrap();
    body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    for mut stream in idle.into_iter().chain([slow]) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Whatever it is told, it is cut off.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(left(&world).len(), 3);
    daemon.stop();
}
