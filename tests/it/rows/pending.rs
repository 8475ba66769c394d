//! Files that a run left pending, and a world that is another one when they could go: nothing is removed, nothing is
//! forgotten, and `status` says what is waited for.

use std::path::PathBuf;
use std::process::Command;

use retaind::decide::pending::StillPending;

use retaind::outcome::{RunMode, Status};
use retaind::run::{Recovery, waits_for};
use retaind::stores::{Marker, OpenStore};

use super::files::WITH_FILES;
use super::recovery::{fill, name, owe};
use crate::world::{World, paths};

/// A policy of nobody's rows, so that only what is pending could go.
async fn world(db: crate::engines::Database) -> World {
    let mut world = World::new(db);
    fill(&world);
    world.declare(WITH_FILES);
    world
}

/// Leaves the files of the first two items pending.
async fn leave_pending(world: &World) {
    owe(world, &[1, 2], None).await;
    world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
}

/// Writes a fragment that is read after the configuration; an empty one takes it away.
fn fragment(world: &World, toml: &str) {
    std::fs::create_dir_all(world.dir.join("conf.d")).unwrap();
    std::fs::write(world.dir.join("conf.d/90-test.toml"), toml).unwrap();
}

async fn recover(world: &World) -> Recovery {
    world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap()
}

/// Asserts that both files are still pending, and why.
async fn stays_pending(world: &World, code: &str) {
    let recovery = recover(world).await;
    assert_eq!((recovery.batches_settled, recovery.files_deleted), (0, 0), "{recovery:?}");
    assert_eq!(recovery.kept[0].why.code(), code, "{recovery:?}");
    let ledger = world.ledger().await;
    assert_eq!(ledger.owed().await.unwrap(), [(name("items"), 2)]);
    let waits = waits_for(&world.settings(), &ledger, &name("items")).await.unwrap();
    assert_eq!(waits.as_ref().map(StillPending::code), Some(code), "{waits:?}");
}

/// Asserts that recovery removes both.
async fn goes(world: &World) {
    let recovery = recover(world).await;
    assert_eq!((recovery.batches_settled, recovery.files_deleted, recovery.kept.len()), (1, 2, 0), "{recovery:?}");
    assert_eq!(files(world), paths(["3.png", "4.png"]));
    assert_eq!(world.ledger().await.owed().await.unwrap(), []);
}

fn files(world: &World) -> std::collections::BTreeSet<String> {
    world.files("images").into_iter().filter(|path| !path.starts_with(".retaind/")).collect()
}

fn adopt(world: &World) {
    let settings = world.settings();
    let open = OpenStore::open(settings.store(&name("images")).unwrap()).unwrap();
    open.adopt(&Marker::new(name("images"), open.here().unwrap(), world.clock.now()), None).unwrap();
}

/// Puts the root aside, and in its place a directory with other files of the same names.
fn swap_for_another(world: &World) -> PathBuf {
    let (root, aside) = (world.root("images"), world.dir.join("aside"));
    std::fs::rename(&root, &aside).unwrap();
    std::fs::create_dir(&root).unwrap();
    for id in 1..=4 {
        world.put("images", &format!("{id}.png"), 7);
    }
    aside
}

/// Puts the root aside, and in its place a copy with all that a copy can have.
fn swap_for_a_copy(world: &World) -> PathBuf {
    let (root, aside) = (world.root("images"), world.dir.join("aside"));
    std::fs::rename(&root, &aside).unwrap();
    assert!(Command::new("cp").arg("-a").args([&aside, &root]).status().unwrap().success());
    aside
}

fn put_back(world: &World, aside: PathBuf) {
    let root = world.root("images");
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::rename(aside, root).unwrap();
}

const EVERYTHING: [&str; 4] = ["1.png", "2.png", "3.png", "4.png"];

