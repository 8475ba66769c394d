//! The trash under attack: trees of any shape, swaps during a move, a walk among swaps, kills, depths that no path can say.

use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use proptest::prelude::*;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use super::trash::{RUN, identities, live, restore, trash, trash_of, trashed};
use super::*;

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|components| components.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_would_go_goes_there_and_comes_back(
        tree in prop::collection::vec(any_path(), 0..20),
        removal in prop::collection::vec((any_path(), any::<bool>()), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for world in World::both_in_memory() {
            runtime.block_on(check_return(&world, &tree, &removal));
        }
    }
}

async fn check_return(world: &World, tree: &[String], removal: &[(String, bool)]) {
    for path in tree {
        let path = world.root().join(path);
        // Where something else is in the way, the tree does without.
        let _ = std::fs::create_dir_all(path.parent().unwrap());
        let _ = std::fs::write(&path, b"bytes");
    }
    let removal: Vec<_> = removal
        .iter()
        .map(|(path, directory)| RemovalRequest {
            directory: *directory,
            ..RemovalRequest::file(RawPath::parse(path.as_bytes()).unwrap())
        })
        .collect();
    let before = identities(world);
    let examined = world.open().examine(removal.clone(), later(), &never(), Look::default()).await;
    let outcomes = trash(world, RUN, removal).await;
    for ((path, seen), done) in examined.iter().zip(&outcomes) {
        assert_eq!(files_of(seen), files_of(done), "{path}");
        assert!(!matches!(done, Outcome::Removed { .. } | Outcome::Failed(_)), "{path}: {done:?}");
    }
    let gone: BTreeSet<String> =
        before.keys().cloned().collect::<BTreeSet<_>>().difference(&live(world)).cloned().collect();
    assert_eq!(trashed(world, RUN), gone);
    if !gone.is_empty() {
        let Restored { part, .. } = restore(world, RUN, None).await;
        assert_eq!((part.files, part.kept, part.failed), (gone.len() as u64, 0, 0));
    }
    assert_eq!(identities(world), before);
}

