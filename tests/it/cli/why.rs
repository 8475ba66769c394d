//! `why`: what keeps a row, who takes it and when, and that it says the same as a plan.

use serde_json::{Value, json};

use super::{call, call_in};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::World;

const ITEMS: &str = "[tasks.retention]\nschedule = \"0 3 * * *\"\n[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\n\
                     table = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

fn world(db: Database, more: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(&format!("{ITEMS}{more}"));
    world
}

fn answer(world: &World, key: &str) -> Value {
    call_in(world, &["why", "app.item", key, "--json"]).with(0).json()
}

/// What the only policy says.
fn only(answer: &Value) -> &Value {
    let policies = answer["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 1, "{answer:#}");
    &policies[0]
}

fn reasons(policy: &Value) -> Vec<&str> {
    policy["reasons"].as_array().unwrap().iter().map(|reason| reason["reason"].as_str().unwrap()).collect()
}

fn planned(world: &World) -> Vec<String> {
    let listed = call_in(world, &["plan", "items", "--list"]).with(0).stdout;
    let lines = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "row").map(|line| line["key"].as_str().unwrap().to_owned()).collect()
}

for_each_engine! {
    fn why_and_plan_agree_on_what_keeps_rows(db) {
        let world = world(
            db,
            "where = \"note <> 'vault'\"\nprotected_by = [{ table = \"hold\", on = \"hold.item_id = item.id\", where = \"hold.live = 1\" }]\n\
             alive = { sql = \"image = 'busy'\" }\nchildren = [{ table = \"part\", column = \"item_id\", on_delete = \"keep-parent\" }]\n",
        );
        world.db.execute(
            "CREATE TABLE hold (area VARCHAR(9) NOT NULL, n INTEGER NOT NULL, item_id INTEGER, live INTEGER, PRIMARY KEY (area, n)); \
             CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER); \
             INSERT INTO hold VALUES ('z', 1, 4, 1), ('b', 2, 4, 1), ('a', 1, 4, 0), ('a', 2, 1, 0); INSERT INTO part VALUES (70, 5), (71, 5)",
        );
        (1..=9).for_each(|id| world.item(id, 40.0, None, Some("idle")));
        world.item(10, 10.0, None, Some("idle"));
        for (id, change) in
            [(2, "note = 'vault'"), (3, "note = NULL"), (6, "image = 'busy'"), (7, "image = NULL"), (8, "at = NULL"), (9, "note = 'vault'")]
        {
            world.db.execute(&format!("UPDATE item SET {change} WHERE id = {id}"));
        }
        world.db.execute("INSERT INTO part VALUES (72, 9)");
        let expected: [(&str, &[&str]); 10] = [
            ("1", &[]),
            ("2", &["where_false"]),
            ("3", &["where_null"]),
            ("4", &["protected"]),
            ("5", &["child_keeps"]),
            ("6", &["alive"]),
            ("7", &["alive_unknown"]),
            ("8", &["age_missing"]),
            ("9", &["where_false", "child_keeps"]),
            ("10", &["too_young"]),
        ];
        let mut goes = Vec::new();
        for (key, kept_by) in expected {
            let answer = answer(&world, key);
            let policy = only(&answer);
            assert_eq!(reasons(policy), kept_by, "{key}: {policy:#}");
            assert_eq!(policy["eligible"], kept_by.is_empty(), "{policy:#}");
            assert_eq!(policy["fate"], if kept_by.is_empty() { "deleted" } else { "kept" });
            goes.extend(kept_by.is_empty().then(|| key.to_owned()));
        }
        assert_eq!(goes, planned(&world));
        let by = |key: &str| only(&answer(&world, key))["reasons"][0]["by"].clone();
        assert_eq!(by("4"), json!({ "table": "hold", "key": "[\"b\",\"2\"]" }));
        assert_eq!(by("5"), json!({ "table": "part", "key": "70" }));
        assert_eq!(by("9"), Value::Null);
        let facts = only(&answer(&world, "9"))["reasons"][0]["facts"].clone();
        assert_eq!(facts["sql"], "note <> 'vault'");
        let page = call_in(&world, &["why", "app.item", "9"]).with(0).stdout;
        let lines: Vec<&str> = page.lines().collect();
        assert!(lines[0].starts_with("items: kept: "), "{page}");
        assert!(lines.iter().any(|line| line.starts_with("items: also kept: ")), "{page}");
    }

    fn the_first_slot_after_keep_takes_a_row(db) {
        let world = world(db, "");
        world.item(1, 40.0, None, None);
        world.item(2, 10.0, None, None);
        let old = answer(&world, "1");
        assert_eq!((&only(&old)["fate"], only(&old)["taken_at"].is_string()), (&json!("deleted"), true), "{old:#}");
        let young = answer(&world, "2");
        let policy = only(&young);
        let at = |key: &str| policy[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let (eligible_at, taken_at) = (at("eligible_at"), at("taken_at"));
        let in_days = eligible_at.duration_since(world.clock.now()).as_secs_f64() / 86_400.0;
        assert!((19.99..20.01).contains(&in_days), "{policy:#}");
        assert!(taken_at > eligible_at && taken_at.duration_since(eligible_at).as_hours() < 24, "{policy:#}");
        assert!(taken_at.to_string().contains("T03:00:00"), "{policy:#}");
        assert_eq!((reasons(policy), &policy["reasons"][0]["facts"]["keep_secs"]), (vec!["too_young"], &json!(30 * 86_400)));
    }

    fn a_row_that_goes_with_another_says_so(db) {
        let mut world = world(db, "");
        world.db.execute(
            "CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER, thumb VARCHAR(99)); \
             CREATE TABLE screw (id INTEGER PRIMARY KEY, part_id INTEGER); CREATE TABLE mark (id INTEGER PRIMARY KEY, item_id INTEGER); \
             INSERT INTO part VALUES (10, 1, 'data/thumbs/10.jpg'), (20, 2, NULL), (30, NULL, NULL); \
             INSERT INTO screw VALUES (100, 10), (200, 20), (300, 30); INSERT INTO mark VALUES (5, 1)",
        );
        world.declare(
            "[[policies.items.children]]\ntable = \"part\"\ncolumn = \"item_id\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n\
             children = [{ table = \"screw\", column = \"part_id\" }]\n\
             [[policies.items.children]]\ntable = \"mark\"\ncolumn = \"item_id\"\non_delete = \"set-null\"\n",
        );
        world.item(1, 40.0, None, None);
        world.item(2, 10.0, None, None);
        let ask = |table: &str, key: &str| {
            let answer = call_in(&world, &["why", &format!("app.{table}"), key, "--json"]).with(0).json();
            only(&answer).clone()
        };
        for (table, key, parent, fate) in [
            ("part", "10", json!({ "table": "item", "key": "1" }), "deleted"),
            ("part", "20", json!({ "table": "item", "key": "2" }), "kept"),
            ("screw", "100", json!({ "table": "item", "key": "1" }), "deleted"),
            ("screw", "200", json!({ "table": "item", "key": "2" }), "kept"),
            ("screw", "300", Value::Null, "kept"),
            ("mark", "5", json!({ "table": "item", "key": "1" }), "unlinked"),
        ] {
            let said = ask(table, key);
            assert_eq!((&said["parent"], &said["fate"]), (&parent, &json!(fate)), "{table} {key}: {said:#}");
        }
        assert!(ask("screw", "100")["taken_at"].is_string());
        assert_eq!(reasons(&ask("screw", "200")), ["too_young"]);
        assert_eq!(reasons(&ask("part", "30")), ["no_parent"]);
        assert_eq!(ask("part", "10")["files"], json!([{
            "store": "thumbs", "path": "10.jpg", "directory": false, "goes": true, "stays": null
        }]));
    }

    fn files_go_with_the_row_unless_named_elsewhere(db) {
        let world = world(
            db,
            "files = [{ store = \"thumbs\", column = \"thumb\" }, { store = \"images\", column = \"image\" }]\n",
        );
        world.item(1, 40.0, Some("data/thumbs/a.jpg"), Some("shared.png"));
        world.item(2, 1.0, Some("data/thumbs/b.jpg"), Some("./shared.png"));
        world.item(3, 40.0, Some("../precious"), None);
        let files = only(&answer(&world, "1"))["files"].clone();
        let file = |path: &str| files.as_array().unwrap().iter().find(|file| file["path"] == path).unwrap().clone();
        assert_eq!((&file("a.jpg")["goes"], &file("shared.png")["goes"]), (&json!(true), &json!(false)), "{files:#}");
        let shared = file("shared.png");
        assert_eq!((&shared["reason"], &shared["named_by"]), (&json!("named"), &json!({ "table": "item", "column": "image" })));
        let refused = only(&answer(&world, "3"))["files"].clone();
        assert_eq!((&refused[0]["reason"], &refused[0]["path"]), (&json!("unmapped"), &json!("../precious")), "{refused:#}");
        let page = call_in(&world, &["why", "app.item", "1"]).with(0).stdout;
        assert!(page.contains("items: file: thumbs: a.jpg goes with the row\n"), "{page}");
    }

    fn keys_of_several_columns_and_text_work(db) {
        let mut world = World::new(db);
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE entry (area VARCHAR(20) NOT NULL, n INTEGER NOT NULL, at {at} NULL, PRIMARY KEY (area, n))"));
        world.db.execute(&format!("CREATE TABLE word (w VARCHAR(20) PRIMARY KEY, at {at} NULL)"));
        world.db.execute(&format!("INSERT INTO entry VALUES ('it''s', 7, {})", world.days_ago(40.0)));
        world.db.execute(&format!("INSERT INTO word VALUES ('[1]', {})", world.days_ago(40.0)));
        for table in ["entry", "word"] {
            let policy = ITEMS.split_once("[policies").unwrap().1;
            world.declare(&format!("[policies{policy}").replace("items", table).replace("\"item\"", &format!("\"{table}\"")));
        }
        let ask = |table: &str, key: &str| call_in(&world, &["why", &format!("app.{table}"), key, "--json"]);
        for (table, key) in [("entry", "[\"it's\",\"7\"]"), ("entry", "[\"it's\", 7]"), ("word", "[1]")] {
            assert_eq!(only(&ask(table, key).with(0).json())["fate"], "deleted", "{table} {key}");
        }
        for (table, key) in [("entry", "[\"its\",\"7\"]"), ("entry", "[\"it's\",\"x\"]"), ("word", "1")] {
            let ended = ask(table, key).with(1);
            assert!(ended.stderr.contains("there is no row"), "{}", ended.stderr);
        }
        for key in ["7", "[\"it's\"]", "[\"it's\",\"7\",\"8\"]"] {
            let ended = ask("entry", key).with(2);
            assert!(ended.stderr.contains("is a JSON array of area, n"), "{}", ended.stderr);
        }
    }

    fn a_policys_state_is_a_reason_too(db) {
        let mut world = world(db, "");
        world.item(1, 40.0, None, None);
        let policy = format!("[policies{}", ITEMS.split_once("[policies").unwrap().1);
        let other = |name: &str, more: &str| policy.replace("items", name).replace("\"30d\"\n", &format!("\"30d\"\n{more}\n"));
        let asked = "params = [\"note\", { name = \"since\", type = \"date\" }]\nwhere = \"note = :note AND at > :since\"";
        for policy in [
            other("off", "enabled = false"),
            other("report", "mode = \"report\""),
            other("by-hand", "").replace("task = \"retention\"\n", ""),
            other("asked", asked).replace("task = \"retention\"\n", ""),
            other("by-value", "").replace("\"30d\"", "{ column = \"note\", values = { y = \"1d\" } }"),
            other("misfit", "").replace("\"at\"", "\"att\""),
            "[tasks.night]\nevery = \"1h\"\nenabled = false\n".to_owned() + &other("nightly", "").replace("\"retention\"", "\"night\""),
        ] {
            world.declare(&policy);
        }
        let all = answer(&world, "1");
        let said = |name: &str| {
            all["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == name).unwrap_or_else(|| panic!("{all:#}"))
        };
        for (name, kept_by) in [
            ("items", &[][..]),
            ("off", &["policy_off"]),
            ("report", &["report_mode"]),
            ("by-hand", &[]),
            ("asked", &["needs_parameters"]),
            ("by-value", &["no_time"]),
            ("misfit", &["unfit"]),
            ("nightly", &["task_off"]),
        ] {
            assert_eq!(reasons(said(name)), kept_by, "{name}: {:#}", said(name));
        }
        assert_eq!(said("misfit")["fate"], "unknown");
        assert_eq!((&said("by-hand")["fate"], &said("by-hand")["taken_at"]), (&json!("deleted"), &Value::Null));
        assert_eq!(said("by-value")["reasons"][0]["facts"], json!({ "column": "note", "value": "n" }), "{all:#}");
        let given = ["why", "app.item", "1", "--json", "--param", "note=n", "--param", "since=2001-01-31"];
        let given = call_in(&world, &given).with(0).json();
        let asked = given["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == "asked").unwrap();
        assert_eq!(asked["fate"], "deleted", "{asked:#}");
        let report = call_in(&world, &["why", "app.item", "1", "--set", "daemon.mode=report", "--json"]).with(0).json();
        let items = report["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == "items").unwrap();
        assert_eq!((reasons(items), &items["reasons"][0]["facts"]), (vec!["report_mode"], &json!({ "policy": null })));
    }

    fn an_age_that_cannot_be_read_is_shown(db) {
        let mut world = World::new(db);
        world.db.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, at VARCHAR(50), thumb VARCHAR(9), image VARCHAR(9))");
        world.db.execute("INSERT INTO item VALUES (1, '31.12.2020', NULL, NULL), (2, '2020-12-31', NULL, NULL)");
        world.declare(ITEMS);
        let odd = answer(&world, "1");
        assert_eq!(reasons(only(&odd)), ["age_unreadable"]);
        assert_eq!(only(&odd)["reasons"][0]["facts"], json!({ "column": "at", "value": "31.12.2020" }), "{odd:#}");
        assert_eq!(only(&answer(&world, "2"))["fate"], "deleted");
    }

    fn a_command_is_asked_about_this_row_alone(db) {
        let mut world = world(db, "");
        let asked = world.dir.join("asked");
        world.declare(&format!(
            "alive = {{ command = [\"/bin/sh\", \"-c\", \"echo $1 >> {} ; test $1 = 1\", \"probe\", \"{{id}}\"] }}\n",
            asked.display()
        ));
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        assert_eq!(reasons(only(&answer(&world, "1"))), ["alive"]);
        assert_eq!(only(&answer(&world, "2"))["fate"], "deleted");
        assert_eq!(std::fs::read_to_string(asked).unwrap(), "1\n2\n");
    }
}

#[test]
fn a_locked_row_shows_so_and_is_untouched() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let world = world(Database::create(kind), "");
        world.item(1, 40.0, None, None);
        let mut holder = world.db.connect();
        holder.execute("BEGIN").unwrap();
        holder.query("SELECT id FROM item WHERE id = 1 FOR UPDATE").unwrap();
        let held = answer(&world, "1");
        assert_eq!(reasons(only(&held)), ["locked"]);
        assert_eq!(only(&held)["fate"], "kept", "{held:#}");
        holder.execute("ROLLBACK").unwrap();
        assert_eq!(only(&answer(&world, "1"))["fate"], "deleted");
        // Asking has locked nothing for longer.
        world.db.execute("UPDATE item SET note = 'x' WHERE id = 1");
    }
}

#[test]
fn what_cannot_be_asked_is_wrong_usage() {
    let mut world = world(Database::create(EngineKind::Sqlite), "");
    world.db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)");
    for (table, told) in [
        ("ap.item", "did you mean `app`?"),
        ("item", "such as nvr.detections"),
        ("app.itme", "did you mean `item`?"),
        ("app.other", "policies govern: item"),
    ] {
        let ended = call_in(&world, &["why", table, "1"]).with(2);
        assert!(ended.stderr.contains(told), "{told:?} is not in {}", ended.stderr);
    }
    let none = call_in(&world, &["why", "app.item", "1"]).with(1);
    assert!(none.stderr.contains("there is no row \"1\" in app.item") && none.stdout.is_empty(), "{none:?}");
    let unknown = call_in(&world, &["why", "app.item", "1", "--param", "x=1"]).with(2);
    assert!(unknown.stderr.contains("no policy of source app takes the parameter"), "{}", unknown.stderr);
    call(&["why", "app.item"]).with(2);
    world.declare(
        &ITEMS
            .split_once("[policies")
            .map(|(_, policy)| format!("[policies{policy}"))
            .unwrap()
            .replace("items", "gone")
            .replace("\"item\"", "\"gone\""),
    );
    let ended = call_in(&world, &["why", "app.gone", "1"]).with(1);
    assert!(ended.stderr.contains("there is no table gone in source app"), "{}", ended.stderr);
}
