//! What rows may mean by other spellings, other types and paths that lead elsewhere: none of it becomes an orphan.

use serde_json::json;

use retaind::outcome::PolicyResult;

use super::*;
use crate::engines::EngineKind;
use crate::world::paths;

/// Nothing but what is under test may stop it.
fn unbounded() -> String {
    format!("{ORPHANS}max_fraction = 1.0\n")
}

/// A world whose table `link` names files of `images` in its column `path`, of the type of each engine.
fn typed(db: Database, types: [&str; 3]) -> World {
    let mut world = World::by_mtime(db);
    let declared = match world.db.kind() {
        EngineKind::Postgres => types[0],
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => types[1],
        EngineKind::Sqlite => types[2],
    };
    world.db.execute(&format!("CREATE TABLE link (id INTEGER PRIMARY KEY, path {declared})"));
    world.reference("images", "link", "path");
    world.declare(&unbounded());
    adopt(&world, "images");
    world
}

/// SQL for a path as bytes.
fn bytes(world: &World, path: &[u8]) -> String {
    let digits: String = path.iter().map(|byte| format!("{byte:02x}")).collect();
    match world.is(EngineKind::Postgres) {
        true => format!("'\\x{digits}'::bytea"),
        false => format!("X'{digits}'"),
    }
}

fn insert(world: &World, value: &str) {
    world.db.execute(&format!("INSERT INTO link (id, path) SELECT COALESCE(MAX(id), 0) + 1, {value} FROM link"));
}

fn put_all(world: &World, names: &[&str]) {
    names.iter().for_each(|name| put_aged(world, "images", name, 9.0));
}

/// An entry of the references for the table `more`, with more keys.
fn entry_of_more(keys: &str) -> String {
    format!("{{ source = \"app\", table = \"more\", column = \"path\"{keys} }}")
}

/// A world with a second reference, the table `more`.
fn with_more(db: Database) -> World {
    let mut world = linked(db);
    world.declare(&unbounded());
    adopt(&world, "images");
    world.db.execute("CREATE TABLE more (id INTEGER PRIMARY KEY, path VARCHAR(50))");
    world.reference_entry("images", &entry_of_more(""));
    world
}

/// A plan and a run; both say the same.
async fn both(world: &World) -> PolicyResult {
    let (plan, _) = world.plan().await;
    let result = run(world).await;
    let (planned, done) = (&plan.policies[0], &result.policies[0]);
    assert_eq!(
        (planned.tally.files_matched, planned.tally.files_alike),
        (done.tally.files_matched, done.tally.files_alike)
    );
    assert_eq!(
        (&planned.alike, &planned.outside, planned.tally.references_outside),
        (&done.alike, &done.outside, done.tally.references_outside)
    );
    done.clone()
}

