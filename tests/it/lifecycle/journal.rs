//! What the daemon logs of its runs: one line when each begins and one when it ends, whatever it did.

use super::api::post;
use super::*;
use retaind::telemetry::message_id;

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

/// Lines of the log that are JSON, from one on.
fn objects(world: &World, from: usize) -> Vec<serde_json::Value> {
    log(world).lines().skip(from).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn log_lines_are_json_where_that_is_wanted() {
    let mut world = world("every = \"20d\"");
    world.daemon("log_format = \"json\"\nlog_level = \"info\"");
    fill(&world, 10);
    let mut daemon = Daemon::ready(&world);
    let result = run(&world, serde_json::json!({ "names": ["items"] }));
    let lines = objects(&world, 0);
    let ended = lines.iter().find(|line| line["message_id"] == message_id::RUN_FINISHED).unwrap();
    assert_eq!((&ended["run_id"], &ended["level"]), (&result["run_id"], &serde_json::json!("info")), "{ended}");
    assert_eq!((&ended["rows_deleted"], &ended["policy"]), (&serde_json::json!(10), &serde_json::json!("items")));
    assert!(ended["time"].as_str().unwrap().ends_with('Z') && ended["message"].as_str().unwrap().starts_with("Run "));
    edit(&world, "log_level = \"info\"", "log_level = \"error\"");
    daemon.reload();
    let before = log(&world).lines().count();
    run(&world, serde_json::json!({ "names": ["items"] }));
    assert_eq!(objects(&world, before), Vec::<serde_json::Value>::new());
    edit(&world, "log_format = \"json\"\nlog_level = \"error\"", "");
    daemon.reload();
    let before = log(&world).lines().count();
    run(&world, serde_json::json!({ "names": ["items"] }));
    let text = log(&world);
    let after: Vec<&str> = text.lines().skip(before).collect();
    assert!(after.iter().any(|line| line.contains(" info: Run ")), "{after:?}");
    daemon.stop();
}
