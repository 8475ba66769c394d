//! What waits for an approval, as commands show it: since when, why, and the command by which it goes on.

use serde_json::{Value, json};

use super::call_in;
use crate::engines::{Database, EngineKind};
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     age = \"at\"\nkeep = \"30d\"\n";

/// A world in which 30 days are agreed to and three are configured: four rows are of ten days.
fn slipped(db: Database) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(ITEMS);
    world.item(1, 40.0, None, None);
    for id in 2..=5 {
        world.item(id, 10.0, None, None);
    }
    call_in(&world, &["run", "items"]).with(0);
    world.redeclare(&ITEMS.replace("30d", "3d"));
    world
}

/// The same, once a run has met it.
fn held() -> World {
    let world = slipped(Database::create(EngineKind::Sqlite));
    let run = call_in(&world, &["run", "items", "--json"]).with(4).json();
    assert_eq!(run["policies"][0]["blocked_code"], "held", "{run:#}");
    assert_eq!(run["policies"][0]["held"]["reasons"], json!(["keep 30d → 3d"]));
    assert_eq!(world.ids(), [2, 3, 4, 5].into());
    world
}

fn warnings(world: &World) -> Vec<(String, Value)> {
    let found = call_in(world, &["check", "--json"]).with(0).json();
    let all = found["findings"].as_array().unwrap().clone();
    let warned = all.into_iter().filter(|finding| finding["level"] == "warn" && finding["subject"] == "policy items");
    warned.map(|finding| (finding["message"].as_str().unwrap().to_owned(), finding["fix"].clone())).collect()
}

#[test]
fn f42_status_says_what_is_held_and_what_next() {
    let mut world = held();
    let status = call_in(&world, &["status", "--json"]).with(0).json();
    let [held] = status["held"].as_array().unwrap().as_slice() else { panic!("{status:#}") };
    let since = held["since"].as_str().unwrap();
    let expected = json!({
        "policy": "items", "since": since, "kind": "changed", "reasons": ["keep 30d → 3d"],
        "old": { "keep": "30d" }, "new": { "keep": "3d" }, "command": "retaind approve items"
    });
    assert_eq!(*held, expected);
    let page = call_in(&world, &["status"]).with(0).stdout;
    let line = "attention: policy items is held since ";
    let shown = page.lines().find(|shown| shown.starts_with(line)).unwrap_or_else(|| panic!("{page}"));
    assert!(shown.ends_with("Z: keep 30d → 3d; it goes on with `retaind approve items`"), "{shown}");
    // What only reports takes nothing, and waits for nothing.
    world.redeclare(&format!("{ITEMS}mode = \"report\"\n").replace("30d", "3d"));
    assert_eq!(call_in(&world, &["status", "--json"]).with(0).json()["held"], json!([]));
}

#[test]
fn f42_statistics_have_a_column_for_what_is_held() {
    let world = held();
    let stats = call_in(&world, &["stats", "--json"]).with(0).json();
    let items = &stats["policies"][0];
    assert_eq!(
        (&items["held"]["reasons"], &items["rows_eligible"]),
        (&json!(["keep 30d → 3d"]), &json!(4)),
        "{items:#}"
    );
    let page = call_in(&world, &["stats"]).with(0).stdout;
    assert!(page.contains("held for ") && page.contains(": keep 30d → 3d"), "{page}");
    let fresh = slipped(Database::create(EngineKind::Sqlite));
    let stats = call_in(&fresh, &["stats", "--json"]).with(0).json();
    assert_eq!(stats["policies"][0]["held"], Value::Null);
}

#[test]
fn f42_plans_and_runs_say_since_when_held() {
    let world = held();
    let since = call_in(&world, &["status", "--json"]).json()["held"][0]["since"].clone();
    let plan = call_in(&world, &["plan", "items", "--json"]).with(4).json();
    let items = &plan["policies"][0];
    assert_eq!((&items["status"], &items["rows_matched"]), (&json!("blocked"), &json!(4)), "{items:#}");
    assert_eq!(items["held"]["since"], since);
    let page = call_in(&world, &["plan", "items"]).with(4).stdout;
    assert!(page.contains("items: is held, ") && page.contains("; 1 policy held."), "{page}");
    let run = call_in(&world, &["runs", "--json", "-n", "1"]).json()[0]["run_id"].as_str().unwrap().to_owned();
    let shown = call_in(&world, &["runs", &run]).stdout;
    for page in [page, shown] {
        let line = page.lines().find(|line| line.contains("items: held since ")).unwrap_or_else(|| panic!("{page}"));
        assert!(line.ends_with("Z: keep 30d → 3d; it goes on with `retaind approve items`"), "{line}");
    }
}

for_each_engine! {
    fn f42_check_compares_what_was_approved_and_configured(db) {
        let mut world = slipped(db);
        let fix = json!("retaind approve items");
        let message = "held until somebody has looked: keep 30d → 3d: 4 rows instead of 0".to_owned();
        assert_eq!(warnings(&world), [(message, fix)]);
        for narrower in [ITEMS.to_owned(), ITEMS.replace("30d", "60d"), format!("{ITEMS}mode = \"report\"\n").replace("30d", "3d")] {
            world.redeclare(&narrower);
            assert_eq!(warnings(&world), [], "{narrower}");
        }
    }
}
