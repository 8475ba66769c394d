//! Whole directories: each outcome, and that survivors are those that should survive.

use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

/// Paths beneath the root, directories included.
fn everything(world: &World) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut directories = vec![world.root()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.strip_prefix(world.root()).unwrap().to_string_lossy().into_owned());
            if path.symlink_metadata().unwrap().is_dir() {
                directories.push(path);
            }
        }
    }
    found
}

/// Lets the kernel's clock for files go on by more than a tick.
fn tick() {
    std::thread::sleep(Duration::from_millis(50));
}

#[tokio::test]
async fn a_directory_goes_whole_and_its_neighbours_stay() {
    for world in World::both() {
        for path in ["7/a", "7/b/c", "7/b/d/e", "70/a", "7x", "8/a", "in/7/a", "in/8/a"] {
            world.write(path);
        }
        std::fs::create_dir_all(world.root().join("7/empty/er")).unwrap();
        std::fs::create_dir(world.root().join("9")).unwrap();
        let outcomes = remove_directories(&world, &["7", "in/7", "9", "10", "in/10", "no/7"]).await;
        let missing = Outcome::Missing;
        assert_eq!(outcomes, [emptied(3), emptied(1), emptied(0), missing.clone(), missing.clone(), missing]);
        assert_eq!(everything(&world), set(&["70", "70/a", "7x", "8", "8/a", "in", "in/8", "in/8/a"]));
    }
}

#[tokio::test]
async fn what_is_no_directory_is_kept() {
    for world in World::both() {
        write(&world.outside().join("a"));
        world.write("file");
        world.write("real/a");
        symlink(world.outside(), world.root().join("link")).unwrap();
        symlink("real", world.root().join("within")).unwrap();
        symlink("nowhere", world.root().join("dangling")).unwrap();
        let before = everything(&world);
        let outcomes =
            remove_directories(&world, &["file", "link", "within", "dangling", "link/sub", "file/sub"]).await;
        let link = kept(other(FileKind::Link, FileKind::Directory));
        let through = kept(Stays::LinkInPath);
        let file = kept(other(FileKind::File, FileKind::Directory));
        assert_eq!(outcomes, [file, link.clone(), link.clone(), link, through, Outcome::Missing]);
        assert_eq!(everything(&world), before);
        assert_eq!(names(&world.outside()), set(&["a"]));
    }
}

#[tokio::test]
async fn later_files_stay_with_the_directories_around_them() {
    let world = World::new();
    for path in ["7/old", "7/a/old", "7/a/rewritten", "7/b/old", "8/old"] {
        world.write(path);
    }
    tick();
    let decided_at = Clock::system().now();
    tick();
    world.write("7/a/rewritten");
    world.write("7/b/new/c");
    world.write("9/a");
    let removal = directories(&["7", "8", "9"]);
    let (listener, listed) = listener();
    let examined = world
        .open()
        .examine(removal.clone(), decided_at, &never(), Look { listener: Some(listener), gone: None })
        .await;
    let outcomes = world.open().remove(removal, decided_at, Way::Unlink, &never()).await;
    assert_eq!(examined, outcomes);
    let Outcome::Partly(part) = &outcomes[0].1 else { panic!("{outcomes:?}") };
    assert_eq!((part.files, part.size_bytes, part.kept, part.failed, part.is_pending()), (3, 15, 2, 0, false));
    let mut stays = part.left.clone();
    stays.sort_by(|a, b| a.path.cmp(&b.path));
    let written = Why::Kept(Stays::WrittenLater);
    assert_eq!(stays, [left("7/a/rewritten", written), left("7/b/new", Why::Kept(Stays::MadeLater))]);
    assert_eq!((&outcomes[1].1, &outcomes[2].1), (&emptied(1), &kept(Stays::MadeLater)));
    assert_eq!(world.survivors(), set(&["7/a/rewritten", "7/b/new/c", "9/a"]));
    assert!(!world.root().join("8").exists());
    let listed: BTreeSet<_> = listed.lock().unwrap().iter().map(|inside| inside.path.clone()).collect();
    assert_eq!(listed, set(&["7/old", "7/a/old", "7/b/old", "8/old"]));
}

