//! What keeps a file although no row names it as it is spelled, and paths that are bytes (F2, F4, F25, F26).

use retaind::outcome::{PolicyResult, Status};

use crate::engines::EngineKind;
use crate::world::{World, paths, set};

const POLICY: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
                      files = [{ store = \"images\", column = \"image\" }]\n";

/// A plan and a run of the only policy; both count the same.
async fn both(world: &World) -> PolicyResult {
    let (plan, _) = world.plan().await;
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    result.policies[0].clone()
}

/// Items that are all old enough, each with its file.
fn items(world: &World, paths: &[&str]) {
    world.create_items();
    for (n, path) in paths.iter().enumerate() {
        world.put("images", path, 1);
        world.item(n as u64 + 1, 40.0, None, Some(path));
    }
}

/// A table `link` whose rows name files of `images`.
fn link(world: &mut World, declared: &str, values: &[&str]) {
    world.db.execute(&format!("CREATE TABLE link (id INTEGER PRIMARY KEY, path {declared})"));
    for (n, value) in values.iter().enumerate() {
        world.db.execute(&format!("INSERT INTO link (id, path) VALUES ({n}, {value})"));
    }
    world.reference("images", "link", "path");
}

fn bytes(world: &World, text: &[u8]) -> String {
    let digits: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
    if world.is(EngineKind::Postgres) { format!("'\\x{digits}'::bytea") } else { format!("X'{digits}'") }
}

fn binary(world: &World) -> &'static str {
    match world.db.kind() {
        EngineKind::Postgres => "bytea",
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "VARBINARY(200)",
        EngineKind::Sqlite => "BLOB",
    }
}

for_each_engine! {
    async fn f2_a_row_owns_files_by_bytes(db) {
        let mut world = World::new(db);
        let (at, declared) = (world.db.timestamp_type(), binary(&world));
        world.db.execute(&format!("CREATE TABLE item (id INTEGER PRIMARY KEY, at {at} NULL, kind {declared}, image {declared})"));
        for (id, kind, image, days) in [(1, "short", "a/1.jpg", 10.0), (2, "long", "é.jpg", 40.0), (3, "short", "shared.jpg", 10.0), (4, "other", "4.jpg", 40.0)] {
            let (kind, image) = (bytes(&world, kind.as_bytes()), bytes(&world, image.as_bytes()));
            world.db.execute(&format!("INSERT INTO item (id, at, kind, image) VALUES ({id}, {}, {kind}, {image})", world.days_ago(days)));
        }
        let shared = bytes(&world, b"shared.jpg");
        link(&mut world, declared, &[&shared]);
        for path in ["a/1.jpg", "é.jpg", "shared.jpg", "4.jpg"] {
            world.put("images", path, 1);
        }
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\n\
             keep = { column = \"kind\", values = { short = \"7d\", long = \"60d\" }, default = \"90d\" }\n\
             files = [{ store = \"images\", column = \"image\" }]\n",
        );
        let result = both(&world).await;
        assert_eq!(world.ids(), set([2, 4]));
        assert_eq!(world.files("images"), paths(["é.jpg", "shared.jpg", "4.jpg"]));
        assert_eq!((result.tally.files_deleted, result.tally.files_referenced), (1, 1));
    }

    async fn f4_a_path_elsewhere_keeps_files_of_its_name(db) {
        let mut world = World::new(db);
        items(&world, &["a/1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "gone.jpg"]);
        link(&mut world, "VARCHAR(200)", &["'/old/mount/1.jpg'", "'https://host/2.JPG?v=1'", "'[\"3.jpg\", \"x/4.jpg\"]'", "'b//../5.jpg'"]);
        world.db.execute("CREATE TABLE cdn (id INTEGER PRIMARY KEY, path VARCHAR(200))");
        world.db.execute("INSERT INTO cdn (id, path) VALUES (1, 'http://cdn/gone.jpg')");
        let entry = "{ source = \"app\", table = \"cdn\", column = \"path\", ignore_prefix = \"http://cdn/\" }";
        world.reference_entry("images", entry);
        world.declare(POLICY);
        let result = both(&world).await;
        assert_eq!(world.ids(), set([]));
        // A list names its files by their paths.
        assert_eq!(world.files("images"), paths(["a/1.jpg", "2.jpg", "3.jpg", "5.jpg"]));
        assert_eq!((result.tally.files_deleted, result.tally.files_referenced), (2, 4));
    }

    async fn f4_an_owned_directory_with_protected_names_stays(db) {
        let mut world = World::new(db);
        world.create_items();
        for (id, dir) in [(1, "one"), (2, "two"), (3, "three")] {
            world.item(id, 40.0, None, Some(dir));
            for name in ["a.jpg", "b.jpg"] {
                world.put("images", &format!("{dir}/{dir}-{name}"), 1);
            }
        }
        link(&mut world, "VARCHAR(200)", &["'/old/one-a.jpg'", "'two//two-b.jpg'"]);
        world.declare(&POLICY.replace("column = \"image\"", "column = \"image\", directory = true"));
        both(&world).await;
        assert_eq!(world.files("images"), paths(["one/one-a.jpg", "one/one-b.jpg", "two/two-b.jpg"]));
    }

    async fn f25_a_path_of_other_case_keeps_the_file(db) {
        let mut world = World::new(db);
        items(&world, &["x/Photo.JPG", "y/Note.TXT", "z/A.jpg", "z/%20b.jpg"]);
        // On a file system that knows no case, these two are one.
        std::fs::hard_link(world.root("images").join("x/Photo.JPG"), world.root("images").join("x/photo.jpg")).unwrap();
        world.put("images", "y/note.txt", 1);
        link(&mut world, "VARCHAR(200)", &["'x/photo.jpg'", "'y/note.txt'", "'z/a.jpg'", "'z/ b.jpg'"]);
        world.declare(POLICY);
        both(&world).await;
        assert_eq!(world.files("images"), paths(["x/Photo.JPG", "x/photo.jpg", "y/note.txt", "z/A.jpg", "z/%20b.jpg"]));
    }

    async fn f26_odd_paths_during_a_run_keep_their_file(db) {
        let mut world = World::new(db);
        let names: Vec<_> = (1..=20).map(|n| format!("x/{n}.jpg")).collect();
        items(&world, &names.iter().map(String::as_str).collect::<Vec<_>>());
        link(&mut world, "VARCHAR(200)", &[]);
        let (values, is_it) = ("SELECT 1, 'x//10.jpg'", "OLD.id = 5");
        match world.db.kind() {
            EngineKind::Postgres => {
                world.db.execute(&format!(
                    "CREATE FUNCTION come() RETURNS trigger LANGUAGE plpgsql SET search_path TO public AS $$ BEGIN INSERT INTO link (id, path) {values} \
                     WHERE {is_it}; INSERT INTO link (id, path) SELECT 2, '/old/16.jpg' WHERE {is_it}; RETURN OLD; END $$"
                ));
                world.db.execute("CREATE TRIGGER come AFTER DELETE ON item FOR EACH ROW EXECUTE FUNCTION come()");
            }
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => world.db.execute(&format!(
                "CREATE TRIGGER come AFTER DELETE ON item FOR EACH ROW INSERT INTO link (id, path) {values} FROM DUAL WHERE \
                 {is_it} UNION ALL SELECT 2, '/old/16.jpg' FROM DUAL WHERE {is_it}"
            )),
            EngineKind::Sqlite => world.db.execute(&format!(
                "CREATE TRIGGER come AFTER DELETE ON item WHEN {is_it} BEGIN INSERT INTO link (id, path) {values} UNION ALL \
                 SELECT 2, '/old/16.jpg'; END"
            )),
        }
        world.declare(&format!("{POLICY}batch = 2\n"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), set([]));
        assert_eq!(world.files("images"), paths(["x/10.jpg", "x/16.jpg"]));
        assert!(world.ledger().await.owed().await.unwrap().is_empty());
    }
}
