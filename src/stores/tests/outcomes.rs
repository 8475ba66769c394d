//! Each outcome of a file, and that survivors are those that should survive.

use std::os::unix::process::CommandExt;

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn files_go_and_their_neighbours_stay() {
    for world in World::both() {
        for path in ["a.jpg", "d/a.jpg", "d/e/a.jpg", "b.jpg", "d/b.jpg", "d/e/b.jpg"] {
            world.write(path);
        }
        let outcomes = remove(&world, &["d/e/a.jpg", "a.jpg", "d/absent.jpg", "absent/a.jpg", "d/a.jpg"]).await;
        assert_eq!(outcomes, [removed(), removed(), Outcome::Missing, Outcome::Missing, removed()]);
        assert_eq!(world.survivors(), set(&["b.jpg", "d/b.jpg", "d/e/b.jpg"]));
    }
}

#[tokio::test]
async fn a_path_named_twice_is_removed_once() {
    let world = World::new();
    world.write("a/x");
    std::fs::create_dir(world.root().join("a/y")).unwrap();
    let directory = kept(other(FileKind::Directory, FileKind::File));
    let outcomes = remove(&world, &["a/x", "a/y", "a/x", "a/y", "a/x"]).await;
    assert_eq!(outcomes, [removed(), directory.clone(), Outcome::Missing, directory, Outcome::Missing]);
}

#[tokio::test]
async fn many_paths_named_twice_are_removed_once() {
    let world = World::in_memory();
    let paths: Vec<_> = (0..700).map(|file| format!("d/{file}")).collect();
    paths.iter().for_each(|path| world.write(path));
    let twice: Vec<_> = paths.iter().chain(&paths).cloned().collect();
    let outcomes = remove(&world, &twice).await;
    assert!(outcomes[..700].iter().all(|outcome| *outcome == removed()));
    assert!(outcomes[700..].iter().all(|outcome| *outcome == Outcome::Missing));
    assert_eq!(world.survivors(), set(&[]));
}

#[tokio::test]
async fn bytes_of_hard_links_count_with_the_last() {
    let world = World::new();
    world.write("a/1");
    for link in ["a/2", "b/3"] {
        std::fs::create_dir_all(world.root().join(link).parent().unwrap()).unwrap();
        std::fs::hard_link(world.root().join("a/1"), world.root().join(link)).unwrap();
    }
    let none = Outcome::Removed { files: 1, size_bytes: 0 };
    assert_eq!(remove(&world, &["a/1"]).await, std::slice::from_ref(&none));
    let outcomes = remove(&world, &["b/3", "a/2"]).await;
    assert!(outcomes == [none.clone(), removed()] || outcomes == [removed(), none], "{outcomes:?}");
    assert_eq!(world.survivors(), set(&[]));
}

#[tokio::test]
async fn what_was_written_after_the_decision_is_kept() {
    let world = World::new();
    for path in ["untouched", "rewritten", "replaced", "from-the-future"] {
        world.write(path);
    }
    let tomorrow = Clock::system().now() + Duration::from_secs(86_400);
    let old = std::fs::File::options().write(true).open(world.root().join("from-the-future")).unwrap();
    old.set_modified(tomorrow.into()).unwrap();
    // The kernel's clock for files goes in ticks.
    let tick = Duration::from_millis(50);
    std::thread::sleep(tick);
    let decided_at = Clock::system().now();
    std::thread::sleep(tick);
    world.write("rewritten");
    std::fs::rename(world.root().join("replaced"), world.outside().join("replaced")).unwrap();
    world.write("replaced");
    // As rsync leaves it: new, with an old time of writing.
    let replaced = std::fs::File::options().write(true).open(world.root().join("replaced")).unwrap();
    replaced.set_modified((decided_at - Duration::from_secs(3600)).into()).unwrap();

    let named = files(&["untouched", "rewritten", "replaced", "from-the-future"]);
    let store = world.open();
    let examined = store.examine(named.clone(), decided_at, &never(), Look::default()).await;
    let outcomes = store.remove(named, decided_at, Way::Unlink, &never()).await;
    assert_eq!(examined, outcomes);
    let new = kept(Stays::WrittenLater);
    let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [removed(), new.clone(), new, removed()]);
    assert_eq!(world.survivors(), set(&["rewritten", "replaced"]));
}

