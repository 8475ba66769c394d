//! Rows of other tables: those that go along, those that are unlinked, those that keep their parent, and those that the
//! database deletes by itself.

use retaind::outcome::Status;

use crate::world::{World, paths, set};

const AGED: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

fn of(entries: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    entries.iter().map(|(table, count)| ((*table).to_owned(), *count)).collect()
}

for_each_engine! {
    async fn g1_cascades_by_composite_key_count_and_lose_files(db) {
        let mut world = World::new(db);
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE album (area VARCHAR(20) NOT NULL, n INTEGER NOT NULL, at {at}, PRIMARY KEY (area, n))"));
        world.db.execute(
            "CREATE TABLE photo (id INTEGER PRIMARY KEY, a VARCHAR(20), b INTEGER, image VARCHAR(50), \
             FOREIGN KEY (a, b) REFERENCES album (area, n) ON DELETE CASCADE)",
        );
        world.db.execute(
            "CREATE TABLE copy (id INTEGER PRIMARY KEY, photo_id INTEGER, image VARCHAR(50), \
             FOREIGN KEY (photo_id) REFERENCES photo (id) ON DELETE CASCADE)",
        );
        let (old, young) = (world.days_ago(40.0), world.days_ago(1.0));
        // The same halves in other pairs; a NULL half points nowhere.
        world.db.execute(&format!("INSERT INTO album VALUES ('a', 1, {old}), ('a', 2, {young}), ('b', 1, {young}), ('it''s', 7, {old})"));
        world.db.execute(
            "INSERT INTO photo VALUES (1, 'a', 1, '1.png'), (2, 'a', 2, '2.png'), (3, 'b', 1, '3.png'), (4, 'it''s', 7, '4.png'), \
             (5, 'a', NULL, '5.png'), (6, NULL, 1, '6.png'), (7, 'a', 1, '3.png')",
        );
        world.db.execute("INSERT INTO copy VALUES (1, 1, 'c1.png'), (2, 2, 'c2.png'), (3, 4, 'c3.png'), (4, 4, 'c2.png')");
        for file in ["1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "c1.png", "c2.png", "c3.png"] {
            world.put("images", file, 1);
        }
        world.reference("images", "photo", "image").reference("images", "copy", "image");
        world.declare("[policies.albums]\nkind = \"rows\"\nsource = \"app\"\ntable = \"album\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 2\n");
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM photo ORDER BY id"), ["2", "3", "5", "6"]);
        assert_eq!(world.db.column("SELECT id FROM copy"), ["2"]);
        assert_eq!(world.files("images"), paths(["2.png", "3.png", "5.png", "6.png", "c2.png"]));
        let tally = &result.policies[0].tally;
        assert_eq!((tally.rows_deleted, &tally.children), (2, &of(&[("copy", 3), ("photo", 3)])));
        assert_eq!((&plan.policies[0].tally.children, plan.totals.files_deleted), (&tally.children, tally.files_deleted));
    }

    async fn children_are_deleted_unlinked_or_keep_their_parent(db) {
        let mut world = World::new(db);
        world.create_items();
        for table in ["gone", "loose", "keeper"] {
            world.db.execute(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, item_id INTEGER, CONSTRAINT fk_{table} FOREIGN KEY (item_id) REFERENCES item (id))"
            ));
        }
        (1..=6).for_each(|id| world.item(id, if id == 6 { 1.0 } else { 40.0 }, None, None));
        world.db.execute("INSERT INTO gone VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 6), (6, NULL)");
        world.db.execute("INSERT INTO loose VALUES (1, 1), (2, 3), (3, 6), (4, NULL)");
        world.db.execute("INSERT INTO keeper VALUES (1, 3), (2, 6), (3, NULL)");
        world.declare(&format!(
            "{AGED}children = [{{ table = \"gone\", column = \"item_id\", on_delete = \"delete\" }}, \
             {{ table = \"loose\", column = \"item_id\", on_delete = \"set-null\" }}, \
             {{ table = \"keeper\", column = \"item_id\", on_delete = \"keep-parent\" }}]\n"
        ));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), set([3, 6]), "one is kept by a child, one is young");
        assert_eq!(world.db.column("SELECT id FROM gone ORDER BY id"), ["4", "5", "6"]);
        assert_eq!(world.db.column("SELECT id FROM loose WHERE item_id IS NULL ORDER BY id"), ["1", "4"]);
        assert_eq!(world.db.column("SELECT item_id FROM loose WHERE item_id IS NOT NULL ORDER BY id"), ["3", "6"]);
        assert_eq!(world.db.value("SELECT COUNT(*) FROM keeper").as_deref(), Some("3"));
        let tally = &result.policies[0].tally;
        assert_eq!((tally.rows_deleted, tally.rows_protected), (4, 1));
        assert_eq!(tally.children, of(&[("gone", 3), ("loose", 1)]));
        assert_eq!(plan.policies[0].tally, *tally);
    }

    async fn g9_a_stuck_child_keeps_its_parent_alone(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER, thumb VARCHAR(50))");
        world.db.execute("CREATE TABLE holder (id INTEGER PRIMARY KEY, part_id INTEGER, CONSTRAINT fk_holder FOREIGN KEY (part_id) REFERENCES part (id))");
        for id in 1..=8 {
            world.item(id, 40.0, None, Some(&format!("{id}.png")));
            world.put("images", &format!("{id}.png"), 1);
            for part in [id * 10, id * 10 + 1] {
                world.db.execute(&format!("INSERT INTO part VALUES ({part}, {id}, 'data/thumbs/{part}.jpg')"));
                world.put("thumbs", &format!("{part}.jpg"), 1);
            }
        }
        world.db.execute("INSERT INTO holder VALUES (1, 51)");
        world.reference("thumbs", "part", "thumb");
        world.declare(&format!(
            "{AGED}files = [{{ store = \"images\", column = \"image\" }}]\n\
             children = [{{ table = \"part\", column = \"item_id\", on_delete = \"delete\", files = [{{ store = \"thumbs\", column = \"thumb\" }}] }}]\n"
        ));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.ids(), set([5]));
        assert_eq!(world.db.column("SELECT id FROM part ORDER BY id"), ["50", "51"], "all of its children or none");
        assert_eq!((world.files("images"), world.files("thumbs")), (paths(["5.png"]), paths(["50.jpg", "51.jpg"])));
        let result = &result.policies[0];
        assert_eq!((result.error_count, result.errors[0].key.as_deref()), (1, Some("5")), "{result:?}");
        assert_eq!((result.tally.rows_deleted, &result.tally.children), (7, &of(&[("part", 14)])));
        assert!(world.ledger().await.owed().await.unwrap().is_empty());
    }

    async fn g4_values_that_are_no_names_make_no_path(db) {
        let mut world = World::new(db);
        world.db.execute(&format!("CREATE TABLE job (name VARCHAR(50) NOT NULL PRIMARY KEY, at {})", world.db.timestamp_type()));
        let hostile = ["..", ".", "a/b", "../../state", "/etc", "jobs"];
        for name in hostile.iter().chain(&["one", "two words", "three'"]) {
            let at = world.days_ago(40.0);
            world.db.execute(&format!("INSERT INTO job VALUES ('{}', {at})", name.replace('\'', "''")));
        }
        for file in ["jobs/one/x", "jobs/one/deep/y", "jobs/two words/x", "jobs/three'/x", "jobs/a/b/stays", "jobs/stays", "stays"] {
            world.put("images", file, 1);
        }
        world.put("thumbs", "stays", 1);
        world.declare(
            "[policies.jobs]\nkind = \"rows\"\nsource = \"app\"\ntable = \"job\"\nage = \"at\"\nkeep = \"30d\"\n\
             files = [{ store = \"images\", path = \"jobs/{name}\", directory = true }]\n",
        );
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.files("images"), paths(["jobs/a/b/stays", "jobs/stays", "stays"]));
        assert_eq!(world.files("thumbs"), paths(["stays"]));
        assert!(world.dir.join("state/ledger.db").exists());
        let mut keys: Vec<_> = result.policies[0].errors.iter().filter_map(|failure| failure.key.as_deref()).collect();
        keys.sort_unstable();
        // `jobs/jobs` is merely missing.
        assert_eq!(keys, [".", "..", "../../state", "/etc", "a/b"]);
        // A row that makes no path stays with whatever it may mean.
        let mut left = world.db.column("SELECT name FROM job");
        left.sort_unstable();
        assert_eq!(left, [".", "..", "../../state", "/etc", "a/b"]);
        let tally = &result.policies[0].tally;
        assert_eq!((tally.rows_unmapped, tally.files_deleted, tally.files_missing), (5, 4, 1));
    }

    async fn g3_children_of_a_parent_with_other_letters_stay(db) {
        let mut world = World::new(db);
        let (exact, lax) = match (world.db.kind().is_mysql(), world.db.kind()) {
            (true, _) => ("CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"),
            (false, crate::engines::EngineKind::Sqlite) => ("COLLATE BINARY", "COLLATE NOCASE"),
            (false, _) => ("", ""),
        };
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE item (id VARCHAR(20) {exact} PRIMARY KEY, at {at}, image VARCHAR(50), thumb VARCHAR(50))"));
        world.db.execute(&format!("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id VARCHAR(20) {lax}, image VARCHAR(50))"));
        let (old, young) = (world.days_ago(40.0), world.days_ago(1.0));
        world.db.execute(&format!("INSERT INTO item (id, at) VALUES ('a', {old}), ('A', {young})"));
        world.db.execute("INSERT INTO part VALUES (1, 'a', '1.png'), (2, 'A', '2.png')");
        world.put("images", "1.png", 1);
        world.put("images", "2.png", 1);
        world.reference("images", "part", "image");
        world.declare(&format!("{AGED}children = [{{ table = \"part\", column = \"item_id\", files = [{{ store = \"images\", column = \"image\" }}] }}]\n"));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM part"), ["2"]);
        assert_eq!(world.files("images"), paths(["2.png"]));
        assert_eq!(plan.policies[0].tally.children, result.policies[0].tally.children);
    }
}
