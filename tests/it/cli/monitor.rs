//! `status` for a monitor: stable codes beside the sentences, and the line and exit codes of a plug-in.

use serde_json::{Value, json};

use super::{Ended, call_in, put_items, retaind};
use crate::engines::{Database, EngineKind};
use crate::world::World;

const POLICIES: &str = "\
[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
[policies.logs]\nkind = \"files\"\nstore = \"images\"\nmatch = [\"*.log\"]\nkeep = \"1h\"\n";

fn world() -> World {
    let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(POLICIES);
    put_items(&world);
    world
}

/// Code, level, task and policy of all that needs attention, but that no daemon runs.
fn codes(world: &World) -> Vec<Value> {
    let status = call_in(world, &["status", "--json"]).with(0).json();
    let matters = status["attention_codes"].as_array().unwrap().clone();
    let sentences: Vec<_> = matters.iter().map(|matter| matter["message"].clone()).collect();
    assert_eq!(status["attention"], Value::from(sentences));
    let short = |matter: Value| json!([matter["code"], matter["level"], matter["task"], matter["policy"]]);
    matters.into_iter().filter(|matter| matter["code"] != "daemon_down").map(short).collect()
}

#[test]
fn later_runs_hide_no_blocked_policy() {
    let world = world();
    assert_eq!(codes(&world), Vec::<Value>::new());
    call_in(&world, &["run", "retention", "--set", "policies.items.max_rows=1"]).with(4);
    assert_eq!(codes(&world), [json!(["blocked", "critical", "retention", null])]);
    // The task ran since, without what was blocked.
    call_in(&world, &["run", "retention", "--set", "policies.items.enabled=false"]).with(0);
    assert_eq!(codes(&world), [json!(["blocked", "critical", null, "items"])]);
    call_in(&world, &["run", "logs"]);
    assert!(codes(&world).contains(&json!(["blocked", "critical", null, "items"])));
    call_in(&world, &["run", "items"]).with(0);
    assert!(!codes(&world).contains(&json!(["blocked", "critical", null, "items"])));
}

#[test]
fn held_policies_and_files_that_wait_have_codes() {
    let mut world = world();
    call_in(&world, &["run", "items"]).with(0);
    world.item(4, 10.0, None, None);
    world.redeclare(&POLICIES.replace("30d", "3d"));
    call_in(&world, &["run", "items", "--json"]).with(4);
    assert_eq!(codes(&world), [json!(["held", "warning", null, "items"])]);
    let line = call_in(&world, &["status", "--check"]).with(2).stdout;
    assert!(line.contains("policy items is held since ") && line.contains(" held=1 "), "{line}");
}

#[tokio::test]
async fn a_monitor_reads_a_line_and_a_code() {
    let world = world();
    let ended = call_in(&world, &["status", "--check"]).with(2);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""));
    assert!(ended.stdout.starts_with("RETAIND CRITICAL - no daemon runs, so nothing is done on schedule"));
    assert!(ended.stdout.ends_with(" |tasks=1 overdue=0 failed=0 blocked=0 held=0 pending_files=0 running=0\n"));
    // Held by this test as by a daemon.
    let state = world.dir.join("state");
    let lock = retaind::ledger::lock_state_dir(&state, jiff::Timestamp::now()).expect("nobody has it");
    let ended = call_in(&world, &["status", "--check"]).with(0);
    assert!(ended.stdout.starts_with("RETAIND OK - the daemon runs 1 task |tasks=1 "), "{}", ended.stdout);
    let json = call_in(&world, &["status", "--check", "--json"]).with(0).json();
    assert_eq!(json["attention_codes"], json!([]));
    world.conf_d("10-broken", "[policies.items]\nkeep = \"a|b\"\n");
    let ended = call_in(&world, &["status", "--check"]).with(1);
    assert!(ended.stdout.starts_with("RETAIND WARNING - the configuration on disk is invalid"), "{}", ended.stdout);
    assert_eq!(ended.stdout.matches('|').count(), 1, "{}", ended.stdout);
    drop(lock);
    std::fs::write(state.join("ledger.db"), "this is no database, and long enough to be read as one").unwrap();
    let ended = call_in(&world, &["status", "--check"]).with(3);
    assert!(ended.stdout.starts_with("RETAIND UNKNOWN - the ledger "), "{}", ended.stdout);
}

#[test]
fn watching_needs_a_terminal() {
    let world = world();
    let config = world.config_file();
    for more in [&[][..], &["--json"], &["--check"]] {
        let mut command = retaind(&["status", "--watch"]);
        let ended = Ended::of(command.args(more).arg("--config").arg(&config).output().unwrap()).with(2);
        assert!(ended.stderr.contains("--watch"), "{ended:?}");
    }
}
