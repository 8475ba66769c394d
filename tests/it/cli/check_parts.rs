//! `check` on all that a rows policy may say: its SQL part by part, its programs, its privileges, the indexes of all its
//! tables.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::call_in;
use super::check::{findings, messages, text};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

fn world(db: Database, more: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    for (store, column) in [("thumbs", "thumb"), ("images", "image")] {
        world.db.execute(&format!("CREATE INDEX item_{store} ON item ({column})"));
    }
    world.declare(&format!("{ITEMS}{more}"));
    world
}

fn about<'f>(findings: &'f [Value], subject: &str) -> Vec<&'f Value> {
    findings.iter().filter(|finding| finding["subject"] == subject).collect()
}

for_each_engine! {
    fn the_database_reads_every_part_of_sql(db) {
        let mut world = world(db, "");
        world.db.execute("CREATE TABLE hold (id INTEGER PRIMARY KEY, item_id INTEGER, why VARCHAR(20))");
        let on = "on = \"hold.item_id = item.id\"";
        for (name, part) in [
            ("a", "where = \"shape = 'round'\"".to_owned()),
            ("b", format!("protected_by = [{{ table = \"hold\", {on}, where = \"hold.reason = 'x'\" }}]")),
            ("c", "protected_by = [{ table = \"hold\", on = \"hold.thing_id = item.id\" }]".to_owned()),
            ("d", "alive = { sql = \"beat > :now_minus_2m\" }".to_owned()),
            ("e", "where = \"note <> 'x'\"\naction = \"update\"\nset = { note = { sql = \"upper(title)\" } }".to_owned()),
        ] {
            world.declare(&format!("{}{part}\n", ITEMS.replace("policies.items", &format!("policies.{name}"))));
        }
        let errors = findings(&world, "error", 1);
        for (name, part, column) in [
            ("a", "\"where\": ", "shape"),
            ("b", "\"protected_by\" of ", "reason"),
            ("c", "\"protected_by\" of ", "thing_id"),
            ("d", "\"alive\": ", "beat"),
            ("e", "\"set\": ", "title"),
        ] {
            let found = about(&errors, &format!("policy {name}"));
            assert_eq!(found.len(), 1, "{name}: {}", messages(&errors));
            let message = text(&found[0]["message"]);
            assert!(message.contains("does not accept its") && message.contains(part) && message.contains(column), "{message}");
        }
        assert!(about(&errors, "policy items").is_empty());
    }

    fn sql_with_parameters_is_read_without_their_values(db) {
        let mut world = world(db, "");
        let (later, seconds) = match world.db.kind() {
            EngineKind::Postgres => (":since + interval '1 day'", "extract(epoch FROM :since)"),
            EngineKind::Sqlite => ("datetime(:since, '+1 day')", "strftime('%s', :since)"),
            _ => (":since + INTERVAL 1 DAY", "UNIX_TIMESTAMP(:since)"),
        };
        world.declare(&format!(
            "{}params = [\"id\", \"other\", {{ name = \"since\", type = \"timestamp\" }}, {{ name = \"most\", type = \"integer\" }}]\n\
             where = \"id = :id AND note = :other AND at < {later} AND {seconds} > 0 AND :most + 1 > 2\"\n",
            ITEMS.replace("policies.items", "policies.asked").replace("task = \"retention\"\n", "")
        ));
        assert_eq!(messages(&findings(&world, "error", 0)), "");
    }

    fn an_update_that_ends_nothing_is_told_of(db) {
        let mut world = world(db, "action = \"update\"\nset = { note = \"done\" }\n");
        let said = |world: &World| messages(&findings(world, "warn", 0));
        assert!(said(&world).contains("policy items: each run updates the same rows again"), "{}", said(&world));
        for (name, part) in [
            ("ended", "where = \"Note <> 'done'\"\naction = \"update\"\nset = { note = \"done\" }\n"),
            ("touched", "action = \"update\"\nset = { at = { sql = \":now\" } }\n"),
        ] {
            world.declare(&format!("{}{part}", ITEMS.replace("policies.items", &format!("policies.{name}"))));
        }
        assert_eq!(said(&world).matches("the same rows again").count(), 1, "{}", said(&world));
    }

    fn columns_of_templates_and_children_need_indexes(db) {
        let mut world = world(db, "files = [{ store = \"images\", path = \"{note}/full\" }]\n");
        world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER, thumb VARCHAR(200))");
        world.declare(
            "children = [{ table = \"part\", column = \"item_id\", files = [{ store = \"thumbs\", column = \"thumb\" }] }]\n",
        );
        let warnings = findings(&world, "warn", 0);
        let told = messages(&warnings);
        for part in ["with item.note", "with part.thumb", "part.item_id: looking for what points"] {
            assert!(told.contains(part), "{part:?} is not in\n{told}");
        }
        assert_eq!(warnings.len(), 3, "{told}");
        for warning in &warnings {
            world.db.execute(text(&warning["fix"]));
        }
        assert_eq!(messages(&findings(&world, "warn", 0)), "");
    }

    fn a_plan_without_indexes_is_the_same(db) {
        let world = world(db, "");
        for (id, days) in [(1, 40.0), (2, 31.0), (3, 29.0)] {
            world.item(id, days, None, None);
        }
        let listed = || call_in(&world, &["plan", "--list"]).with(0).stdout;
        let with_index = listed();
        let on = if world.db.kind().is_mysql() { " ON item" } else { "" };
        world.db.execute(&format!("DROP INDEX item_at{on}"));
        assert!(messages(&findings(&world, "warn", 0)).contains("no index begins with the age column at"));
        assert_eq!(listed(), with_index);
        assert_eq!(with_index.lines().count(), 2, "{with_index}");
    }
}

