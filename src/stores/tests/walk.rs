//! Tests of the walk: it tells of everything once, enters nothing that it should not, and says what it could not see.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode};

use super::*;
use crate::stores::walk::worker::PIECE_NAMES;

/// Writes down what it is told.
#[derive(Debug, Default)]
pub struct Diary {
    wants: bool,
    files: BTreeMap<Vec<u8>, FileKind>,
    facts: BTreeMap<Vec<u8>, FileFacts>,
    /// The directory that is being told, and those that were, with the number of their names.
    open: Option<Vec<u8>>,
    ended: BTreeMap<Vec<u8>, u64>,
    /// Directories of which files were told that another visitor was told of.
    apart: BTreeSet<Vec<u8>>,
}

impl Diary {
    fn check(&mut self, path: &[u8]) {
        let directory = path.iter().rposition(|&byte| byte == b'/').map_or(&b""[..], |end| &path[..end]);
        match self.open.as_deref() {
            Some(open) => assert_eq!(open, directory, "told between begin and end"),
            None => drop(self.apart.insert(directory.to_vec())),
        }
    }
}

impl Visitor for Diary {
    fn begin(&mut self, directory: &[u8]) {
        assert!(self.open.replace(directory.to_vec()).is_none(), "one directory at a time");
    }

    fn file(&mut self, path: &[u8], kind: FileKind) -> Want {
        self.check(path);
        assert!(self.files.insert(path.to_vec(), kind).is_none(), "told once");
        if self.wants { Want::Facts } else { Want::Nothing }
    }

    fn facts(&mut self, path: &[u8], facts: &FileFacts) {
        self.check(path);
        assert!(self.facts.insert(path.to_vec(), *facts).is_none(), "told once");
    }

    fn end(&mut self, directory: &[u8], names: u64) {
        assert_eq!(self.open.take().as_deref(), Some(directory));
        assert!(self.ended.insert(directory.to_vec(), names).is_none(), "told once");
    }
}

/// Walks, and puts what all visitors heard together.
async fn tell(world: &World, wants: bool) -> (Diary, Surveyed) {
    let make = move || Diary { wants, ..Diary::default() };
    let Walked { surveyed, visitors } = world.open().walk(make, &never()).await.unwrap();
    let mut all = Diary::default();
    for visitor in visitors {
        for (path, kind) in visitor.files {
            assert!(all.files.insert(path, kind).is_none(), "told to one visitor only");
        }
        for (path, names) in visitor.ended {
            assert!(all.ended.insert(path, names).is_none(), "told to one visitor only");
        }
        for (path, facts) in visitor.facts {
            assert!(all.facts.insert(path, facts).is_none(), "told to one visitor only");
        }
        all.apart.extend(visitor.apart);
    }
    for directory in &all.apart {
        assert!(all.ended[directory] >= PIECE_NAMES, "only files of a large directory are told apart");
    }
    assert_eq!(surveyed.files, all.files.len() as u64);
    assert_eq!(surveyed.directories, all.ended.len() as u64);
    (all, surveyed)
}

fn told(diary: &Diary) -> BTreeSet<String> {
    diary.files.keys().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
}

#[tokio::test]
async fn everything_is_told_once_whatever_its_shape() {
    for world in World::both() {
        for directory in 0..300 {
            for file in 0..directory % 7 {
                world.write(&format!("{}/{directory}/{file}", directory % 13));
            }
        }
        std::fs::create_dir_all(world.root().join("empty/inner")).unwrap();
        world.write(&format!("{}/leaf", vec!["deep"; 200].join("/")));
        world.write("top");
        for wants in [false, true] {
            let (diary, surveyed) = tell(&world, wants).await;
            assert_eq!(told(&diary), world.survivors());
            assert_eq!((surveyed.errors, surveyed.mounts), (0, 0));
            assert_eq!(diary.ended[&b"empty/inner"[..]], 0);
            assert_eq!(diary.ended[&b"empty"[..]], 1);
            assert_eq!(diary.facts.len(), if wants { diary.files.len() } else { 0 });
        }
    }
}

#[tokio::test]
async fn files_of_large_directories_are_shared_out_once() {
    let world = World::in_memory();
    for file in 0..5 * PIECE_NAMES {
        write(&world.root().join("large").join(file.to_string()));
    }
    ["large/inner/a", "small/b"].into_iter().for_each(|path| world.write(path));
    for wants in [false, true] {
        let (diary, surveyed) = tell(&world, wants).await;
        assert_eq!(told(&diary), world.survivors());
        assert_eq!(surveyed.errors, 0);
        assert_eq!(diary.ended[&b"large"[..]], 5 * PIECE_NAMES + 1);
        assert_eq!(diary.facts.len(), if wants { diary.files.len() } else { 0 });
        let shares = std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        assert_eq!(diary.apart, if shares { [b"large".to_vec()].into() } else { BTreeSet::new() });
    }
}

