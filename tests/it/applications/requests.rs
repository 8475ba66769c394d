//! The endpoints of the services as requests: each line of `curl` that docs/api.md has for one, sent to a daemon.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::engines::{Database, EngineKind};
use crate::http;

/// Method, path and body of each request of the table: those with `-d` are sent by POST.
fn requests() -> Vec<(&'static str, String, String)> {
    let page = include_str!("../../../docs/api.md");
    let table = page.split("## For each endpoint of the five cleanup services").nth(1).expect("the table is there");
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

#[test]
fn each_endpoint_of_a_service_is_a_request() {
    let service = face_swap::service(Database::create(EngineKind::Sqlite), true);
    let (daemon, socket) = answering(&service);
    let (mut names, mut run_ids) = (Vec::new(), Vec::new());
    for (method, path, body) in requests() {
        let reply = http::request(&socket, method, &path, &body);
        assert!([200, 202].contains(&reply.status), "{method} {path} {body}: {}", reply.body);
        if let Ok(wanted) = serde_json::from_str::<Value>(&body) {
            names.push(wanted["names"][0].clone());
            run_ids.push(reply.body["run_id"].as_str().expect("an id").to_owned());
        }
    }
    assert_eq!(
        names,
        json!(["expired-images", "session-images", "old-results", "orphans", "cleanup"]).as_array().unwrap()[..]
    );
    for run in run_ids {
        let ended = http::request(&socket, "GET", &format!("/api/v1/runs/{run}/events"), "").body;
        let end = ended.as_str().and_then(|events| events.split("event: end\ndata: ").nth(1)).expect("an end");
        let result: Value = serde_json::from_str(end.trim()).expect("a result");
        assert_completed(&result);
        assert_eq!(result["trigger"], "api");
    }
    face_swap::assert_left(&service.holdings());
    assert_eq!(daemon.stop(), Some(0));
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
