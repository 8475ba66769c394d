//! Trees that somebody built to lead a removal astray.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use rustix::fs::{CWD, FileType, Mode};

use super::*;

#[test]
fn g4_no_path_names_what_is_above() {
    for text in ["..", "../outside/a", "a/../../outside/a", "a/..", "", "/", "."] {
        assert!(StorePath::parse(text).is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn g4_no_symbolic_link_is_followed_wherever_it_leads() {
    for world in World::both() {
        write(&world.outside().join("a"));
        write(&world.outside().join("sub/a"));
        world.write("real/a");
        world.write("real/sub/a");
        let outside = world.outside();
        symlink(&outside, world.root().join("absolute")).unwrap();
        symlink("../outside", world.root().join("relative")).unwrap();
        symlink("real", world.root().join("within")).unwrap();
        symlink(world.root().join("real"), world.root().join("within-absolute")).unwrap();
        symlink("../../outside/sub", world.root().join("real/deep")).unwrap();
        symlink("loop", world.root().join("loop")).unwrap();
        symlink(outside.join("a"), world.root().join("file")).unwrap();
        symlink("nowhere", world.root().join("dangling")).unwrap();
        symlink(&outside, world.root().join("directory")).unwrap();

        let before = world.survivors();
        let through = ["absolute/a", "relative/a", "within/a", "within-absolute/a", "real/deep/a", "loop/a"];
        for outcome in remove(&world, &through).await {
            assert_eq!(outcome, kept(Stays::LinkInPath));
        }
        let deeper = ["absolute/sub/a", "within/sub/a", "dangling/sub/a"];
        for outcome in remove(&world, &deeper).await {
            assert_eq!(outcome, kept(Stays::LinkInPath));
        }
        for outcome in remove(&world, &["file", "dangling", "directory"]).await {
            assert_eq!(outcome, kept(other(FileKind::Link, FileKind::File)));
        }
        assert_eq!(world.survivors(), before);
        assert_eq!(names(&outside), set(&["a", "sub/a"]));
    }
}

#[tokio::test]
async fn a_root_may_be_behind_a_symbolic_link() {
    let world = World::new();
    world.write("a");
    let alias = world.directory.path().join("alias");
    symlink("root", &alias).unwrap();
    let store = OpenStore { root: Arc::new(Root::open(&alias).unwrap()) };
    assert_eq!(store.remove(files(&["a"]), later(), Way::Unlink, &never()).await[0].1, removed());
}

#[tokio::test]
async fn what_is_not_regular_stays_and_nothing_hangs() {
    for world in World::both() {
        let make = |name: &str, kind: FileType| {
            rustix::fs::mknodat(CWD, world.root().join(name), kind, Mode::RUSR | Mode::WUSR, 0x0103).is_ok()
        };
        assert!(make("pipe", FileType::Fifo));
        let _socket = std::os::unix::net::UnixListener::bind(world.root().join("socket")).unwrap();
        std::fs::create_dir(world.root().join("directory")).unwrap();
        let mut expected =
            vec![("pipe", FileKind::Pipe), ("socket", FileKind::Socket), ("directory", FileKind::Directory)];
        if make("device", FileType::CharacterDevice) {
            expected.push(("device", FileKind::Device));
        } else {
            assert!(!is_root(), "root can make a device");
        }
        let before = world.survivors();
        for (name, found) in &expected {
            assert_eq!(remove(&world, &[name]).await, [kept(other(*found, FileKind::File))], "{name}");
        }
        for (name, _) in &expected[..2] {
            assert_eq!(remove(&world, &[format!("{name}/a")]).await, [Outcome::Missing], "beneath a {name}");
        }
        assert_eq!(world.survivors(), before);
        assert!(world.root().join("directory").is_dir());
    }
}

#[tokio::test]
async fn a_file_where_a_directory_should_be_stays() {
    for world in World::both() {
        world.write("a");
        assert_eq!(remove(&world, &["a/b"]).await, [Outcome::Missing]);
        assert_eq!(world.survivors(), set(&["a"]));
    }
}

#[tokio::test]
async fn strange_names_are_names_like_any_other() {
    for world in World::both() {
        let long = "x".repeat(255);
        let deep = vec!["y".repeat(250); 16].join("/");
        let strange = ["a\nb", " ", "-rf", "*", "a\u{202e}b", "\\", "ü", &long, "%2e%2e", "...", "~", "a\u{1b}[31m"];
        for name in strange {
            world.write(&format!("d/{name}"));
        }
        // Text only goes in and only that name goes: its neighbours differ in bytes that are no text.
        let neighbour = world.root().join("d").join(OsStr::from_bytes(b"\xff\xfe"));
        write(&neighbour);
        let named: Vec<String> = strange.iter().map(|name| format!("d/{name}")).collect();
        let outcomes = remove(&world, &named).await;
        assert!(outcomes.iter().all(|outcome| *outcome == removed()), "{outcomes:?}");
        assert_eq!(world.survivors(), set(&["d/\u{fffd}\u{fffd}"]));
        assert!(neighbour.exists());
        assert_eq!(remove(&world, &[format!("d/{}", "é".repeat(127)), deep]).await, vec![Outcome::Missing; 2]);
    }
}

#[tokio::test]
async fn paths_too_long_for_one_call_are_walked() {
    let world = World::new();
    let component = "y".repeat(250);
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let mut directory = rustix::fs::open(world.root(), flags, Mode::empty()).unwrap();
    for _ in 0..20 {
        rustix::fs::mkdirat(&directory, &component, Mode::RWXU).unwrap();
        directory = rustix::fs::openat(&directory, &component, flags, Mode::empty()).unwrap();
    }
    let create = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    rustix::fs::openat(&directory, "leaf", create, Mode::RUSR).unwrap();
    let path = format!("{}/leaf", vec![component; 20].join("/"));
    // No row can name it, so it is a path that a walk reads.
    let removal = vec![RemovalRequest::file(RawPath::parse(path.as_bytes()).unwrap())];
    let outcomes = world.open().remove(removal, later(), Way::Unlink, &never()).await;
    assert_eq!(outcomes[0].1, Outcome::Removed { files: 1, size_bytes: 0 });
    let left = rustix::fs::accessat(&directory, "leaf", rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty());
    assert!(left.is_err());
}

#[tokio::test]
async fn g4_mounts_are_not_entered_and_mount_points_stay() {
    for world in World::both() {
        write(&world.outside().join("a"));
        write(&world.outside().join("sub/a"));
        world.write("file");
        for directory in ["bind", "tmpfs"] {
            std::fs::create_dir(world.root().join(directory)).unwrap();
        }
        let (bind, tmpfs, file) = (world.root().join("bind"), world.root().join("tmpfs"), world.root().join("file"));
        let mount = |arguments: &[&OsStr]| command("mount", arguments);
        if !mount(&["--bind".as_ref(), world.outside().as_os_str(), bind.as_os_str()]) {
            eprintln!("skipped: mounting is not permitted here");
            return;
        }
        let mounted = [
            mount(&["--bind".as_ref(), world.outside().join("a").as_os_str(), file.as_os_str()]),
            mount(&["-t".as_ref(), "tmpfs".as_ref(), "tmpfs".as_ref(), tmpfs.as_os_str()]),
        ];
        write(&tmpfs.join("a"));
        let asked = ["bind/a", "bind/sub/a", "tmpfs/a"];
        let outcomes = world.open().remove(files(&asked), later(), Way::Unlink, &never()).await;
        let on_file = world.open().remove(files(&["file"]), later(), Way::Unlink, &never()).await;
        let left = (names(&world.outside()), tmpfs.join("a").exists());
        for point in [&bind, &file, &tmpfs] {
            command("umount", &[point.as_os_str()]);
        }
        assert_eq!(mounted, [true, true]);
        for (path, outcome) in outcomes {
            assert_eq!(outcome, kept(Stays::MountInPath), "{path}");
        }
        assert_eq!(on_file[0].1, kept(Stays::MountPoint));
        assert_eq!(left, (set(&["a", "sub/a"]), true));
        assert!(file.exists());
    }
}

#[tokio::test]
async fn d3_a_root_that_was_replaced_loses_nothing() {
    for world in World::both() {
        world.write("a");
        let store = world.open();
        let old = world.directory.path().join("old");
        std::fs::rename(world.root(), &old).unwrap();
        for replace in [false, true] {
            if replace {
                std::fs::create_dir(world.root()).unwrap();
                world.write("a");
            }
            let look = store.examine(files(&["a", "b/c"]), later(), &never(), Look::default()).await;
            let outcomes = store.remove(files(&["a", "b/c"]), later(), Way::Unlink, &never()).await;
            assert_eq!(look, outcomes);
            for (_, outcome) in outcomes {
                let Outcome::Failed(why) = outcome else { panic!("{outcome:?}") };
                assert!(why.to_string().starts_with("the store's root was replaced or unmounted"), "{why}");
            }
        }
        assert!(old.join("a").exists() && world.root().join("a").exists());
    }
}

#[tokio::test]
async fn d3_an_unmounted_root_loses_nothing() {
    let world = World::new();
    let root = world.root();
    if !command("mount", &["-t".as_ref(), "tmpfs".as_ref(), "tmpfs".as_ref(), root.as_os_str()]) {
        eprintln!("skipped: mounting is not permitted here");
        return;
    }
    world.write("a");
    let store = world.open();
    let access = store.access().unwrap();
    let read_only = command("mount", &["-o".as_ref(), "remount,ro".as_ref(), root.as_os_str()]);
    let denied = store.access().unwrap();
    let refused = store.remove(files(&["a"]), later(), Way::Unlink, &never()).await;
    let unmounted = command("umount", &["-l".as_ref(), root.as_os_str()]);
    write(&root.join("a"));
    let outcomes = store.remove(files(&["a"]), later(), Way::Unlink, &never()).await;
    assert!(read_only && unmounted);
    assert_eq!(access.mount_point, root.canonicalize().unwrap());
    assert!(access.writable && !denied.writable && denied.readable && denied.read_only_mount);
    assert_eq!(refused[0].1, Outcome::Failed("read-only file system (os error 30)".to_owned().into()));
    assert!(
        matches!(&outcomes[0].1, Outcome::Failed(Unremoved::Error(why)) if why.contains("replaced or unmounted")),
        "{outcomes:?}"
    );
    assert!(root.join("a").exists());
}

#[tokio::test]
async fn a_file_goes_and_its_other_link_stays() {
    let world = World::new();
    world.write("a");
    std::fs::hard_link(world.root().join("a"), world.outside().join("a")).unwrap();
    let shared = inode(&world.outside().join("a"));
    assert_eq!(remove(&world, &["a"]).await, [Outcome::Removed { files: 1, size_bytes: 0 }]);
    assert_eq!(inode(&world.outside().join("a")), shared);
}