#[tokio::test]
async fn g3_named_files_stay_with_the_directories_around_them() {
    for world in World::both() {
        for path in ["7/a/b/c", "7/a/b/d", "7/a/e", "7/f/g", "7/f/h/i", "70/a"] {
            world.write(path);
        }
        let mut removal = directories(&["7", "70"]);
        removal[0].kept = paths(&["7/a/b/c", "7/f", "7/absent/x"]);
        let outcomes = remove_all(&world, removal.clone()).await;
        let part = Part { files: 2, size_bytes: 10, ..Part::default() };
        assert_eq!(outcomes, [Outcome::Partly(part), emptied(1)]);
        assert_eq!(world.survivors(), set(&["7/a/b/c", "7/f/g", "7/f/h/i"]));
        removal[0].kept = paths(&["7"]);
        removal[0].path = paths(&["7/f"]).remove(0).into();
        removal.extend(files(&["7/f/g", "7/a/b/c"]));
        let named = kept(Stays::Named);
        assert_eq!(remove_all(&world, removal).await, [named.clone(), Outcome::Missing, named.clone(), named]);
        assert_eq!(world.survivors(), set(&["7/a/b/c", "7/f/g", "7/f/h/i"]));
    }
}

#[tokio::test]
async fn a_removal_within_another_is_counted_once() {
    for world in World::both() {
        for path in ["7/preview", "7/a/b", "7/a/c", "7/d/e", "7/s/1", "7/s/2"] {
            world.write(path);
        }
        let mut removal = directories(&["7", "7/a", "7", "7/s"]);
        removal[3].kept = paths(&["7/s/1"]);
        removal.extend(files(&["7/preview", "7/a/b", "7/d", "7/absent", "7"]));
        let outcomes = remove_all(&world, removal).await;
        let partly = |files: u64| Outcome::Partly(Part { files, size_bytes: 5 * files, ..Part::default() });
        let directory = kept(other(FileKind::Directory, FileKind::File));
        let expected =
            [partly(1), emptied(1), partly(0), partly(1), removed(), removed(), directory.clone(), Outcome::Missing];
        assert_eq!(outcomes[..8], expected);
        assert_eq!(outcomes[8], directory);
        assert_eq!(world.survivors(), set(&["7/s/1"]));
    }
}

#[tokio::test]
async fn paths_requested_as_both_go_by_their_kind() {
    let world = World::new();
    world.write("file");
    world.write("directory/a");
    let mut removal = directories(&["file", "directory"]);
    removal.extend(files(&["file", "directory"]));
    let outcomes = remove_all(&world, removal).await;
    assert_eq!(outcomes, [Outcome::Missing, emptied(1), removed(), kept(other(FileKind::Directory, FileKind::File))]);
    assert_eq!(everything(&world), set(&[]));
}

#[tokio::test]
async fn bytes_of_hard_links_count_with_the_last() {
    let world = World::new();
    for path in ["7/a", "7/b", "9/own"] {
        world.write(path);
    }
    let link = |from: &str, to: PathBuf| std::fs::hard_link(world.root().join(from), to).unwrap();
    link("7/a", world.root().join("7/a2"));
    std::fs::create_dir(world.root().join("8")).unwrap();
    link("7/a", world.root().join("8/a3"));
    link("7/b", world.outside().join("b"));
    let shared = inode(&world.outside().join("b"));
    let bytes = |(_, outcome): &(RawPath, Outcome)| match outcome {
        Outcome::Removed { size_bytes, .. } => *size_bytes,
        other => panic!("{other:?}"),
    };
    let (store, removal) = (world.open(), directories(&["7", "8", "9"]));
    for outcomes in [
        store.examine(removal.clone(), later(), &never(), Look::default()).await,
        store.remove(removal, later(), Way::Unlink, &never()).await,
    ] {
        assert_eq!(outcomes.iter().map(|(_, outcome)| files_of(outcome)).collect::<Vec<_>>(), [3, 1, 1]);
        // `a` has three links in two directories, which go at the same time: whichever ends last frees it.
        assert_eq!((bytes(&outcomes[0]) + bytes(&outcomes[1]), bytes(&outcomes[2])), (5, 5));
    }
    assert_eq!(names(&world.root()), set(&[]));
    assert_eq!(inode(&world.outside().join("b")), shared);
}

