//! Files that go with rows: shared ones, missing ones, strange ones, hostile ones.

use std::os::unix::fs::symlink;

use crate::decided::assert_blocked;
use serde_json::json;

use retaind::outcome::{Failure, Status};

use crate::engines::EngineKind;
use crate::needs::Need;
use crate::world::{World, paths, set};

pub const WITH_FILES: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
     files = [{ store = \"thumbs\", column = \"thumb\" }, { store = \"images\", column = \"image\" }]\n";

for_each_engine! {
    async fn files_go_with_their_rows_and_others_stay(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("thumbs", "a/1.jpg", 10);
        world.put("thumbs", "a/2.jpg", 20);
        world.put("thumbs", "a/nobody.jpg", 20);
        world.put("images", "1.png", 100);
        world.put("images", "2.png", 200);
        world.item(1, 40.0, Some("data/thumbs/a/1.jpg"), Some("1.png"));
        world.item(2, 10.0, Some("data/thumbs/a/2.jpg"), Some("2.png"));
        world.item(3, 40.0, None, None);
        world.item(4, 40.0, Some(""), Some("gone.png"));
        world.declare(WITH_FILES);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), set([2]));
        assert_eq!(world.files("thumbs"), paths(["a/2.jpg", "a/nobody.jpg"]));
        assert_eq!(world.files("images"), paths(["2.png"]));
        let tally = &result.policies[0].tally;
        assert_eq!((tally.rows_deleted, tally.files_matched, tally.files_deleted, tally.files_missing), (3, 3, 2, 1));
        assert_eq!(tally.bytes_reclaimed, 110);
        assert!(world.ledger().await.owed().await.unwrap().is_empty());
    }

    async fn absolute_paths_below_the_root_map(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("thumbs", "1.jpg", 10);
        let absolute = world.root("thumbs").join("1.jpg");
        world.item(1, 40.0, Some(absolute.to_str().unwrap()), None);
        world.declare(WITH_FILES);
        let result = world.run().await;
        assert_eq!((result.status, result.totals.files_deleted), (Some(Status::Completed), 1), "{result:?}");
    }

    async fn g3_a_file_that_a_young_row_names_stays(db) {
        let mut world = World::new(db);
        world.create_items();
        for file in ["shared.jpg", "odd.jpg", "both.jpg", "absolute.jpg"] {
            world.put("thumbs", file, 10);
        }
        let absolute = world.root("thumbs").join("absolute.jpg");
        world.item(1, 40.0, Some("data/thumbs/shared.jpg"), None);
        world.item(2, 10.0, Some("data/thumbs/shared.jpg"), None);
        world.item(3, 40.0, Some("data/thumbs/odd.jpg"), None);
        world.item(4, 10.0, Some("data/./thumbs//x/../odd.jpg"), None);
        world.item(5, 40.0, Some("data/thumbs/both.jpg"), None);
        world.item(6, 50.0, Some("data/thumbs/both.jpg"), None);
        world.item(7, 40.0, Some("data/thumbs/absolute.jpg"), None);
        world.item(8, 10.0, Some(absolute.to_str().unwrap()), None);
        world.declare(&format!("{WITH_FILES}batch = 1\n"));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), set([2, 4, 8]));
        assert_eq!(world.files("thumbs"), paths(["shared.jpg", "odd.jpg", "absolute.jpg"]));
        assert_eq!(result.policies[0].tally.files_deleted, 1);
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    }

    async fn g4_what_is_not_a_store_file_is_kept(db) {
        let mut world = World::new(db);
        world.create_items();
        std::fs::write(world.dir.join("secret"), "s").unwrap();
        std::fs::create_dir(world.root("images").join("dir")).unwrap();
        std::fs::write(world.root("images").join("dir/inner"), "i").unwrap();
        symlink(world.dir.join("secret"), world.root("images").join("link")).unwrap();
        symlink(&world.dir, world.root("images").join("out")).unwrap();
        let secret = world.dir.join("secret");
        let hostile = ["../secret", secret.to_str().unwrap(), "dir", "link", "out/secret", "a/../../secret", "/", ".", ".retaind/x"];
        for (n, path) in hostile.iter().enumerate() {
            world.item(n as u64 + 1, 40.0, None, Some(path));
        }
        world.item(50, 40.0, Some("no/prefix.jpg"), None);
        world.declare(WITH_FILES);
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        // Rows whose paths are none of the store's stay, and may mean `out/secret` by the name that they end with; of the others
        // what is no file stays, and is tried again.
        assert_eq!(world.ids(), set([1, 2, 6, 7, 8, 9, 50]));
        assert!(secret.exists() && world.root("images").join("dir/inner").exists());
        assert!(world.root("images").join("link").is_symlink());
        let result = &result.policies[0];
        assert_eq!(result.error_count, hostile.len() as u64, "{result:?}");
        assert_eq!(result.tally.files_deleted, 0);
        for failure in &result.errors {
            let is_kept = matches!(failure.reason.as_deref(), Some("unmapped" | "other_kind"));
            assert!(failure.key.is_some() && failure.path.is_some() && is_kept, "{failure:?}");
        }
        let sorted = |errors: &[Failure]| {
            let mut errors: Vec<_> = errors.iter().map(|failure| (failure.key.clone(), failure.error.clone())).collect();
            errors.sort();
            errors
        };
        let planned = retaind::outcome::Tally { files_pending: 2, ..plan.policies[0].tally.clone() };
        assert_eq!((sorted(&plan.policies[0].errors), planned), (sorted(&result.errors), result.tally.clone()));
        assert_eq!((result.tally.rows_unmapped, result.tally.files_pending), (7, 2));
        let owed = world.ledger().await.owed().await.unwrap();
        assert_eq!(owed.iter().map(|(_, files)| files).sum::<u64>(), 2, "a directory and a link");
    }

    async fn a_file_written_after_the_decision_is_kept(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("images", "1.png", 1);
        world.item(1, 40.0, None, Some("1.png"));
        world.declare(WITH_FILES);
        let ledger = world.ledger().await;
        // The intents are recorded with this clock; the file is younger than that.
        world.clock = retaind::clock::Clock::manual(world.clock.now().checked_sub(std::time::Duration::from_secs(20)).unwrap());
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(result.policies[0].errors[0].reason.as_deref(), Some("written_later"), "{result:?}");
        assert_eq!(world.files("images"), paths(["1.png"]));
        assert!(ledger.owed().await.unwrap().is_empty());
    }

    async fn d3_a_missing_store_blocks_before_any_row(db) {
        let mut world = World::new(db);
        world.create_items();
        world.item(1, 40.0, None, Some("1.png"));
        std::fs::remove_dir(world.root("images")).unwrap();
        world.declare(WITH_FILES);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "store_unavailable", json!({ "store": "images" }));
        assert_eq!(world.ids(), set([1]));
    }

    async fn d1_a_reference_that_is_not_there_blocks(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("images", "1.png", 1);
        world.item(1, 40.0, None, Some("1.png"));
        world.references = ["thumb", "picture"];
        world.declare(WITH_FILES);
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "store_unavailable", json!({ "reference": ".item.picture" }));
        assert_eq!((world.ids(), world.files("images")), (set([1]), paths(["1.png"])));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unremovable_file_is_pending_and_tried_again() {
    needs!(Need::Root);
    let mut world = World::new(crate::engines::Database::create(EngineKind::Sqlite));
    world.create_items();
    world.put("images", "d/1.png", 7);
    world.item(1, 40.0, None, Some("d/1.png"));
    world.declare(WITH_FILES);
    let immutable = |flag: &str| {
        let dir = world.root("images").join("d");
        assert!(std::process::Command::new("chattr").arg(flag).arg(dir).status().unwrap().success());
    };
    immutable("+i");
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
    assert_eq!((result.totals.rows_deleted, result.policies[0].tally.files_pending), (1, 1));
    let again = world.run().await;
    assert_eq!(
        again.status,
        Some(Status::CompletedWithErrors),
        "the operator hears of it until it is mended: {again:?}"
    );
    immutable("-i");
    let third = world.run().await;
    assert_eq!(third.status, Some(Status::Completed), "{third:?}");
    assert_eq!(world.files("images"), paths([]));
    let ledger = world.ledger().await;
    assert!(ledger.owed().await.unwrap().is_empty());
    // The file counts for the run whose row deletion owed it.
    let first = ledger.run(&result.run_id.to_string()).await.unwrap().unwrap();
    assert_eq!((first.totals.rows_deleted, first.totals.files_deleted, first.totals.bytes_reclaimed), (1, 1, 7));
}
