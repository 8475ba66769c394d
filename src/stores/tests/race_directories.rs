//! Directories that change as fast as the kernel can while they are removed as a whole.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::fs::{CWD, RenameFlags};

use super::*;

const SWAPS_LAST: Duration = Duration::from_secs(5);
const WRITES_LAST: Duration = Duration::from_secs(2);

/// Swaps pairs of names, where both are there, until told to stop; how often both were.
fn swap(pairs: &[[PathBuf; 2]], stop: &AtomicBool) -> u64 {
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        for [a, b] in pairs {
            swaps += u64::from(rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).is_ok());
        }
    }
    swaps
}

/// A directory whose inner ones have a link to swap places with; with names as they are outside.
fn plant(world: &World) {
    let next = world.root().join("next");
    for file in 0..16 {
        write(&next.join(format!("a/sub/{file}")));
        write(&next.join(format!("d/e/f/{file}")));
    }
    symlink(world.outside(), next.join("b")).unwrap();
    symlink(world.outside(), next.join("d/l")).unwrap();
    // All at once, so that the swaps begin when it is whole.
    std::fs::rename(next, world.root().join("7")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_directories_swapped_for_links_within_lead_nowhere() {
    for world in World::both_in_memory() {
        for file in 0..16 {
            write(&world.outside().join(format!("sub/{file}")));
            write(&world.outside().join(format!("f/{file}")));
        }
        let identities = || {
            let names = names(&world.outside());
            names.into_iter().map(|name| (inode(&world.outside().join(&name)), name)).collect::<Vec<_>>()
        };
        let before = identities();
        let stop = Arc::new(AtomicBool::new(false));
        let top = world.root().join("7");
        let pairs = [[top.join("a"), top.join("b")], [top.join("d/e"), top.join("d/l")]];
        let told = Arc::clone(&stop);
        let swapping = std::thread::spawn(move || swap(&pairs, &told));
        let (begin, store, mut rounds, mut files) = (Instant::now(), world.open(), 0, 0);
        while begin.elapsed() < SWAPS_LAST {
            plant(&world);
            while top.exists() {
                files += files_of(&store.remove(directories(&["7"]), later(), Way::Unlink, &never()).await[0].1);
                assert!(begin.elapsed() < 20 * SWAPS_LAST, "it comes to an end");
            }
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
        let swaps = swapping.join().unwrap();
        assert_eq!(identities(), before, "after {swaps} swaps");
        assert_eq!(files, rounds * 34, "every file and link is counted once");
        assert!(swaps > 100 && rounds > 10, "{swaps} swaps, {rounds} rounds");
    }
}

/// Writes new files into old directories and new ones; those that came about.
fn scribble(top: &Path, stop: &AtomicBool) -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let directory = match number % 3 {
            0 => top.join(format!("{}", number % 50)),
            1 => top.join(format!("{}/deeper", number % 50)),
            _ => top.join(format!("{}/new-{number}", number % 50)),
        };
        // Only in an old directory, which may be gone by now.
        let _ = if number % 3 == 2 { std::fs::create_dir(&directory) } else { Ok(()) };
        let path = directory.join(format!("late-{number}"));
        if std::fs::File::options().write(true).create_new(true).open(&path).is_ok() {
            written.insert(path.strip_prefix(top.parent().unwrap()).unwrap().to_str().unwrap().to_owned());
        }
        // So many that there is something to do, and so few that directories still go.
        std::thread::sleep(Duration::from_micros(50));
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_written_during_removal_is_never_lost() {
    for world in World::both_in_memory() {
        let (begin, mut written_in_all, mut directories_gone) = (Instant::now(), 0, 0);
        while begin.elapsed() < WRITES_LAST || written_in_all == 0 {
            for number in 0..50 {
                for file in 0..10 {
                    world.write(&format!("7/{number}/{file}"));
                    world.write(&format!("7/{number}/deeper/{file}"));
                }
            }
            std::thread::sleep(Duration::from_millis(50));
            let decided_at = Clock::system().now();
            std::thread::sleep(Duration::from_millis(50));
            let stop = Arc::new(AtomicBool::new(false));
            let (top, told) = (world.root().join("7"), Arc::clone(&stop));
            let writing = std::thread::spawn(move || scribble(&top, &told));
            let first = world.open().remove(directories(&["7"]), decided_at, Way::Unlink, &never()).await;
            stop.store(true, Ordering::Relaxed);
            let written = writing.join().unwrap();
            let second = world.open().remove(directories(&["7"]), decided_at, Way::Unlink, &never()).await;
            assert_eq!(world.survivors(), written, "all that is new stays, and nothing else");
            assert_eq!(files_of(&first[0].1) + files_of(&second[0].1), 1000);
            written_in_all += written.len();
            directories_gone += (0..50).filter(|number| !world.root().join(format!("7/{number}")).exists()).count();
            // With a later decision all of it goes.
            world.open().remove(directories(&["7"]), later(), Way::Unlink, &never()).await;
            assert!(!world.root().join("7").exists());
        }
        assert!(directories_gone > 0, "{written_in_all} files written, and not in all directories");
    }
}
