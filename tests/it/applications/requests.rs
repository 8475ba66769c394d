//! The endpoints of the services as requests: each line of `curl` that docs/api.md has for one, sent to a daemon.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::engines::{Database, EngineKind};
use crate::http;

/// Method, path and body of each request that the page has for a service: those with `-d` are sent by POST.
fn requests(service: &str) -> Vec<(&'static str, String, String)> {
    let page = include_str!("../../../docs/api.md");
    let tables = page.split("## For each endpoint of the five cleanup services").nth(1).expect("the tables are there");
    let table = tables.split("\n### ").find(|table| table.starts_with(service)).expect("the service has a table");
    let lines = table.lines().filter_map(|line| line.split("`curl ").nth(1)?.split('`').next());
    lines
        .map(|line| {
            let (address, body) = line.split_once(" -d ").unwrap_or((line, ""));
            let path = address.trim_matches('"').replace("$S", "/api/v1");
            let method = if body.is_empty() { "GET" } else { "POST" };
            (method, path, body.trim_matches('\'').to_owned())
        })
        .collect()
}

/// A daemon of a service, and the socket on which it answers.
fn answering(service: &Application) -> (Daemon, PathBuf) {
    let daemon = Daemon::start(service);
    let state = service.json(&["status", "--json"])["state_dir"].as_str().expect("a directory").to_owned();
    let socket = PathBuf::from(state).join("retaind.sock");
    let deadline = Instant::now() + daemon::PATIENCE;
    while !socket.exists() {
        assert!(Instant::now() < deadline, "the daemon does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    (daemon, socket)
}

/// Sends all requests of a service to a daemon of it, one after the other ended; what each answered, runs with their result.
fn send(service: &Application, name: &str) -> Vec<Value> {
    let (daemon, socket) = answering(service);
    let requests = requests(name);
    let answers = requests.iter().map(|(method, path, body)| {
        let reply = http::request(&socket, method, path, body);
        assert!([200, 202].contains(&reply.status), "{method} {path} {body}: {}", reply.body);
        if reply.status == 200 {
            return reply.body;
        }
        let run = reply.body["run_id"].as_str().expect("an id");
        let events = http::request(&socket, "GET", &format!("/api/v1/runs/{run}/events"), "").body;
        let end = events.as_str().and_then(|events| events.split("event: end\ndata: ").nth(1)).expect("an end");
        serde_json::from_str(end.trim()).expect("a result")
    });
    let answers = answers.collect();
    assert_eq!(daemon.stop(), Some(0));
    answers
}

/// The runs among answers, each with its mode and its policies.
fn runs(answers: &[Value]) -> Vec<(String, Vec<String>)> {
    let runs = answers.iter().filter(|answer| answer["run_id"].is_string() && answer["totals"].is_object());
    let policies = |run: &Value| {
        let policies = run["policies"].as_array().expect("policies").iter();
        policies.map(|policy| policy["policy"].as_str().expect("a name").to_owned()).collect()
    };
    runs.map(|run| {
        assert_eq!(run["trigger"], "api", "{run:#}");
        (run["mode"].as_str().expect("a mode").to_owned(), policies(run))
    })
    .collect()
}

fn run(mode: &str, policies: &[&str]) -> (String, Vec<String>) {
    (mode.to_owned(), policies.iter().map(|policy| (*policy).to_owned()).collect())
}

/// The sums of a policy in statistics.
fn total<'s>(stats: &'s Value, policy: &str) -> &'s Value {
    let totals = stats["totals"].as_array().expect("totals").iter();
    totals.into_iter().find(|total| total["policy"] == policy).unwrap_or_else(|| panic!("{policy}: {stats:#}"))
}

const FACE_SWAP_ORPHANS: [&str; 4] = ["orphan-photos", "orphan-templates", "orphan-preprocessed", "orphan-results"];

#[test]
fn requests_stand_for_the_endpoints_of_images() {
    let service = face_swap::service(Database::create(EngineKind::Sqlite), true);
    let answers = send(&service, "face-swap");
    let everything = [&["expired-images", "old-results"][..], &FACE_SWAP_ORPHANS].concat();
    let expected = [
        run("plan", &["expired-images"]),
        run("enforce", &["expired-images"]),
        run("enforce", &["session-images"]),
        run("enforce", &["old-results"]),
        run("plan", &["old-results"]),
        run("enforce", &FACE_SWAP_ORPHANS),
        run("enforce", &everything),
    ];
    assert_eq!(runs(&answers), expected);
    answers[..7].iter().for_each(assert_completed);
    let stats = &answers[7];
    assert_eq!(
        (&total(stats, "expired-images")["runs"], &total(stats, "expired-images")["rows_deleted"]),
        (&json!(2), &json!(7))
    );
    let temporary = &stats["policies"][0];
    assert_eq!((&temporary["policy"], &temporary["rows_eligible"]), (&json!("expired-images"), &json!(0)));
    let left = service.db.value("SELECT COUNT(*) FROM images WHERE storage_type = 'temporary'");
    assert_eq!(Some(temporary["rows_in_scope"].to_string()), left, "{stats:#}");
    let stores = stats["stores"].as_array().expect("stores");
    assert!(stores.len() == 1 && stores[0]["files"].as_u64().is_some_and(|files| files > 0), "{stats:#}");
    face_swap::assert_left(&service.holdings());
}

