//! What keeps a file although its row is gone: references by path, by a template, by a directory, and by name alone (G3).

use retaind::outcome::Status;

use crate::world::{World, paths, set};

const POLICY: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
                      files = [{ store = \"images\", column = \"image\" }]\n";

/// Items that are all old enough, each with its file.
fn items(world: &World, paths: &[&str]) {
    world.create_items();
    for (n, path) in paths.iter().enumerate() {
        world.put("images", path, 1);
        world.item(n as u64 + 1, 40.0, None, Some(path));
    }
}

for_each_engine! {
    async fn g3_a_file_named_by_name_alone_stays(db) {
        let mut world = World::new(db);
        items(&world, &["a/url.jpg", "b/url.jpg", "drive.jpg", "slashes.jpg", "bare.jpg", "gone.jpg", "x_y.jpg", "url.jp", "Bare.jpg"]);
        world.db.execute("CREATE TABLE link (id INTEGER PRIMARY KEY, target VARCHAR(200))");
        let targets = [
            "'https://host/p/url.jpg'", "'C:/p/drive.jpg'", "'q/slashes.jpg//'", "'bare.jpg'", "'not-gone.jpg'",
            "'gone.jpg/other'", "'xzy.jpg'", "''", "'/'", "NULL",
        ];
        for (n, target) in targets.iter().enumerate() {
            world.db.execute(&format!("INSERT INTO link (id, target) VALUES ({n}, {target})"));
        }
        world.reference_entry("images", "{ source = \"app\", table = \"link\", column = \"target\", match = \"name\" }");
        world.declare(POLICY);
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), set([]));
        assert_eq!(
            world.files("images"),
            paths(["a/url.jpg", "b/url.jpg", "drive.jpg", "slashes.jpg", "bare.jpg"])
        );
        assert_eq!((result.policies[0].tally.files_deleted, result.policies[0].tally.files_referenced), (4, 5));
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    }

    async fn g3_a_file_named_by_template_stays(db) {
        let mut world = World::new(db);
        items(&world, &["7.png", "8.png", "out/7/a.png", "out/7/deep/b.png", "out/8/a.png", "out/77/a.png"]);
        world.db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY)");
        world.db.execute("INSERT INTO job (id) VALUES (7)");
        world.reference_entry("images", "{ source = \"app\", table = \"job\", path = \"{id}.png\" }");
        world.reference_entry("images", "{ source = \"app\", table = \"job\", path = \"out/{id}\", directory = true }");
        world.declare(POLICY);
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.files("images"), paths(["7.png", "out/7/a.png", "out/7/deep/b.png"]));
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    }

    async fn g3_a_named_directory_keeps_its_contents(db) {
        let mut world = World::new(db);
        items(&world, &["kept/a.png", "kept/deep/b.png", "kept2/a.png", "slash/a.png"]);
        world.db.execute("CREATE TABLE album (id INTEGER PRIMARY KEY, dir VARCHAR(50))");
        world.db.execute("INSERT INTO album (id, dir) VALUES (1, 'kept'), (2, 'slash/')");
        world.reference_entry("images", "{ source = \"app\", table = \"album\", column = \"dir\", directory = true }");
        world.declare(POLICY);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.files("images"), paths(["kept/a.png", "kept/deep/b.png", "slash/a.png"]));
    }
}