#[tokio::test]
async fn empty_roots_and_empty_lists_are_nothing_special() {
    let world = World::new();
    assert_eq!(remove(&world, &["a", "b/c"]).await, [Outcome::Missing, Outcome::Missing]);
    assert_eq!(world.open().remove(Vec::new(), later(), Way::Unlink, &never()).await, []);
}

#[tokio::test]
async fn only_an_existing_directory_opens_as_a_store() {
    let world = World::new();
    let store = |root: PathBuf| Store {
        name: Name::parse("thumbnails").unwrap(),
        root,
        strip_prefix: None,
        references: Vec::new(),
        trash: None,
        age_by: Default::default(),
    };
    let error = OpenStore::open(&store(world.root().join("absent"))).unwrap_err();
    assert!(matches!(&error, StoreError::Open { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound));
    assert!(error.to_string().contains("root/absent"), "{error}");
    world.write("file");
    let error = OpenStore::open(&store(world.root().join("file"))).unwrap_err();
    assert!(matches!(error, StoreError::NotDirectory { .. }), "{error:?}");
    assert!(OpenStore::open(&store(world.root())).is_ok());
}

#[tokio::test]
async fn access_tells_rights_owner_and_mount() {
    let world = World::new();
    let access = world.open().access().unwrap();
    let mode = std::fs::metadata(world.root()).unwrap().mode() & 0o7777;
    assert!(access.readable && access.writable && !access.read_only_mount);
    assert_eq!(access.mode, mode);
    assert!(world.root().starts_with(&access.mount_point), "{access:?}");
    assert!(!is_root() || access.owner == "root:root", "{access:?}");
}

const STORE: &str = "RETAIND_TEST_STORE";

/// Removes as a user without rights; run by the next test as a process of its own.
#[tokio::test]
async fn child_without_rights() {
    let Ok(root) = std::env::var(STORE) else { return };
    let store = OpenStore { root: Arc::new(Root::open(Path::new(&root)).unwrap()) };
    let mut access = store.access().unwrap();
    assert_eq!((access.readable, access.writable), (true, false));
    let outcomes = store.remove(files(&["a.jpg", "closed/a.jpg", "absent"]), later(), Way::Unlink, &never()).await;
    let denied = Outcome::Failed("permission denied (os error 13)".to_owned().into());
    let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [denied.clone(), denied, Outcome::Missing]);
    let Walked { surveyed, .. } = store.walk(walk::Diary::default, &never()).await.unwrap();
    let unseen = Unseen { path: "closed".to_owned(), why: "permission denied (os error 13)".to_owned() };
    assert_eq!(
        (surveyed.files, surveyed.errors, surveyed.first_errors),
        (1, 1, vec![unseen]),
        "d7: an error, not nothing"
    );
    let closed = OpenStore { root: Arc::new(Root::open(&Path::new(&root).join("closed")).unwrap()) };
    access = closed.access().unwrap();
    assert_eq!((access.readable, access.writable, access.mode), (false, false, 0o000));
}

#[test]
fn without_rights_a_removal_fails_and_says_so() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.write("a.jpg");
    world.write("closed/a.jpg");
    let mode = |path: PathBuf, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(world.directory.path().to_owned(), 0o755);
    mode(world.root().join("closed"), 0o000);
    mode(world.root(), 0o555);
    // A copy that anybody may run, wherever the build directory is.
    let program = world.directory.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(program);
    child.args(["--exact", "stores::tests::outcomes::child_without_rights"]).env(STORE, world.root()).current_dir("/");
    if is_root() {
        child.uid(65534).gid(65534);
    }
    let done = child.output().unwrap();
    mode(world.root(), 0o755);
    mode(world.root().join("closed"), 0o755);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(world.survivors(), set(&["a.jpg", "closed/a.jpg"]));
}

