//! Children are found by keys: those of composite keys, and those that a database takes for children whose letters differ.

use retaind::outcome::Status;

use crate::engines::EngineKind;
use crate::world::{World, paths, set};

const RUNS: &str =
    "[policies.runs]\nkind = \"rows\"\nsource = \"app\"\ntable = \"run\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 2\n";

/// Runs whose numbers repeat across their dags, and a task of each.
fn create_runs(world: &mut World, foreign_key: &str) {
    let at = world.db.timestamp_type();
    world.db.execute(&format!(
        "CREATE TABLE run (dag VARCHAR(20) NOT NULL, run INTEGER NOT NULL, at {at}, PRIMARY KEY (dag, run))"
    ));
    world.db.execute(&format!(
        "CREATE TABLE task (id INTEGER PRIMARY KEY, dag VARCHAR(20) NOT NULL, run INTEGER, image VARCHAR(50){foreign_key})"
    ));
    let (old, young) = (world.days_ago(40.0), world.days_ago(1.0));
    world.db.execute(&format!(
        "INSERT INTO run VALUES ('a', 1, {old}), ('a', 2, {young}), ('b', 1, {young}), ('b', 2, {old}), ('c', 1, {old})"
    ));
    world.db.execute(
        "INSERT INTO task VALUES (1, 'a', 1, '1.png'), (2, 'a', 2, '2.png'), (3, 'b', 1, '3.png'), (4, 'b', 2, '4.png'), \
         (5, 'c', 1, '5.png'), (6, 'c', NULL, '6.png')",
    );
    (1..=6).for_each(|id| world.put("images", &format!("{id}.png"), 1));
    world.reference("images", "task", "image");
}

const FOREIGN_KEY: &str = ", CONSTRAINT of_run FOREIGN KEY (dag, run) REFERENCES run (dag, run)";

