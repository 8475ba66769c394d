//! Policies of files whose reasons depend on the machine: room on the file system, files held open, directories left
//! empty.

use std::process::Command;

use super::*;
use crate::engines::EngineKind;
use crate::needs::Need;
use crate::world::paths;

fn world() -> World {
    World::by_mtime(Database::create(EngineKind::Sqlite))
}

#[tokio::test(flavor = "multi_thread")]
async fn room_is_made_oldest_first_up_to_need() {
    needs!(Need::Root);
    for trash in [false, true] {
        let mut world = world();
        let root = world.root("images");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1024k", "none"]).arg(&root).status().unwrap();
        assert!(mount.success(), "this test mounts a file system, which takes root");
        let bypass = if trash { "bypass_trash = true" } else { "" };
        if trash {
            keep_trash(&world, "images");
        }
        world.declare(&format!(
            "[policies.room]\nkind = \"files\"\nstore = \"images\"\nmin_free = \"50%\"\nkeep_last = 1\n{bypass}\n"
        ));
        for n in 1..=6 {
            world.put("images", &format!("{n}.bin"), 128 * 1024);
            age(&root.join(format!("{n}.bin")), f64::from(n));
        }
        adopt(&world, "images");
        // 256 KiB are free, less what the marker takes; the three oldest make it half and a little more.
        let (plan, _) = world.plan().await;
        let result = run(&world).await;
        let left = files(&world, "images");
        let again = run(&world).await;
        assert!(Command::new("umount").arg(&root).status().unwrap().success());
        assert_eq!(left, paths(["1.bin", "2.bin", "3.bin"]));
        assert_eq!(result.totals.bytes_reclaimed, 3 * 128 * 1024, "{result:?}");
        assert_eq!(plan.policies[0].tally.files_matched, 3, "{plan:?}");
        assert_eq!(again.totals.files_deleted, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_file_stays_until_it_is_closed() {
    for open in ["skip", "delete"] {
        let mut world = world();
        put_aged(&world, "images", "open.log", 9.0);
        put_aged(&world, "images", "closed.log", 9.0);
        world.declare(&format!(
            "[policies.logs]\nkind = \"files\"\nstore = \"images\"\nkeep = \"1d\"\nmatch = \"**/*.log\"\nopen = \"{open}\"\n"
        ));
        adopt(&world, "images");
        let held = std::fs::File::open(world.root("images").join("open.log")).unwrap();
        let (_, listed) = world.plan().await;
        let result = run(&world).await;
        let expected = if open == "skip" { paths(["open.log"]) } else { paths([]) };
        assert_eq!(files(&world, "images"), expected);
        assert_eq!(listed.len() as u64, result.totals.files_deleted);
        drop(held);
        run(&world).await;
        assert_eq!(files(&world, "images"), paths([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn emptied_directories_go_where_asked_for() {
    for prune in [false, true] {
        let mut world = world();
        for (path, days) in [("a/b/old.log", 9.0), ("a/c/young.log", 0.1), ("d/other.txt", 9.0), ("e/f/g/old.log", 9.0)]
        {
            put_aged(&world, "images", path, days);
        }
        std::fs::create_dir(world.root("images").join("fresh")).unwrap();
        world.declare(&format!(
            "[policies.logs]\nkind = \"files\"\nstore = \"images\"\nkeep = \"1d\"\nmatch = \"**/*.log\"\nprune_empty = {prune}\n"
        ));
        adopt(&world, "images");
        run(&world).await;
        assert_eq!(files(&world, "images"), paths(["a/c/young.log", "d/other.txt"]));
        let there = |path: &str| world.root("images").join(path).exists();
        assert_eq!([there("a/b"), there("e")], [!prune, !prune]);
        assert!(there("fresh") && there("d") && there("a/c"), "what was empty before may be about to be filled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_named_file_is_never_too_old() {
    let mut world = linked(Database::create(EngineKind::Sqlite));
    put_aged(&world, "images", "named.log", 9.0);
    put_aged(&world, "images", "free.log", 9.0);
    link(&world, "./named.log");
    world.declare("[policies.logs]\nkind = \"files\"\nstore = \"images\"\nkeep = \"1d\"\n");
    adopt(&world, "images");
    let result = run(&world).await;
    assert_eq!(files(&world, "images"), paths(["named.log"]));
    assert_eq!(result.policies[0].tally.files_referenced, 1, "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d13_a_plan_omits_what_earlier_policies_would_take() {
    let mut world = world();
    for (path, days) in [("oldest.png", 9.0), ("older.log", 1.0), ("newest.log", 0.5)] {
        world.put("images", path, 4096);
        age(&world.root("images").join(path), days);
    }
    let policy = |name: &str| format!("[policies.{name}]\nkind = \"files\"\nstore = \"images\"\n");
    world.declare(&format!("{}match = \"*.log\"\nkeep_last = 1\n", policy("logs")));
    // Without older.log there is room enough for the oldest.
    world.declare(&format!("{}max_total = \"8KiB\"\n", policy("room")));
    adopt(&world, "images");
    let (plan, listed) = world.plan().await;
    let result = run(&world).await;
    assert_eq!(files(&world, "images"), paths(["oldest.png", "newest.log"]));
    assert_eq!((listed.len(), plan.totals.files_deleted, result.totals.files_deleted), (1, 1, 1), "{listed:?}");
}
