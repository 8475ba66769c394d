//! The binary, killed at random moments of a purge, and a world that is another one before it goes on: another directory or
//! another file system in place of a store, or a brake. Nothing of another disk is removed, and nothing is forgotten.
//!
//! `RETAIND_EFFORT=64 cargo test --test it -- f22_f23_kills` is the long form of a thousand kills.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::needs::Need;

/// What is changed after a kill.
#[derive(Debug, Clone, Copy)]
enum Change {
    Nothing,
    /// Another directory with files of the same names.
    Directory,
    /// Another file system with files of the same names.
    Mount,
    /// Nothing may be deleted.
    Brake,
}

const CHANGES: [Change; 4] = [Change::Directory, Change::Nothing, Change::Mount, Change::Brake];

#[test]
fn f22_f23_kills_between_which_stores_come_and_go() {
    needs!(Need::Root);
    for adopted in [false, true] {
        killed(adopted, effort(8));
    }
}

fn killed(adopted: bool, kills: usize) {
    let world = world(EngineKind::Sqlite, 10);
    fill(&world, 1, 400);
    let mut rows = 400;
    if adopted {
        for store in ["thumbs", "images"] {
            let mut adopt = binary::command(RETAIND);
            adopt.args(["adopt", store, "--yes", "--config"]).arg(world.config_file()).stdout(Stdio::null());
            assert!(adopt.status().unwrap().success());
        }
    }
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for kill in 0..kills {
        if world.ids().iter().filter(|id| *id % 4 != 0).count() < 200 {
            fill(&world, rows + 1, rows + 400);
            rows += 400;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = retaind(&world).spawn().expect("retaind starts");
        std::thread::sleep(Duration::from_micros(10_000 + (state >> 33) % 80_000));
        let _ = child.kill();
        child.wait().expect("it ends");
        let change = CHANGES[kill % CHANGES.len()];
        changed(&world, change);
        check_named(&world, change);
    }
    finish(&world);
    let left: Vec<_> = ["thumbs", "images"].into_iter().flat_map(|store| unnamed(&world, store)).collect();
    assert!(left.is_empty(), "adopted {adopted}: forgotten: {left:?}");
}

/// Recovers while the world is another one.
fn changed(world: &World, change: Change) {
    let root = world.root("images");
    match change {
        Change::Nothing => drop(recover(world)),
        Change::Directory => {
            let aside = world.dir.join("aside");
            std::fs::rename(&root, &aside).unwrap();
            std::fs::create_dir(&root).unwrap();
            decoyed(world, &root, &aside);
            std::fs::remove_dir_all(&root).unwrap();
            std::fs::rename(&aside, &root).unwrap();
        }
        Change::Mount => {
            let listed = own_free(world);
            assert!(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&root).status().unwrap().success());
            put_decoys(&root, &listed);
            recover(world);
            let left = own_free(world);
            assert!(Command::new("umount").arg(&root).status().unwrap().success());
            assert_eq!(left, listed, "files of another disk");
        }
        Change::Brake => {
            let fragment = world.dir.join("conf.d/90-brake.toml");
            std::fs::create_dir_all(fragment.parent().unwrap()).unwrap();
            std::fs::write(&fragment, "[daemon]\nmode = \"report\"\n").unwrap();
            let before = (world.files("images"), world.files("thumbs"));
            recover(world);
            assert!(retaind(world).status().unwrap().success());
            assert_eq!(before, (world.files("images"), world.files("thumbs")), "a brake");
            std::fs::remove_file(fragment).unwrap();
        }
    }
}

fn decoyed(world: &World, root: &Path, aside: &Path) {
    let names: BTreeSet<String> = std::fs::read_dir(aside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".retaind")
        .collect();
    put_decoys(root, &names);
    recover(world);
    assert_eq!(own_free(world), names, "files of another directory");
}

fn put_decoys(root: &Path, names: &BTreeSet<String>) {
    names.iter().for_each(|name| std::fs::write(root.join(name), "another").unwrap());
}

/// The files of `images` without what is retaind's own.
fn own_free(world: &World) -> BTreeSet<String> {
    world.files("images").into_iter().filter(|path| !path.starts_with(".retaind/")).collect()
}

fn recover(world: &World) -> retaind::run::Recovery {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap() })
}

/// Every file that a row names is there.
fn check_named(world: &World, change: Change) {
    for store in ["thumbs", "images"] {
        let (named, files) = (named(world, store), world.files(store));
        let without: Vec<_> = named.difference(&files).collect();
        assert!(without.is_empty(), "{change:?} {store}: rows without their files: {without:?}");
    }
}

fn named(world: &World, store: &str) -> BTreeSet<String> {
    let (column, prefix) = if store == "thumbs" { ("thumb", "data/thumbs/") } else { ("image", "") };
    let values = world.db.column(&format!("SELECT {column} FROM item"));
    values.into_iter().map(|value| value.trim_start_matches(prefix).to_owned()).collect()
}

fn unnamed(world: &World, store: &str) -> BTreeSet<String> {
    let files = world.files(store).into_iter().filter(|path| !path.starts_with(".retaind/")).collect::<BTreeSet<_>>();
    files.difference(&named(world, store)).cloned().collect()
}