/// On a disk, where parts of a directory can be read apart if it is ext4.
#[tokio::test]
async fn parts_of_a_large_directory_are_told_once() {
    let world = World::new();
    for file in 0..10 * PIECE_NAMES {
        write(&world.root().join("large").join(file.to_string()));
    }
    let directories = 8 * crate::stores::walk::worker::INNER_AT_ONCE as u64;
    for directory in 0..directories {
        std::fs::create_dir(world.root().join(format!("large/inner{directory}"))).unwrap();
    }
    world.write("large/inner7/a");
    for wants in [false, true] {
        let (diary, surveyed) = tell(&world, wants).await;
        assert_eq!(told(&diary), world.survivors());
        assert_eq!((surveyed.directories, surveyed.errors), (directories + 2, 0));
        assert_eq!(diary.facts.len(), if wants { diary.files.len() } else { 0 });
    }
}

#[tokio::test]
async fn facts_are_those_of_the_file() {
    let world = World::new();
    world.write("a");
    std::fs::hard_link(world.root().join("a"), world.root().join("b")).unwrap();
    symlink("a", world.root().join("link")).unwrap();
    let sparse = std::fs::File::create(world.root().join("sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    let (diary, _) = tell(&world, true).await;
    for (path, facts) in &diary.facts {
        let real = std::fs::symlink_metadata(world.root().join(OsStr::from_bytes(path))).unwrap();
        assert_eq!((facts.inode, facts.device, facts.size_bytes), (real.ino(), real.dev(), real.len()));
        assert_eq!(facts.modified_ns, i128::from(real.mtime()) * 1_000_000_000 + i128::from(real.mtime_nsec()));
        assert_eq!(u64::from(facts.links), real.nlink());
    }
    assert_eq!(diary.facts[&b"a"[..]].links, 2);
    assert_eq!(diary.facts[&b"link"[..]].kind, FileKind::Link);
    assert!(diary.facts[&b"sparse"[..]].freed_bytes < 1 << 20, "a hole frees nothing");
}

#[tokio::test]
async fn what_is_ours_is_hidden_at_the_root() {
    let world = World::new();
    for path in [".retaind/store.json", ".retaind/trash/x/a", "a/.retaind/b", ".hidden"] {
        world.write(path);
    }
    let (diary, _) = tell(&world, false).await;
    assert_eq!(told(&diary), set(&["a/.retaind/b", ".hidden"]));
}

#[tokio::test]
async fn g4_hostile_names_are_listed_and_nothing_is_opened() {
    for world in World::both() {
        write(&world.outside().join("secret"));
        let long = "x".repeat(255);
        for name in [&b"new\nline"[..], b"\xff\xfe", b"...", long.as_bytes(), b"-rf", b"a\x1b[31m"] {
            write(&world.root().join("d").join(OsStr::from_bytes(name)));
        }
        let make = |name: &str, kind: FileType| {
            rustix::fs::mknodat(CWD, world.root().join(name), kind, Mode::RUSR | Mode::WUSR, 0x0103).is_ok()
        };
        // To open it for reading would wait for ever.
        assert!(make("pipe", FileType::Fifo));
        let _socket = std::os::unix::net::UnixListener::bind(world.root().join("socket")).unwrap();
        assert!(make("device", FileType::CharacterDevice) || !is_root());
        symlink(world.outside(), world.root().join("link")).unwrap();
        symlink("..", world.root().join("up")).unwrap();
        symlink("loop", world.root().join("loop")).unwrap();
        let (diary, surveyed) = tell(&world, true).await;
        assert_eq!(told(&diary), world.survivors());
        assert_eq!(diary.files[&b"pipe"[..]], FileKind::Pipe);
        assert_eq!(diary.files[&b"socket"[..]], FileKind::Socket);
        assert_eq!(diary.files[&b"link"[..]], FileKind::Link);
        assert!(diary.files.contains_key(&b"d/\xff\xfe"[..]));
        assert_eq!(surveyed.errors, 0);
    }
}

#[tokio::test]
async fn g4_mounts_are_counted_and_not_entered() {
    for world in World::both() {
        write(&world.outside().join("secret"));
        world.write("a/file");
        world.write("a/covered");
        std::fs::create_dir(world.root().join("a/bind")).unwrap();
        let (bind, covered) = (world.root().join("a/bind"), world.root().join("a/covered"));
        let mount = |from: &Path, to: &Path| command("mount", &["--bind".as_ref(), from.as_os_str(), to.as_os_str()]);
        if !mount(&world.outside(), &bind) {
            eprintln!("skipped: mounting is not permitted here");
            return;
        }
        let on_file = mount(&world.outside().join("secret"), &covered);
        let (diary, surveyed) = tell(&world, true).await;
        for point in [&bind, &covered] {
            command("umount", &[point.as_os_str()]);
        }
        assert!(on_file);
        assert_eq!(told(&diary), set(&["a/covered", "a/file"]));
        assert_eq!(diary.facts.keys().collect::<Vec<_>>(), [b"a/file"], "no facts of what is mounted on a file");
        assert_eq!((surveyed.mounts, surveyed.errors), (2, 0));
    }
}

#[tokio::test]
async fn d7_a_directory_without_access_is_an_error() {
    let world = World::new();
    world.write("a/file");
    // Longer than a walk goes into, with directories of which each can be made from the one above.
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let mut directory = rustix::fs::open(world.root(), flags, Mode::empty()).unwrap();
    for _ in 0..40 {
        let name = "y".repeat(250);
        rustix::fs::mkdirat(&directory, &name, Mode::RWXU).unwrap();
        directory = rustix::fs::openat(&directory, &name, flags, Mode::empty()).unwrap();
    }
    let (diary, surveyed) = tell(&world, false).await;
    assert_eq!(told(&diary), set(&["a/file"]));
    assert_eq!(surveyed.errors, 1);
    assert!(surveyed.first_errors[0].why.contains("longer than"), "{surveyed:?}");
}

#[tokio::test]
async fn d3_a_root_that_was_replaced_has_no_walk() {
    let world = World::new();
    world.write("a");
    let store = world.open();
    std::fs::rename(world.root(), world.directory.path().join("old")).unwrap();
    std::fs::create_dir(world.root()).unwrap();
    let error = store.walk(Diary::default, &never()).await.unwrap_err();
    assert!(matches!(error, WalkError::Replaced(_)), "{error}");
}

/// Goes into no directory of a certain name.
#[derive(Debug, Default)]
struct Picky(BTreeSet<Vec<u8>>);

impl Visitor for Picky {
    fn enters(&mut self, directory: &[u8]) -> bool {
        !directory.ends_with(b"unit")
    }

    fn begin(&mut self, directory: &[u8]) {
        assert!(!directory.ends_with(b"unit"));
    }

    fn file(&mut self, path: &[u8], _: FileKind) -> Want {
        self.0.insert(path.to_vec());
        Want::Nothing
    }
}

#[tokio::test]
async fn nothing_is_listed_of_directories_not_entered() {
    let world = World::new();
    for path in ["a", "d/b", "d/unit/c", "unit/x/y", "d/unity/e"] {
        world.write(path);
    }
    let Walked { surveyed, visitors } = world.open().walk(Picky::default, &never()).await.unwrap();
    let told: BTreeSet<_> = visitors.into_iter().flat_map(|visitor| visitor.0).collect();
    assert_eq!(told, [&b"a"[..], b"d/b", b"d/unity/e"].map(<[u8]>::to_vec).into());
    assert_eq!((surveyed.directories, surveyed.files), (3, 3));
}

/// Stops the walk, and counts what comes after.
#[derive(Debug)]
struct Stopper(CancellationToken, u64);

impl Visitor for Stopper {
    fn file(&mut self, _: &[u8], _: FileKind) -> Want {
        self.0.cancel();
        self.1 += 1;
        Want::Nothing
    }
}

#[tokio::test]
async fn a_stop_ends_a_walk_soon() {
    let world = World::in_memory();
    for file in 0..20_000 {
        write(&world.root().join(file.to_string()));
    }
    let stop = never();
    let told = stop.clone();
    let begin = Instant::now();
    let error = world.open().walk(move || Stopper(told.clone(), 0), &stop).await.unwrap_err();
    assert!(matches!(error, WalkError::Stopped));
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn directories_beyond_the_limit_are_read_in_pieces() {
    let world = World::in_memory();
    let directories = crate::stores::walk::worker::INNER_AT_ONCE + 500;
    for directory in 0..directories {
        std::fs::create_dir_all(world.root().join(format!("many/{directory}"))).unwrap();
    }
    world.write("many/7/file");
    let (diary, surveyed) = tell(&world, false).await;
    assert_eq!(surveyed.directories, directories as u64 + 2);
    assert_eq!(told(&diary), set(&["many/7/file"]));
    assert_eq!(diary.ended[&b"many"[..]], directories as u64);
}
