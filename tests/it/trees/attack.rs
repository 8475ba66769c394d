//! Somebody with write access to a directory of a store, during scans: nothing outside the root is read for deletion or
//! removed, and nothing hangs (G4).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use retaind::run::Listed;
use rustix::fs::{CWD, FileType, Mode, RenameFlags};

use super::*;
use crate::engines::EngineKind;
use crate::needs::Need;
use crate::world::{effort, paths};

/// How many seconds the attack lasts.
const SECONDS: u32 = 12;
/// On a machine that is busy, it lasts until there were so many runs, or until it has lasted so many times longer.
const RUNS: u32 = 4;
const PATIENCE: u32 = 10;
/// No run takes longer, however busy the machine is.
const LONGEST_RUN: Duration = Duration::from_secs(20);
/// Directories that are swapped for links.
const SWAPPED: usize = 8;

/// What is outside: files that look as if they should go, wherever a path leads there.
struct Outside {
    root: PathBuf,
    before: BTreeSet<String>,
}

impl Outside {
    fn new(world: &World) -> Self {
        let root = world.dir.join("outside");
        for n in 0..20 {
            let file = root.join(format!("sub{}/bait-{n}.log", n % 3));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, format!("bait {n}")).unwrap();
            age(&file, 90.0);
            // Also directly where a link leads, by the names that files of the store have.
            let twin = root.join(format!("{n}.log"));
            std::fs::write(&twin, format!("bait {n}")).unwrap();
            age(&twin, 90.0);
        }
        Self { before: world.files("outside"), root }
    }

    fn assert_whole(&self, world: &World) {
        assert_eq!(world.files("outside"), self.before);
        for path in &self.before {
            let text = std::fs::read_to_string(self.root.join(path)).unwrap();
            assert!(text.starts_with("bait "), "{path}: {text}");
        }
    }
}

struct Attack<'a> {
    directory: PathBuf,
    outside: &'a Path,
    over: &'a AtomicBool,
    swaps: &'a AtomicU64,
}

