//! The media library of `config/examples/media-sync.toml`.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Instant;

use serde_json::{Value, json};

use super::daemon::PATIENCE;
use super::*;
use crate::binary;

pub const LAYOUT: Layout = Layout {
    name: "media-sync",
    source: "library",
    tables: &[
        Table {
            name: "jobs",
            key: "id",
            state: &["status", "CASE WHEN completed_at IS NULL THEN 'open' ELSE 'over' END", "error"],
        },
        Table { name: "handled_downloads", key: "id", state: &["job_id"] },
        Table { name: "analysis_plans", key: "id", state: &["status", "job_id"] },
    ],
    stores: &[],
    small_batches: &["stale-jobs", "stale-queued-jobs", "old-jobs", "old-downloads", "stuck-plans"],
};

/// What the probe of these tests does about each job: a script that is given its id.
pub const ASKS_A_LIST: &str = "case \"$1\" in alive-*) exit 0;; *) exit 1;; esac\n";

pub fn library(db: crate::engines::Database, probe: &str) -> Application {
    let library = Application::new(db, &LAYOUT);
    set_probe(&library, probe);
    let fragment =
        format!("[policies.stale-jobs.alive]\ncommand = [\"{}/job-alive\", \"{{id}}\"]\n", library.dir.display());
    library.fragment("15-probe.toml", &fragment);
    library
}

/// Puts a probe in the place of the one before.
fn set_probe(library: &Application, probe: &str) {
    let (program, new) = (library.dir.join("job-alive"), library.dir.join("job-alive.new"));
    std::fs::write(&new, format!("#!/bin/sh\n{probe}")).expect("a script is written");
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    std::fs::rename(new, program).expect("it takes its place");
}