const LASTS: Duration = Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread")]
async fn a_file_swapped_in_during_the_move_stays() {
    let world = World::in_memory();
    let (a, keep) = (world.root().join("d/a"), world.root().join("d/keep"));
    world.write("d/keep");
    let precious = inode(&keep);
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let swapping = std::thread::spawn(move || {
        let mut swaps = 0_u64;
        while !told.load(Ordering::Relaxed) {
            swaps += u64::from(rustix::fs::renameat_with(CWD, &a, CWD, &keep, RenameFlags::EXCHANGE).is_ok());
        }
        swaps
    });
    let (begin, mut went, mut stayed) = (Instant::now(), 0, 0);
    while begin.elapsed() < LASTS {
        // Whichever of the two names is free, if one is.
        for name in ["a", "keep"] {
            drop(std::fs::File::create_new(world.root().join("d").join(name)));
        }
        let directory = world.open().root.directory(Some(b"d")).unwrap();
        let Ok(facts) = sys::look(&directory, b"a") else { continue };
        if facts.stx_ino == precious {
            continue;
        }
        let removal = RemovalRequest::seen(RawPath::parse(b"d/a").unwrap(), file_facts(&facts).seen());
        match trash(&world, RUN, vec![removal]).await.remove(0) {
            Outcome::Trashed { .. } => went += 1,
            Outcome::Kept(_) | Outcome::Mismatch(_) | Outcome::Missing | Outcome::Failed(_) => stayed += 1,
            other => panic!("{other:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    let swaps = swapping.join().unwrap();
    let is_in = |directory: PathBuf| names(&directory).iter().any(|name| inode(&directory.join(name)) == precious);
    assert!(!is_in(trash_of(&world, RUN)), "{went} went, {stayed} stayed, {swaps} swaps");
    assert!(is_in(world.root().join("d")));
    assert!(went > 0 && stayed > 0 && swaps > 100, "{went} went, {stayed} stayed, {swaps} swaps");
}

/// Hears only paths.
#[derive(Debug, Default)]
struct Paths(BTreeSet<Vec<u8>>);

impl Visitor for Paths {
    fn file(&mut self, path: &[u8], _: FileKind) -> Want {
        self.0.insert(path.to_vec());
        Want::Facts
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_a_walk_among_swapped_links_stays_inside() {
    for world in World::both_in_memory() {
        write(&world.outside().join("secret"));
        write(&world.outside().join("in/secret"));
        for directory in 0..20 {
            world.write(&format!("{directory}/a/in/file"));
            symlink(world.outside(), world.root().join(format!("{directory}/b"))).unwrap();
        }
        let (root, stop) = (world.root(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        let swapping = std::thread::spawn(move || {
            let mut swaps = 0_u64;
            while !told.load(Ordering::Relaxed) {
                let directory = root.join((swaps % 20).to_string());
                let (a, b) = (directory.join("a"), directory.join("b"));
                rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        });
        let (begin, mut files, mut errors) = (Instant::now(), 0, 0);
        while begin.elapsed() < LASTS {
            let Walked { surveyed, visitors } = world.open().walk(Paths::default, &never()).await.unwrap();
            for path in visitors.iter().flat_map(|visitor| &visitor.0) {
                assert!(!path.ends_with(b"secret"), "{}", String::from_utf8_lossy(path));
            }
            files += surveyed.files;
            errors += surveyed.errors;
        }
        stop.store(true, Ordering::Relaxed);
        let swaps = swapping.join().unwrap();
        assert!(files > 0 && swaps > 100, "{files} files, {errors} errors, {swaps} swaps");
    }
}

#[tokio::test]
async fn a_tree_deeper_than_paths_goes_and_returns() {
    // Without openat2 each step of a path is a call of its own, however long the path is.
    for (world, levels) in World::both_in_memory().into_iter().zip([3000, 300]) {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        std::fs::create_dir(world.root().join("u")).unwrap();
        let mut directory = rustix::fs::open(world.root().join("u"), flags, Mode::empty()).unwrap();
        for _ in 0..levels {
            let create = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(rustix::fs::openat(&directory, "f", create, Mode::RUSR).unwrap());
            rustix::fs::mkdirat(&directory, "d", Mode::RWXU).unwrap();
            directory = rustix::fs::openat(&directory, "d", flags, Mode::empty()).unwrap();
        }
        drop(directory);
        let count = async || {
            let Walked { surveyed, .. } = world.open().walk(Paths::default, &never()).await.unwrap();
            (surveyed.files, surveyed.errors)
        };
        assert_eq!(count().await, (levels, 0));
        assert_eq!(trash(&world, RUN, directories(&["u"])).await, [Outcome::Trashed { files: levels, size_bytes: 0 }]);
        assert_eq!(count().await, (0, 0));
        let Restored { part, .. } = restore(&world, RUN, None).await;
        assert_eq!((part.files, part.kept, part.failed, part.stopped), (levels, 0, 0, false), "{:?}", part.left);
        assert_eq!(count().await, (levels, 0));
        // So that the directory around it can be removed after the test.
        world.open().remove(directories(&["u"]), later(), Way::Unlink, &never()).await;
    }
}

const STORE: &str = "RETAIND_TEST_TRASH";

/// Trashes and restores until it is killed; run by the next test as a process of its own.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(root) = std::env::var(STORE) else { return };
    let store = OpenStore { root: Arc::new(Root::open(Path::new(&root)).unwrap()) };
    loop {
        let removal = [files(&["a", "d/b"]), directories(&["u"])].concat();
        store.remove(removal, later(), Way::Trash { run: RUN }, &never()).await;
        // There is nothing to restore where the kill before this came between the two.
        let (Ok(_) | Err(_)) = store.restore(RUN, None, &never()).await;
    }
}

#[tokio::test]
async fn g1_a_kill_at_any_point_loses_nothing() {
    let world = World::in_memory();
    for path in ["a", "d/b", "stays"] {
        world.write(path);
    }
    for file in 0..200 {
        world.write(&format!("u/{}/{}/{file}", file % 3, file % 11));
    }
    let all = identities(&world);
    let mut between = 0;
    for round in 0_u64..25 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "stores::tests::trash_attacked::child_that_is_killed"]).env(STORE, world.root());
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(40 + round * 7 % 60));
        assert!(child.try_wait().unwrap().is_none(), "it goes on until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();
        let mut found = identities(&world);
        let (in_store, in_trash) = (found.len(), trashed(&world, RUN));
        between += u64::from(in_store < all.len() && !in_trash.is_empty());
        found.extend(in_trash.iter().map(|path| (path.clone(), inode(&trash_of(&world, RUN).join(path)))));
        assert_eq!(found, all, "each is in one of the two places, under its own path");
        assert_eq!(in_store + in_trash.len(), all.len(), "and in no more than one");
    }
    assert!(between > 0, "some kill came in between");
    if trash_of(&world, RUN).exists() {
        restore(&world, RUN, None).await;
    }
    assert_eq!(identities(&world), all);
    assert_eq!(trashed(&world, RUN), set(&[]));
}
