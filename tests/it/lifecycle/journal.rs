//! What the daemon logs of its runs: one line when each begins and one when it ends, whatever it did.

use super::api::post;
use super::*;

/// Lines about a run, each from the message on, without its id and how long it took.
fn lines_of(world: &World, run: &serde_json::Value) -> Vec<String> {
    let id = run["run_id"].as_str().unwrap();
    let took = regex::Regex::new(r" in \d+(\.\d+)? m?s: ").unwrap();
    let text = log(world);
    let mine = text.lines().filter_map(|line| line.split_once(&format!("Run {id} ")));
    mine.filter(|(_, said)| !said.starts_with("is asked for"))
        .map(|(_, said)| took.replace(said, ": ").into())
        .collect()
}

fn run(world: &World, body: serde_json::Value) -> serde_json::Value {
    post(world, "/run?wait=60s", body).body
}

#[test]
fn a_run_is_logged_whatever_it_did() {
    let (world, daemon) = three_items_served();
    let uid = rustix::process::getuid().as_raw();
    let reported = run(&world, serde_json::json!({ "names": ["items"], "mode": "report" }));
    let lines = lines_of(&world, &reported);
    assert!(
        lines[0].starts_with("begins on request of ") && lines[0].ends_with(", in report mode: items"),
        "{lines:?}"
    );
    assert_eq!(lines[1..], ["of items completed: would delete 2 rows (report mode)"]);
    let deleted = run(&world, serde_json::json!({ "names": ["items"] }));
    assert_eq!(lines_of(&world, &deleted)[1..], ["of items completed: 2 rows and 0 files (0 B) deleted"]);
    let idle = run(&world, serde_json::json!({ "names": ["task:sweep"] }));
    assert_eq!(lines_of(&world, &idle)[1..], ["of task sweep completed: nothing to do"]);
    assert_eq!(idle["requested"]["by"]["uid"], uid);
    post(&world, "/policies/items/pause", serde_json::json!({}));
    let blocked = run(&world, serde_json::json!({ "names": ["items"] }));
    assert_eq!(lines_of(&world, &blocked)[1..], ["of items blocked: blocked or held: items"]);
    post(&world, "/policies/items/resume", serde_json::json!({}));
    world.db.execute("DROP TABLE item");
    let failed = run(&world, serde_json::json!({ "names": ["items"] }));
    let lines = lines_of(&world, &failed);
    assert!(lines[1].starts_with("of items failed: nothing deleted, 1 error: policy items: "), "{lines:?}");
    assert!(lines[1].contains("item") && lines.len() == 2, "{lines:?}");
    daemon.stop();
}