fn expected() -> [(&'static str, Value); 5] {
    [
        ("stale-jobs", json!({ "rows_matched": 7, "rows_updated": 7, "rows_protected": 1 })),
        ("stale-queued-jobs", json!({ "rows_matched": 2, "rows_updated": 2, "rows_protected": 1 })),
        (
            "old-jobs",
            json!({ "rows_matched": 4, "rows_deleted": 4, "children": { "analysis_plans": 2, "handled_downloads": 2 } }),
        ),
        ("old-downloads", json!({ "rows_matched": 4, "rows_deleted": 4 })),
        ("stuck-plans", json!({ "rows_matched": 3, "rows_updated": 3, "rows_protected": 2 })),
    ]
}

fn again() -> [(&'static str, Value); 5] {
    [
        ("stale-jobs", json!({ "rows_protected": 1 })),
        ("stale-queued-jobs", json!({ "rows_protected": 1 })),
        ("old-jobs", json!({})),
        ("old-downloads", json!({})),
        ("stuck-plans", json!({ "rows_protected": 2 })),
    ]
}

/// What pointed to a job of the history, and stays as it is otherwise.
const DETACHED: [(&str, &str); 2] = [("analysis_plans", "21"), ("handled_downloads", "11")];

/// Asserts that what a cleanup leaves is there, and nothing else.
pub fn assert_left(left: &Holdings) {
    let stale = ["analysis-1", "cleanup-1", "details-1", "export-1", "reindex-1", "sync-1"];
    let stale = stale.map(|id| format!("jobs {id} FAILED over stopped without a word"));
    let queued = ["import-1", "import-3"].map(|id| format!("jobs {id} FAILED over never begun"));
    let running = ["alive-1", "analysis-2", "details-2", "export-2", "reindex-2", "sync-3", "sync-4"];
    let running = running.map(|id| format!("jobs {id} RUNNING open -"));
    let others = [
        "jobs sync-2 COMPLETED over stopped without a word",
        "jobs import-2 PENDING open -",
        "jobs import-4 PENDING open -",
        "jobs held-1 HELD over -",
        "jobs untimed-1 CANCELLED open -",
        "jobs young-1 COMPLETED over -",
        "jobs young-2 FAILED over -",
        "handled_downloads 11 -",
        "handled_downloads 12 young-2",
        "handled_downloads 13 -",
        "analysis_plans 1 DRAFT young-2",
        "analysis_plans 2 DRAFT -",
        "analysis_plans 3 DRAFT -",
        "analysis_plans 11 PENDING analysis-2",
        "analysis_plans 12 PENDING import-4",
        "analysis_plans 13 PENDING -",
        "analysis_plans 21 APPLIED -",
        "analysis_plans 22 DRAFT young-2",
        "analysis_plans 23 REVIEWING -",
    ];
    let others = others.map(str::to_owned);
    let rows = stale.into_iter().chain(queued).chain(running).chain(others).collect();
    assert_eq!(left.rows_written(), rows);
}

/// The jobs that a policy's details name, with their types.
fn detailed(policy: &Value) -> Vec<(&str, &str)> {
    let details = policy["details"].as_array().expect("details").iter();
    let mut jobs: Vec<_> = details
        .map(|job| (job["job_id"].as_str().expect("an id"), job["job_type"].as_str().expect("a type")))
        .collect();
    jobs.sort_unstable();
    jobs
}

/// How long a job of a type may take.
fn timeout_minutes(kind: &str) -> u64 {
    match kind {
        "analysis" => 60,
        "generate_details" => 45,
        "export" | "import" => 15,
        "cleanup" => 5,
        _ => 30,
    }
}

for_each_engine! {
    fn the_example_fits_the_library(db) {
        let policies = ["stale-jobs", "stale-queued-jobs", "old-jobs", "old-downloads", "stuck-plans"];
        let policies = policies.map(|policy| format!("policy {policy}"));
        let parts: Vec<_> = policies.iter().map(String::as_str).chain(["source library"]).collect();
        assert_fits(&library(db, ASKS_A_LIST), &parts);
    }

    fn stale_jobs_fail_history_goes_plans_become_drafts(db) {
        let library = library(db, ASKS_A_LIST);
        let run = Night { arguments: &[], expected: &expected(), again: &again(), detached: &DETACHED }.pass(&library);
        assert_left(&library.holdings());
        let stale = [
            ("analysis-1", "analysis"),
            ("cleanup-1", "cleanup"),
            ("details-1", "generate_details"),
            ("export-1", "export"),
            ("reindex-1", "reindex"),
            ("sync-1", "sync"),
            ("sync-2", "sync"),
        ];
        assert_eq!(detailed(&run["policies"][0]), stale);
        for job in run["policies"][0]["details"].as_array().expect("details") {
            assert!(job["started_at"].is_string() && job["status"] == "RUNNING", "{job:#}");
            // The timeout that applied, and how long it had been at work: timeout_minutes and elapsed_minutes.
            let (keep, age) = (number(job, "/keep_secs"), number(job, "/age_secs"));
            assert_eq!(keep, 60 * timeout_minutes(job["job_type"].as_str().expect("a type")), "{job:#}");
            assert!(age > keep, "{job:#}");
            let became = if job["job_id"] == "sync-2" { "COMPLETED" } else { "FAILED" };
            assert_eq!(job["set"]["status"], json!({ "old": "RUNNING", "new": became }), "{job:#}");
        }
        assert_eq!(detailed(&run["policies"][1]), [("import-1", "import"), ("import-3", "import")]);
    }

    fn the_daemon_does_the_same_by_schedule(db) {
        let library = library(db, ASKS_A_LIST);
        library.fragment("20-now.toml", "[tasks.cleanup]\nevery = \"1s\"\n");
        let daemon = Daemon::start(&library);
        let runs = await_runs(&library, &["cleanup"]);
        assert_eq!(daemon.stop(), Some(0));
        assert_counts(runs.last().expect("a run"), &expected());
        assert_left(&library.holdings());
    }

    fn plans_of_hanging_jobs_become_drafts_at_once(db) {
        let library = library(db, ASKS_A_LIST);
        library.db.execute("UPDATE analysis_plans SET job_id = 'sync-1' WHERE id = 11");
        library.json(&["run", "--json"]);
        assert!(library.holdings().rows_written().contains("analysis_plans 11 DRAFT sync-1"));
    }

    fn g5_a_failed_or_late_probe_keeps_its_job(db) {
        let library = library(db, "case $1 in sync-1) kill -9 $$;; sync-2) sleep 60;; alive-*) exit 0;; *) exit 1;; esac\n");
        library.fragment("20-late.toml", "[policies.stale-jobs.alive]\ntimeout = \"1s\"\n");
        let run = library.json_of(3, &["run", "stale-jobs", "--json"]);
        let errors = run["policies"][0]["errors"].as_array().expect("errors").iter();
        let mut keys: Vec<_> = errors.map(|error| error["key"].as_str().expect("a key")).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["sync-1", "sync-2"], "{run:#}");
        assert_eq!(number(&run["policies"][0], "/rows_updated"), 5, "{run:#}");
        let left = library.db.column("SELECT id FROM jobs WHERE id IN ('sync-1', 'sync-2') AND status = 'RUNNING'");
        assert_eq!(left.len(), 2);
    }

    fn a_run_on_a_terminal_shows_its_progress(db) {
        let library = library(db, "sleep 0.2\ncase \"$1\" in alive-*) exit 0;; *) exit 1;; esac\n");
        let run = library.command(&["run", "stale-jobs"]);
        let words = std::iter::once(run.get_program()).chain(run.get_args()).map(|word| word.to_str().expect("text"));
        let line = words.collect::<Vec<_>>().join(" ");
        let mut on_terminal = binary::command("script");
        on_terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env("TERM", "xterm");
        let output = on_terminal.stdin(Stdio::null()).output().expect("a terminal is made");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        assert!(shown.contains("[1/1] stale-jobs") && shown.contains(" of 8 rows"), "{shown}");
    }

    fn a_run_that_takes_too_long_is_stopped(db) {
        let library = library(db, "sleep 60\n");
        library.fragment("20-short.toml", "[tasks.cleanup]\ntimeout = \"1s\"\n[policies.stale-jobs.alive]\ntimeout = \"1m\"\n");
        let began = Instant::now();
        let run = library.json_of(5, &["run", "cleanup", "--json"]);
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!((&run["status"], &run["cause"]), (&"cancelled".into(), &"timeout".into()), "{run:#}");
        assert_eq!(number(&run, "/totals/rows_updated"), 0);
        assert_eq!(library.db.value("SELECT COUNT(*) FROM jobs WHERE status = 'RUNNING'").as_deref(), Some("14"));
    }

    fn g7_a_visible_run_is_cancelled_and_never_doubled(db) {
        let library = library(db, "sleep 60\n");
        library.fragment("20-slow.toml", "[policies.stale-jobs.alive]\ntimeout = \"1m\"\n");
        let first = Daemon::of(library.command(&["run", "stale-jobs", "--json"]));
        let deadline = Instant::now() + PATIENCE;
        let under_way = || {
            let runs = library.json(&["runs", "--json"]);
            runs.as_array().expect("a list").iter().any(|run| run["finished_at"].is_null())
        };
        while !under_way() {
            assert!(Instant::now() < deadline, "no run shows");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let status = library.json(&["status", "--json"]);
        assert_eq!(status["running"].as_array().map(Vec::len), Some(1), "{status:#}");
        let second = library.json_of(4, &["run", "stale-jobs", "--json"]);
        let blocked = &second["policies"][0];
        assert_eq!(blocked["blocked_code"], "already_running", "{second:#}");
        assert_eq!(blocked["blocked_facts"]["policy"], "stale-jobs", "{second:#}");
        let asked = Instant::now();
        assert_eq!(first.stop(), Some(5));
        assert!(asked.elapsed().as_secs() < 5, "{:?}", asked.elapsed());
        let runs = library.json(&["runs", "--json"]);
        let cancelled = runs.as_array().expect("a list").iter().filter(|run| run["status"] == "cancelled").count();
        assert_eq!(cancelled, 1, "{runs:#}");
        set_probe(&library, ASKS_A_LIST);
        let run = library.json(&["run", "stale-jobs", "--json"]);
        assert_counts(&run, &expected()[..1]);
    }
}