#[tokio::test]
async fn an_immutable_file_fails_and_its_neighbour_goes() {
    let world = World::new();
    world.write("fast");
    world.write("loose");
    let fast = world.root().join("fast");
    let set_flag = |flag: &str| Command::new("chattr").arg(flag).arg(&fast).output().is_ok_and(|o| o.status.success());
    if !set_flag("+i") {
        eprintln!("skipped: the file system or the user has no immutable files");
        return;
    }
    let outcomes = world.open().remove(files(&["fast", "loose"]), later(), Way::Unlink, &never()).await;
    assert!(set_flag("-i"));
    assert_eq!(outcomes[0].1, Outcome::Failed("operation not permitted (os error 1)".to_owned().into()));
    assert_eq!(outcomes[1].1, removed());
    assert_eq!(world.survivors(), set(&["fast"]));
}

#[tokio::test]
async fn many_files_in_many_directories_go_at_once() {
    let world = World::new();
    let all: Vec<String> = (0..3000).map(|i| format!("{}/{}/{i}", i % 7, i % 600)).collect();
    for path in &all {
        world.write(path);
    }
    let (gone, stay): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|path| path.len() % 3 != 0);
    let outcomes = remove(&world, &gone).await;
    assert!(outcomes.iter().all(|outcome| *outcome == removed()));
    assert_eq!(world.survivors(), stay.into_iter().collect());
}

#[derive(Debug, Clone, Copy)]
enum Thing {
    File,
    Directory,
    Link,
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec("[abc]", 1..4).prop_map(|components| components.join("/"))
}

fn any_thing() -> impl Strategy<Value = Thing> {
    prop_oneof![4 => Just(Thing::File), 1 => Just(Thing::Directory), 1 => Just(Thing::Link)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn g6_exactly_what_a_look_names_goes(
        tree in prop::collection::vec((any_path(), any_thing()), 0..20),
        asked in prop::collection::vec(any_path(), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for world in World::both() {
            runtime.block_on(check_survivors(&world, &tree, &asked));
        }
    }
}

async fn check_survivors(world: &World, tree: &[(String, Thing)], asked: &[String]) {
    write(&world.outside().join("a"));
    for (path, thing) in tree {
        let path = world.root().join(path);
        // Where something else is in the way, the tree does without.
        let _ = std::fs::create_dir_all(path.parent().unwrap());
        let _ = match thing {
            Thing::File => std::fs::write(&path, b"bytes"),
            Thing::Directory => std::fs::create_dir(&path),
            Thing::Link => std::os::unix::fs::symlink(world.outside(), &path),
        };
    }
    let (inside, outside) = (world.survivors(), names(&world.outside()));
    let outcomes = remove(world, asked).await;
    let gone: BTreeSet<String> = asked
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| matches!(outcome, Outcome::Removed { .. }))
        .map(|(path, _)| path.clone())
        .collect();
    assert_eq!(world.survivors(), &inside - &gone);
    assert_eq!(names(&world.outside()), outside);
    for (path, outcome) in asked.iter().zip(&outcomes) {
        let was_there = inside.contains(path);
        match outcome {
            Outcome::Removed { .. } => assert!(was_there, "{path}"),
            Outcome::Missing => assert!(!was_there || gone.contains(path), "{path}"),
            Outcome::Kept(_) | Outcome::Mismatch(_) => {
                assert!(std::fs::symlink_metadata(world.root().join(path)).is_ok() || !was_there)
            }
            Outcome::Failed(_) | Outcome::Trashed { .. } | Outcome::Partly(_) | Outcome::Stopped => {
                panic!("{path}: {outcome:?}")
            }
        }
    }
}
