//! `status` and `runs` where the configuration on disk is invalid: they show what the ledger knows.

use serde_json::{Value, json};

use super::{Ended, call_in, retaind, world_with_items};
use crate::engines::{Database, EngineKind};
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     age = \"at\"\nkeep = \"30d\"\n";

/// Two rows may go; the retention task ran once.
async fn ran() -> (World, Value) {
    let world = world_with_items(ITEMS);
    let settings = world.settings();
    // As a daemon does when a configuration comes into force.
    world.ledger().await.note_in_force(&settings.written).await.expect("the ledger takes it");
    let run = call_in(&world, &["run", "retention", "--json"]).with(0).json();
    (world, run)
}

fn call(world: &World, arguments: &[&str]) -> Ended {
    let config = world.dir.join("retaind.toml");
    Ended::of(retaind(arguments).arg("--config").arg(config).output().expect("retaind starts"))
}

/// Asserts that `status` shows the task, its policy and its run, and that it and `runs` say what is wrong.
fn assert_known(world: &World, run: &Value, problem: &str) {
    let status = call(world, &["status", "--json"]).with(0).json();
    let task = status["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "retention").unwrap();
    assert_eq!((&task["policies"], &task["last_run"]["run_id"]), (&json!(["items"]), &run["run_id"]), "{status:#}");
    assert_eq!(status["state_dir"], world.dir.join("state").display().to_string());
    let said = status["attention"][0].as_str().unwrap();
    assert!(said.starts_with("the configuration on disk is invalid") && said.contains(problem), "{said}");
    let page = call(world, &["status"]).with(0).stdout;
    assert!(page.contains(&format!("attention: {said}")), "{page}");
    let runs = call(world, &["runs", "--json"]).with(0);
    assert_eq!(runs.json()[0]["run_id"], run["run_id"]);
    assert!(runs.stderr.contains(said), "{}", runs.stderr);
    let one = call(world, &["runs", run["run_id"].as_str().unwrap(), "--json"]).with(0).json();
    assert_eq!(one["policies"], run["policies"]);
    let pending = call(world, &["pending", "--json"]).with(0);
    assert_eq!(
        (&pending.json()["files_pending"], pending.stderr.contains(said)),
        (&json!(0), true),
        "{}",
        pending.stderr
    );
    for arguments in
        [&["audit"][..], &["audit", "verify"], &["pause", "items"], &["resume", "items"], &["status", "--check"]]
    {
        let code = if arguments[0] == "status" { 2 } else { 0 };
        call(world, arguments).with(code);
    }
    // What works by the configuration is refused as before.
    for command in ["plan", "run", "stats", "check"] {
        call(world, &[command]).with(78);
    }
}

#[tokio::test]
async fn a_broken_fragment_hides_neither_tasks_nor_runs() {
    let (world, run) = ran().await;
    world.conf_d("10-more", "[policies.items]\nkeep = \"7d\"\nbatch = \"many\"\n");
    assert_known(&world, &run, "conf.d/10-more.toml:3:");
    world.conf_d("10-more", "[policies.items\n");
    assert_known(&world, &run, "conf.d/10-more.toml:1:");
}

#[tokio::test]
async fn a_missing_password_hides_neither_tasks_nor_runs() {
    let (mut world, run) = ran().await;
    world.declare("[sources.other]\nurl = \"postgres://app@127.0.0.1:1/app\"\npassword_file = \"/nowhere\"\n");
    world.config_file();
    assert_known(&world, &run, "sources.other.password_file");
}

#[tokio::test]
async fn a_missing_credential_hides_nothing() {
    let (mut world, run) = ran().await;
    world.declare("[sources.other]\nurl = \"postgres://app@127.0.0.1:1/app\"\npassword_credential = \"none\"\n");
    world.config_file();
    let status = call(&world, &["status", "--json"]).with(0).json();
    let task = status["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "retention").unwrap();
    assert_eq!(task["last_run"]["run_id"], run["run_id"], "{status:#}");
    for arguments in [&["runs"][..], &["pending"], &["audit"], &["pause", "items"], &["resume", "items"]] {
        let ended = call(&world, arguments).with(0);
        assert!(!ended.stderr.contains("credential"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn an_unreadable_main_file_leaves_the_state_directory() {
    let (world, run) = ran().await;
    let config = world.dir.join("retaind.toml");
    std::fs::write(&config, "[daemon\n").unwrap();
    let asked = |arguments: &[&str]| {
        let mut command = retaind(arguments);
        command.arg("--config").arg(&config).env("STATE_DIRECTORY", world.dir.join("state"));
        Ended::of(command.output().expect("retaind starts"))
    };
    assert_eq!(asked(&["runs", "--json"]).with(0).json()[0]["run_id"], run["run_id"]);
    let status = asked(&["status", "--json"]).with(0).json();
    assert!(status["attention"][0].as_str().unwrap().contains("retaind.toml:1:"), "{status:#}");
}

#[tokio::test]
async fn a_call_that_is_wrong_itself_is_refused() {
    let (world, _) = ran().await;
    for command in ["status", "runs"] {
        call(&world, &[command, "--set", "daemon.mod=report"]).with(78);
    }
}

#[test]
fn without_any_daemon_only_the_ledger_is_shown() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare("[policies.items]\nkind = \"rowz\"\n");
    let status = call_in(&world, &["status", "--json"]).with(0).json();
    assert!(status["attention"][0].as_str().unwrap().contains("only what the ledger knows is shown"), "{status:#}");
    assert!(!world.dir.join("state/ledger.db").exists(), "looking makes no ledger");
    let runs = call_in(&world, &["runs"]).with(0);
    assert_eq!(runs.stdout, "No run so far.\n");
    assert!(runs.stderr.contains("policies.items"), "{}", runs.stderr);
}
