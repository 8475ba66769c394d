//! Every shape in which rows may name files of a store, on every engine: what a scan leaves is what is named.

use super::*;
use crate::world::paths;

/// Runs a policy of all that no row names, and says what is left.
async fn left(world: &mut World) -> BTreeSet<String> {
    world.declare(&format!("{ORPHANS}max_fraction = 1.0\n"));
    adopt(world, "images");
    let (plan, listed) = world.plan().await;
    let before = files(world, "images");
    let result = run(world).await;
    let left = files(world, "images");
    assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    let listed: BTreeSet<_> = listed
        .iter()
        .map(|line| match line {
            retaind::run::Listed::File { path, .. } => path.clone(),
            row => panic!("{row:?}"),
        })
        .collect();
    assert_eq!(listed, before.difference(&left).cloned().collect());
    // A second run finds nothing.
    assert_eq!(run(world).await.totals.files_deleted, 0);
    left
}

for_each_engine! {
    async fn g3_however_oddly_a_path_is_spelled(db) {
        let mut world = linked(db);
        let odd = ["a//b.png", "./c.png", "x/../d.png", "e/./f.png", "g.png/", "sp ace's.png", "ünï.png", "100%_.png", "new\nline.png", "back\\\\slash.png"];
        for path in ["a/b.png", "c.png", "d.png", "e/f.png", "g.png", "sp ace's.png", "ünï.png", "100%_.png", "new\nline.png", "root.png",
                     "a/orphan.png", "100xx.png", "UNI.png", "C.png", "x/d.png"] {
            put_aged(&world, "images", path, 9.0);
        }
        let rows = odd.iter().filter(|path| !path.contains('\\'));
        rows.for_each(|path| link(&world, path));
        link(&world, &world.root("images").join("root.png").display().to_string());
        link(&world, &world.root("images").join("x/..//c.png").display().to_string());
        link(&world, "missing.png");
        world.db.execute("INSERT INTO link (id, path) VALUES (100, NULL), (101, ''), (102, '../outside.png'), (103, '/etc/passwd')");
        assert_eq!(
            left(&mut world).await,
            paths(["a/b.png", "c.png", "d.png", "e/f.png", "g.png", "sp ace's.png", "ünï.png", "100%_.png", "new\nline.png", "root.png"])
        );
    }

    async fn g3_by_columns_of_several_tables_and_a_template(db) {
        let mut world = linked(db);
        for path in ["one.png", "two.png", "both.png", "t/7.png", "t/8.png", "p/eu-9.bin", "p/eu-10.bin", "none.png"] {
            put_aged(&world, "images", path, 9.0);
        }
        link(&world, "one.png");
        link(&world, "both.png");
        world.db.execute("CREATE TABLE more (id INTEGER PRIMARY KEY, region VARCHAR(9), first VARCHAR(50), second VARCHAR(50))");
        world.db.execute("INSERT INTO more VALUES (7, NULL, 'both.png', 'two.png'), (9, 'eu', NULL, NULL)");
        world.reference("images", "more", "first").reference("images", "more", "second");
        world.reference_entry("images", "{ source = \"app\", table = \"more\", path = \"t/{id}.png\" }");
        world.reference_entry("images", "{ source = \"app\", table = \"more\", path = \"p/{region}-{id}.bin\" }");
        assert_eq!(left(&mut world).await, paths(["one.png", "two.png", "both.png", "t/7.png", "p/eu-9.bin"]));
    }

    async fn g3_by_name_alone(db) {
        let mut world = World::by_mtime(db);
        world.db.execute("CREATE TABLE link (id INTEGER PRIMARY KEY, path VARCHAR(300))");
        let entry = "{ source = \"app\", table = \"link\", column = \"path\", match = \"name\" }";
        world.reference_entry("images", entry);
        for path in ["a/url.jpg", "b/url.jpg", "drive.jpg", "bare.jpg", "gone.jpg", "x_y.jpg", "Bare.jpg"] {
            put_aged(&world, "images", path, 9.0);
        }
        ["https://host/p/url.jpg", "C:/p/drive.jpg", "bare.jpg", "not-gone.jpg", "gone.jpg/other", "xzy.jpg"]
            .iter()
            .for_each(|path| link(&world, path));
        assert_eq!(left(&mut world).await, paths(["a/url.jpg", "b/url.jpg", "drive.jpg", "bare.jpg"]));
    }

    async fn g3_directories_as_units(db) {
        let mut world = World::by_mtime(db);
        world.db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY)");
        world.db.execute("INSERT INTO job (id) VALUES (7), (12)");
        world.reference_entry("images", "{ source = \"app\", table = \"job\", path = \"out/{id}\", directory = true }");
        for path in ["out/7/a.png", "out/7/deep/b.png", "out/8/a.png", "out/8/deep/b.png", "out/77/a.png", "out/12/x", "out/loose.png",
                     "out/9/old.png", "out/x/a.png"] {
            put_aged(&world, "images", path, 9.0);
        }
        // A directory in which something is young stays as a whole.
        put_aged(&world, "images", "out/9/young.png", 0.1);
        assert_eq!(
            left(&mut world).await,
            paths(["out/7/a.png", "out/7/deep/b.png", "out/12/x", "out/9/old.png", "out/9/young.png"])
        );
        assert!(!world.root("images").join("out/8").exists(), "a unit goes with its directories");
    }

    async fn g3_files_and_directories_that_columns_name(db) {
        let mut world = linked(db);
        world.db.execute("CREATE TABLE album (id INTEGER PRIMARY KEY, dir VARCHAR(50))");
        world.db.execute("INSERT INTO album (id, dir) VALUES (1, 'kept'), (2, 'slash/'), (3, 'o/../odd')");
        world.reference_entry("images", "{ source = \"app\", table = \"album\", column = \"dir\", directory = true }");
        link(&world, "other/named.png");
        for path in ["kept/a.png", "kept/deep/b.png", "slash/a.png", "odd/a.png", "other/named.png", "other/not.png", "gone/a.png",
                     "gone/deep/b.png", "loose.png"] {
            put_aged(&world, "images", path, 9.0);
        }
        assert_eq!(
            left(&mut world).await,
            paths(["kept/a.png", "kept/deep/b.png", "slash/a.png", "odd/a.png", "other/named.png"])
        );
    }
}