for_each_engine! {
    async fn f2_a_path_in_binary_is_its_bytes(db) {
        let world = typed(db, ["bytea", "VARBINARY(300)", "BLOB"]);
        put_all(&world, &["a/1.jpg", "é.jpg", "2.jpg", "café.jpg", "gone.jpg"]);
        for path in ["a/1.jpg", "é.jpg", "./2.jpg"] {
            insert(&world, &bytes(&world, path.as_bytes()));
        }
        // In another encoding.
        insert(&world, &bytes(&world, b"caf\xe9.jpg"));
        let result = both(&world).await;
        assert_eq!(files(&world, "images"), paths(["a/1.jpg", "é.jpg", "2.jpg", "café.jpg"]));
        assert_eq!((result.tally.files_deleted, result.tally.references_outside), (1, 1));
    }

    async fn f2_padded_binaries_and_other_types_are_paths(db) {
        let world = typed(db, ["bytea", "BINARY(20)", "TEXT"]);
        put_all(&world, &["a/1.jpg", "2.jpg", "gone.jpg"]);
        insert(&world, &bytes(&world, b"a/1.jpg"));
        insert(&world, &bytes(&world, b"2.jpg"));
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["a/1.jpg", "2.jpg"]));
    }

    async fn f2_an_untyped_view_column_holds_paths(db) {
        if !db.kind().eq(&EngineKind::Sqlite) {
            return;
        }
        let mut world = World::by_mtime(db);
        world.db.execute("CREATE TABLE doc (id INTEGER PRIMARY KEY, list TEXT)");
        world.db.execute("INSERT INTO doc (id, list) VALUES (1, '[\"a/1.jpg\", \"2.jpg\"]')");
        world.db.execute("CREATE VIEW link AS SELECT json_each.value AS path FROM doc, json_each(doc.list)");
        world.reference("images", "link", "path");
        world.declare(&unbounded());
        adopt(&world, "images");
        put_all(&world, &["a/1.jpg", "2.jpg", "gone.jpg"]);
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["a/1.jpg", "2.jpg"]));
    }

    async fn f2_an_undecodable_text_protects_what_it_may_mean(db) {
        if !db.kind().eq(&EngineKind::Sqlite) {
            return;
        }
        let world = typed(db, ["", "", "TEXT"]);
        put_all(&world, &["1.jpg", "caf\u{e9}.jpg", "gone.jpg"]);
        insert(&world, "'1.jpg'");
        insert(&world, "CAST(X'636166e92e6a7067' AS TEXT)");
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["1.jpg", "caf\u{e9}.jpg"]));
    }

    async fn f2_a_name_in_a_binary_column_counts(db) {
        let mut world = World::by_mtime(db);
        let declared = if world.is(EngineKind::Postgres) { "bytea" } else { "BLOB" };
        world.db.execute(&format!("CREATE TABLE link (id INTEGER PRIMARY KEY, path {declared})"));
        world.reference_entry("images", "{ source = \"app\", table = \"link\", column = \"path\", match = \"name\" }");
        world.declare(&unbounded());
        adopt(&world, "images");
        put_all(&world, &["a/1.jpg", "é.jpg", "gone.jpg"]);
        insert(&world, &bytes(&world, b"https://host/x/1.jpg"));
        insert(&world, &bytes(&world, "/x/é.jpg".as_bytes()));
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["a/1.jpg", "é.jpg"]));
    }

    async fn f3_a_list_in_text_protects_its_entries(db) {
        let world = typed(db, ["text", "TEXT", "TEXT"]);
        put_all(&world, &["a/1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "gone.jpg"]);
        insert(&world, "'[\"a/1.jpg\", {\"large\": \"/old/2.jpg\"}]'");
        insert(&world, "'3.jpg,4.jpg'");
        insert(&world, "'5.jpg'");
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["a/1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]));
    }

    async fn f3_a_column_that_holds_several_values_is_refused(db) {
        for declared in match db.kind() {
            EngineKind::Postgres => &["text[]", "jsonb", "json"][..],
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => &["JSON"],
            EngineKind::Sqlite => return,
        } {
            let world = typed(Database::create(db.kind()), [declared, declared, declared]);
            put_all(&world, &["a/1.jpg"]);
            assert_blocked(&blocked(&world).await, "store_unavailable", json!({ "reference": ".link.path" }));
        }
    }

    async fn f3_a_reference_to_only_missing_files_blocks(db) {
        let mut world = with_more(db);
        // In the end it lets a reference protect less, and means it.
        world.daemon("approve_changes = false");
        put_all(&world, &["1.jpg", "orphan.jpg"]);
        link(&world, "1.jpg");
        world.db.insert_series("more (id, path)", &joined(&world, "'gone/'", "n"), 1..=19);
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["1.jpg"]));
        put_all(&world, &["orphan.jpg"]);
        world.db.insert_series("more (id, path)", &joined(&world, "'gone/'", "n"), 20..=20);
        let absent = json!({ "reference": ".more.path", "orphans": 1, "store": "images" });
        assert_blocked(&blocked(&world).await, "reference_absent", absent);
        // Somebody says that this is so.
        world.reference_entries = vec![["images".to_owned(), entry_of_more(", may_be_missing = true")]];
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["1.jpg"]));
    }

    async fn f4_a_path_elsewhere_protects_by_last_segment(db) {
        let mut world = linked(db);
        world.declare(&unbounded());
        adopt(&world, "images");
        for n in 1..=101 {
            put_aged(&world, "images", &format!("{n}.jpg"), 9.0);
        }
        put_all(&world, &["deep/1.jpg", "deep/75.jpg"]);
        world.db.insert_series("link (id, path)", &joined(&world, "n", "'.jpg'"), 1..=60);
        world.db.insert_series("link (id, path)", &joined(&world, "'/old/mount/uploads/'", &joined_path(&world, "n", "'.jpg'")), 61..=80);
        world.db.insert_series("link (id, path)", &joined(&world, "'https://host/'", &joined_path(&world, "n", "'.JPG?v=3'")), 81..=100);
        let result = both(&world).await;
        let left: BTreeSet<_> = (1..=100).map(|n| format!("{n}.jpg")).chain(["deep/75.jpg".to_owned()]).collect();
        assert_eq!(files(&world, "images"), left);
        assert_eq!((result.tally.files_deleted, result.tally.references_outside), (2, 40));
        let begins: Vec<_> = result.outside.iter().map(|paths| (paths.begins.as_str(), paths.rows)).collect();
        assert_eq!(begins, [("/old/mount/uploads/", 20), ("https://host/", 20)]);
        // What never means this store is left out.
        let entry = "{ source = \"app\", table = \"other\", column = \"path\", ignore_prefix = [\"https://\"] }";
        world.db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, path VARCHAR(50))");
        world.db.execute("INSERT INTO other (id, path) VALUES (1, '1.jpg'), (2, 'https://host/x.jpg'), (3, '/x/y.jpg')");
        world.reference_entry("images", entry);
        put_all(&world, &["x.jpg", "y.jpg"]);
        let result = both(&world).await;
        assert!(files(&world, "images").contains("y.jpg") && !files(&world, "images").contains("x.jpg"));
        assert_eq!(result.tally.references_outside, 41);
    }

    async fn f4_a_directory_with_a_protected_name_stays(db) {
        let mut world = World::by_mtime(db);
        world.db.execute("CREATE TABLE job (id VARCHAR(50) PRIMARY KEY, preview VARCHAR(200))");
        world.db.execute("INSERT INTO job (id, preview) VALUES ('1', '1/p.jpg'), ('9', '/old/2/kept.jpg')");
        world.reference_entry("images", "{ source = \"app\", table = \"job\", path = \"{id}\", directory = true }");
        world.reference_entry("images", "{ source = \"app\", table = \"job\", column = \"preview\" }");
        world.declare(&unbounded());
        adopt(&world, "images");
        put_all(&world, &["1/p.jpg", "2/kept.jpg", "2/b.jpg", "3/c.jpg", "9/a.jpg"]);
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["1/p.jpg", "2/kept.jpg", "2/b.jpg", "9/a.jpg"]));
    }

    async fn f5_a_file_spelled_unlike_its_row_stays(db) {
        let mut world = linked(db);
        world.declare(&unbounded());
        adopt(&world, "images");
        let pairs = [
            ("caf\u{e9}/1.jpg", "cafe\u{301}/1.jpg"),
            ("IMG%20\u{c9}.JPG?v=3", "img e\u{301}.jpg"),
            ("a\\2.jpg", "a/2.jpg"),
            ("3.JPG", "3.jpg"),
            ("4.jpg?v=3#top", "4.jpg"),
            (" 5.jpg ", "5.jpg"),
            ("b%2F6.jpg", "b/6.jpg"),
            // Without strip_prefix, what paths begin with is a part of them.
            ("uploads/c/8.jpg", "c/8.jpg"),
            ("9.jpg", "d/9.jpg"),
        ];
        for (written, path) in pairs {
            let written = if world.db.kind().is_mysql() { written.replace('\\', "\\\\") } else { written.to_owned() };
            link(&world, &written);
            put_all(&world, &[path]);
        }
        put_all(&world, &["7.jpg", "gone.jpg"]);
        link(&world, "7.jpg");
        let result = both(&world).await;
        let left: BTreeSet<_> = pairs.iter().map(|(_, path)| (*path).to_owned()).chain(["7.jpg".to_owned()]).collect();
        assert_eq!(files(&world, "images"), left);
        assert_eq!((result.tally.files_deleted, result.tally.files_alike), (1, 9));
        assert_eq!(result.alike.len(), 9);
        assert!(result.alike.iter().filter(|file| file.named.is_some()).count() == 8, "{:?}", result.alike);
    }

    async fn d20_many_missing_beside_many_orphans_block(db) {
        let mut world = linked(db);
        world.declare(&unbounded());
        adopt(&world, "images");
        for n in 1..=100 {
            let odd = if n <= 20 { "e\u{301}" } else { "e" };
            put_aged(&world, "images", &format!("{odd}{n}.jpg"), 9.0);
            link(&world, &format!("{}{n}.jpg", if n <= 20 { "\u{e9}" } else { "e" }));
        }
        assert_blocked(&blocked(&world).await, "many_missing", json!({ "missing": 20, "orphans": 20 }));
        // One fewer is not many, and each of them is kept.
        world.db.execute("DELETE FROM link WHERE id = 1");
        std::fs::remove_file(world.root("images").join("e\u{301}1.jpg")).unwrap();
        let result = both(&world).await;
        assert_eq!((result.tally.files_deleted, result.tally.files_alike), (0, 19));
        assert_eq!(files(&world, "images").len(), 99);
    }

    async fn f15_a_table_that_may_be_empty_blocks_nothing(db) {
        let mut world = with_more(db);
        put_all(&world, &["1.jpg", "gone.jpg"]);
        link(&world, "1.jpg");
        assert_blocked(&blocked(&world).await, "reference_empty", json!({ "reference": ".more.path" }));
        world.reference_entries = vec![["images".to_owned(), entry_of_more(", may_be_empty = true")]];
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["1.jpg"]));
    }

    async fn f5_rows_that_released_their_file_miss_nothing(db) {
        let mut world = World::by_mtime(db);
        world.create_items();
        world.references = ["thumb", "image"];
        world.declare(&unbounded());
        world.declare(
            "[policies.expired]\nkind = \"rows\"\nenabled = false\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
             action = \"update\"\nset = { note = \"expired\" }\nfiles = [{ store = \"images\", column = \"image\" }]\n",
        );
        adopt(&world, "images");
        for n in 1..=25 {
            world.item(n, 40.0, None, Some(&format!("{n}.jpg")));
            put_aged(&world, "images", &format!("orphan-{n}.jpg"), 9.0);
        }
        world.item(26, 1.0, None, Some("26.jpg"));
        put_all(&world, &["26.jpg"]);
        assert_blocked(&blocked(&world).await, "many_missing", json!({ "missing": 25 }));
        world.db.execute("UPDATE item SET note = 'expired' WHERE id <= 25");
        let result = both(&world).await;
        assert_eq!(files(&world, "images"), paths(["26.jpg"]));
        assert_eq!(result.tally.references_missing, 0);
    }

    async fn f3_a_disabled_policy_still_names_its_files(db) {
        let mut world = linked(db);
        world.create_items();
        world.references = ["thumb", "thumb"];
        world.declare(&unbounded());
        let policy = |column: &str| format!(
            "[policies.old]\nkind = \"rows\"\nenabled = false\nsource = \"app\"\ntable = \"other\"\nwhere = \"id < 0\"\n\
             files = [{{ store = \"images\", column = \"{column}\", enabled = false }}]\n",
        );
        world.db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, path VARCHAR(50))");
        world.db.execute("INSERT INTO other (id, path) VALUES (1, 'owned.jpg')");
        world.declare(&policy("path"));
        adopt(&world, "images");
        put_all(&world, &["1.jpg", "owned.jpg", "gone.jpg"]);
        link(&world, "1.jpg");
        both(&world).await;
        assert_eq!(files(&world, "images"), paths(["1.jpg", "owned.jpg"]));
        // A column that does not fit is not passed over.
        world.db.execute("ALTER TABLE other RENAME COLUMN path TO place");
        assert_blocked(&blocked(&world).await, "store_unavailable", json!({ "reference": ".other.path" }));
    }
}

/// A column of two joined expressions behind the row's number.
fn joined(world: &World, one: &str, other: &str) -> String {
    format!("n, {}", joined_path(world, one, other))
}

fn joined_path(world: &World, one: &str, other: &str) -> String {
    if world.db.kind().is_mysql() { format!("CONCAT({one}, {other})") } else { format!("({one} || {other})") }
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_texts_of_utf16_databases_are_read() {
    let db = Database::create(EngineKind::Sqlite);
    // An empty database takes any encoding.
    db.connect().execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE other (id INTEGER)").unwrap();
    let world = typed(db, ["", "", "TEXT"]);
    put_all(&world, &["a/1.jpg", "é.jpg", "gone.jpg"]);
    insert(&world, "'a/1.jpg'");
    insert(&world, "'é.jpg'");
    both(&world).await;
    assert_eq!(world.files("images"), paths([".retaind/store.json", "a/1.jpg", "é.jpg"]));
}
