//! Tests of the trash: what goes there, what comes back, and what is emptied; and that none of it goes anywhere else.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use uuid::Uuid;

use super::*;

pub const RUN: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001);
const OTHER: Uuid = Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0002);

pub fn trash_of(world: &World, run: Uuid) -> PathBuf {
    world.root().join(".retaind/trash").join(run.to_string())
}

/// Contents of the trash of a run.
pub fn trashed(world: &World, run: Uuid) -> BTreeSet<String> {
    let trash = trash_of(world, run);
    if trash.exists() { names(&trash) } else { BTreeSet::new() }
}

/// Everything but what is ours.
pub fn live(world: &World) -> BTreeSet<String> {
    world.survivors().into_iter().filter(|path| !path.starts_with(".retaind")).collect()
}

/// Each file's path with its inode: a file that only looks the same is not the same.
pub fn identities(world: &World) -> BTreeMap<String, u64> {
    let is_text = |path: &String| !path.contains('\u{fffd}');
    live(world).into_iter().filter(is_text).map(|path| (path.clone(), inode(&world.root().join(&path)))).collect()
}

pub async fn trash(world: &World, run: Uuid, removal: Vec<RemovalRequest>) -> Vec<Outcome> {
    let outcomes = world.open().remove(removal, later(), Way::Trash { run }, &never()).await;
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

pub async fn restore(world: &World, run: Uuid, only: Option<&[&str]>) -> Restored {
    let only = only.map(|only| paths(only).into_iter().map(RawPath::from).collect());
    world.open().restore(run, only, &never()).await.unwrap()
}

fn trash_outcome(files: u64) -> Outcome {
    Outcome::Trashed { files, size_bytes: 5 * files }
}

#[tokio::test]
async fn files_and_directories_go_there_and_come_back() {
    for world in World::both() {
        for path in ["a", "d/a", "d/b", "u/1", "u/in/2", "u/in/deep/3", "stays"] {
            world.write(path);
        }
        std::fs::create_dir(world.root().join("u/empty")).unwrap();
        let raw = world.root().join("u").join(OsStr::from_bytes(b"\xff\n"));
        write(&raw);
        let before = identities(&world);
        let removal = [files(&["a", "d/a", "absent"]), directories(&["u"])].concat();
        let outcomes = trash(&world, RUN, removal).await;
        assert_eq!(outcomes, [trash_outcome(1), trash_outcome(1), Outcome::Missing, trash_outcome(4)]);
        assert_eq!(live(&world), set(&["d/b", "stays"]));
        assert!(!world.root().join("u").exists());
        assert_eq!(trashed(&world, RUN), set(&["a", "d/a", "u/1", "u/in/2", "u/in/deep/3", "u/\u{fffd}\n"]));
        let listed = world.open().trash(&never()).await.unwrap();
        assert_eq!((listed[0].run, listed[0].files, listed[0].size_bytes), (RUN, 6, 30));
        let restored = restore(&world, RUN, None).await;
        assert_eq!(restored, Restored { part: Part { files: 6, size_bytes: 30, ..Part::default() }, missing: vec![] });
        assert_eq!(identities(&world), before, "the same files, not copies");
        assert!(raw.exists());
        assert!(!trash_of(&world, RUN).exists());
        let again = world.open().restore(RUN, None, &never()).await.unwrap_err();
        assert!(matches!(again, TrashError::NoRun { .. }), "{again}");
    }
}

#[tokio::test]
async fn nobody_else_can_look_into_the_trash() {
    let world = World::new();
    world.write("d/a");
    trash(&world, RUN, files(&["d/a"])).await;
    for directory in [world.root().join(".retaind"), trash_of(&world, RUN), trash_of(&world, RUN).join("d")] {
        assert_eq!(std::fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[tokio::test]
async fn a_path_removed_twice_is_kept_twice() {
    let world = World::new();
    for _ in 0..3 {
        world.write("d/a");
        assert_eq!(trash(&world, RUN, files(&["d/a"])).await, [trash_outcome(1)]);
    }
    assert_eq!(trashed(&world, RUN), set(&["d/a", "d/a.1", "d/a.2"]));
}

#[tokio::test]
async fn files_of_one_directory_are_kept_in_one() {
    let world = World::in_memory();
    let paths: Vec<_> = (0..700).map(|file| format!("new/d/{file}")).collect();
    paths.iter().for_each(|path| world.write(path));
    let outcomes = trash(&world, RUN, files(&paths)).await;
    assert!(outcomes.iter().all(|outcome| *outcome == trash_outcome(1)), "{outcomes:?}");
    assert_eq!(trashed(&world, RUN), paths.iter().cloned().collect());
    assert!(!world.root().join("new/d/0").exists());
}

#[tokio::test]
async fn a_restore_never_takes_the_place_of_anything() {
    let world = World::new();
    for path in ["a", "d/a", "u/file/a", "l/a", "free"] {
        world.write(path);
    }
    write(&world.outside().join("b"));
    trash(&world, RUN, [files(&["a", "d/a", "free", "l/a"]), directories(&["u"])].concat()).await;
    world.write("a");
    std::fs::create_dir_all(world.root().join("d/a")).unwrap();
    world.write("u/file");
    world.put_away(&world.root().join("l"));
    symlink(world.outside(), world.root().join("l")).unwrap();
    let before = identities(&world);
    for files in [1, 0] {
        let Restored { part, .. } = restore(&world, RUN, None).await;
        assert_eq!((part.files, part.kept, part.failed), (files, 4, 0), "{part:?}");
        let left: BTreeMap<_, _> = part.left.iter().map(|left| (left.path.as_str(), left.why.clone())).collect();
        assert_eq!(left["a"], Why::Kept(Stays::Taken));
        assert_eq!(left["d/a"], Why::Kept(Stays::Taken));
        assert_eq!(left["u/file/a"], Why::Kept(Stays::FileInPath));
        assert_eq!(left["l/a"], Why::Kept(Stays::LinkInPath));
    }
    let mut after = identities(&world);
    assert!(after.remove("free").is_some());
    assert_eq!(after, before);
    assert_eq!(names(&world.outside()), set(&["b"]));
    assert_eq!(trashed(&world, RUN), set(&["a", "d/a", "l/a", "u/file/a"]));
}

#[tokio::test]
async fn only_some_of_a_run_comes_back() {
    let world = World::new();
    for path in ["a", "d/a", "d/e/b", "d2/a"] {
        world.write(path);
    }
    trash(&world, RUN, files(&["a", "d/a", "d/e/b", "d2/a"])).await;
    let restored = restore(&world, RUN, Some(&["d", "absent", "a/x"])).await;
    assert_eq!(restored.part, Part { files: 2, size_bytes: 10, ..Part::default() });
    assert_eq!(restored.missing, paths(&["absent", "a/x"]));
    assert_eq!(live(&world), set(&["d/a", "d/e/b"]));
    let restored = restore(&world, RUN, Some(&["d2/a"])).await;
    assert_eq!((restored.part.files, restored.missing.len()), (1, 0));
    assert_eq!(trashed(&world, RUN), set(&["a"]));
}

#[tokio::test]
async fn restored_directories_are_like_the_one_around_them() {
    let world = World::new();
    world.write("open/d/a");
    std::fs::set_permissions(world.root().join("open"), PermissionsExt::from_mode(0o2775)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(world.root().join("open"), Some(65534), Some(65534)).unwrap();
    }
    trash(&world, RUN, directories(&["open/d"])).await;
    restore(&world, RUN, None).await;
    let like = |path: &str| {
        let facts = std::fs::metadata(world.root().join(path)).unwrap();
        (facts.mode() & 0o7777, facts.uid(), facts.gid())
    };
    assert_eq!(like("open/d"), like("open"));
    assert_eq!(like("open/d").0, 0o2775);
    assert_eq!(live(&world), set(&["open/d/a"]));
}

#[tokio::test]
async fn g4_a_trash_that_leads_elsewhere_is_never_used() {
    for place in ["", "trash", "trash/RUN", "trash/RUN/d"] {
        for world in World::both() {
            write(&world.outside().join("a"));
            write(&world.outside().join(format!("{RUN}/d/a")));
            write(&world.outside().join(format!("trash/{RUN}/d/a")));
            write(&world.outside().join("d/a"));
            world.write("d/x");
            let path = format!(".retaind/{}", place.replace("RUN", &RUN.to_string()));
            let path = world.root().join(path.trim_end_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(world.outside(), &path).unwrap();
            let outside = names(&world.outside());
            let outcome = trash(&world, RUN, files(&["d/x"])).await.remove(0);
            assert!(matches!(outcome, Outcome::Failed(_) | Outcome::Kept(_) | Outcome::Mismatch(_)), "{outcome:?}");
            assert_eq!(live(&world), set(&["d/x"]));
            let outcome = trash(&world, RUN, directories(&["d"])).await.remove(0);
            assert!(matches!(outcome, Outcome::Failed(_) | Outcome::Partly(_)), "{outcome:?}");
            assert_eq!(live(&world), set(&["d/x"]));
            let store = world.open();
            let _ = store.trash(&never()).await;
            let _ = store.restore(RUN, None, &never()).await;
            let _ = store.empty_trash(later(), &never()).await;
            assert_eq!(names(&world.outside()), outside, "{place:?}");
            assert_eq!(live(&world), set(&["d/x"]), "{place:?}");
        }
    }
}

#[tokio::test]
async fn only_overdue_entries_of_runs_are_emptied() {
    let world = World::new();
    for path in ["a", "d/b", "c", ".retaind/trash/mine/precious", ".retaind/trash/file", "live"] {
        world.write(path);
    }
    symlink(world.root(), world.root().join(".retaind/trash").join(Uuid::nil().to_string())).unwrap();
    trash(&world, RUN, files(&["a", "d/b"])).await;
    trash(&world, OTHER, files(&["c"])).await;
    let now = Clock::system().now();
    let old = std::fs::File::open(trash_of(&world, RUN)).unwrap();
    old.set_modified((now - Duration::from_secs(8 * 86_400)).into()).unwrap();
    let emptied = world.open().empty_trash(now - Duration::from_secs(7 * 86_400), &never()).await.unwrap();
    assert_eq!(emptied, Emptied { runs: 1, part: Part { files: 2, size_bytes: 10, ..Part::default() } });
    assert!(!trash_of(&world, RUN).exists());
    assert_eq!(trashed(&world, OTHER), set(&["c"]));
    world.open().empty_trash(later(), &never()).await.unwrap();
    let left = [".retaind/trash/mine/precious", ".retaind/trash/file", "live"];
    let left: BTreeSet<_> = left.into_iter().map(str::to_owned).collect();
    let nil = format!(".retaind/trash/{}", Uuid::nil());
    assert_eq!(world.survivors(), &left | &set(&[&nil]));
}

#[tokio::test]
async fn a_stopped_restore_goes_on_later() {
    let world = World::new();
    for file in 0..50 {
        world.write(&format!("u/{}/{file}", file % 7));
    }
    let before = identities(&world);
    trash(&world, RUN, directories(&["u"])).await;
    let stop = never();
    stop.cancel();
    let Restored { part, .. } = world.open().restore(RUN, None, &stop).await.unwrap();
    assert!(part.stopped && part.files == 0, "{part:?}");
    assert_eq!(live(&world), set(&[]));
    // As a kill would leave it: some are back, and their directories in the trash are empty.
    std::fs::create_dir_all(world.root().join("u/3")).unwrap();
    for file in trashed(&world, RUN).iter().filter(|path| path.starts_with("u/3/")) {
        std::fs::rename(trash_of(&world, RUN).join(file), world.root().join(file)).unwrap();
    }
    std::fs::create_dir(trash_of(&world, RUN).join("new-0197")).unwrap();
    let Restored { part, .. } = restore(&world, RUN, None).await;
    assert_eq!((part.files, part.kept, part.failed), (43, 0, 0));
    assert_eq!(identities(&world), before);
    assert!(!trash_of(&world, RUN).exists());
}

#[tokio::test]
async fn an_interrupted_removal_loses_nothing_and_goes_on() {
    let world = World::new();
    for file in 0..20 {
        world.write(&format!("u/{file}"));
    }
    trash(&world, RUN, files(&["u/3", "u/7"])).await;
    let all: Vec<String> = (0..20).map(|file| format!("u/{file}")).collect();
    let outcomes = trash(&world, RUN, files(&all)).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Missing).count(), 2);
    assert_eq!(trashed(&world, RUN), all.iter().cloned().collect());
}

#[tokio::test]
async fn what_changed_since_it_was_seen_stays() {
    for way in [Way::Unlink, Way::Trash { run: RUN }] {
        let world = World::new();
        let names = ["same", "longer", "replaced", "touched"];
        let mut removal = Vec::new();
        for name in names {
            world.write(name);
            let directory = world.open().root.directory(None).unwrap();
            let facts = file_facts(&sys::look(&directory, name.as_bytes()).unwrap());
            removal.push(RemovalRequest::seen(RawPath::parse(name.as_bytes()).unwrap(), facts.seen()));
        }
        let path = |name: &str| world.root().join(name);
        let mtime = std::fs::metadata(path("longer")).unwrap().modified().unwrap();
        std::fs::write(path("longer"), b"longer").unwrap();
        std::fs::File::options().write(true).open(path("longer")).unwrap().set_modified(mtime).unwrap();
        std::fs::rename(path("replaced"), world.outside().join("old")).unwrap();
        world.write("replaced");
        let mtime = std::fs::metadata(world.outside().join("old")).unwrap().modified().unwrap();
        std::fs::File::options().write(true).open(path("replaced")).unwrap().set_modified(mtime).unwrap();
        let touched = std::fs::File::options().write(true).open(path("touched")).unwrap();
        touched.set_modified((Clock::system().now() - Duration::from_secs(86_400)).into()).unwrap();
        let before = identities(&world);
        let outcomes = world.open().remove(removal, later(), way, &never()).await;
        assert_eq!(files_of(&outcomes[0].1), 1, "{outcomes:?}");
        for (_, outcome) in &outcomes[1..] {
            assert_eq!(*outcome, kept(Stays::Changed));
        }
        let mut left = identities(&world);
        assert_eq!(left.insert("same".to_owned(), before["same"]), None);
        assert_eq!(left, before);
    }
}

#[tokio::test]
async fn names_that_are_not_text_go_by_bytes() {
    let world = World::new();
    for name in [&b"\xff"[..], b"\xfe", "\u{fffd}".as_bytes()] {
        write(&world.root().join("d").join(OsStr::from_bytes(name)));
    }
    let removal = RemovalRequest::file(RawPath::parse(b"d/\xff").unwrap());
    let outcomes = world.open().remove(vec![removal], later(), Way::Unlink, &never()).await;
    assert_eq!(outcomes[0].1, removed());
    assert!(!world.root().join("d").join(OsStr::from_bytes(b"\xff")).exists());
    assert!(world.root().join("d").join(OsStr::from_bytes(b"\xfe")).exists());
    assert!(world.root().join("d/\u{fffd}").exists());
}

#[tokio::test]
async fn removals_for_now_are_made_durable_later() {
    for way in [Way::Unlink, Way::Trash { run: RUN }] {
        let world = World::new();
        let all: Vec<String> = (0..40).map(|file| format!("{file}/a")).collect();
        all.iter().for_each(|path| world.write(path));
        let removal = [files(&all[..30]), directories(&["33", "34"])].concat();
        let outcomes = world.open().remove_for_now(removal, later(), way, &never()).await;
        assert!(outcomes.iter().all(|(_, outcome)| files_of(outcome) == 1), "{outcomes:?}");
        world.open().make_durable().await.unwrap();
        let left: BTreeSet<String> = [&all[30..33], &all[35..]].concat().into_iter().collect();
        assert_eq!(live(&world), left);
        let trashed = trashed(&world, RUN).len();
        assert_eq!(trashed, if way == Way::Unlink { 0 } else { 32 });
    }
}

#[tokio::test]
async fn holes_and_shared_files_free_nothing() {
    let world = World::new();
    std::fs::File::create(world.root().join("sparse")).unwrap().set_len(1 << 30).unwrap();
    std::fs::write(world.root().join("full"), vec![7; 100_000]).unwrap();
    let freed = |outcome: &Outcome| match outcome {
        Outcome::Removed { size_bytes, .. } => *size_bytes,
        other => panic!("{other:?}"),
    };
    let outcomes = remove(&world, &["sparse", "full"]).await;
    assert!(freed(&outcomes[0]) < 1 << 20);
    assert_eq!(freed(&outcomes[1]), 100_000);
}
