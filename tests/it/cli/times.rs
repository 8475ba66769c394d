//! What `check`, `plan`, `run` and `why` say of times: the same thing, with its fix.

use serde_json::Value;

use super::call_in;
use super::check::{findings, messages};
use crate::engines::{Database, EngineKind};
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nkeep = \"30d\"\n";

fn world(db: Database, kind: &str, values: &[String], keys: &str) -> World {
    let mut world = World::new(db);
    world.db.execute(&format!(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, at {kind} NULL, thumb VARCHAR(9), image VARCHAR(9))"
    ));
    for (id, value) in (1..).zip(values) {
        world.db.execute(&format!("INSERT INTO item (id, at) VALUES ({id}, {value})"));
    }
    world.declare(&format!("{ITEMS}{keys}"));
    world
}

fn reason(world: &World, key: &str) -> Value {
    let answer = call_in(world, &["why", "app.item", key, "--json"]).with(0).json();
    answer["policies"][0]["reasons"][0].clone()
}

for_each_engine! {
    fn f1_everybody_reports_conditions_independent_of_time(db) {
        let old = 1_700_000_000.to_string();
        let world = world(db, "BIGINT", &[old], "where = \"at < :cutoff_ms\"\n");
        assert_eq!(findings(&world, "error", 1)[0]["code"], "time_independent");
        let plan = call_in(&world, &["plan", "items", "--json"]).json();
        assert_eq!(plan["policies"][0]["blocked_code"], "time_independent", "{plan:#}");
        let said = reason(&world, "1");
        assert_eq!(said["reason"], "time_independent", "{said}");
        call_in(&world, &["run", "items"]).with(4);
        assert_eq!(world.ids().len(), 1);
    }

    fn f1_check_names_the_unit_that_fits(db) {
        let values = [1_700_000_000_000_000_i64, 1_700_000_001_000_000].map(|number| number.to_string());
        let world = world(db, "BIGINT", &values, "age = \"at\"\nage_format = \"unix\"\n");
        let errors = messages(&findings(&world, "error", 1));
        assert!(errors.contains("at does not count seconds") && errors.contains("age_format = \"unix_us\""), "{errors}");
    }

    fn f1_a_hint_for_a_number_is_true(db) {
        let kind = if db.kind() == EngineKind::Postgres { "DOUBLE PRECISION" } else { "DOUBLE" };
        let mut world = world(db, kind, &["1700000000.5".to_owned()], "age = \"at\"\n");
        let errors = messages(&findings(&world, "error", 1));
        assert!(errors.contains("say what it counts: age_format = \"unix\""), "{errors}");
        world.declare("age_format = \"unix\"\n");
        assert_eq!(messages(&findings(&world, "error", 0)), "");
        call_in(&world, &["run", "items"]).with(0);
        assert_eq!(world.ids().len(), 0);
    }

    fn f6_why_reports_dates_that_are_not_times(db) {
        let kind = db.timestamp_type();
        let values = ["'0001-01-01 00:00:00'", "NULL"].map(str::to_owned);
        let world = world(db, kind, &values, "age = \"at\"\n");
        let said = reason(&world, "1");
        assert_eq!(said["reason"], "no_time", "{said}");
        assert!(said["facts"]["earliest"].as_str().unwrap().starts_with("1980-01-02"), "{said}");
        assert_eq!(reason(&world, "2")["reason"], "age_missing");
        let result = call_in(&world, &["run", "items", "--json"]).with(0).json();
        assert_eq!(result["policies"][0]["rows_without_time"], 2, "{result}");
        let page = call_in(&world, &["plan", "items"]).with(0).stdout;
        assert!(page.contains("2 rows kept: without a time"), "{page}");
    }
}