#[tokio::test]
async fn a_stopped_removal_is_finished_the_next_time() {
    for world in World::both_in_memory() {
        let all: Vec<String> = (0..2000).map(|i| format!("7/{}/{i}", i % 40)).collect();
        for path in &all {
            world.write(path);
        }
        world.write("8/a");
        let store = world.open();
        let stop = CancellationToken::new();
        // The look stops itself after a hundred files.
        let (counted, told) = (Arc::new(Mutex::new(0)), stop.clone());
        let heard = Arc::clone(&counted);
        let listener: Listener = Arc::new(move |_| {
            let mut counted = heard.lock().unwrap();
            *counted += 1;
            if *counted == 100 {
                told.cancel();
            }
        });
        let outcomes =
            store.examine(directories(&["7"]), later(), &stop, Look { listener: Some(listener), gone: None }).await;
        let Outcome::Partly(part) = &outcomes[0].1 else { panic!("{outcomes:?}") };
        assert_eq!((part.files, part.stopped, part.is_pending(), &part.left), (100, true, true, &Vec::new()));

        let before = store.remove(directories(&["7", "8"]), later(), Way::Unlink, &stop).await;
        assert!(before.iter().all(|(_, outcome)| *outcome == Outcome::Stopped), "{before:?}");
        assert_eq!(world.survivors().len(), 2001);

        let stop = CancellationToken::new();
        let removal = tokio::spawn({
            let (store, stop) = (store.clone(), stop.clone());
            async move { store.remove(directories(&["7"]), later(), Way::Unlink, &stop).await }
        });
        while world.root().join("7/39/39").exists() && world.root().join("7/0/0").exists() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        let outcomes = removal.await.unwrap();
        let gone = match &outcomes[0].1 {
            Outcome::Partly(part) => {
                assert!(part.stopped && part.is_pending(), "{part:?}");
                part.files
            }
            Outcome::Removed { files, .. } => *files,
            other => panic!("{other:?}"),
        };
        assert_eq!(world.survivors().len() as u64, 2001 - gone, "what was counted is what is gone");
        let rest = remove_directories(&world, &["7", "8"]).await;
        assert_eq!(files_of(&rest[0]) + gone, 2000);
        assert_eq!(everything(&world), set(&[]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heeded_at_once() {
    let world = World::in_memory();
    for file in 0..20_000 {
        world.write(&format!("7/{file}"));
    }
    let (store, stop) = (world.open(), CancellationToken::new());
    let removal = tokio::spawn({
        let stop = stop.clone();
        async move { store.remove(directories(&["7"]), later(), Way::Unlink, &stop).await }
    });
    while world.root().join("7").read_dir().unwrap().count() == 20_000 {}
    let begin = std::time::Instant::now();
    stop.cancel();
    let outcomes = removal.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!(world.survivors().len() as u64, 20_000 - files_of(&outcomes[0].1));
}

#[tokio::test]
async fn a_stop_is_heeded_among_empty_directories_too() {
    let world = World::in_memory();
    for number in 0..2000 {
        std::fs::create_dir_all(world.root().join(format!("7/{number}"))).unwrap();
    }
    world.write("7/a");
    let (store, stop) = (world.open(), CancellationToken::new());
    let told = stop.clone();
    let listener: Listener = Arc::new(move |_| told.cancel());
    let options = RemovalOptions {
        act: Act::Unlink,
        durable: Durable::AtOnce,
        decided_at: later(),
        stop,
        look: Look { listener: Some(listener), gone: None },
    };
    let outcome = remove::batch::sweep(&store.root, &directories(&["7"]), &options).remove(0);
    assert!(matches!(&outcome, Outcome::Partly(part) if part.stopped && part.files == 1), "{outcome:?}");
    assert_eq!(world.root().join("7").read_dir().unwrap().count(), 2000);
}

#[tokio::test]
async fn many_directories_go_at_once() {
    let world = World::new();
    for path in (0..3000).map(|i| format!("{}/{i}", i % 600)) {
        world.write(&path);
    }
    world.write("stays/a");
    let all: Vec<String> = (0..600).map(|i| i.to_string()).collect();
    let outcomes = remove_directories(&world, &all).await;
    assert!(outcomes.iter().all(|outcome| *outcome == emptied(5)));
    assert_eq!(everything(&world), set(&["stays", "stays/a"]));
}

#[tokio::test]
async fn d3_a_root_that_was_replaced_loses_no_directory() {
    let world = World::new();
    world.write("7/a");
    let store = world.open();
    let old = world.directory.path().join("old");
    std::fs::rename(world.root(), &old).unwrap();
    world.write("7/a");
    let outcomes = store.remove(directories(&["7"]), later(), Way::Unlink, &never()).await;
    assert!(
        matches!(&outcomes[0].1, Outcome::Failed(Unremoved::Error(why)) if why.contains("replaced or unmounted")),
        "{outcomes:?}"
    );
    assert!(old.join("7/a").exists() && world.root().join("7/a").exists());
}

#[tokio::test]
async fn d8_lately_changed_files_in_old_directories_stay() {
    let world = World::new();
    for path in ["7/old", "7/in/young", "8/old", "young-and-empty/x"] {
        world.write(path);
    }
    world.put_away(&world.root().join("young-and-empty/x"));
    let now = Clock::system().now();
    for path in ["7/old", "8/old"] {
        let file = std::fs::File::open(world.root().join(path)).unwrap();
        file.set_modified((now - Duration::from_secs(3600)).into()).unwrap();
    }
    let before = (now - Duration::from_secs(600)).as_nanosecond();
    let removal = paths(&["7", "8", "young-and-empty"])
        .into_iter()
        .map(|path| RemovalRequest::old_directory(path, before, AgeBy::Written));
    let outcomes = remove_all(&world, removal.collect()).await;
    let kept = |path: &str| vec![left(path, Why::Kept(Stays::Young))];
    let part = |files, path| Part { files, size_bytes: 5 * files, kept: 1, left: kept(path), ..Part::default() };
    let partly = Outcome::Partly(part(1, "7/in/young"));
    assert_eq!(outcomes, [partly, emptied(1), Outcome::Partly(part(0, "young-and-empty"))]);
    assert_eq!(world.survivors(), set(&["7/in/young"]));
    assert!(world.root().join("young-and-empty").is_dir());
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

fn any_request() -> impl Strategy<Value = RemovalRequest> {
    (any_path(), any::<bool>(), prop::collection::vec(any_path(), 0..3)).prop_map(|(path, directory, kept)| {
        RemovalRequest {
            path: RawPath::parse(path.as_bytes()).unwrap(),
            directory,
            kept: if directory { paths(&kept) } else { Vec::new() },
            seen: None,
            changed_before_ns: None,
            age_by: AgeBy::default(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn g6_exactly_what_a_look_names_goes(
        tree in prop::collection::vec((any_path(), any_thing()), 0..20),
        removal in prop::collection::vec(any_request(), 0..8),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        for world in World::both() {
            runtime.block_on(check(&world, &tree, &removal));
        }
    }
}

async fn check(world: &World, tree: &[(String, Thing)], removal: &[RemovalRequest]) {
    write(&world.outside().join("a/b"));
    for (path, thing) in tree {
        let path = world.root().join(path);
        // Where something else is in the way, the tree does without.
        let _ = std::fs::create_dir_all(path.parent().unwrap());
        let _ = match thing {
            Thing::File => std::fs::write(&path, b"bytes"),
            Thing::Directory => std::fs::create_dir(&path),
            Thing::Link => symlink(world.outside(), &path),
        };
    }
    let (before, outside) = (world.survivors(), names(&world.outside()));
    let outcomes = remove_all(world, removal.to_vec()).await;
    let after = world.survivors();
    assert_eq!(names(&world.outside()), outside);
    let beneath = |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    for path in &before - &after {
        let named = removal.iter().any(|removal| match removal.directory {
            true => beneath(&path, &removal.path.to_string()),
            false => path == removal.path.to_string(),
        });
        assert!(named, "{path} was not removal");
        for kept in removal.iter().flat_map(|removal| &removal.kept) {
            assert!(path != kept.as_str() && !beneath(&path, kept.as_str()), "{path} was kept");
        }
    }
    for (removal, outcome) in removal.iter().zip(&outcomes) {
        if removal.directory && matches!(outcome, Outcome::Removed { .. }) {
            assert!(!world.root().join(removal.path.to_string()).is_dir(), "{} is gone", removal.path);
        }
    }
}
