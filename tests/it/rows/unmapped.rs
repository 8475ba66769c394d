//! Rows whose files are none of their store's: they stay, are counted and listed, and go only where the policy says so.

use std::collections::BTreeSet;

use retaind::outcome::{Failure, RunResult, Status};
use retaind::run::Listed;

use crate::rows::files::WITH_FILES;
use crate::world::{World, paths, set};

fn keys(errors: &[Failure]) -> BTreeSet<(String, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    errors.iter().map(|failure| (text(&failure.key), text(&failure.path))).collect()
}

/// The keys of rows that a plan lists.
fn listed_rows(listed: &[Listed]) -> BTreeSet<String> {
    let key = |line: &Listed| match line {
        Listed::Row { table, key, .. } => Some(format!("{table} {key}")),
        Listed::File { .. } => None,
    };
    listed.iter().filter_map(key).collect()
}

/// Plans, runs, and compares the two.
async fn plan_and_run(world: &World) -> (BTreeSet<String>, RunResult) {
    let (plan, listed) = world.plan().await;
    let result = world.run().await;
    for (plan, run) in plan.policies.iter().zip(&result.policies) {
        assert_eq!((plan.status, &plan.tally), (run.status, &run.tally), "{plan:?} {run:?}");
        assert_eq!((keys(&plan.errors), plan.error_count), (keys(&run.errors), run.error_count));
    }
    (listed_rows(&listed), result)
}

