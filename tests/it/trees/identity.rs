//! A root that is not the one that was adopted (D3): nothing in it is touched.

use std::process::Command;

use serde_json::json;

use super::*;
use crate::engines::EngineKind;
use crate::needs::Need;
use crate::world::paths;

/// A file system in memory over a directory, for as long as this lives.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn over(path: &'a Path) -> Self {
        let status = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(path).status().unwrap();
        assert!(status.success(), "these tests mount file systems, which takes root");
        Self(path)
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg(self.0).status().unwrap().success());
    }
}

/// An old file that a row names in each store; every policy may delete all but that.
fn world() -> World {
    let mut world = linked(Database::create(EngineKind::Sqlite));
    world.db.execute("CREATE TABLE thumb (id INTEGER PRIMARY KEY, path VARCHAR(50))");
    world.db.execute("INSERT INTO thumb VALUES (1, 'data/thumbs/1.jpg')");
    world.reference("thumbs", "thumb", "path");
    put_aged(&world, "thumbs", "1.jpg", 9.0);
    put_aged(&world, "images", "1.png", 9.0);
    link(&world, "1.png");
    world
}

fn both_kinds() -> [String; 2] {
    let files =
        "[policies.files]\nkind = \"files\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"enforce\"\n".to_owned();
    [format!("{ORPHANS}max_fraction = 1.0\n"), files]
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_a_root_without_a_marker_blocks() {
    for policy in both_kinds() {
        let mut world = world();
        put_aged(&world, "images", "live.png", 9.0);
        world.declare(&policy);
        assert_blocked(&blocked(&world).await, "not_adopted", json!({ "store": "images" }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_a_report_needs_no_marker() {
    for policy in both_kinds() {
        let mut world = world();
        put_aged(&world, "images", "orphan.png", 9.0);
        world.declare(&policy.replace("enforce", "report"));
        let result = run(&world).await;
        assert_eq!((result.policies[0].tally.files_matched, result.totals.files_deleted), (1, 0), "{result:?}");
        assert!(!world.root("images").join(".retaind").exists(), "a report writes nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_stores_that_changed_places_block() {
    for policy in both_kinds() {
        let mut world = world();
        world.declare(&policy);
        adopt(&world, "images");
        adopt(&world, "thumbs");
        let place = |name: &str| world.dir.join(name);
        std::fs::rename(place("images"), place("aside")).unwrap();
        std::fs::rename(place("thumbs"), place("images")).unwrap();
        std::fs::rename(place("aside"), place("thumbs")).unwrap();
        assert_blocked(
            &blocked(&world).await,
            "other_store",
            json!({ "store": "images", "mismatch": "store", "marked": "thumbs" }),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_a_disk_that_is_not_mounted_blocks() {
    needs!(Need::Root);
    for policy in both_kinds() {
        let mut world = world();
        // Left on the root file system by something that wrote while the disk was away.
        put_aged(&world, "images", "beneath.png", 9.0);
        world.declare(&policy);
        {
            let root = world.root("images");
            let _disk = Mounted::over(&root);
            put_aged(&world, "images", "1.png", 9.0);
            put_aged(&world, "images", "orphan.png", 9.0);
            adopt(&world, "images");
            run(&world).await;
            assert_eq!(files(&world, "images"), paths(["1.png"]));
        }
        assert_blocked(&blocked(&world).await, "not_adopted", json!({ "doubt": "not_adopted" }));
        assert_eq!(files(&world, "images"), paths(["1.png", "beneath.png"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_another_disk_with_a_copied_marker_blocks() {
    needs!(Need::Root);
    for policy in both_kinds() {
        let mut world = world();
        world.declare(&policy);
        adopt(&world, "images");
        let root = world.root("images");
        let copy = world.dir.join("copy");
        assert!(Command::new("cp").arg("-a").args([root.join(".retaind"), copy.clone()]).status().unwrap().success());
        let _disk = Mounted::over(&root);
        assert!(Command::new("cp").arg("-a").args([copy, root.join(".retaind")]).status().unwrap().success());
        put_aged(&world, "images", "live.png", 9.0);
        put_aged(&world, "images", "1.png", 9.0);
        assert_blocked(&blocked(&world).await, "other_store", json!({ "mismatch": "file_system" }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_a_root_that_is_gone_blocks() {
    for policy in both_kinds() {
        let mut world = world();
        world.declare(&policy);
        adopt(&world, "images");
        // The configuration is written while the root is there; then it goes.
        world.config_file();
        std::fs::rename(world.root("images"), world.dir.join("elsewhere")).unwrap();
        let result = world.run().await;
        std::fs::rename(world.dir.join("elsewhere"), world.root("images")).unwrap();
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "store_unavailable", json!({ "store": "images", "source": null }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_a_marker_that_is_no_marker_blocks() {
    for policy in both_kinds() {
        let mut world = world();
        world.declare(&policy);
        std::fs::create_dir(world.root("images").join(".retaind")).unwrap();
        std::fs::write(world.root("images").join(".retaind/store.json"), "{}").unwrap();
        assert_blocked(&blocked(&world).await, "store_unavailable", json!({ "doubt": "unreadable" }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f27_a_blocked_run_leaves_a_copys_trash_alone() {
    for policy in both_kinds() {
        let mut world = world();
        world.declare(&policy);
        keep_trash(&world, "images");
        keep_trash(&world, "thumbs");
        adopt(&world, "images");
        let dir = world.dir.clone();
        let trashed = |store: &str| dir.join(store).join(".retaind/trash/01936bb2-3d1e-7cc0-8c3f-1f2e3d4c5b6a/1.jpg");
        for store in ["images", "thumbs"] {
            std::fs::create_dir_all(trashed(store).parent().unwrap()).unwrap();
            std::fs::write(trashed(store), "x").unwrap();
        }
        world.clock = retaind::clock::Clock::manual(world.clock.now() + Duration::from_secs(30 * 86_400));
        let (root, aside) = (world.root("images"), world.dir.join("aside"));
        std::fs::rename(&root, &aside).unwrap();
        assert!(Command::new("cp").arg("-a").args([&aside, &root]).status().unwrap().success());
        assert_blocked(&blocked(&world).await, "other_store", json!({ "mismatch": "copy" }));
        assert!(trashed("images").exists() && trashed("thumbs").exists(), "a blocked run touches nothing");
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::rename(&aside, &root).unwrap();
        let result = run(&world).await;
        assert_eq!(result.trash_emptied.len(), 1, "{result:?}");
        assert!(!trashed("images").exists() && trashed("thumbs").exists(), "of the store that the run works in");
    }
}