for_each_engine! {
    async fn f23_a_brake_holds_and_loses_nothing_pending(db) {
        let world = world(db).await;
        leave_pending(&world).await;
        for (brake, why) in [
            ("[daemon]\nmode = \"report\"", "report_mode"),
            ("[policies.items]\nmode = \"report\"", "report_mode"),
            ("[policies.items]\nenabled = false", "policy_off"),
            ("[policies.items]\ntask = \"night\"\n[tasks.night]\nschedule = \"0 3 * * *\"\nenabled = false", "task_off"),
        ] {
            fragment(&world, brake);
            stays_pending(&world, why).await;
            assert_eq!(files(&world), paths(EVERYTHING), "{brake}");
        }
        fragment(&world, "");
        // A run that only reports, and a plan, remove nothing either.
        let reported = world.runner().await.run(world.request(RunMode::Report)).await.unwrap();
        let (plan, _) = world.plan().await;
        assert_eq!((reported.status, plan.status), (Some(Status::Completed), Some(Status::Completed)));
        assert_eq!(files(&world), paths(EVERYTHING));
        goes(&world).await;
    }

    async fn f22_a_replaced_unadopted_store_keeps_what_is_pending(db) {
        let world = world(db).await;
        leave_pending(&world).await;
        let aside = swap_for_another(&world);
        stays_pending(&world, "other_store").await;
        assert_eq!(files(&world), paths(EVERYTHING), "nothing of another disk goes");
        put_back(&world, aside);
        goes(&world).await;
    }

    async fn f22_an_unmounted_store_loses_nothing_pending(db) {
        let world = world(db).await;
        adopt(&world);
        leave_pending(&world).await;
        let (root, aside) = (world.root("images"), world.dir.join("aside"));
        std::fs::rename(&root, &aside).unwrap();
        world.settings();
        let recovery = recover(&world).await;
        assert!(recovery.batches_settled == 0 && recovery.kept[0].why.code() == "store_unavailable", "{recovery:?}");
        std::fs::create_dir(&root).unwrap();
        stays_pending(&world, "not_adopted").await;
        let run = world.run().await;
        assert_eq!(run.policies[0].tally.files_missing, 0, "an absent file of another disk is not missing: {run:?}");
        put_back(&world, aside);
        goes(&world).await;
    }

    async fn f38_a_copied_store_keeps_what_is_pending(db) {
        let world = world(db).await;
        adopt(&world);
        leave_pending(&world).await;
        let aside = swap_for_a_copy(&world);
        stays_pending(&world, "other_store").await;
        assert_eq!(files(&world), paths(EVERYTHING));
        put_back(&world, aside);
        goes(&world).await;
    }

    async fn f22_adopting_says_the_directory_is_right(db) {
        let world = world(db).await;
        let (root, aside) = (world.root("images"), world.dir.join("aside"));
        assert!(Command::new("cp").arg("-a").args([&root, &aside]).status().unwrap().success());
        leave_pending(&world).await;
        std::fs::remove_dir_all(&root).unwrap();
        std::fs::rename(aside, root).unwrap();
        stays_pending(&world, "other_store").await;
        adopt(&world);
        goes(&world).await;
    }

    async fn f24_uploads_replacing_a_pending_file_await_their_row(db) {
        let world = world(db).await;
        world.put("images", "upload-1", 9);
        world.put("images", "upload-2", 9);
        world.settings();
        leave_pending(&world).await;
        std::thread::sleep(std::time::Duration::from_millis(30));
        for id in [1, 2] {
            std::fs::rename(world.root("images").join(format!("upload-{id}")), world.root("images").join(format!("{id}.png"))).unwrap();
        }
        recover(&world).await;
        assert_eq!(files(&world), paths(EVERYTHING));
        assert_eq!(world.ledger().await.owed().await.unwrap(), [(name("items"), 2)]);
        world.item(9, 1.0, None, Some("1.png"));
        recover(&world).await;
        assert_eq!(files(&world), paths(EVERYTHING));
        assert_eq!(world.ledger().await.owed().await.unwrap(), [(name("items"), 1)], "the one whose row came is nobody's");
    }
}
