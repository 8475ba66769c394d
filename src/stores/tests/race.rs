//! A directory that is swapped for a symbolic link, and back, as fast as the kernel can, while files in it are removed.

use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use super::*;

const FILES: usize = 64;
const LASTS: Duration = Duration::from_millis(1200);

/// Swaps two names until told to stop.
fn swap(a: &Path, b: &Path, stop: &AtomicBool) -> u64 {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
    }
    swaps
}

#[derive(Default)]
struct Seen {
    removed: u64,
    kept: u64,
}

async fn remove_while_swapped(world: &World, asked: &[String], real: &OwnedFd, stop: &AtomicBool) -> Seen {
    let store = world.open();
    let (begin, mut seen) = (Instant::now(), Seen::default());
    while begin.elapsed() < LASTS {
        for file in 0..FILES {
            let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(real, file.to_string(), create, Mode::RUSR | Mode::WUSR).unwrap();
        }
        for (path, outcome) in store.remove(files(asked), later(), Way::Unlink, &never()).await {
            match outcome {
                Outcome::Removed { .. } => seen.removed += 1,
                Outcome::Kept(_) | Outcome::Mismatch(_) => seen.kept += 1,
                Outcome::Missing => {}
                Outcome::Failed(_) | Outcome::Trashed { .. } | Outcome::Partly(_) | Outcome::Stopped => {
                    panic!("{path}: {outcome:?}")
                }
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_directory_swapped_for_a_link_leads_nowhere() {
    for world in World::both_in_memory() {
        for file in 0..FILES {
            write(&world.outside().join(format!("sub/{file}")));
        }
        std::fs::create_dir_all(world.root().join("a/sub")).unwrap();
        symlink(world.outside(), world.root().join("b")).unwrap();
        let asked: Vec<String> =
            (0..FILES).flat_map(|file| [format!("a/sub/{file}"), format!("b/sub/{file}")]).collect();
        let before = names(&world.outside());
        let inodes: Vec<u64> = before.iter().map(|name| inode(&world.outside().join(name))).collect();

        // Held open before the first swap, so that files are written into the real directory whatever its name is.
        let real = world.root().join("a/sub");
        let real = rustix::fs::open(real, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (a, b, told) = (world.root().join("a"), world.root().join("b"), Arc::clone(&stop));
        let swapping = std::thread::spawn(move || swap(&a, &b, &told));
        let seen = remove_while_swapped(&world, &asked, &real, &stop).await;
        let swaps = swapping.join().unwrap();

        assert_eq!(names(&world.outside()), before, "after {swaps} swaps");
        let after: Vec<u64> = before.iter().map(|name| inode(&world.outside().join(name))).collect();
        assert_eq!(after, inodes);
        assert!(
            swaps > 100 && seen.removed > 0 && seen.kept > 0,
            "{swaps} swaps, {} removed, {} kept",
            seen.removed,
            seen.kept
        );
    }
}
