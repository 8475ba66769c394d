//! Numbers for Prometheus: what they say, that Prometheus itself takes them, and that the page of docs knows each.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;

use super::*;
use crate::needs::Need;
use crate::trees::age;
use crate::world::BY_MTIME;

const MONITORING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/monitoring.md");
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/prometheus");

fn numbers(world: &World) -> String {
    let reply = http::request(&world.dir.join("state/retaind.sock"), "GET", "/metrics", "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(reply.head.contains("content-type: text/plain; version=0.0.4"), "{}", reply.head);
    reply.body.as_str().unwrap().to_owned()
}

/// The value of a sample; none where it is not shown.
fn value(page: &str, sample: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

fn run(world: &World, wanted: Value) {
    let reply =
        http::request(&world.dir.join("state/retaind.sock"), "POST", "/api/v1/run?wait=20s", &wanted.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[test]
fn numbers_say_what_happened_also_after_a_restart() {
    let (world, daemon) = three_items_served();
    let before = numbers(&world);
    assert_eq!(value(&before, "retaind_rows_deleted_total{policy=\"items\"}"), None, "it never ran");
    assert_eq!(value(&before, "retaind_source_up{source=\"app\"}"), Some(1.0), "{before}");
    let stats = http::request(&world.dir.join("state/retaind.sock"), "GET", "/api/v1/stats", "");
    assert_eq!(stats.status, 200);
    assert_eq!(value(&numbers(&world), "retaind_policy_backlog_items{policy=\"items\"}"), Some(2.0));
    run(&world, json!({ "names": ["sweep"], "mode": "report" }));
    assert_eq!(value(&numbers(&world), "retaind_policy_backlog_items{policy=\"items\"}"), Some(2.0));
    run(&world, json!({ "names": ["sweep"] }));
    run(&world, json!({ "names": ["items"], "mode": "plan" }));
    let samples = [
        ("retaind_rows_deleted_total{policy=\"items\"}", 2.0),
        ("retaind_runs_total{task=\"sweep\",status=\"completed\"}", 2.0),
        ("retaind_run_duration_seconds_count{task=\"sweep\"}", 2.0),
        ("retaind_policy_backlog_items{policy=\"items\"}", 0.0),
        ("retaind_policy_held{policy=\"items\"}", 0.0),
        ("retaind_task_overdue{task=\"sweep\"}", 0.0),
        ("retaind_report_mode", 0.0),
    ];
    let page = numbers(&world);
    for (sample, expected) in samples {
        assert_eq!(value(&page, sample), Some(expected), "{sample} in\n{page}");
    }
    daemon.stop();
    let daemon = Daemon::ready(&world);
    let page = numbers(&world);
    assert_eq!(value(&page, "retaind_rows_deleted_total{policy=\"items\"}"), Some(2.0));
    assert_eq!(value(&page, "retaind_runs_total{task=\"sweep\",status=\"completed\"}"), Some(2.0));
    assert!(value(&page, "retaind_task_last_success_timestamp_seconds{task=\"sweep\"}").unwrap() > 1.7e9);
    daemon.stop();
}

#[test]
fn the_age_of_files_that_may_go() {
    let mut world = world("every = \"20d\"");
    world.store_keys = BY_MTIME;
    let reports = |name: &str, store: &str, kind: &str| {
        format!("[policies.{name}]\nkind = \"{kind}\"\nstore = \"{store}\"\nmode = \"report\"\nkeep = \"1d\"\n")
    };
    world.declare(&(reports("aged", "thumbs", "files") + &reports("strays", "images", "orphans")));
    for (store, file, days) in [("thumbs", "a", 3.0), ("thumbs", "b", 2.0), ("thumbs", "c", 0.1), ("images", "x", 5.0)]
    {
        world.put(store, file, 1);
        age(&world.root(store).join(file), days);
    }
    world.put("images", "kept", 1);
    world.item(1, 1.0, None, Some("kept"));
    world.config_file();
    for store in ["thumbs", "images"] {
        call_in(&world, &["adopt", store, "--yes"]).with(0);
    }
    let daemon = Daemon::ready(&world);
    run(&world, json!({ "names": ["aged", "strays"] }));
    let page = numbers(&world);
    for (policy, left, days) in [("aged", 2.0, 2.0), ("strays", 1.0, 4.0)] {
        assert_eq!(value(&page, &format!("retaind_policy_backlog_items{{policy=\"{policy}\"}}")), Some(left), "{page}");
        let seconds =
            value(&page, &format!("retaind_policy_oldest_eligible_age_seconds{{policy=\"{policy}\"}}")).unwrap();
        assert!((seconds - days * 86_400.0).abs() < 300.0, "{policy}: {seconds}");
    }
    daemon.stop();
}

#[test]
fn every_number_is_described() {
    let served = Served::start_in(eventful());
    ["sweep", "wrong"].iter().for_each(|name| run(&served.world, json!({ "names": [name] })));
    let page = numbers(&served.world);
    let shown: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let docs = std::fs::read_to_string(MONITORING).unwrap();
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `retaind_")?.split('`').next());
    let described: BTreeSet<String> = rows.map(|row| format!("retaind_{}", row.split('{').next().unwrap())).collect();
    let shown: BTreeSet<String> = shown.into_iter().map(str::to_owned).collect();
    assert_eq!(shown, described, "docs/monitoring.md has a row for each number");
    served.daemon.stop();
}

#[test]
fn promtool_finds_no_fault() {
    needs!(Need::Program("promtool"));
    let (world, daemon) = three_items_served();
    run(&world, json!({ "names": ["sweep"] }));
    let page = numbers(&world);
    let mut lint = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn().unwrap();
    lint.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    assert!(lint.wait().unwrap().success(), "{page}");
    let tested = Command::new("promtool").args(["test", "rules", "retaind.rules.test.yml"]).current_dir(RULES).output();
    let tested = tested.unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    daemon.stop();
}

#[test]
fn a_file_has_the_same_numbers() {
    let mut world = world("every = \"20d\"");
    let directory = world.dir.join("textfiles");
    let file = directory.join("retaind.prom");
    world.declare(&format!("[server]\nmetrics = false\nmetrics_file = \"{}\"\n", file.display()));
    fill(&world, 2);
    // Where it cannot be written, the daemon does its work all the same and says so once.
    let daemon = Daemon::ready(&world);
    run(&world, json!({ "names": ["sweep"] }));
    let reply = http::request(&world.dir.join("state/retaind.sock"), "GET", "/metrics", "");
    assert_eq!((reply.status, &reply.body["code"]), (404, &json!("unknown_path")));
    daemon.stop();
    assert_eq!(log(&world).matches("cannot be written into").count(), 1, "{}", log(&world));
    std::fs::create_dir(&directory).unwrap();
    let daemon = Daemon::ready(&world);
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    let page = std::fs::read_to_string(&file).unwrap();
    assert_eq!(value(&page, "retaind_rows_deleted_total{policy=\"items\"}"), Some(2.0), "{page}");
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "nothing else lies beside it");
    daemon.stop();
}
