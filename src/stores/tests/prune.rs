//! Tests of empty directories: only those go, and nothing that is in one does.

use std::os::unix::fs::symlink;

use super::*;

async fn prune(world: &World, directories: &[&str], before: Timestamp) -> Pruned {
    let directories = paths(directories).into_iter().map(RawPath::from).collect();
    world.open().prune_empty(directories, before, None, &never()).await.unwrap()
}

fn make(world: &World, directories: &[&str]) {
    for directory in directories {
        std::fs::create_dir_all(world.root().join(directory)).unwrap();
    }
}

fn pruned(directories: u64) -> Pruned {
    Pruned { directories, ..Pruned::default() }
}

#[tokio::test]
async fn directories_that_held_only_empty_ones_go_too() {
    for world in World::both() {
        make(&world, &["a/b/c", "a/b/d", "other", "kept/in"]);
        world.write("kept/file");
        world.write("full/file");
        let asked = ["a/b", "a/b/c", "a/b/d", "kept/in", "full", "absent/x", "full/file"];
        assert_eq!(prune(&world, &asked, later()).await, pruned(5));
        let left: BTreeSet<_> =
            std::fs::read_dir(world.root()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["full", "kept", "other"].map(Into::into).into());
        assert_eq!(world.survivors(), set(&["full/file", "kept/file"]));
        assert_eq!(prune(&world, &asked, later()).await, pruned(0), "once more is nothing");
    }
}

#[tokio::test]
async fn the_root_itself_and_what_is_ours_stay() {
    let world = World::new();
    make(&world, &["a", ".retaind/trash"]);
    assert_eq!(prune(&world, &["a"], later()).await, pruned(1));
    assert!(world.root().join(".retaind/trash").is_dir());
    make(&world, &["a"]);
    std::fs::rename(world.root().join(".retaind"), world.outside().join("retaind")).unwrap();
    assert_eq!(prune(&world, &["a"], later()).await, pruned(1));
    assert!(world.root().is_dir());
}

#[tokio::test]
async fn d8_a_directory_that_was_just_made_stays() {
    let world = World::new();
    make(&world, &["old"]);
    std::thread::sleep(Duration::from_millis(50));
    let before = Clock::system().now();
    std::thread::sleep(Duration::from_millis(50));
    make(&world, &["old/new"]);
    if !world.born("old/new") {
        eprintln!("skipped: the file system does not know when something was made");
        return;
    }
    assert_eq!(prune(&world, &["old/new", "old"], before).await, pruned(0));
    assert_eq!(prune(&world, &["old/new"], later()).await, pruned(2));
}

#[tokio::test]
async fn d8_a_directory_changed_lately_stays() {
    let world = World::new();
    make(&world, &["around/idle", "around/busy"]);
    let at = |path: &str, seconds: u64| {
        let time = Clock::system().now() - Duration::from_secs(seconds);
        std::fs::File::open(world.root().join(path)).unwrap().set_modified(time.into()).unwrap();
    };
    at("around/idle", 3600);
    at("around/busy", 60);
    let since = Clock::system().now() - Duration::from_secs(600);
    let directories = |of: &[&str]| paths(of).into_iter().map(RawPath::from).collect();
    let all = directories(&["around/idle", "around/busy"]);
    let pruned = world.open().prune_empty(all, later(), Some(since.as_nanosecond()), &never()).await.unwrap();
    assert_eq!(pruned.directories, 1);
    assert!(world.root().join("around/busy").is_dir());
    at("around/busy", 3600);
    let busy = directories(&["around/busy"]);
    let pruned = world.open().prune_empty(busy, later(), Some(since.as_nanosecond()), &never()).await.unwrap();
    assert_eq!(pruned.directories, 2, "the one around it goes although it has just been changed by that");
}

#[tokio::test]
async fn g4_links_and_mounts_are_not_empty_directories() {
    for world in World::both() {
        make(&world, &["mount", "a"]);
        std::fs::create_dir(world.outside().join("empty")).unwrap();
        symlink(world.outside(), world.root().join("link")).unwrap();
        symlink(world.outside().join("empty"), world.root().join("a/link")).unwrap();
        let point = world.root().join("mount");
        let empty = world.outside().join("empty");
        let is_mounted = command("mount", &["--bind".as_ref(), empty.as_os_str(), point.as_os_str()]);
        let outcome = prune(&world, &["link/empty", "link", "a/link", "a", "mount"], later()).await;
        command("umount", &[point.as_os_str()]);
        assert_eq!(outcome, pruned(u64::from(!is_mounted)));
        assert!(empty.is_dir() && world.root().join("link").is_symlink() && world.root().join("a/link").is_symlink());
    }
}

#[tokio::test]
async fn d3_in_a_root_that_was_replaced_nothing_goes() {
    let world = World::new();
    let store = world.open();
    world.put_away(&world.root());
    make(&world, &["a"]);
    let directories = paths(&["a"]).into_iter().map(RawPath::from).collect();
    assert!(store.prune_empty(directories, later(), None, &never()).await.is_err());
    assert!(world.root().join("a").is_dir());
}