/// Paths that are none of the store's, each of another kind.
fn elsewhere(world: &World) -> Vec<String> {
    let sibling = format!("{}2/1.jpg", world.root("thumbs").display());
    [
        "thumbs/a.jpg",
        "/etc/hostname",
        "data/thumbs/../images/1.png",
        "https://cdn.example/data/thumbs/1.jpg",
        "data/thumbs/",
        "{\"a\":1}",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([sibling])
    .collect()
}

for_each_engine! {
    async fn f43_a_row_whose_path_maps_nowhere_stays(db) {
        let mut world = World::new(db);
        world.create_items();
        // It widens its policy, and means it.
        world.daemon("approve_changes = false");
        for file in 1..=4 {
            world.put("thumbs", &format!("{file}.jpg"), 1);
        }
        let elsewhere = elsewhere(&world);
        // Among rows that go: with a file, without one, and one whose other path leads nowhere.
        world.item(1, 40.0, Some("data/thumbs/1.jpg"), None);
        world.item(2, 41.0, None, None);
        world.item(3, 42.0, Some(""), None);
        world.item(4, 39.0, Some("data/thumbs/2.jpg"), Some("/outside/2.png"));
        world.item(5, 39.5, Some("data/thumbs/3.jpg"), None);
        world.item(6, 1.0, Some("data/thumbs/4.jpg"), Some("/outside/young.png"));
        for (index, path) in elsewhere.iter().enumerate() {
            world.item(10 + index as u64, 38.0 + index as f64, Some(path), None);
        }
        world.declare(&format!("{WITH_FILES}batch = 4\n"));
        let (listed, result) = plan_and_run(&world).await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(listed, ["1", "2", "3", "5"].map(|key| format!("item {key}")).into());
        let stay = [4, 6].into_iter().chain(10..10 + elsewhere.len() as u64).collect();
        assert_eq!(world.ids(), stay);
        // Those that stay may mean a file of the store by the name that they end with.
        assert_eq!(world.files("thumbs"), paths(["1.jpg", "2.jpg", "4.jpg"]));
        let policy = &result.policies[0];
        assert_eq!((policy.tally.rows_deleted, policy.tally.rows_unmapped), (4, 1 + elsewhere.len() as u64));
        let told = elsewhere.iter().enumerate().map(|(index, path)| ((10 + index).to_string(), path.clone()));
        assert_eq!(keys(&policy.errors), told.chain([("4".to_owned(), "/outside/2.png".to_owned())]).collect());
        assert!(policy.errors.iter().all(|failure| failure.reason.as_deref() == Some("unmapped")), "{policy:?}");

        // They may go without their files where that is said; the other entry still keeps its row.
        let mut world = world;
        let stated = std::fs::read_to_string(world.config_file()).unwrap();
        assert!(!stated.contains("outside"));
        world.redeclare(&WITH_FILES.replace("\"thumb\" }", "\"thumb\", outside = \"release\" }"));
        let (_, result) = plan_and_run(&world).await;
        assert_eq!(world.ids(), set([4, 6]), "{result:?}");
        assert_eq!(world.files("thumbs"), paths(["1.jpg", "2.jpg", "4.jpg"]));
        let tally = &result.policies[0].tally;
        assert_eq!((tally.rows_deleted, tally.rows_unmapped, tally.files_outside), (7, 1, 7));
    }

    async fn f43_nothing_goes_where_no_row_maps(db) {
        let mut world = World::new(db);
        world.create_items();
        for id in 1..=45 {
            world.put("thumbs", &format!("{id}.jpg"), 1);
        }
        let (old, path) = (world.days_ago(40.0), if world.db.kind().is_mysql() { "CONCAT(n, '.jpg')" } else { "n || '.jpg'" });
        world.db.insert_series("item (id, at, thumb)", &format!("n, {old}, {path}"), 1..=45);
        world.declare(&format!("{WITH_FILES}batch = 10\n"));
        for _ in 0..2 {
            let (listed, result) = plan_and_run(&world).await;
            assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
            assert!(listed.is_empty());
            assert_eq!((world.ids().len(), world.files("thumbs").len()), (45, 45));
            let policy = &result.policies[0];
            assert_eq!((policy.tally.rows_matched, policy.tally.rows_unmapped, policy.error_count), (0, 45, 45));
        }
    }

    async fn f43_a_parent_stays_for_its_childs_path(db) {
        let mut world = World::new(db);
        world.create_items();
        // One child by the policy, one by the database alone, which has a child of its own.
        world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER, image VARCHAR(50))");
        world.db.execute(
            "CREATE TABLE frame (id INTEGER PRIMARY KEY, item_id INTEGER, FOREIGN KEY (item_id) REFERENCES item (id) ON DELETE CASCADE)",
        );
        world.db.execute(
            "CREATE TABLE crop (id INTEGER PRIMARY KEY, frame_id INTEGER, image VARCHAR(50), \
             FOREIGN KEY (frame_id) REFERENCES frame (id) ON DELETE CASCADE)",
        );
        for id in 1..=5 {
            world.item(id, 40.0, None, None);
            world.put("images", &format!("p{id}.png"), 1);
            world.put("images", &format!("c{id}.png"), 1);
            world.db.execute(&format!("INSERT INTO frame VALUES ({id}, {id})"));
        }
        world.db.execute("INSERT INTO part VALUES (1, 1, 'p1.png'), (2, 2, '/old/p2.png'), (3, 3, 'p3.png'), (4, 2, 'p4.png')");
        world.db.execute("INSERT INTO crop VALUES (1, 1, 'c1.png'), (2, 3, '../c3.png'), (3, 4, NULL), (4, 5, 'c5.png')");
        world.reference("images", "crop", "image").reference("images", "part", "image");
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
             children = [{ table = \"part\", column = \"item_id\", files = [{ store = \"images\", column = \"image\" }] }]\n",
        );
        let (listed, result) = plan_and_run(&world).await;
        assert_eq!(world.ids(), set([2, 3]), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM part ORDER BY id"), ["2", "3", "4"]);
        assert_eq!(world.db.column("SELECT id FROM frame ORDER BY id"), ["2", "3"]);
        assert_eq!(world.db.column("SELECT id FROM crop ORDER BY id"), ["2"]);
        assert_eq!(world.files("images"), paths(["c2.png", "c3.png", "c4.png", "p2.png", "p3.png", "p4.png", "p5.png"]));
        assert!(listed.contains("crop 1") && !listed.contains("crop 2") && !listed.contains("part 4"), "{listed:?}");
        let policy = &result.policies[0];
        assert_eq!((policy.tally.rows_deleted, policy.tally.rows_unmapped), (3, 2));
        assert_eq!(keys(&policy.errors), [("2", "/old/p2.png"), ("2", "../c3.png")].map(|(key, path)| (key.to_owned(), path.to_owned())).into());
        assert!(policy.errors.iter().all(|failure| failure.reason.as_deref() == Some("unmapped")), "{policy:?}");
    }

    async fn f43_an_update_leaves_such_rows_as_they_are(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("thumbs", "1.jpg", 1);
        world.item(1, 40.0, Some("data/thumbs/1.jpg"), None);
        world.item(2, 40.0, Some("elsewhere/2.jpg"), None);
        world.item(3, 40.0, None, None);
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
             where = \"note <> 'gone'\"\naction = \"update\"\nset = { note = \"gone\" }\n\
             files = [{ store = \"thumbs\", column = \"thumb\" }]\n",
        );
        let (_, result) = plan_and_run(&world).await;
        assert_eq!(world.db.column("SELECT id FROM item WHERE note = 'gone' ORDER BY id"), ["1", "3"], "{result:?}");
        assert_eq!((result.policies[0].tally.rows_updated, result.policies[0].tally.rows_unmapped), (2, 1));
        assert_eq!((result.status, world.files("thumbs")), (Some(Status::CompletedWithErrors), paths([])));
    }

    async fn f43_values_that_make_no_path_keep_their_row(db) {
        let mut world = World::new(db);
        world.create_items();
        for (id, note) in [(1, "'a'"), (2, "'a/b'"), (3, "'..'"), (4, "NULL"), (5, "''")] {
            world.item(id, 40.0, None, None);
            world.db.execute(&format!("UPDATE item SET note = {note} WHERE id = {id}"));
        }
        world.put("images", "of/a.png", 1);
        world.put("images", "of/a/b.png", 1);
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
             files = [{ store = \"images\", path = \"of/{note}.png\" }]\n",
        );
        let (_, result) = plan_and_run(&world).await;
        assert_eq!(world.ids(), set([2, 3]), "{result:?}");
        assert_eq!((result.policies[0].tally.rows_unmapped, world.files("images")), (2, paths(["of/a/b.png"])));
    }

    async fn f43_a_path_into_one_store_concerns_no_other(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("thumbs", "1.jpg", 1);
        world.put("images", "2.png", 1);
        let absolute = world.root("images").join("2.png");
        world.item(1, 40.0, Some("data/thumbs/1.jpg"), None);
        world.item(2, 40.0, Some(absolute.to_str().unwrap()), None);
        world.item(3, 40.0, Some("/nowhere/3.png"), None);
        world.references = ["thumb", "thumb"];
        world.declare(
            "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
             where = \"id > 1\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }, { store = \"images\", column = \"thumb\" }]\n",
        );
        let (_, result) = plan_and_run(&world).await;
        assert_eq!((world.ids(), world.files("images")), (set([1, 3]), paths([])), "{result:?}");
        assert_eq!((result.policies[0].tally.rows_unmapped, result.policies[0].error_count), (1, 2));
    }
}
