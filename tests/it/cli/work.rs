//! Plans, runs, and what is kept of them: from the first plan to the last look.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Ended, call_in, put_items, retaind};
use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     age = \"at\"\nkeep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n";

/// Rows 1 and 2 are old, 3 is young; 1 and 3 have files.
fn world() -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(ITEMS);
    put_items(&world);
    world
}

fn only_policy(result: &Value) -> &Value {
    let policies = result["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "{result}");
    &policies[0]
}

#[test]
fn plan_run_and_ledger_agree() {
    let world = world();
    let plan = call_in(&world, &["plan", "--json"]).with(0).json();
    assert_eq!(world.ids(), set([1, 2, 3]));
    assert!(!world.dir.join("state/ledger.db").exists(), "a plan needs no ledger");
    let run = call_in(&world, &["run", "--json"]).with(0).json();
    assert_eq!((world.ids(), world.files("thumbs").len()), (set([3]), 1));
    assert_eq!((&plan["mode"], &run["mode"], &run["trigger"]), (&json!("plan"), &json!("enforce"), &json!("cli")));
    let expected = json!({
        "rows_deleted": 2, "rows_updated": 0, "files_deleted": 1, "bytes_reclaimed": 1000, "errors": 0
    });
    assert_eq!((&plan["totals"], &run["totals"]), (&expected, &expected));
    for key in ["rows_matched", "rows_deleted", "files_matched", "files_deleted", "files_missing", "bytes_reclaimed"] {
        assert_eq!(only_policy(&plan)[key], only_policy(&run)[key], "{key}");
    }
    let id = run["run_id"].as_str().unwrap();
    for piece in [id, &id[id.len() - 8..], &id[..30]] {
        assert_eq!(call_in(&world, &["runs", piece, "--json"]).with(0).json(), run);
    }
    let listed = call_in(&world, &["runs", "--json"]).with(0).json();
    assert_eq!((&listed[0]["run_id"], &listed[0]["totals"]), (&run["run_id"], &expected));
    let again = call_in(&world, &["plan", "--json"]).with(0).json();
    assert_eq!(again["totals"]["rows_deleted"], 0);
}

#[test]
fn a_listing_has_lines_for_everything_and_sums() {
    let world = world();
    let listed = call_in(&world, &["plan", "items", "--list"]).with(0);
    let lines: Vec<Value> = listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str, key: &str| -> Vec<Value> {
        lines.iter().filter(|line| line["kind"] == kind).map(|line| line[key].clone()).collect()
    };
    assert_eq!(of("row", "key"), ["1", "2"]);
    assert_eq!(of("file", "path"), ["1.jpg"]);
    assert!(listed.stderr.contains("2 rows and 1 file (1,000 B)"), "{}", listed.stderr);
    let mut child = retaind(&["plan", "--list", "--config"])
        .arg(world.config_file())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = Ended::of(child.wait_with_output().unwrap()).with(0);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
}

#[test]
fn a_run_by_name_is_the_tasks_last() {
    let world = world();
    let before = call_in(&world, &["status", "--json"]).with(0).json();
    let task = |status: &Value| -> Value {
        status["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "retention").unwrap().clone()
    };
    assert!(!world.dir.join("state/ledger.db").exists(), "looking makes no ledger");
    assert_eq!((&task(&before)["last_run"], &before["daemon"]["running"]), (&Value::Null, &json!(false)));
    assert!(call_in(&world, &["status"]).with(0).stdout.contains("last run never\n"));
    assert_eq!(call_in(&world, &["runs"]).with(0).stdout, "No run so far.\n");
    let run = call_in(&world, &["run", "retention", "--json"]).with(0).json();
    assert_eq!(run["task"], "retention");
    let after = call_in(&world, &["status", "--json"]).with(0).json();
    let last = task(&after)["last_run"].clone();
    assert_eq!((&last["run_id"], &last["status"]), (&run["run_id"], &json!("completed")));
    assert_eq!((&last["totals"], &after["running"]), (&run["totals"], &json!([])));
    assert_eq!(task(&after)["policies"], json!(["items"]));
    assert!(task(&after)["next_due_at"].is_string());
    let page = call_in(&world, &["status"]).with(0).stdout;
    assert!(page.contains("last run completed") && page.contains("2 rows, 1 file (1,000 B)"), "{page}");
}

#[test]
fn report_mode_decides_and_records_and_deletes_nothing() {
    let world = world();
    let run = call_in(&world, &["run", "--mode", "report", "--json"]).with(0).json();
    assert_eq!((world.ids(), world.files("thumbs").len()), (set([1, 2, 3]), 2));
    assert_eq!((&run["mode"], &run["totals"]["rows_deleted"]), (&json!("report"), &json!(0)));
    assert_eq!(only_policy(&run)["rows_matched"], 2);
    let id = run["run_id"].as_str().unwrap();
    assert!(call_in(&world, &["runs", id]).with(0).stdout.contains("nothing deleted in report mode"));
}

#[test]
fn names_that_select_nothing_are_wrong_usage() {
    let mut world = world();
    world.declare(&ITEMS.replace("policies.items", "policies.off").replace("kind =", "enabled = false\nkind ="));
    for (name, told) in
        [("itmes", "did you mean `items`?"), ("xyzzy", "there are: items"), ("off", "policies.off.enabled")]
    {
        for command in ["plan", "run"] {
            let ended = call_in(&world, &[command, name]).with(2);
            assert!(ended.stderr.contains(told), "{}", ended.stderr);
            assert_eq!(ended.stdout, "");
        }
    }
    let set = call_in(&world, &["plan", "items", "--json", "--set", "policies.items.keep=37d"]).with(0).json();
    assert_eq!(only_policy(&set)["rows_matched"], 1);
    let none = call_in(&world, &["run", "log-purge", "--json"]).with(0);
    assert_eq!(none.json()["policies"], json!([]));
    assert!(none.stderr.contains("nothing to do"), "{}", none.stderr);
    call_in(&world, &["runs", "0123456789"]).with(2);
}

#[test]
fn exit_codes_tell_how_a_run_ended() {
    let world = world();
    let blocked = call_in(&world, &["run", "--set", "policies.items.max_rows=1"]).with(4);
    assert!(blocked.stdout.contains("items: blocked: max_rows"), "{}", blocked.stdout);
    call_in(&world, &["plan", "--set", "policies.items.max_rows=1"]).with(4);
    let failed = call_in(&world, &["run", "--set", "policies.items.table=itme"]).with(1);
    assert!(failed.stdout.contains("there is no table itme"), "{}", failed.stdout);
    world.db.execute("UPDATE item SET thumb = '../precious' WHERE id = 2");
    let errors = call_in(&world, &["run"]).with(3);
    assert!(errors.stdout.contains("items: error: key 2, ../precious"), "{}", errors.stdout);
    let attention = call_in(&world, &["status", "--json"]).with(0).json()["attention"].clone();
    assert!(attention.to_string().contains("no daemon runs"), "{attention}");
}

#[test]
fn g8_a_signalled_run_reports_what_is_gone() {
    const ROWS: u64 = 200_000;
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(&format!("{}batch = 10\n", ITEMS.replace("files =", "# files =")));
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=ROWS);
    let mut child = binary::command(RETAIND)
        .args(["run", "--json", "--config"])
        .arg(world.config_file())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let count = || world.db.value("SELECT COUNT(*) FROM item").unwrap().parse::<u64>().unwrap();
    while count() == ROWS {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "nothing is deleted");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap()).with(5);
    let result = ended.json();
    assert_eq!((&result["status"], &result["cause"]), (&json!("cancelled"), &json!("signal")));
    assert_eq!(result["totals"]["rows_deleted"], ROWS - count());
    assert!(count() > 0, "it was over before it could be cancelled");
    assert!(ended.stderr.contains("Stopping after the current batch"), "{}", ended.stderr);
}

