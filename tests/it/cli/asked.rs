//! What is asked at a terminal before anything goes, and what is not: `run` without names, `adopt`, and dry runs.

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{call_in, put_items};
use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     where = \"id < 3\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n";
const IDLE: &str =
    "[policies.idle]\nkind = \"rows\"\ntask = \"log-purge\"\nsource = \"app\"\ntable = \"item\"\nwhere = \"id > 3\"\n";

/// Rows 1 and 2 may go, 3 stays; 1 and 3 have files.
fn world() -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(ITEMS);
    world.declare(IDLE);
    put_items(&world);
    world
}

/// A command at a terminal, its standard output in a file.
pub(super) struct AtTerminal {
    script: Child,
    shown: String,
    world_stdout: std::path::PathBuf,
}

impl AtTerminal {
    pub(super) fn start(world: &World, arguments: &str) -> Self {
        let (config, out) = (world.config_file(), world.dir.join("stdout"));
        let line = format!("exec {RETAIND} {arguments} --color never --config {} >{}", config.display(), out.display());
        let script = binary::command("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { script, shown: String::new(), world_stdout: out }
    }

    /// Waits until it is asked, and types.
    pub(super) fn answers(self, typed: &str) -> (Option<i32>, String, String) {
        self.asks().types(typed)
    }

    /// Waits until it is asked.
    pub(super) fn asks(mut self) -> Self {
        let stdout = self.script.stdout.as_mut().unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"[y/N] ") {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "it does not ask: {}", String::from_utf8_lossy(&bytes));
            bytes.push(byte[0]);
        }
        self.shown = String::from_utf8(bytes).unwrap();
        self
    }

    pub(super) fn types(mut self, typed: &str) -> (Option<i32>, String, String) {
        self.script.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
        self.ended()
    }

    /// Its exit code, what the terminal showed, and what it wrote to standard output.
    fn ended(mut self) -> (Option<i32>, String, String) {
        drop(self.script.stdin.take());
        self.script.stdout.as_mut().unwrap().read_to_string(&mut self.shown).unwrap();
        let code = self.script.wait().unwrap().code();
        (code, self.shown.replace("\r\n", "\n"), std::fs::read_to_string(&self.world_stdout).unwrap())
    }
}

#[test]
fn f45_a_run_without_names_shows_sums_and_asks() {
    let world = world();
    let asked = "\
This run would delete
  items  2 rows, 1 file (1,000 B)
  idle   nothing
Delete 2 rows and 1 file (1,000 B)? [y/N] ";
    for typed in ["", "\n", "n\n", "yep\n", "\u{3}"] {
        let (code, shown, stdout) = AtTerminal::start(&world, "run --json").answers(typed);
        assert_eq!((code, stdout.as_str()), (Some(5), ""), "{typed:?}: {shown}");
        assert!(shown.contains(asked), "{shown}");
        assert!(shown.contains("\nCancelled: nothing ran.") && shown.contains("--yes"), "{typed:?}: {shown}");
        assert_eq!((world.ids(), world.files("thumbs").len()), (set([1, 2, 3]), 2));
    }
    assert!(!world.dir.join("state/ledger.db").exists(), "what did not run is not recorded");
    let (code, shown, stdout) = AtTerminal::start(&world, "run --json").answers("Y\n");
    assert_eq!(code, Some(0), "{shown}");
    let result: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&result["mode"], &result["totals"]["rows_deleted"]), (&"enforce".into(), &2.into()));
    assert_eq!((world.ids(), world.files("thumbs").len()), (set([3]), 1));
    let (code, shown, _) = AtTerminal::start(&world, "run").ended();
    assert_eq!(code, Some(0), "where nothing goes there is nothing to ask: {shown}");
}

