//! What programs may rely on: the version of every document, one shape of errors, the same count in plan, report and run.

use serde_json::{Value, json};

use super::{call_in, put_items};
use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

const ITEMS: &str = "\
[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
files = [{ store = \"thumbs\", column = \"thumb\" }]\n";

fn world(db: Database) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(ITEMS);
    put_items(&world);
    world
}

#[test]
fn every_object_has_its_version_first() {
    let world = world(Database::create(EngineKind::Sqlite));
    for arguments in [
        &["check"][..],
        &["plan"],
        &["stats"],
        &["status"],
        &["status", "--check"],
        &["diff"],
        &["why", "app.item", "1"],
        &["why", "thumbs", "1.jpg"],
        &["run", "retention"],
        &["adopt", "thumbs", "--yes"],
    ] {
        let ended = call_in(&world, &[arguments, &["--json"]].concat());
        assert!(ended.stdout.starts_with("{\n  \"format_version\": 1,\n"), "{arguments:?}: {ended:?}");
        assert_eq!(ended.json()["format_version"], 1, "{arguments:?}");
    }
    let run = call_in(&world, &["runs", "--json"]).json()[0]["run_id"].as_str().unwrap().to_owned();
    assert_eq!(call_in(&world, &["runs", &run, "--json"]).json()["format_version"], 1);
    // It is a document of another kind.
    assert_eq!(call_in(&world, &["config", "schema"]).json().get("format_version"), None);
}

#[test]
fn errors_have_one_shape_and_a_code() {
    let world = world(Database::create(EngineKind::Sqlite));
    call_in(&world, &["run", "items"]).with(0);
    for (arguments, exit, code) in [
        (&["plan", "itmes"][..], 2, "unknown_name"),
        (&["run", "items", "--param", "x=1"], 2, "unknown_param"),
        (&["why", "app.item", "77"], 1, "unknown_row"),
        (&["why", "app.nothing", "1"], 2, "no_policy"),
        (&["why", "other.item", "1"], 2, "unknown_name"),
        (&["why", "thumb", "1.jpg"], 2, "unknown_name"),
        (&["why", "thumbs", "../1.jpg"], 2, "bad_path"),
        (&["adopt", "thumb"], 2, "unknown_name"),
        (&["runs", "beef"], 2, "unknown_run"),
        (&["runs", "--task", "none"], 2, "unknown_name"),
        (&["restore", "0000beef"], 2, "unknown_run"),
        (&["status", "--watch"], 2, "usage"),
        (&["plan", "--set", "policies.items.keep=7"], 78, "config_invalid"),
    ] {
        let ended = call_in(&world, &[arguments, &["--json"]].concat()).with(exit);
        let printed = ended.json();
        let error = &printed["error"];
        assert_eq!((&printed["format_version"], &error["code"]), (&json!(1), &json!(code)), "{arguments:?}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{arguments:?}: {printed}");
        assert!(error.get("hint").is_some(), "{arguments:?}: {printed}");
    }
}

for_each_engine! {
    fn plan_report_and_run_count_the_same(db) {
        let world = world(db);
        let items = |arguments: &[&str]| -> Value {
            call_in(&world, &[arguments, &["--json"]].concat()).with(0).json()["policies"][0].clone()
        };
        let plan = items(&["plan"]);
        let report = items(&["run", "items", "--mode", "report"]);
        assert_eq!(world.ids(), set([1, 2, 3]));
        let run = items(&["run", "items"]);
        assert_eq!(world.ids(), set([3]));
        for (result, deleted) in [(plan, 2), (report, 0), (run, 2)] {
            assert_eq!((&result["rows_eligible"], &result["rows_deleted"]), (&json!(2), &json!(deleted)), "{result:#}");
            assert_eq!(result["rows_matched"], result["rows_eligible"]);
        }
    }
}

#[test]
fn the_exit_code_of_a_plan_shows_work() {
    let world = world(Database::create(EngineKind::Sqlite));
    call_in(&world, &["plan"]).with(0);
    call_in(&world, &["plan", "--exit-code"]).with(3);
    let listed = call_in(&world, &["plan", "--exit-code", "--list"]).with(3);
    assert_eq!(listed.stdout.lines().count(), 3, "{}", listed.stdout);
    // What only reports has no work; what is blocked and what fails keep their codes.
    call_in(&world, &["plan", "--exit-code", "--set", "policies.items.mode=report"]).with(0);
    call_in(&world, &["plan", "--exit-code", "--set", "policies.items.max_rows=1"]).with(4);
    call_in(&world, &["plan", "--exit-code", "--set", "policies.items.table=itme"]).with(1);
    call_in(&world, &["run", "items"]).with(0);
    call_in(&world, &["plan", "--exit-code"]).with(0);
}