#[test]
fn hostile_names_are_escaped_for_people_alone() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.db.execute("CREATE TABLE note (k TEXT PRIMARY KEY NOT NULL, at TIMESTAMP, thumb TEXT)");
    world.declare(&ITEMS.replace("\"item\"", "\"note\""));
    let (key, path) = ("a\u{1b}[31mb\nc\u{202e}", "x\u{1b}]0;owned\u{7}.jpg");
    world.put("thumbs", path, 1);
    let values = [Some(key), Some("2000-01-01 00:00:00"), Some(path)].map(|value| value.map(str::to_owned));
    let stored = values.map(|value| value.map(|text| text.replace("x\u{1b}", "data/thumbs/x\u{1b}")));
    world.db.insert("note", &["k", "at", "thumb"], [stored.to_vec()]);
    let exact = call_in(&world, &["plan", "--json"]).with(0).json();
    assert_eq!(only_policy(&exact)["sample"], json!([{ "key": key, "files": [format!("thumbs: {path}")] }]));
    let shown = call_in(&world, &["plan"]).with(0).stdout;
    assert!(shown.contains(r"key a\x1b[31mb\nc\u{202e}: thumbs: x\x1b]0;owned\x07.jpg"), "{shown}");
    let on_terminal = in_terminal(&world, "plan --color never");
    assert!(on_terminal.contains(r"sample   key a\x1b[31mb\nc\u{202e}"), "{on_terminal}");
    assert!(!on_terminal.contains('\u{1b}') && !on_terminal.contains('\u{202e}'), "{on_terminal:?}");
}

