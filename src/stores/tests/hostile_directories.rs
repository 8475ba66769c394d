//! Whole directories that somebody built to lead a removal astray, or that change while they are removed.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::*;

#[tokio::test]
async fn g4_links_within_go_and_their_targets_stay() {
    for world in World::both() {
        write(&world.outside().join("a"));
        write(&world.outside().join("sub/a"));
        world.write("real/a");
        world.write("7/in/a");
        let link = |to: &Path, path: &str| symlink(to, world.root().join(path)).unwrap();
        link(&world.outside(), "7/absolute");
        link(&world.outside().join("a"), "7/in/file");
        link(Path::new("../../outside"), "7/relative");
        link(Path::new("../real"), "7/within");
        link(Path::new(".."), "7/in/up");
        link(Path::new("loop"), "7/loop");
        link(Path::new("/"), "7/all");
        let outside = inode(&world.outside().join("a"));
        let outcomes = remove_directories(&world, &["7"]).await;
        assert_eq!(outcomes, [Outcome::Removed { files: 8, size_bytes: 5 }]);
        assert_eq!(world.survivors(), set(&["real/a"]));
        assert_eq!(names(&world.outside()), set(&["a", "sub/a"]));
        assert_eq!(inode(&world.outside().join("a")), outside);
    }
}

#[tokio::test]
async fn whatever_is_no_directory_goes_and_nothing_hangs() {
    for world in World::both() {
        world.write("7/a");
        let make = |name: &str, kind: FileType| {
            rustix::fs::mknodat(CWD, world.root().join(name), kind, Mode::RUSR | Mode::WUSR, 0x0103).is_ok()
        };
        assert!(make("7/pipe", FileType::Fifo));
        let _socket = std::os::unix::net::UnixListener::bind(world.root().join("7/socket")).unwrap();
        let device = make("7/device", FileType::CharacterDevice);
        assert!(device || !is_root(), "root can make a device");
        let files = if device { 4 } else { 3 };
        assert_eq!(remove_directories(&world, &["7"]).await, [Outcome::Removed { files, size_bytes: 5 }]);
        assert!(!world.root().join("7").exists());
        assert!(make("pipe", FileType::Fifo));
        assert_eq!(remove_directories(&world, &["pipe"]).await, [kept(other(FileKind::Pipe, FileKind::Directory))]);
    }
}