impl Attack<'_> {
    /// Puts old files where they are swapped away.
    fn replenish(&self, round: usize) {
        let directory = self.directory.join(format!("d{}", round % SWAPPED));
        if !directory.is_symlink() && std::fs::create_dir_all(directory.join("sub0")).is_ok() {
            for n in 0..20 {
                for file in [directory.join(format!("{n}.log")), directory.join(format!("sub0/{n}.bin"))] {
                    if std::fs::write(&file, "mine").is_ok() {
                        set_old(&file);
                    }
                }
            }
        }
    }

    /// Swaps directories and links to the outside, to and fro, as fast as it goes.
    fn swap(&self) {
        for n in 0..SWAPPED {
            let _ = symlink(self.outside, self.directory.join(format!("l{n}")));
        }
        let mut round = 0;
        while !self.over.load(Ordering::Relaxed) {
            round += 1;
            if round % 50 == 0 {
                self.replenish(round / 50);
            }
            let (real, link) = (format!("d{}", round % SWAPPED), format!("l{}", round % SWAPPED));
            let (real, link) = (self.directory.join(real), self.directory.join(link));
            if rustix::fs::renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE).is_ok() {
                self.swaps.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Plants whatever a name and a file can be, again and again.
    fn plant(&self) {
        let planted = self.directory.join("planted");
        let mut round = 0;
        while !self.over.load(Ordering::Relaxed) {
            round += 1;
            std::fs::create_dir_all(&planted).unwrap();
            for name in [
                &b"..."[..],
                b"..\x01",
                b"new\nline.log",
                b"\xff\xfe\xfd.log",
                b"-rf",
                b" ",
                b"\\..\\..\\x.log",
                &[b'n'; 255],
            ] {
                let file = planted.join(OsStr::from_bytes(name));
                if std::fs::write(&file, "mine").is_ok() {
                    set_old(&file);
                }
            }
            self.plant_specials(&planted);
            for n in 0..10 {
                let _ = std::fs::hard_link(self.outside.join(format!("{n}.log")), planted.join(format!("hard{n}.log")));
                let _ = symlink(self.outside.join(format!("{n}.log")), planted.join(format!("soft{n}.log")));
            }
            std::thread::sleep(Duration::from_millis(round % 7));
            if round % 20 == 0 {
                let _ = std::fs::remove_dir_all(&planted);
            }
        }
    }

    fn plant_specials(&self, planted: &Path) {
        let node = |name: &str, kind: FileType| {
            rustix::fs::mknodat(CWD, planted.join(name), kind, Mode::RWXU, rustix::fs::makedev(1, 5))
        };
        // What is there already, stays.
        let _ = (node("fifo.log", FileType::Fifo), node("zero.log", FileType::CharacterDevice));
        let _ = node("disk.log", FileType::BlockDevice);
        let _ = std::os::unix::net::UnixListener::bind(planted.join("socket.log"));
        let special = |name: &str| std::fs::symlink_metadata(planted.join(name)).map(|facts| facts.file_type());
        if let Ok(kind) = special("fifo.log") {
            assert!(kind.is_fifo());
        }
    }

    /// Mounts the outside into the store, and takes it away again.
    fn mount(&self) {
        let point = self.directory.join("mounted");
        std::fs::create_dir_all(&point).unwrap();
        while !self.over.load(Ordering::Relaxed) {
            let mounted = Command::new("mount").arg("--bind").args([self.outside, &point]).status().unwrap().success();
            assert!(mounted, "this test mounts file systems, which takes root");
            std::thread::sleep(Duration::from_millis(30));
            assert!(Command::new("umount").arg("--lazy").arg(&point).status().unwrap().success());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// As [`age`], of a file that may be gone by now.
fn set_old(path: &Path) {
    let old = SystemTime::now() - Duration::from_secs(90 * 86_400);
    if let Ok(file) = std::fs::File::options().write(true).open(path) {
        let _ = file.set_modified(old);
    }
}

/// Two stores, one of which has a trash, each with policies of both kinds and a file that a row names.
fn attacked() -> World {
    let mut world = linked(Database::create(EngineKind::Sqlite));
    world.db.execute("CREATE TABLE thumb (id INTEGER PRIMARY KEY, path VARCHAR(50))");
    world.db.execute("INSERT INTO thumb VALUES (1, 'data/thumbs/live.bin')");
    world.reference("thumbs", "thumb", "path");
    link(&world, "live.bin");
    keep_trash(&world, "thumbs");
    for store in ["images", "thumbs"] {
        put_aged(&world, store, "live.bin", 90.0);
        world.declare(&format!(
            "[policies.files-{store}]\nkind = \"files\"\nstore = \"{store}\"\nkeep = \"1d\"\nmatch = \"**/*.log\"\nprune_empty = true\n\
             [policies.orphans-{store}]\nkind = \"orphans\"\nstore = \"{store}\"\nkeep = \"1d\"\nmax_fraction = 1.0\nmode = \"enforce\"\n"
        ));
        adopt(&world, store);
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g4_an_attacker_within_a_store_reaches_nothing_outside() {
    needs!(Need::Root);
    let lasts = Duration::from_secs(u64::from(effort(SECONDS)));
    let world = attacked();
    let outside = Outside::new(&world);
    let (over, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let attacks = ["images", "thumbs"].map(|store| Attack {
        directory: world.root(store).join("upload"),
        outside: &outside.root,
        over: &over,
        swaps: &swaps,
    });
    for attack in &attacks {
        std::fs::create_dir(&attack.directory).unwrap();
        (0..SWAPPED).for_each(|round| attack.replenish(round));
    }
    let (mut runs, mut deleted) = (0, 0);
    std::thread::scope(|scope| {
        for attack in &attacks {
            scope.spawn(|| attack.swap());
            scope.spawn(|| attack.plant());
            scope.spawn(|| attack.mount());
        }
        let begun = Instant::now();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while begun.elapsed() < lasts || (runs < RUNS && begun.elapsed() < lasts * PATIENCE) {
                let began = Instant::now();
                deleted +=
                    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(one_round(&world)));
                assert!(began.elapsed() < 2 * LONGEST_RUN, "a plan and a run took {:?}", began.elapsed());
                outside.assert_whole(&world);
                runs += 1;
            }
        }));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    outside.assert_whole(&world);
    for store in ["images", "thumbs"] {
        assert!(world.root(store).join("live.bin").exists());
    }
    let swaps = swaps.load(Ordering::Relaxed);
    assert!(runs >= RUNS && deleted > 100 && swaps > 1000, "{runs} runs deleted {deleted} during {swaps} swaps");
}

/// A plan and a run; how many files the run took.
async fn one_round(world: &World) -> u64 {
    let (_, listed) = world.plan().await;
    for line in &listed {
        let Listed::File { path, .. } = line else { panic!("{line:?}") };
        assert!(!path.contains("bait"), "what is outside was looked at: {path}");
    }
    let result = world.run().await;
    assert!(!format!("{result:?}").contains("bait"), "{result:?}");
    let trashed: u64 = result.policies.iter().map(|policy| policy.tally.files_trashed).sum();
    result.totals.files_deleted.max(trashed)
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_hostile_names_and_things_do_no_harm() {
    needs!(Need::Root);
    let world = attacked();
    let outside = Outside::new(&world);
    let over = AtomicBool::new(false);
    let swaps = AtomicU64::new(0);
    let directory = world.root("images").join("upload");
    std::fs::create_dir(&directory).unwrap();
    let attack = Attack { directory: directory.clone(), outside: &outside.root, over: &over, swaps: &swaps };
    std::thread::scope(|scope| {
        scope.spawn(|| attack.plant());
        while std::fs::symlink_metadata(directory.join("planted/soft9.log")).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        over.store(true, Ordering::Relaxed);
    });
    std::thread::sleep(Duration::from_millis(25));
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    outside.assert_whole(&world);
    let soft = (0..10).map(|n| format!("upload/planted/soft{n}.log"));
    let special = ["fifo", "socket", "zero", "disk"].map(|name| format!("upload/planted/{name}.log"));
    let stays: BTreeSet<_> = soft.chain(special).chain(paths(["live.bin"])).collect();
    assert_eq!(files(&world, "images"), stays);
}
