//! What the daemon is asked for, in the audit: by whom, and what came of it.

use serde_json::json;

use super::api::post;
use super::*;

fn recorded(world: &World) -> Vec<(String, String)> {
    let rows = ledger(world).query("SELECT action, subject FROM audit ORDER BY number").unwrap();
    rows.iter().map(|row| (text(&row[0]).to_owned(), text(&row[1]).to_owned())).collect()
}

#[test]
fn what_the_daemon_is_asked_for_is_recorded() {
    let (world, daemon) = three_items_served();
    post(&world, "/policies/items/pause", json!({ "reason": "migration" }));
    post(&world, "/policies/items/resume", json!({}));
    assert_eq!(post(&world, "/policies/items/resume", json!({})).body["was_paused"], false);
    post(&world, "/tasks/none/pause", json!({}));
    edit(&world, "keep = \"30d\"", "keep = \"31d\"");
    post(&world, "/reload", json!({}));
    let run = post(&world, "/run?wait=60s", json!({ "names": ["items"] })).body;
    let run_id = run["run_id"].as_str().unwrap();
    let wanted = [
        ("pause", "policy items"),
        ("resume", "policy items"),
        ("reload", "configuration"),
        ("reload", "configuration"),
        ("run", &format!("run {run_id}")),
    ];
    let wanted: Vec<_> = wanted.map(|(action, subject)| (action.to_owned(), subject.to_owned())).into();
    assert_eq!(recorded(&world), wanted, "what changes nothing is not recorded");
    let by = ledger(&world).query("SELECT number, detail FROM audit WHERE by IS NULL").unwrap();
    assert_eq!((by.len(), text(&by[0][0])), (1, "4"), "what came of a reload is the daemon's");
    assert!(text(&by[0][1]).contains("31d"), "{by:?}");
    assert_eq!(run["requested"]["by"]["uid"], rustix::process::getuid().as_raw());
    assert_eq!(run["trigger"], "api");
    daemon.stop();
}

#[test]
fn a_scheduled_run_is_recorded_as_nobodys() {
    let world = world("every = \"1s\"");
    fill(&world, 10);
    let daemon = Daemon::ready(&world);
    await_runs(&world, 1);
    let rows = ledger(&world).query("SELECT action, by, detail FROM audit ORDER BY number LIMIT 1").unwrap();
    assert_eq!((text(&rows[0][0]), &rows[0][1]), ("run", &None));
    let detail: serde_json::Value = serde_json::from_str(text(&rows[0][2])).unwrap();
    assert_eq!((&detail["task"], &detail["trigger"]), (&json!("sweep"), &json!("schedule")));
    assert_eq!(detail["policies"][0]["policy"], "items");
    daemon.stop();
}
