//! Which times of a file its age goes by (F7, D22).

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::engines::{Database, EngineKind};
use crate::world::{BY_MTIME, paths};
use retaind::clock::Clock;

fn world(policy: &str) -> World {
    let mut world = linked(Database::create(EngineKind::Sqlite));
    world.store_keys = "";
    world.declare(policy);
    world.put("images", "named.jpg", 1);
    link(&world, "named.jpg");
    adopt(&world, "images");
    world
}

fn orphans(keep: &str) -> String {
    ORPHANS.replace("1d", keep) + "max_fraction = 1.0\n"
}

fn aged(keep: &str) -> String {
    format!("[policies.files]\nkind = \"files\"\nstore = \"images\"\nkeep = \"{keep}\"\nmode = \"enforce\"\n")
}

/// Lets time go by for retaind, and leaves the files as they are.
fn later(world: &mut World, days: u64) {
    world.clock = Clock::manual(world.clock.now() + Duration::from_secs(days * 86_400));
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_d22_an_old_file_copied_today_has_grace() {
    for policy in [orphans("48h"), aged("48h")] {
        let mut world = world(&policy);
        put_aged(&world, "images", "copied.jpg", 1100.0);
        put_aged(&world, "images", "d/copied.jpg", 3.0);
        let (plan, _) = world.plan().await;
        let result = run(&world).await;
        for result in [&plan, &result] {
            let tally = &result.policies[0].tally;
            assert_eq!((tally.files_matched, tally.files_recently_changed), (0, 2), "{result:?}");
        }
        assert_eq!(files(&world, "images"), paths(["copied.jpg", "d/copied.jpg", "named.jpg"]));
        later(&mut world, 3);
        let result = run(&world).await;
        assert_eq!(result.policies[0].tally.files_recently_changed, 0, "{result:?}");
        assert_eq!(files(&world, "images"), paths(["named.jpg"]), "once the grace is over it goes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_a_store_may_go_by_writing_time_alone() {
    for policy in [orphans("48h"), aged("48h")] {
        let mut world = world(&policy);
        world.store_keys = BY_MTIME;
        put_aged(&world, "images", "copied.jpg", 3.0);
        put_aged(&world, "images", "written.jpg", 1.0);
        let result = run(&world).await;
        assert_eq!(result.policies[0].tally.files_recently_changed, 0, "{result:?}");
        assert_eq!(files(&world, "images"), paths(["named.jpg", "written.jpg"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_changed_rights_or_names_keep_only_orphans() {
    for (policy, survivors) in
        [(orphans("2s"), paths(["moved.jpg", "named.jpg", "opened.jpg"])), (aged("2s"), paths(["named.jpg"]))]
    {
        let world = world(&policy);
        for name in ["opened.jpg", "rotated.jpg", "plain.jpg"] {
            world.put("images", name, 1);
        }
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let path = |name: &str| world.root("images").join(name);
        std::fs::set_permissions(path("opened.jpg"), std::fs::Permissions::from_mode(0o640)).unwrap();
        std::fs::rename(path("rotated.jpg"), path("moved.jpg")).unwrap();
        let result = run(&world).await;
        let recent = result.policies[0].tally.files_recently_changed;
        assert_eq!((files(&world, "images"), recent), (survivors.clone(), survivors.len() as u64 - 1), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f7_a_copied_directory_stays_whole() {
    let mut world = world(&orphans("48h"));
    world.db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY)");
    world.db.execute("INSERT INTO job VALUES (1)");
    world.reference_entry("images", "{ source = \"app\", table = \"job\", path = \"jobs/{id}\", directory = true }");
    put_aged(&world, "images", "jobs/1/a.jpg", 9.0);
    put_aged(&world, "images", "jobs/2/a.jpg", 9.0);
    run(&world).await;
    assert_eq!(files(&world, "images"), paths(["jobs/1/a.jpg", "jobs/2/a.jpg", "named.jpg"]));
    later(&mut world, 3);
    run(&world).await;
    assert_eq!(files(&world, "images"), paths(["jobs/1/a.jpg", "named.jpg"]));
}