/// The data that it writes to a terminal.
fn in_terminal(world: &World, arguments: &str) -> String {
    let line =
        format!("stty cols 100; exec {RETAIND} {arguments} --config {} 2>/dev/null", world.config_file().display());
    let output = binary::command("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_terminal_gets_tables_and_colour() {
    let world = world();
    let page = in_terminal(&world, "run");
    for part in ["POLICY", "MATCHED", "\u{1b}[32mcompleted\u{1b}[0m", "2 rows and 1 file deleted"] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    assert!(in_terminal(&world, "status --color never").contains("TASK         SCHEDULE"));
    assert!(!in_terminal(&world, "runs --color never").contains('\u{1b}'));
}

#[test]
fn one_task_purges_a_table_and_a_directory() {
    let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.db.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, at TIMESTAMP)");
    let (old, young) = (world.days_ago(40.0), world.days_ago(1.0));
    world.db.execute(&format!("INSERT INTO log VALUES (1, {old}), (2, {young})"));
    for name in ["app.log", "app.log.1", "app.log.2"] {
        world.put("images", name, 10);
    }
    for (name, days) in [("app.log.1", 3), ("app.log.2", 9)] {
        let path = world.root("images").join(name);
        let at = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    }
    world.declare(
        "[policies.log-rows]\nkind = \"rows\"\ntask = \"log-purge\"\nsource = \"app\"\ntable = \"log\"\nage = \"at\"\nkeep = \"30d\"\n\
         [policies.log-files]\nkind = \"files\"\ntask = \"log-purge\"\nstore = \"images\"\nmatch = \"*.log*\"\nkeep = \"7d\"\n",
    );
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    let run = call_in(&world, &["run", "log-purge", "--json"]).with(0).json();
    let counts = |policy: usize, key: &str| run["policies"][policy][key].as_u64().unwrap();
    assert_eq!((counts(0, "rows_deleted"), counts(1, "files_deleted")), (1, 1), "{run}");
    assert_eq!(world.db.column("SELECT id FROM log"), ["2"]);
    let left: Vec<_> = ["app.log", "app.log.1", "app.log.2"]
        .into_iter()
        .filter(|name| world.root("images").join(name).exists())
        .collect();
    assert_eq!(left, ["app.log", "app.log.1"]);
}
