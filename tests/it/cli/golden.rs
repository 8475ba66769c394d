//! The JSON of every command, held to what it was for the same world: fields may be added, none may change or go.
//!
//! The files stand in `tests/golden`. With `RETAIND_GOLDEN=write` they are written anew.

use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{call_in, put_items};
use crate::engines::{Database, EngineKind};
use crate::world::World;

/// Values that differ from one machine or call to the next, and what stands for them.
static VOLATILE: LazyLock<[(Regex, &str); 6]> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+\d\d:\d\d)?", "TIME"),
        (r"\b[0-9a-f]{64}\b", "HASH"),
        (r"\d{4}-\d\d-\d\d", "DATE"),
        (r"\b\d+\.\d+\.\d+\b", "VERSION"),
        (r"\b\d+(\.\d+)? (ms|s)\b", "DURATION"),
    ]
    .map(|(pattern, stand_in)| (Regex::new(pattern).expect("a pattern"), stand_in))
});

/// Keys whose values are those of the moment or of the machine.
const MEASURED: [&str; 10] = [
    "duration_ms",
    "pid",
    "uid",
    "owner",
    "age_secs",
    "overdue_secs",
    "available_bytes",
    "total_bytes",
    "file_system",
    "mount_point",
];

/// Leaves out what is of the moment.
fn settled(world: &World, value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| settled(world, item)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                let value =
                    if MEASURED.contains(&key.as_str()) && !value.is_null() { "MEASURED".into() } else { value };
                // Whoever runs the tests.
                let value = if key == "user" && value.is_string() { "root".into() } else { value };
                (key, settled(world, value))
            })
            .collect(),
        Value::String(text) => {
            let text = text.replace(&world.dir.display().to_string(), "DIR");
            let text = text.replace(&world.db.path().display().to_string(), "DATABASE");
            let text =
                VOLATILE.iter().fold(text, |text, (pattern, stand_in)| pattern.replace_all(&text, *stand_in).into());
            // Sentences are for people, and may become better.
            if text.contains(' ') { "WORDS".into() } else { text.into() }
        }
        // How far clocks are apart.
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map(|number| (number * 100.0).round() / 100.0).into()
        }
        other => other,
    }
}

/// The findings of `check` that are not about the machine.
fn findings(mut printed: Value) -> Value {
    let is_ours = |finding: &Value| {
        let subject = finding["subject"].as_str().unwrap_or_default();
        ["configuration", "source", "policy"].iter().any(|ours| subject.starts_with(ours))
    };
    printed["findings"].as_array_mut().expect("findings").retain(is_ours);
    printed
}

/// Differences other than new fields, each with the place where it is.
fn differences(place: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, old) in old {
                match new.get(key) {
                    Some(new) => differences(&format!("{place}.{key}"), old, new, found),
                    None => found.push(format!("{place}.{key} is gone")),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differences(&format!("{place}[{index}]"), old, new, found);
            }
        }
        (old, new) if old == new => {}
        (old, new) => found.push(format!("{place}: {old} became {new}")),
    }
}

/// Compares what a command prints with the file of that name, or writes that file.
fn hold(world: &World, name: &str, printed: Value) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"));
    let printed = settled(world, printed);
    if std::env::var_os("RETAIND_GOLDEN").is_some_and(|wish| wish == "write") {
        let text = serde_json::to_string_pretty(&printed).expect("JSON") + "\n";
        return std::fs::write(file, text).expect("the file is written");
    }
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut found = Vec::new();
    differences(name, &serde_json::from_str(&text).expect("JSON"), &printed, &mut found);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn lines(text: &str) -> Value {
    text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON")).collect()
}

const POLICIES: &str = r#"
[policies.items]
kind = "rows"
task = "retention"
source = "app"
table = "item"
age = "at"
keep = "30d"
files = [{ store = "thumbs", column = "thumb" }]
max_rows = 100

[policies.spool]
kind = "files"
task = "log-purge"
store = "images"
match = ["*.log"]
keep = "1h"
max_files = 50

[policies.strays]
kind = "orphans"
task = "orphan-scan"
store = "thumbs"
keep = "1h"
"#;

/// Old and young rows, with and without files; a file that no row names; two logs, one of them young.
fn world() -> World {
    let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(POLICIES);
    put_items(&world);
    world.item(4, 33.0, Some("data/thumbs/gone.jpg"), None);
    for (store, path, hours) in [("thumbs", "stray.jpg", 90), ("images", "a/old.log", 90), ("images", "a/new.log", 0)] {
        world.put(store, path, 500);
        let file = std::fs::File::options().write(true).open(world.root(store).join(path)).expect("it was put");
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
        file.set_modified(at).expect("its time is set");
    }
    world
}

#[test]
fn json_is_as_it_was() {
    let mut world = world();
    let json = |world: &World, name: &str, arguments: &[&str], code: i32| {
        let printed = call_in(world, arguments).with(code).json();
        hold(world, name, printed.clone());
        printed
    };
    hold(&world, "check-before", findings(call_in(&world, &["check", "--json"]).with(1).json()));
    json(&world, "adopt", &["adopt", "thumbs", "--yes", "--json"], 0);
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    json(&world, "plan", &["plan", "--json"], 0);
    hold(&world, "plan-list", lines(&call_in(&world, &["plan", "--list", "--json"]).with(0).stdout));
    json(&world, "stats", &["stats", "--json"], 0);
    json(&world, "why-row", &["why", "app.item", "1", "--json"], 0);
    json(&world, "why-young-row", &["why", "app.item", "3", "--json"], 0);
    json(&world, "why-file", &["why", "thumbs", "3.jpg", "--json"], 0);
    json(&world, "why-stray", &["why", "thumbs", "stray.jpg", "--json"], 0);
    json(&world, "why-log", &["why", "images", "a/new.log", "--json"], 0);
    json(&world, "approve", &["approve", "items", "--yes", "--json"], 0);
    let run = json(&world, "run", &["run", "items", "spool", "strays", "--json"], 0);
    json(&world, "run-report", &["run", "items", "--mode", "report", "--json"], 0);
    json(&world, "runs", &["runs", "--json"], 0);
    json(&world, "runs-one", &["runs", run["run_id"].as_str().expect("an id"), "--json"], 0);
    json(&world, "status", &["status", "--json"], 0);
    hold(&world, "check", findings(call_in(&world, &["check", "--json"]).with(0).json()));

    world.redeclare(&POLICIES.replace("30d", "12h"));
    json(&world, "diff-held", &["diff", "--plan", "--json"], 4);
    json(&world, "run-held", &["run", "items", "--json"], 4);
    json(&world, "plan-held", &["plan", "items", "--json"], 4);
    json(&world, "status-held", &["status", "--json"], 0);
    world.redeclare(&POLICIES.replace("max_rows = 100", "max_rows = 1"));
    (5..=6).for_each(|id| world.item(id, 50.0, None, None));
    json(&world, "run-blocked", &["run", "items", "--json"], 4);
}

#[test]
fn json_of_a_restoration_is_as_it_was() {
    let mut world = world();
    world.redeclare(POLICIES);
    world.store_keys = "age_by = \"mtime\"\ntrash = \"7d\"\n";
    for store in ["thumbs", "images"] {
        call_in(&world, &["adopt", store, "--yes"]).with(0);
    }
    let run = call_in(&world, &["run", "items", "spool", "--json"]).with(0).json();
    hold(&world, "run-trash", run.clone());
    let id = run["run_id"].as_str().expect("an id");
    hold(&world, "restore", call_in(&world, &["restore", id, "--json"]).with(0).json());
}
