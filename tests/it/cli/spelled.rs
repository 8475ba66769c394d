//! `why` and `check` ask the columns that a run asks, and read them as it does.

use super::call_in;
use super::check::{findings, messages};
use crate::engines::EngineKind;
use crate::world::World;

const POLICY: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
                      files = [{ store = \"images\", column = \"image\" }]\n";

fn bytes(world: &World, text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if world.is(EngineKind::Postgres) { format!("'\\x{digits}'::bytea") } else { format!("X'{digits}'") }
}

for_each_engine! {
    fn f2_why_finds_a_row_by_its_bytes(db) {
        let mut world = World::new(db);
        let declared = match world.db.kind() {
            EngineKind::Postgres => "bytea",
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "VARBINARY(40)",
            EngineKind::Sqlite => "BLOB",
        };
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE item (id {declared} NOT NULL PRIMARY KEY, at {at} NULL, image {declared})"));
        let (key, path) = (bytes(&world, "key-1"), bytes(&world, "a.jpg"));
        world.db.execute(&format!("INSERT INTO item (id, at, image) VALUES ({key}, {}, {path})", world.days_ago(40.0)));
        world.put("images", "a.jpg", 1);
        world.declare(POLICY);
        for key in ["key-1", "6b65792d31", "6B65792D31"] {
            let answer = call_in(&world, &["why", "app.item", key, "--json"]).with(0).json();
            assert_eq!(answer["policies"][0]["files"][0]["path"], "a.jpg", "{answer:#}");
            assert_eq!(answer["policies"][0]["files"][0]["goes"], true, "{answer:#}");
        }
    }

    fn f4_why_a_row_asks_what_a_run_asks(db) {
        let mut world = World::new(db);
        world.create_items();
        for (id, image) in [(1, "a.jpg"), (2, "b.jpg"), (3, "c.jpg"), (4, "d.jpg")] {
            world.item(id, 40.0, None, Some(image));
            world.put("images", image, 1);
        }
        world.db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, path VARCHAR(200))");
        world.db.execute("INSERT INTO other (id, path) VALUES (1, 'a.jpg'), (2, '/old/mount/B.JPG'), (3, 'x/../c.jpg')");
        // What a policy owns that is switched off is named all the same.
        world.declare(POLICY);
        world.declare(
            "[policies.others]\nkind = \"rows\"\nenabled = false\nsource = \"app\"\ntable = \"other\"\nwhere = \"id < 0\"\n\
             files = [{ store = \"images\", column = \"path\" }]\n",
        );
        for (key, goes) in [("1", false), ("2", false), ("3", false), ("4", true)] {
            let answer = call_in(&world, &["why", "app.item", key, "--json"]).with(0).json();
            assert_eq!(answer["policies"][0]["files"][0]["goes"], goes, "{answer:#}");
        }
        for (path, row) in [("a.jpg", "1"), ("b.jpg", "2"), ("c.jpg", "3")] {
            let answer = call_in(&world, &["why", "images", path, "--json"]).with(0).json();
            let named = answer["named_by"].as_array().unwrap();
            assert!(named.iter().any(|by| by["table"] == "other" && by["key"] == row), "{answer:#}");
        }
    }

    fn f3_check_asks_columns_of_disabled_policies(db) {
        let mut world = World::new(db);
        world.create_items();
        world.declare(POLICY);
        world.declare(
            "[policies.others]\nkind = \"rows\"\nenabled = false\nsource = \"app\"\ntable = \"item\"\nwhere = \"id < 0\"\n\
             files = [{ store = \"images\", column = \"picture\" }]\n",
        );
        let wrong = messages(&findings(&world, "error", 1));
        assert!(wrong.contains("store images: a column that names its files does not fit: table item has no column picture"), "{wrong}");
    }

    fn f3_a_view_of_two_tables_may_be_referenced(db) {
        let mut world = World::new(db);
        world.create_items();
        world.declare(POLICY);
        world.db.execute("CREATE TABLE album (id INTEGER PRIMARY KEY, item INTEGER)");
        world.db.execute("CREATE VIEW cover AS SELECT album.id, item.image AS path FROM album JOIN item ON item.id = album.item");
        world.reference("images", "cover", "path");
        let wrong = messages(&findings(&world, "error", 0));
        assert_eq!(wrong, "");
        if world.is(EngineKind::Sqlite) {
            return;
        }
        let declared = if world.is(EngineKind::Postgres) { "jsonb" } else { "JSON" };
        world.db.execute(&format!("CREATE TABLE list (id INTEGER PRIMARY KEY, paths {declared})"));
        world.reference("images", "list", "paths");
        let wrong = messages(&findings(&world, "error", 1));
        assert!(wrong.contains("column paths of table list") && wrong.contains("holds several values"), "{wrong}");
    }
}
