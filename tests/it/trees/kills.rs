//! The binary, really killed in the middle of scans, of policies of files, and of a restore: nothing that a row names is
//! lost, and the next run finishes the work.

use std::process::{Command, Stdio};

use super::*;
use crate::binary::{self, RETAIND};
use crate::engines::EngineKind;
use crate::world::effort;

const FILES: u64 = 900;

/// Every third file is named by a row; all are old, and each holds its own path.
fn world(policy: &str, trash: bool) -> World {
    let mut world = linked(Database::create(EngineKind::Sqlite));
    world.db.insert_series("link (id, path)", "n * 3, ((n * 3) % 40) || '/' || (n * 3) || '.bin'", 0..=FILES / 3 - 1);
    world.declare(policy);
    if trash {
        keep_trash(&world, "images");
    }
    fill(&world);
    adopt(&world, "images");
    world
}

fn path(n: u64) -> String {
    format!("{}/{n}.bin", n % 40)
}

fn all() -> BTreeSet<String> {
    (0..FILES).map(path).collect()
}

fn named() -> BTreeSet<String> {
    (0..FILES).step_by(3).map(path).collect()
}

/// Puts back what is not there.
fn fill(world: &World) {
    for n in 0..FILES {
        let file = world.root("images").join(path(n));
        if !file.exists() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, path(n)).unwrap();
            age(&file, 9.0);
        }
    }
    std::thread::sleep(Duration::from_millis(25));
}

fn retaind(world: &World, arguments: &[&str]) -> Command {
    let mut command = binary::command(RETAIND);
    command.args(arguments).arg("--config").arg(world.dir.join("retaind.toml"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Kills it after so long; whether it was still alive.
fn kill(mut command: Command, after: Duration) -> bool {
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after);
    let alive = child.try_wait().unwrap().is_none();
    if alive {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    alive
}

/// A moment before `longest`, by a generator of our own, so that a failure can be had again.
fn moment(state: &mut u64, longest: Duration) -> Duration {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    Duration::from_micros(2_000 + (*state >> 33) % (longest.as_micros() as u64))
}

/// What lies in the trash, of all runs.
fn trashed(world: &World) -> BTreeSet<String> {
    let in_trash = world.files("images").into_iter();
    in_trash.filter_map(|path| Some(path.strip_prefix(".retaind/trash/")?.split_once('/')?.1.to_owned())).collect()
}

fn finish(world: &World) {
    let output = retaind(world, &["run", "it", "--json"]).stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn killed(policy: &str, trash: bool, kills: u32) {
    let world = world(policy, trash);
    let began = std::time::Instant::now();
    finish(&world);
    let whole = began.elapsed() + Duration::from_millis(20);
    assert_eq!(files(&world, "images"), named());
    let (mut done, mut state) = (0, 0x9E37_79B9_7F4A_7C15);
    while done < kills {
        let _ = std::fs::remove_dir_all(world.root("images").join(".retaind/trash"));
        fill(&world);
        done += u32::from(kill(retaind(&world, &["run", "it"]), moment(&mut state, whole)));
        let left = files(&world, "images");
        assert!(left.is_superset(&named()), "live files lost: {:?}", named().difference(&left).collect::<Vec<_>>());
        if trash {
            let kept: BTreeSet<_> = left.union(&trashed(&world)).cloned().collect();
            assert_eq!(kept, all(), "what is not in the store is in the trash");
            assert!(left.is_disjoint(&trashed(&world)), "nothing is in both");
        }
        finish(&world);
        assert_eq!(files(&world, "images"), named());
    }
}

const ORPHANS: &str =
    "[policies.it]\nkind = \"orphans\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"enforce\"\nmax_fraction = 1.0\n";
const OLD: &str = "[policies.it]\nkind = \"files\"\nstore = \"images\"\nkeep = \"1d\"\nprune_empty = true\n";

#[test]
fn kills_during_scans_lose_nothing_that_is_named() {
    killed(ORPHANS, false, effort(10));
}

#[test]
fn kills_during_scans_into_the_trash_lose_nothing() {
    killed(ORPHANS, true, effort(10));
}

#[test]
fn kills_during_policies_of_files_lose_nothing_named() {
    killed(OLD, false, effort(5));
    killed(OLD, true, effort(5));
}

#[test]
fn killed_restores_lose_nothing_and_are_finished_next() {
    let world = world(ORPHANS, true);
    let (mut done, mut state) = (0, 0x0123_4567_89AB_CDEF);
    let trash = world.root("images").join(".retaind/trash");
    while done < effort(8) {
        finish(&world);
        let runs: Vec<_> = std::fs::read_dir(&trash).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        let run = runs[0].to_str().unwrap();
        done += u32::from(kill(retaind(&world, &["restore", run]), moment(&mut state, Duration::from_millis(150))));
        let kept: BTreeSet<_> = files(&world, "images").union(&trashed(&world)).cloned().collect();
        assert_eq!(kept, all());
        // Where all was back already, there is nothing left of the run.
        if trash.join(run).exists() {
            assert!(retaind(&world, &["restore", run]).status().unwrap().success());
        }
        assert_eq!(files(&world, "images"), all());
        assert_eq!(trashed(&world), BTreeSet::new());
        let whole = |path: &String| std::fs::read_to_string(world.root("images").join(path)).unwrap() == *path;
        assert!(all().iter().all(whole), "each file is what it was");
    }
}