for_each_engine! {
    async fn f9_children_go_with_their_own_parent_alone(db) {
        let mut world = World::new(db);
        create_runs(&mut world, FOREIGN_KEY);
        // The order of the columns is the operator's.
        world.declare(&format!(
            "{RUNS}children = [{{ table = \"task\", column = [\"run\", \"dag\"], references = [\"run\", \"dag\"], \
             files = [{{ store = \"images\", column = \"image\" }}] }}]\n"
        ));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM task ORDER BY id"), ["2", "3", "6"]);
        assert_eq!(world.db.column("SELECT dag FROM run ORDER BY dag"), ["a", "b"]);
        assert_eq!(world.files("images"), paths(["2.png", "3.png", "6.png"]));
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    }

    async fn f9_naming_what_foreign_keys_reference_is_optional(db) {
        let mut world = World::new(db);
        create_runs(&mut world, FOREIGN_KEY);
        world.declare(&format!(
            "{RUNS}children = [{{ table = \"task\", column = [\"run\", \"dag\"], on_delete = \"set-null\" }}]\n"
        ));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        // What cannot be NULL stays as it is: a foreign key of which one column is NULL points nowhere.
        assert_eq!(world.db.column("SELECT id FROM task WHERE run IS NULL ORDER BY id"), ["1", "4", "5", "6"]);
        assert_eq!(world.db.column("SELECT id FROM task WHERE dag = 'b' ORDER BY id"), ["3", "4"]);
        assert_eq!(world.files("images").len(), 6);
    }

    async fn f9_columns_that_name_no_single_parent_are_refused(db) {
        let right = "write column = [\"dag\", \"run\"], references = [\"dag\", \"run\"]";
        let db = std::sync::Arc::new(db);
        let mut first = World::new(db.clone());
        create_runs(&mut first, FOREIGN_KEY);
        for (child, wanted) in [
            ("column = \"run\", references = \"run\"", right),
            ("column = \"run\"", right),
            ("column = \"dag\", references = \"dag\", on_delete = \"keep-parent\"", right),
            ("column = \"id\", references = \"run\"", right),
            ("column = [\"dag\", \"run\"], references = [\"dag\", \"at\"]", "write references = [\"dag\", \"run\"]"),
            ("column = \"nothing\", references = \"run\"", "has no column nothing"),
            ("column = \"dag\", references = \"nothing\"", "has no column nothing"),
        ] {
            let mut world = World::new(db.clone());
            world.declare(&format!("{RUNS}children = [{{ table = \"task\", {child} }}]\n"));
            let result = world.run().await;
            assert_eq!(result.policies[0].status, Status::Failed, "{child}: {result:?}");
            let errors: Vec<_> = result.policies[0].errors.iter().map(|failure| failure.error.as_str()).collect();
            assert!(errors.iter().any(|error| error.contains(wanted)), "{child}: {errors:?}");
        }
        assert_eq!(first.db.value("SELECT COUNT(*) FROM task").as_deref(), Some("6"));
    }

    async fn f9_without_foreign_key_the_error_names_keys(db) {
        let mut world = World::new(db);
        create_runs(&mut world, "");
        world.declare(&format!("{RUNS}children = [{{ table = \"task\", column = \"run\", references = \"run\" }}]\n"));
        let result = world.run().await;
        let error = &result.policies[0].errors[0].error;
        assert!(error.contains("all columns of a primary key or unique index of run, which are [\"dag\", \"run\"]"), "{error}");
        assert_eq!(world.db.value("SELECT COUNT(*) FROM task").as_deref(), Some("6"));
    }

    async fn f9_a_partial_unique_index_makes_no_key(db) {
        let mut world = World::new(db);
        world.create_items();
        let at = world.days_ago(40.0);
        world.db.execute(&format!("INSERT INTO item (id, at, note) VALUES (1, {at}, 'a'), (2, {}, 'a')", world.days_ago(1.0)));
        world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, note VARCHAR(50))");
        world.db.execute("INSERT INTO part VALUES (1, 'a')");
        if !world.db.kind().is_mysql() {
            world.db.execute("CREATE UNIQUE INDEX item_note ON item (note) WHERE id < 2");
        }
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
             children = [{ table = \"part\", column = \"note\", references = \"note\" }]\n",
        );
        let result = world.run().await;
        assert_eq!((result.policies[0].status, world.ids()), (Status::Failed, set([1, 2])), "{result:?}");
        world.db.execute("UPDATE item SET note = 'b' WHERE id = 2");
        world.db.execute("CREATE UNIQUE INDEX item_note_all ON item (note)");
        let result = world.run().await;
        assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([2])), "{result:?}");
        assert_eq!(world.db.value("SELECT COUNT(*) FROM part").as_deref(), Some("0"));
    }

    async fn f34_children_with_other_letters_follow_foreign_keys(db) {
        let mut world = World::new(db);
        // Both ways in which letters may differ: their case, and blanks at the end.
        let lax = match world.db.kind() {
            EngineKind::Postgres => {
                world.db.execute("CREATE COLLATION lax (provider = icu, locale = 'und-u-ks-level2', deterministic = false)");
                "VARCHAR(20) COLLATE lax"
            }
            EngineKind::Sqlite => "VARCHAR(20) COLLATE NOCASE",
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        };
        let child = if world.is(EngineKind::Sqlite) { "VARCHAR(20)" } else { lax };
        let blank = if world.db.kind().is_mysql() { "B  " } else { "B" };
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE album (code {lax} NOT NULL PRIMARY KEY, at {at})"));
        for (table, action) in [("part", ""), ("holder", " ON DELETE CASCADE")] {
            world.db.execute(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, code {child}, image VARCHAR(50), CONSTRAINT of_{table} \
                 FOREIGN KEY (code) REFERENCES album (code){action})"
            ));
        }
        let (old, young) = (world.days_ago(40.0), world.days_ago(1.0));
        world.db.execute(&format!("INSERT INTO album VALUES ('a', {old}), ('b', {old}), ('c', {young})"));
        world.db.execute(&format!("INSERT INTO part VALUES (1, 'A', '1.png'), (2, '{blank}', '2.png'), (3, 'C', '3.png'), (4, NULL, '4.png')"));
        world.db.execute("INSERT INTO holder VALUES (1, 'A', 'h1.png'), (2, 'C', 'h2.png')");
        for file in ["1.png", "2.png", "3.png", "4.png", "h1.png", "h2.png"] {
            world.put("images", file, 1);
        }
        world.reference("images", "part", "image").reference("images", "holder", "image");
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"album\"\nage = \"at\"\nkeep = \"30d\"\n\
             children = [{ table = \"part\", column = \"code\", files = [{ store = \"images\", column = \"image\" }] }]\n",
        );
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.db.column("SELECT code FROM album"), ["c"]);
        assert_eq!(world.db.column("SELECT id FROM part ORDER BY id"), ["3", "4"]);
        assert_eq!(world.db.column("SELECT id FROM holder"), ["2"]);
        assert_eq!(world.files("images"), paths(["3.png", "4.png", "h2.png"]));
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    }

    async fn f34_a_child_whose_letters_differ_keeps_its_parent(db) {
        let mut world = World::new(db);
        let lax = match world.db.kind() {
            EngineKind::Postgres => return,
            EngineKind::Sqlite => "VARCHAR(20) COLLATE NOCASE",
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        };
        let child = if world.is(EngineKind::Sqlite) { "VARCHAR(20)" } else { lax };
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE album (code {lax} NOT NULL PRIMARY KEY, at {at})"));
        world.db.execute(&format!("CREATE TABLE part (id INTEGER PRIMARY KEY, code {child})"));
        let old = world.days_ago(40.0);
        world.db.execute(&format!("INSERT INTO album VALUES ('a', {old}), ('b', {old})"));
        world.db.execute("INSERT INTO part VALUES (1, 'A')");
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"album\"\nage = \"at\"\nkeep = \"30d\"\n\
             children = [{ table = \"part\", column = \"code\", on_delete = \"keep-parent\" }]\n",
        );
        let result = world.run().await;
        assert_eq!((result.status, result.policies[0].tally.rows_protected), (Some(Status::Completed), 1), "{result:?}");
        assert_eq!(world.db.column("SELECT code FROM album"), ["a"]);
    }
}