#[test]
fn f45_names_yes_and_harmless_modes_ask_nothing() {
    for (arguments, left) in [
        ("run --yes", set([3])),
        ("run -y", set([3])),
        ("run items", set([3])),
        ("run retention", set([3])),
        ("run -n", set([1, 2, 3])),
        ("run --mode report", set([1, 2, 3])),
        ("run --set daemon.mode=report", set([1, 2, 3])),
        ("run --set policies.items.mode=report", set([1, 2, 3])),
        // Nobody sees the question.
        ("run 2>/dev/null", set([3])),
    ] {
        let world = world();
        let (code, shown, _) = AtTerminal::start(&world, arguments).ended();
        assert_eq!(code, Some(0), "{arguments}: {shown}");
        assert!(!shown.contains("[y/N]"), "{arguments}: {shown}");
        assert_eq!(world.ids(), left, "{arguments}");
    }
}

#[test]
fn f45_an_incomplete_plan_is_asked_about() {
    let mut world = world();
    world.declare(&IDLE.replace("policies.idle", "policies.lost").replace("\"item\"", "\"missing\""));
    let (code, shown, _) = AtTerminal::start(&world, "run").answers("n\n");
    assert_eq!(code, Some(5), "{shown}");
    assert!(shown.contains("  lost   nobody knows what: it could not be planned: "), "{shown}");
    assert!(shown.contains("Delete at least 2 rows and 1 file (1,000 B)? [y/N] "), "{shown}");
    assert_eq!(world.ids(), set([1, 2, 3]));
}

#[test]
fn adopt_asks_in_the_same_way() {
    let world = world();
    let marker = world.root("thumbs").join(".retaind/store.json");
    for typed in ["", "no\n", "\u{3}"] {
        let (code, shown, stdout) = AtTerminal::start(&world, "adopt thumbs").answers(typed);
        assert_eq!(code, Some(5), "{shown}");
        assert!(shown.contains("Nothing was written") && stdout.contains("2 files"), "{shown}{stdout}");
        assert!(!marker.exists());
    }
    let (code, shown, _) = AtTerminal::start(&world, "adopt thumbs").answers("yes\n");
    assert_eq!(code, Some(0), "{shown}");
    assert!(marker.exists());
}

/// A page without what differs from one call to the next.
fn lines(page: &str) -> Vec<&str> {
    page.lines().filter(|line| !line.contains("clock_skew_secs")).collect()
}

/// A result without what differs from one call to the next.
fn steady(mut result: Value) -> Value {
    for key in ["run_id", "started_at", "finished_at", "duration_ms"] {
        result[key] = Value::Null;
    }
    for policy in result["policies"].as_array_mut().into_iter().flatten() {
        policy["duration_ms"] = Value::Null;
        policy["guards"].as_array_mut().unwrap().retain(|guard| guard["guard"] != "clock_skew_secs");
    }
    result
}

#[test]
fn a_dry_run_is_a_plan() {
    let mut world = world();
    world
        .declare(&ITEMS.replace("policies.items", "policies.over").replace("task = \"retention\"\n", "max_rows = 1\n"));
    world.declare(
        &IDLE
            .replace("policies.idle", "policies.lost")
            .replace("task = \"log-purge\"\n", "")
            .replace("\"item\"", "\"missing\""),
    );
    for (names, code) in [
        (&[][..], 0),
        (&["items"], 0),
        (&["retention"], 0),
        (&["over"], 4),
        (&["lost"], 1),
        (&["itmes"], 2),
        (&["items", "--param", "x=1"], 2),
    ] {
        let plan = call_in(&world, &[&["plan"], names].concat()).with(code);
        let dry: [&[&str]; 4] = [&["-n"], &["--dry-run"], &["--mode", "report", "-n"], &["-n", "--yes"]];
        for flags in dry {
            let run = call_in(&world, &[&["run"], flags, names].concat()).with(code);
            assert_eq!((lines(&run.stdout), &run.stderr), (lines(&plan.stdout), &plan.stderr), "{flags:?} {names:?}");
        }
        if code != 2 {
            let plan = call_in(&world, &[&["plan", "--json"], names].concat()).with(code).json();
            let run = call_in(&world, &[&["run", "-n", "--json"], names].concat()).with(code).json();
            assert_eq!(steady(run), steady(plan));
        }
    }
    assert_eq!((world.ids(), world.files("thumbs").len()), (set([1, 2, 3]), 2));
    assert!(!world.dir.join("state/ledger.db").exists(), "a dry run is not recorded");
}