#[test]
fn requests_stand_for_the_endpoints_of_jobs() {
    let service = Application::new(Database::create(EngineKind::Sqlite), &media_jobs::LAYOUT);
    let answers = send(&service, "media-jobs");
    let everything = ["completed-jobs", "failed-jobs", "orphan-uploads", "orphan-outputs"];
    let expected = [
        run("plan", &everything),
        run("enforce", &["orphan-uploads", "orphan-outputs"]),
        run("enforce", &["failed-jobs"]),
        run("plan", &["completed-jobs", "failed-jobs"]),
        run("enforce", &["completed-jobs"]),
        run("enforce", &everything),
    ];
    assert_eq!(runs(&answers), expected);
    let cutoffs = |run: &Value| {
        run["policies"].as_array().expect("policies").iter().map(|policy| policy["cutoff"].clone()).collect::<Vec<_>>()
    };
    assert_ne!(cutoffs(&answers[3])[0], cutoffs(&answers[4])[0], "sixty days are another cutoff");
    assert_eq!(total(&answers[6], "completed-jobs")["rows_deleted"], 7);
    media_jobs::assert_left(&service.holdings());
}

#[test]
fn requests_stand_for_endpoints_of_the_drop() {
    let drop = Application::new(Database::create(EngineKind::Sqlite), &file_drop::LAYOUT);
    let answers = send(&drop, "file-drop");
    assert_eq!(runs(&answers), [run("enforce", &["expired-files", "old-downloads", "orphan-uploads"])]);
    let stats = &answers[1];
    // total_cycles, expired_files_removed, old_records_removed, orphaned_files_removed
    let expired = total(stats, "expired-files");
    assert_eq!(
        (&expired["runs"], &expired["rows_updated"], &expired["files_deleted"]),
        (&json!(1), &json!(8), &json!(6))
    );
    assert_eq!(total(stats, "old-downloads")["rows_deleted"], 3);
    assert_eq!(total(stats, "orphan-uploads")["files_deleted"], 0, "the example only reports");
    file_drop::assert_left(&drop.holdings());
}

#[test]
fn requests_stand_for_endpoints_of_the_library() {
    let library = media_sync::library(Database::create(EngineKind::Sqlite), media_sync::ASKS_A_LIST);
    let answers = send(&library, "media-sync");
    let policies = ["stale-jobs", "stale-queued-jobs", "old-jobs", "old-downloads", "stuck-plans"];
    assert_eq!(runs(&answers)[0], run("enforce", &policies));
    assert_eq!(answers[0]["policies"][0]["details"].as_array().map(Vec::len), Some(7));
    assert_eq!(answers[1]["runs"][0]["run_id"], answers[0]["run_id"]);
    media_sync::assert_left(&library.holdings());
}

#[test]
fn requests_stand_for_endpoints_of_the_recorder() {
    let recorder = Application::new(Database::create(EngineKind::Sqlite), &camera::LAYOUT);
    let answers = send(&recorder, "camera-nvr");
    assert!(answers[0]["tasks"].is_array() && answers[1]["runs"].is_array() && answers[2]["totals"].is_array());
    assert_eq!(runs(&answers), [run("enforce", &["detections", "events", "gpu-stats", "logs"])]);
    assert_completed(&answers[3]);
    assert_eq!(number(&answers[3]["policies"][3], "/rows_deleted"), 5);
}

#[test]
fn a_night_by_the_daemon_is_a_night() {
    let service = face_swap::service(Database::create(EngineKind::Sqlite), true);
    let (daemon, socket) = answering(&service);
    face_swap::pass_night(&service);
    let runs = http::request(&socket, "GET", "/api/v1/runs", "").body;
    assert!(runs["runs"].as_array().is_some_and(|runs| runs.len() == 3), "{runs}");
    assert_eq!(daemon.stop(), Some(0));
}
