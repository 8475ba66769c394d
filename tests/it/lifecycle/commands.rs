//! Commands by way of the daemon: runs, cancel, pause, resume.

use std::process::Output;

use super::api::{get, post};
use super::*;
use serde_json::{Value, json};

pub(super) fn retaind(world: &World, arguments: &[&str]) -> Output {
    let config = world.dir.join("retaind.toml");
    binary::command(RETAIND).arg("--config").arg(config).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn left(world: &World) -> u64 {
    world.db.value("SELECT COUNT(*) FROM item").unwrap().parse().unwrap()
}

fn with_rows(rows: u64) -> (World, Daemon) {
    let world = world("every = \"20d\"");
    fill(&world, rows);
    let daemon = Daemon::ready(&world);
    (world, daemon)
}

/// What the daemon wrote of its runs: each begins there, and not in a command.
fn runs_of_the_daemon(world: &World) -> usize {
    log(world).matches("is asked for by").count()
}

#[test]
fn a_run_by_the_daemon_looks_alike() {
    let (world, daemon) = with_rows(250);
    let output = retaind(&world, &["run", "items", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let run = json_of(&output);
    assert_eq!((&run["trigger"], &run["totals"]["rows_deleted"]), (&json!("cli"), &json!(250)));
    assert_eq!((left(&world), runs_of_the_daemon(&world)), (0, 1));
    daemon.stop();
    fill(&world, 50);
    let alone = retaind(&world, &["run", "items", "--json"]);
    assert!(stderr(&alone).contains("No daemon answers"), "{}", stderr(&alone));
    let keys = |run: &Value| run.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&json_of(&alone)), keys(&run));
    assert_eq!(left(&world), 0);
}

#[test]
fn a_detached_run_ends_by_itself() {
    let (world, daemon) = with_rows(30_000);
    let output = retaind(&world, &["run", "items", "--detach", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let run = json_of(&output)["run_id"].as_str().unwrap().to_owned();
    assert_eq!(get(&world, &format!("/runs/{run}")).body["run_id"], run);
    await_runs(&world, 1);
    assert_eq!(left(&world), 0);
    daemon.stop();
    let alone = retaind(&world, &["run", "items", "--detach"]);
    assert_eq!(alone.status.code(), Some(2), "{}", stderr(&alone));
}

#[test]
fn g8_cancel_stops_the_only_run() {
    let (world, daemon) = with_rows(60_000);
    retaind(&world, &["run", "items", "--detach"]);
    await_purge(&world, 60_000);
    let output = retaind(&world, &["cancel"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(text(&await_runs(&world, 1)[0][1]), "cancelled");
    assert!(left(&world) > 0);
    let again = retaind(&world, &["cancel"]);
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
    assert_eq!(retaind(&world, &["cancel", "../policies/items/pause"]).status.code(), Some(2));
    daemon.stop();
    assert_eq!(retaind(&world, &["cancel"]).status.code(), Some(2));
}

#[test]
fn g8_a_signal_to_the_command_cancels_its_run() {
    let (world, daemon) = with_rows(60_000);
    let command = binary::command(RETAIND)
        .arg("--config")
        .arg(world.dir.join("retaind.toml"))
        .args(["run", "items", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    await_purge(&world, 60_000);
    kill_process(Pid::from_child(&command), Signal::INT).unwrap();
    let output = command.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    let run = json_of(&output);
    assert_eq!((&run["status"], &run["cause"]), (&json!("cancelled"), &json!("request")));
    assert_eq!(left(&world) + run["totals"]["rows_deleted"].as_u64().unwrap(), 60_000);
    daemon.stop();
}

#[test]
fn a_killed_command_leaves_the_daemon_its_run() {
    let (world, daemon) = with_rows(30_000);
    let mut command = binary::command(RETAIND)
        .arg("--config")
        .arg(world.dir.join("retaind.toml"))
        .args(["run", "items"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    await_purge(&world, 30_000);
    command.kill().unwrap();
    command.wait().unwrap();
    assert_eq!(text(&await_runs(&world, 1)[0][1]), "completed");
    assert_eq!(left(&world), 0);
    daemon.stop();
}

#[test]
fn another_configuration_than_that_in_force_runs_nothing() {
    let (world, daemon) = with_rows(10);
    edit(&world, "keep = \"30d\"", "keep = \"35d\"");
    let output = retaind(&world, &["run", "items"]);
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(stderr(&output).contains("retaind diff"), "{}", stderr(&output));
    assert_eq!(left(&world), 10);
    assert_eq!(post(&world, "/reload", json!({})).status, 200);
    assert_eq!(retaind(&world, &["run", "items"]).status.code(), Some(0));
    assert_eq!(left(&world), 0);
    daemon.stop();
}

#[test]
fn a_plan_in_force_is_the_daemons() {
    let (world, daemon) = with_rows(10);
    let planned = |more: &[&str]| retaind(&world, &[&["plan", "items", "--json"], more].concat());
    let rows = |output: &Output| json_of(output)["policies"][0]["rows_deleted"].clone();
    let (here, there) = (planned(&[]), planned(&["--in-force"]));
    // What a wider run would have to show again is for requests.
    let keys = |output: &Output| {
        let keys = json_of(output).as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        keys.into_iter().filter(|key| key != "plan_digest").collect::<Vec<_>>()
    };
    assert_eq!((keys(&here), rows(&here)), (keys(&there), json!(10)), "{}", stderr(&there));
    edit(&world, "keep = \"30d\"", "keep = \"90d\"");
    assert_eq!((rows(&planned(&[])), rows(&planned(&["--in-force"]))), (json!(0), json!(10)));
    edit(&world, "keep = \"90d\"", "keep = 90");
    let broken = planned(&["--in-force", "--exit-code"]);
    assert_eq!((broken.status.code(), rows(&broken)), (Some(3), json!(10)), "{}", stderr(&broken));
    let page = retaind(&world, &["plan", "--in-force"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("items"), "{page:?}");
    assert_eq!(retaind(&world, &["plan", "nothing", "--in-force"]).status.code(), Some(2));
    assert_eq!(planned(&["--in-force", "--set", "daemon.mode=report"]).status.code(), Some(2));
    assert_eq!(left(&world), 10);
    daemon.stop();
    let alone = planned(&["--in-force"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(stderr(&alone).contains("no daemon answers"), "{}", stderr(&alone));
}

#[test]
fn stats_of_the_daemon_where_files_are_broken() {
    let (world, daemon) = with_rows(10);
    let here = json_of(&retaind(&world, &["stats", "--json"]));
    std::fs::create_dir_all(world.dir.join("conf.d")).unwrap();
    let fragment = world.dir.join("conf.d/10-more.toml");
    std::fs::write(&fragment, "[policies.items\n").unwrap();
    let there = retaind(&world, &["stats", "--json"]);
    assert_eq!(there.status.code(), Some(0), "{}", stderr(&there));
    assert!(stderr(&there).contains("conf.d/10-more.toml:1:"), "{}", stderr(&there));
    let rows = |stats: &Value| stats["policies"][0]["rows_eligible"].clone();
    assert_eq!((rows(&json_of(&there)), rows(&here)), (json!(10), json!(10)), "{here}");
    let page = retaind(&world, &["stats", "items"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("items"), "{page:?}");
    assert_eq!(retaind(&world, &["stats", "nothing"]).status.code(), Some(2));
    assert_eq!(retaind(&world, &["stats", "items&x=y"]).status.code(), Some(2));
    daemon.stop();
    assert_eq!(retaind(&world, &["stats"]).status.code(), Some(78));
}

#[test]
fn status_says_what_is_in_force() {
    let (world, daemon) = with_rows(1);
    let codes = || {
        let status = json_of(&retaind(&world, &["status", "--json"]));
        let matters = status["attention_codes"].as_array().unwrap().clone();
        matters.iter().map(|matter| matter["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(codes().is_empty());
    edit(&world, "[tasks.sweep]", "[tasks.other]");
    edit(&world, "task = \"sweep\"", "task = \"other\"");
    // The daemon looks at the files every five seconds at most.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(codes(), ["config_differs"]);
    let page = String::from_utf8(retaind(&world, &["status"]).stdout).unwrap();
    assert!(page.contains("sweep") && !page.contains("other"), "{page}");
    edit(&world, "keep = \"30d\"", "keep = 30");
    post(&world, "/reload", json!({}));
    assert_eq!(codes(), ["config_invalid", "reload_failed"]);
    daemon.stop();
}

#[test]
fn pauses_hold_with_and_without_a_daemon() {
    let (world, daemon) = with_rows(10);
    let paused = retaind(&world, &["pause", "items", "--reason", "quiet, please"]);
    assert_eq!(paused.status.code(), Some(0), "{}", stderr(&paused));
    assert_eq!(retaind(&world, &["run", "items"]).status.code(), Some(4));
    let shown = json_of(&retaind(&world, &["status", "--json"]));
    assert_eq!((&shown["paused"][0]["policy"], &shown["configuration"]["mode"]), (&json!("items"), &json!("enforce")));
    daemon.stop();
    let shown = json_of(&retaind(&world, &["status", "--json"]));
    assert_eq!(shown["paused"][0]["policy"], "items");
    let page = String::from_utf8(retaind(&world, &["status"]).stdout).unwrap();
    assert!(page.contains("Paused: policy items since ") && page.contains(": quiet, please"), "{page}");
    let alone = retaind(&world, &["run", "items", "--json"]);
    assert_eq!(json_of(&alone)["policies"][0]["blocked_code"], "paused", "{alone:?}");
    let facts = json_of(&alone)["policies"][0]["blocked_facts"].clone();
    assert_eq!(facts["pause"]["reason"], "quiet, please", "{facts}");
    assert_eq!(retaind(&world, &["resume", "items"]).status.code(), Some(0));
    assert_eq!(retaind(&world, &["pause", "sweep"]).status.code(), Some(0));
    assert_eq!(retaind(&world, &["run", "sweep"]).status.code(), Some(4));
    let resumed = retaind(&world, &["resume", "sweep", "--json"]);
    assert_eq!(json_of(&resumed)["was_paused"], true);
    assert_eq!(retaind(&world, &["pause", "nothing"]).status.code(), Some(2));
    assert_eq!(left(&world), 10);
    assert_eq!(retaind(&world, &["run", "items"]).status.code(), Some(0));
    assert_eq!(left(&world), 0);
}

#[test]
fn a_temporary_configuration_is_run_here() {
    let (world, daemon) = with_rows(10);
    let output = retaind(&world, &["run", "items", "--set", "policies.items.keep=60d"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!((left(&world), runs_of_the_daemon(&world)), (10, 0));
    daemon.stop();
}