#[tokio::test]
async fn non_text_names_go_and_are_shown() {
    for world in World::both() {
        for name in ["a\nb", " ", "-rf", "*", "\\", "ü", "...", "~", "a\u{1b}[31m", &"x".repeat(255)] {
            world.write(&format!("7/{name}/{name}"));
        }
        write(&world.root().join("7").join(OsStr::from_bytes(b"no\xff\xfetext")).join(OsStr::from_bytes(b"\xc3")));
        let outcomes = remove_directories(&world, &["7"]).await;
        assert_eq!(outcomes, [emptied(11)]);
        assert!(!world.root().join("7").exists());
    }
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// Makes directories one in the other, each with a file in it, deeper than any path can say; the innermost.
fn dig(top: &Path, name: &str, levels: usize) -> OwnedFd {
    std::fs::create_dir(top).unwrap();
    let mut directory = rustix::fs::open(top, DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..levels {
        let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        drop(rustix::fs::openat(&directory, "file", create, Mode::RUSR).unwrap());
        rustix::fs::mkdirat(&directory, name, Mode::RWXU).unwrap();
        directory = rustix::fs::openat(&directory, name, DIRECTORY, Mode::empty()).unwrap();
    }
    directory
}

#[tokio::test]
async fn a_tree_deeper_than_any_path_goes() {
    for (name, levels) in [("d", 5000), (&*"x".repeat(255), 100)] {
        for world in World::both_in_memory() {
            drop(dig(&world.root().join("7"), name, levels));
            let (listener, listed) = listener();
            let (store, decided_at) = (world.open(), later());
            let examined = store
                .examine(directories(&["7"]), decided_at, &never(), Look { listener: Some(listener), gone: None })
                .await;
            let outcomes = store.remove(directories(&["7"]), decided_at, Way::Unlink, &never()).await;
            assert_eq!(outcomes[0].1, Outcome::Removed { files: levels as u64, size_bytes: 0 });
            assert_eq!(examined, outcomes);
            let listed: BTreeSet<_> = listed.lock().unwrap().iter().map(|inside| inside.path.len()).collect();
            assert_eq!(listed, (0..levels).map(|level| "7/file".len() + level * (name.len() + 1)).collect());
            assert!(!world.root().join("7").exists());
        }
    }
}

#[tokio::test]
async fn what_stays_deep_down_keeps_all_directories_above() {
    let world = World::new();
    let bottom = format!("7/{}", vec!["d"; 200].join("/"));
    world.write(&format!("{bottom}/old"));
    for level in [50, 150] {
        world.write(&format!("7/{}/beside/a", vec!["d"; level].join("/")));
    }
    std::thread::sleep(Duration::from_millis(50));
    let decided_at = Clock::system().now();
    std::thread::sleep(Duration::from_millis(50));
    world.write(&format!("{bottom}/new"));
    let examined = world.open().examine(directories(&["7"]), decided_at, &never(), Look::default()).await;
    let outcomes = world.open().remove(directories(&["7"]), decided_at, Way::Unlink, &never()).await;
    let why = Why::Kept(Stays::WrittenLater);
    let left = vec![left(&format!("{bottom}/new"), why)];
    assert_eq!(outcomes[0].1, Outcome::Partly(Part { files: 3, size_bytes: 15, kept: 1, left, ..Part::default() }));
    assert_eq!(examined, outcomes);
    assert_eq!(world.survivors(), set(&[&format!("{bottom}/new")]));
    assert!(!world.root().join(format!("7/{}/beside", vec!["d"; 150].join("/"))).exists());
}

#[tokio::test]
async fn a_wide_tree_goes() {
    let world = World::in_memory();
    for number in 0..20_000 {
        world.write(&format!("7/files/{number}"));
        std::fs::create_dir_all(world.root().join(format!("7/directories/{number}"))).unwrap();
    }
    world.write("7/directories/777/a");
    assert_eq!(remove_directories(&world, &["7"]).await, [emptied(20_001)]);
    assert!(!world.root().join("7").exists());
}

#[tokio::test]
async fn what_stays_is_all_counted_and_partly_named() {
    let world = World::new();
    std::fs::create_dir(world.root().join("7")).unwrap();
    let decided_at = Clock::system().now() + Duration::from_millis(50);
    std::thread::sleep(Duration::from_millis(100));
    for number in 0..LEFT_AT_MOST + 50 {
        world.write(&format!("7/{number}"));
    }
    let outcomes = world.open().remove(directories(&["7"]), decided_at, Way::Unlink, &never()).await;
    let Outcome::Partly(part) = &outcomes[0].1 else { panic!("{outcomes:?}") };
    assert_eq!((part.kept, part.left.len()), (LEFT_AT_MOST as u64 + 50, LEFT_AT_MOST));
    assert_eq!(world.survivors().len(), LEFT_AT_MOST + 50);
}

#[tokio::test]
async fn g4_a_mount_within_stays_with_directories_around_it() {
    for world in World::both() {
        write(&world.outside().join("a"));
        for path in ["7/a", "7/b/a", "7/b/file", "7/c/a", "8/a"] {
            world.write(path);
        }
        let points = ["7/b/bind", "7/b/tmpfs", "7/same", "8", "7/b/file"].map(|path| world.root().join(path));
        for point in &points[..3] {
            std::fs::create_dir(point).unwrap();
        }
        let mount = |arguments: &[&OsStr]| command("mount", arguments);
        let bind = |from: &Path, to: &Path| mount(&["--bind".as_ref(), from.as_os_str(), to.as_os_str()]);
        if !bind(&world.outside(), &points[0]) {
            eprintln!("skipped: mounting is not permitted here");
            return;
        }
        // A bind mount of a directory of the same tree has the same device and its own inodes.
        let mounted = [
            mount(&["-t".as_ref(), "tmpfs".as_ref(), "tmpfs".as_ref(), points[1].as_os_str()]),
            bind(&world.root().join("8"), &points[2]),
            bind(&world.outside(), &points[3]),
            bind(&world.outside().join("a"), &points[4]),
        ];
        write(&points[1].join("a"));
        let decided_at = later();
        let examined = world.open().examine(directories(&["7", "8"]), decided_at, &never(), Look::default()).await;
        let outcomes = world.open().remove(directories(&["7", "8"]), decided_at, Way::Unlink, &never()).await;
        let left_in_mounts = (names(&world.outside()), points[1].join("a").exists(), points[2].join("a").exists());
        for point in &points {
            command("umount", &[point.as_os_str()]);
        }
        assert_eq!(mounted, [true; 4]);
        assert_eq!(left_in_mounts, (set(&["a"]), true, true));
        assert_eq!(examined, outcomes);
        let Outcome::Partly(part) = &outcomes[0].1 else { panic!("{outcomes:?}") };
        assert_eq!((part.files, part.kept, part.is_pending()), (3, 4, false), "{part:?}");
        let named: BTreeSet<_> = part.left.iter().map(|left| left.path.clone()).collect();
        assert_eq!(named, set(&["7/b/bind", "7/b/tmpfs", "7/same", "7/b/file"]));
        let is_mount = Why::Kept(Stays::MountPoint);
        assert!(part.left.iter().all(|left| left.why == is_mount), "{part:?}");
        assert_eq!(outcomes[1].1, kept(Stays::MountPoint));
        assert_eq!(world.survivors(), set(&["7/b/file", "8/a"]));
    }
}

const STORE: &str = "RETAIND_TEST_TREES";

fn denied(path: &str) -> Left {
    left(path, Why::Failed("permission denied (os error 13)".to_owned().into()))
}

/// Removes as a user without rights; run by the next test as a process of its own.
#[tokio::test]
async fn child_without_rights_within() {
    let Ok(root) = std::env::var(STORE) else { return };
    let store = OpenStore { root: Arc::new(Root::open(Path::new(&root)).unwrap()) };
    let mut closed: Vec<_> = store.closed().into_iter().map(|closed| (closed.path, closed.mode)).collect();
    closed.sort();
    let expected = [("7/closed", 0), ("7/open/read-only", 0o555), ("closed", 0), ("fast", 0o555)];
    assert_eq!(closed, expected.map(|(path, mode)| (path.to_owned(), mode)));
    let outcomes = store.remove(directories(&["7", "closed", "fast/8"]), later(), Way::Unlink, &never()).await;
    let Outcome::Partly(part) = &outcomes[0].1 else { panic!("{outcomes:?}") };
    let mut left = part.left.clone();
    left.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(left, [denied("7/closed"), denied("7/open/read-only/a"), denied("7/open/read-only/empty")]);
    assert_eq!((part.files, part.failed, part.kept, part.is_pending()), (2, 3, 0, true));
    assert_eq!(outcomes[1].1, Outcome::Failed("permission denied (os error 13)".to_owned().into()));
    // All in it may go, but not its own name.
    let whole = Part { files: 1, size_bytes: 5, failed: 1, left: vec![denied("fast/8")], ..Part::default() };
    assert_eq!(outcomes[2].1, Outcome::Partly(whole));
}

#[tokio::test]
async fn without_rights_some_stay_pending_and_others_go() {
    let world = World::new();
    let closed = ["7/closed/a", "7/open/read-only/a", "closed/a"];
    for path in ["7/a", "7/open/a", "fast/8/a"].iter().chain(&closed) {
        world.write(path);
    }
    std::fs::create_dir(world.root().join("7/open/read-only/empty")).unwrap();
    let mode = |path: &str, mode| {
        std::fs::set_permissions(world.root().join(path), PermissionsExt::from_mode(mode)).unwrap();
    };
    std::fs::set_permissions(world.directory.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for path in ["", "7", "7/open", "fast/8"] {
        mode(path, 0o777);
    }
    for (path, bits) in [("7/closed", 0), ("7/open/read-only", 0o555), ("closed", 0), ("fast", 0o555)] {
        mode(path, bits);
    }
    // A copy that anybody may run, wherever the build directory is.
    let program = world.directory.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", "stores::tests::hostile_directories::child_without_rights_within"]);
    child.env(STORE, world.root()).current_dir("/");
    if is_root() {
        child.uid(65534).gid(65534);
    }
    let done = child.output().unwrap();
    for path in ["7/closed", "7/open/read-only", "closed", "fast"] {
        mode(path, 0o755);
    }
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(world.survivors(), set(&closed));
    assert!(world.root().join("fast/8").is_dir());
    // The next try, with rights, finishes it.
    let outcomes = remove_directories(&world, &["7", "closed", "fast/8"]).await;
    assert_eq!(outcomes, [emptied(2), emptied(1), emptied(0)]);
    assert_eq!(world.survivors(), set(&[]));
}

/// Removes with somebody who does `then`, once, when the first file whose path `at` holds for has gone.
fn remove_and_at(
    world: &World,
    path: &str,
    at: impl Fn(&str) -> bool + Send + Sync + 'static,
    then: impl FnOnce() + Send + 'static,
) -> Outcome {
    let then = Mutex::new(Some(then));
    let listener: Listener = Arc::new(move |inside: Inside| {
        if at(&inside.path)
            && let Some(then) = then.lock().unwrap().take()
        {
            then();
        }
    });
    let options = RemovalOptions {
        act: Act::Unlink,
        durable: Durable::AtOnce,
        decided_at: later(),
        stop: never(),
        look: Look { listener: Some(listener), gone: None },
    };
    remove::batch::sweep(&world.open().root, &directories(&[path]), &options).remove(0)
}

#[test]
fn g4_a_directory_that_moves_away_is_not_followed() {
    // Within the directories that are held open, and beyond.
    for level in [5, 45, 90] {
        for world in World::both() {
            let deep = |levels: usize| world.root().join("7").join(vec!["d"; levels].join("/"));
            write(&deep(100).join("last"));
            write(&world.outside().join("a"));
            write(&world.outside().join("d/a"));
            let (from, to) = (deep(level), world.outside().join("moved"));
            let outcome = remove_and_at(
                &world,
                "7",
                |path| path.ends_with("last"),
                move || {
                    std::fs::rename(from, to).unwrap();
                },
            );
            let survivors = names(&world.outside());
            assert_eq!(survivors, set(&["a", "d/a"]), "moved from level {level}");
            match outcome {
                // Its handle was open all the time: what was around it went as well.
                Outcome::Removed { files: 1, size_bytes: 5 } => assert!(level > 100 - 32, "level {level}"),
                Outcome::Partly(part) => {
                    assert!(level < 100 - 32 && part.is_pending(), "level {level}: {part:?}");
                    let moved = "was moved to another directory while it was looked at";
                    assert_eq!(part.left[0].why, Why::Failed(moved.to_owned().into()));
                    assert!(world.root().join("7").exists());
                }
                other => panic!("level {level}: {other:?}"),
            }
        }
    }
}

#[test]
fn g4_a_directory_turned_link_loses_only_the_link() {
    for world in World::both() {
        write(&world.outside().join("a"));
        for path in ["7/first", "7/b/in", "7/c/in", "7/d/in"] {
            world.write(path);
        }
        let (root, outside) = (world.root(), world.outside());
        let outcome = remove_and_at(
            &world,
            "7",
            |path| path == "7/first",
            move || {
                for (name, to) in [("b", outside.clone()), ("c", "..".into()), ("d", "/".into())] {
                    std::fs::rename(root.join("7").join(name), root.join("was").with_extension(name)).unwrap();
                    symlink(to, root.join("7").join(name)).unwrap();
                }
            },
        );
        assert_eq!(outcome, Outcome::Removed { files: 4, size_bytes: 5 });
        assert_eq!(world.survivors(), set(&["was.b/in", "was.c/in", "was.d/in"]));
        assert_eq!(names(&world.outside()), set(&["a"]));
    }
}

#[test]
fn what_arrives_during_removal_is_judged_too() {
    for world in World::both() {
        world.write("7/b/in");
        let root = world.root();
        // Old enough to go, because the decision of this test lies in the future.
        let outcome = remove_and_at(&world, "7", |path| path == "7/b/in", move || write(&root.join("7/b/x/late")));
        assert_eq!(outcome, emptied(2));
        assert!(!world.root().join("7").exists());
    }
}
