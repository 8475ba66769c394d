//! `check`: what it finds, and that what it proposes mends it.

use serde_json::Value;

use super::call_in;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     age = \"at\"\nkeep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n";

fn world(db: Database) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(ITEMS);
    world
}

/// The findings of a level, but for the remarks that root may do more and that a store is not adopted.
pub(super) fn findings(world: &World, level: &str, code: i32) -> Vec<Value> {
    let adoption = |finding: &Value| finding["level"] == "warn" && finding["code"] == "not_adopted";
    all_findings(world, level, code).into_iter().filter(|finding| !adoption(finding)).collect()
}

/// The findings of a level, but for the remark that root may do more.
pub(super) fn all_findings(world: &World, level: &str, code: i32) -> Vec<Value> {
    let found = call_in(world, &["check", "--json"]).with(code).json();
    let all = found["findings"].as_array().unwrap().clone();
    all.into_iter().filter(|finding| finding["level"] == level && finding["subject"] != "user").collect()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn messages(findings: &[Value]) -> String {
    findings.iter().map(|finding| format!("{}: {}\n", text(&finding["subject"]), text(&finding["message"]))).collect()
}

for_each_engine! {
    fn a_missing_index_is_warned_with_its_statement(db) {
        let mut world = World::new(db);
        world.create_items();
        world.declare(&ITEMS.replace("age = \"at\"", "age = \"born\""));
        world.db.execute(&format!("ALTER TABLE item ADD COLUMN born {} NULL", world.db.timestamp_type()));
        let warnings = findings(&world, "warn", 0);
        // The age column, and the columns that name the files of the two stores.
        assert_eq!(warnings.len(), 3, "{}", messages(&warnings));
        for warning in &warnings {
            world.db.execute(text(&warning["fix"]));
        }
        assert_eq!(messages(&findings(&world, "warn", 0)), "");
    }

    fn what_does_not_fit_is_said_at_once(db) {
        let mut world = world(db);
        world.declare(&ITEMS.replace("policies.items", "policies.nowhere").replace("\"item\"", "\"itme\""));
        world.declare(&ITEMS.replace("policies.items", "policies.ageless").replace("\"at\"", "\"att\""));
        world.declare(&format!("{}where = \"colour = 'red'\"\n", ITEMS.replace("policies.items", "policies.picky")));
        std::fs::remove_dir(world.root("images")).unwrap();
        let errors = messages(&findings(&world, "error", 1));
        for part in [
            "policy nowhere: there is no table itme",
            "policy ageless: table item has no column att; did you mean at?",
            "policy picky: the database does not accept its \"where\"",
            "store images: ",
        ] {
            assert!(errors.contains(part), "{part:?} is not in\n{errors}");
        }
        // What the database says of the condition is part of it.
        assert!(errors.to_lowercase().contains("colour"), "{errors}");
        call_in(&world, &["check", "--config-only"]).with(0);
    }

    fn a_key_that_points_here_is_told_of(db) {
        let mut world = world(db);
        for (table, action) in [("part", ""), ("mark", "ON DELETE CASCADE"), ("note", "ON DELETE SET NULL")] {
            world.db.execute(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, item_id INTEGER NULL, at TIMESTAMP NULL, thumb VARCHAR(200), \
                 FOREIGN KEY (item_id) REFERENCES item (id) {action})"
            ));
        }
        let said = |world: &World, part: &str| messages(&findings(world, "warn", 0)).contains(part);
        assert!(said(&world, "part points cannot be deleted"));
        assert!(said(&world, "mark that point to it (ON DELETE CASCADE)"));
        assert!(!said(&world, "note"));
        world.declare(&ITEMS.replace("policies.items", "policies.parts").replace("\"item\"", "\"part\""));
        assert!(!said(&world, "part points cannot be deleted"));
        assert!(said(&world, "mark that point to it (ON DELETE CASCADE)"));
    }

    fn children_are_checked_as_the_policy_is(db) {
        let mut world = World::new(db);
        world.create_items();
        for (table, above) in [("part", "item"), ("screw", "part")] {
            world.db.execute(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, above_id INTEGER NULL, FOREIGN KEY (above_id) REFERENCES \
                 {above} (id))"
            ));
        }
        let item = ITEMS.replace("files = [{ store = \"thumbs\", column = \"thumb\" }]\n", "");
        world.declare(&format!("{item}[[policies.items.children]]\ntable = \"part\"\ncolumn = \"above_id\"\n"));
        let about_items = |world: &World| {
            let warnings = findings(world, "warn", 0);
            warnings.into_iter().filter(|warning| warning["subject"] == "policy items").collect::<Vec<_>>()
        };
        let warnings = about_items(&world);
        assert!(messages(&warnings).contains("one of") && messages(&warnings).contains("screw points cannot be deleted"));
        world.declare("children = [{ table = \"screw\", column = \"above_id\" }]\n");
        // MySQL indexes every foreign key by itself.
        let unindexed = if world.db.kind().is_mysql() { 0 } else { 2 };
        let warnings = about_items(&world);
        assert_eq!(warnings.len(), unindexed, "{}", messages(&warnings));
        for warning in &warnings {
            world.db.execute(text(&warning["fix"]));
        }
        assert_eq!(messages(&about_items(&world)), "");
    }
}

#[test]
fn a_missing_privilege_comes_with_its_grant() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let world = world(Database::create(kind));
        let user = format!("checker_{}", world.db.name());
        let mut superuser = world.db.connect_as_superuser();
        let mut run = |sql: &str| superuser.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        if kind == EngineKind::Postgres {
            run(&format!("CREATE ROLE {user} LOGIN"));
            run(&format!("GRANT SELECT ON item TO {user}"));
        } else {
            run(&format!("CREATE USER {user}@localhost"));
            run(&format!("GRANT SELECT ON {}.item TO {user}@localhost", world.db.name()));
        }
        let url = format!("sources.app.url={}", world.db.url_as(&user));
        let found = call_in(&world, &["check", "--json", "--set", &url]).with(1).json();
        let errors: Vec<_> =
            found["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == "error").collect();
        assert_eq!(errors.len(), 1, "{found:#}");
        assert_eq!(errors[0]["subject"], "policy items");
        assert!(text(&errors[0]["message"]).contains("lacks DELETE"), "{}", errors[0]);
        run(text(&errors[0]["fix"]));
        call_in(&world, &["check", "--set", &url]).with(0);
        if kind == EngineKind::Postgres {
            run(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
        } else {
            run(&format!("DROP USER {user}@localhost"));
        }
    }
}

#[test]
fn a_silent_source_is_named_without_its_password() {
    let mut world = world(Database::create(EngineKind::Sqlite));
    world.declare("[sources.away]\nurl = \"postgres://retaind:hunter2@127.0.0.1:1/nvr\"\nconnect_timeout = \"1s\"\n");
    for arguments in [&["check"][..], &["check", "--json"], &["check", "-vvv"]] {
        let ended = call_in(&world, arguments).with(1);
        assert!(ended.stdout.contains("source away"), "{ended:?}");
        assert!(ended.stdout.contains("127.0.0.1:1"), "{ended:?}");
        assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{ended:?}");
    }
}