#[test]
fn a_program_that_cannot_run_is_an_error() {
    let mut world =
        world(Database::create(EngineKind::Sqlite), "alive = { command = [\"/nowhere/probe\", \"{id}\"] }\n");
    let hook = world.dir.join("backup");
    std::fs::write(&hook, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (file, directory) = (hook.display().to_string(), world.dir.display().to_string());
    world.declare(&format!(
        "[tasks.retention]\nbefore = {{ command = [\"{file}\"] }}\nafter = {{ command = [\"{directory}\"] }}\n"
    ));
    let told = messages(&findings(&world, "error", 1));
    for part in [
        "policy items: the program of its \"alive\" cannot be found: /nowhere/probe".to_owned(),
        format!("task retention: the program of its \"before\" may not be run by this user: {file}"),
        format!("task retention: the program of its \"after\" is not a file: {directory}"),
    ] {
        assert!(told.contains(&part), "{part:?} is not in\n{told}");
    }
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(!messages(&findings(&world, "error", 1)).contains("\"before\""));
}

/// A login that may do nothing, and the errors of a check that it makes; each is mended by its fix.
fn mended(world: &World, granted: &[&str]) -> Vec<String> {
    let kind = world.db.kind();
    let user = format!("narrow_{}", world.db.name());
    let login = if kind == EngineKind::Postgres { user.clone() } else { format!("{user}@localhost") };
    let mut superuser = world.db.connect_as_superuser();
    let mut run = |sql: &str| superuser.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    run(&if kind == EngineKind::Postgres {
        format!("CREATE ROLE {login} LOGIN")
    } else {
        format!("CREATE USER {login}")
    });
    for grant in granted {
        let (what, table) = grant.split_once(" ON ").unwrap();
        let table =
            if kind == EngineKind::Postgres { table.to_owned() } else { format!("{}.{table}", world.db.name()) };
        run(&format!("GRANT {what} ON {table} TO {login}"));
    }
    let url = format!("sources.app.url={}", world.db.url_as(&user));
    let found = call_in(world, &["check", "--json", "--set", &url]).with(1).json();
    let errors = found["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == "error");
    let fixes: Vec<String> = errors.map(|error| text(&error["fix"]).to_owned()).collect();
    for fix in &fixes {
        run(fix);
    }
    call_in(world, &["check", "--set", &url]).with(0);
    call_in(world, &["run", "--set", &url]).with(0);
    run(&if kind == EngineKind::Postgres {
        format!("DROP OWNED BY {user}; DROP ROLE {user}")
    } else {
        format!("DROP USER {login}")
    });
    fixes
}

#[test]
fn an_update_needs_its_columns_and_no_more() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let world =
            world(Database::create(kind), "where = \"note <> 'x'\"\naction = \"update\"\nset = { note = \"x\" }\n");
        world.item(1, 40.0, None, None);
        let fixes = mended(&world, &["SELECT ON item"]);
        assert_eq!(fixes.len(), 1, "{fixes:?}");
        assert!(fixes[0].starts_with("GRANT UPDATE (") && fixes[0].contains("note"), "{fixes:?}");
        assert_eq!(world.db.value("SELECT note FROM item").as_deref(), Some("x"));
    }
}

#[test]
fn the_fixes_grant_what_deleting_children_needs() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let mut world = world(Database::create(kind), "");
        world.db.execute(
            "CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER); CREATE INDEX part_item ON part (item_id); \
             CREATE TABLE mark (id INTEGER PRIMARY KEY, item_id INTEGER, note VARCHAR(9)); \
             CREATE INDEX mark_item ON mark (item_id); CREATE TABLE hold (item_id INTEGER); \
             INSERT INTO part VALUES (1, 1); INSERT INTO mark VALUES (1, 1, 'x')",
        );
        world.item(1, 40.0, None, None);
        world.declare(
            "children = [{ table = \"part\", column = \"item_id\" }, { table = \"mark\", column = \"item_id\", on_delete = \"set-null\" }]\n\
             protected_by = [{ table = \"hold\", on = \"hold.item_id = item.id\" }]\n",
        );
        let fixes = mended(&world, &["SELECT ON item", "SELECT ON hold", "SELECT ON part", "SELECT ON mark"]);
        assert_eq!(fixes.len(), 3, "{fixes:?}");
        assert!(world.ids().is_empty());
        assert_eq!(world.db.query("SELECT item_id FROM mark"), [[None]]);
        assert!(world.db.column("SELECT id FROM part").is_empty());
    }
}
