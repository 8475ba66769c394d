//! `restore`: what comes back, what stays in the trash, and that nothing is overwritten.

use std::path::PathBuf;

use super::call_in;
use super::check::findings;
use crate::engines::{Database, EngineKind};
use crate::world::{World, paths};

const RUN: &str = "01936bb2-3d1e-7cc0-8c3f-1f2e3d4c5b6a";
const OTHER: &str = "01936bb2-3d1e-7cc0-8c3f-ffff3d4c5b6b";

fn trash(world: &World, store: &str, run: &str) -> PathBuf {
    world.root(store).join(".retaind/trash").join(run)
}

/// A world in whose stores runs have trashed files; each holds its own path.
fn world(trashed: &[(&str, &str, &str)]) -> World {
    let world = World::by_mtime(Database::create(EngineKind::Sqlite));
    for (store, run, path) in trashed {
        let file = trash(&world, store, run).join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, path).unwrap();
    }
    world
}

/// What is in a store but in the trash.
fn files(world: &World, store: &str) -> Vec<String> {
    world.files(store).into_iter().filter(|path| !path.starts_with(".retaind")).collect()
}

fn content(world: &World, store: &str, path: &str) -> String {
    std::fs::read_to_string(world.root(store).join(path)).unwrap()
}

#[test]
fn exactly_one_run_comes_back_in_all_stores() {
    let world = world(&[
        ("images", RUN, "a/1.jpg"),
        ("images", RUN, "2.jpg"),
        ("thumbs", RUN, "t.jpg"),
        ("images", OTHER, "o.jpg"),
    ]);
    let shown = call_in(&world, &["restore", "3d4c5b6a"]).with(0).stdout;
    assert!(
        shown.contains("images: files 2, size 12 B, left 0") && shown.contains("3 files back of run 3d4c5b6a"),
        "{shown}"
    );
    assert_eq!(
        (files(&world, "images"), files(&world, "thumbs")),
        (vec!["2.jpg".into(), "a/1.jpg".into()], vec!["t.jpg".into()])
    );
    assert_eq!(content(&world, "images", "a/1.jpg"), "a/1.jpg");
    assert!(!trash(&world, "images", RUN).exists() && trash(&world, "images", OTHER).join("o.jpg").exists());
    let gone = call_in(&world, &["restore", RUN]).with(2);
    assert!(gone.stderr.contains(&format!("there is trash of {OTHER}")), "{}", gone.stderr);
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let world = world(&[("images", RUN, "a/1.jpg"), ("images", RUN, "a/2.jpg")]);
    world.put("images", "a/1.jpg", 3);
    let partly = call_in(&world, &["restore", RUN, "--json"]).with(3).json();
    let store = &partly["stores"][0];
    assert_eq!((&store["files_restored"], &store["files_left"]), (&1.into(), &1.into()), "{partly}");
    assert_eq!(store["left"][0]["path"], "a/1.jpg");
    assert_eq!(
        (content(&world, "images", "a/1.jpg"), content(&world, "images", "a/2.jpg")),
        ("xxx".into(), "a/2.jpg".into())
    );
    assert!(trash(&world, "images", RUN).join("a/1.jpg").exists());
    std::fs::remove_file(world.root("images").join("a/1.jpg")).unwrap();
    call_in(&world, &["restore", RUN]).with(0);
    assert_eq!(content(&world, "images", "a/1.jpg"), "a/1.jpg");
}

#[test]
fn some_paths_come_back_and_the_others_stay() {
    let names = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "c.jpg"];
    let all: Vec<_> = names.iter().map(|path| ("images", RUN, *path)).chain([("thumbs", RUN, "c.jpg")]).collect();
    let world = world(&all);
    let absolute = world.root("images").join("c.jpg");
    let asked = ["restore", RUN, "./a/", "b/2.jpg", absolute.to_str().unwrap(), "nowhere.jpg"];
    let shown = call_in(&world, &asked).with(3).stdout;
    assert!(shown.contains("nowhere.jpg: the trash of the run has no such file"), "{shown}");
    assert_eq!(
        world
            .files("images")
            .into_iter()
            .filter(|path| !path.starts_with('.'))
            .collect::<std::collections::BTreeSet<_>>(),
        paths(["a/1.jpg", "a/2.jpg", "b/2.jpg", "c.jpg"])
    );
    assert_eq!(files(&world, "thumbs"), Vec::<String>::new());
    assert!(trash(&world, "images", RUN).join("b/1.jpg").exists());
}

#[test]
fn a_run_that_is_not_one_is_refused() {
    let world = world(&[("images", RUN, "1.jpg"), ("thumbs", OTHER, "2.jpg")]);
    let both = call_in(&world, &["restore", "01936bb2"]).with(2);
    assert!(both.stderr.contains("could be any of") && both.stderr.contains(OTHER), "{}", both.stderr);
    call_in(&world, &["restore", "cafe"]).with(2);
    call_in(&world, &["restore", ""]).with(2);
    for path in ["../1.jpg", "/etc/passwd", ".retaind/store.json", ""] {
        let refused = call_in(&world, &["restore", RUN, path]).with(2);
        assert!(refused.stderr.contains("is no path in a store"), "{path}: {}", refused.stderr);
    }
    assert_eq!(files(&world, "images"), Vec::<String>::new());
    let nothing = World::new(Database::create(EngineKind::Sqlite));
    assert!(call_in(&nothing, &["restore", RUN]).with(2).stderr.contains("there is nothing in any trash"));
}

#[test]
fn removed_orphans_come_back_by_a_shortened_id() {
    let mut world = world(&[]);
    world.db.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY, path VARCHAR(200))");
    world.db.execute("INSERT INTO photo (id, path) VALUES (1, 'named.jpg')");
    world.reference("images", "photo", "path");
    let policy = "[policies.lost]\nkind = \"orphans\"\nstore = \"images\"\nmode = \"enforce\"\nkeep = \"1s\"\n";
    world.declare(policy);
    world.put("images", "named.jpg", 3);
    world.put("images", "a/lost.jpg", 5);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    for path in ["named.jpg", "a/lost.jpg"] {
        let file = std::fs::File::options().write(true).open(world.root("images").join(path)).unwrap();
        file.set_modified(old).unwrap();
    }
    let trash = ["--set", "stores.images.trash=7d"];
    let with_trash = |arguments: &[&str]| call_in(&world, &[arguments, &trash].concat());
    let why = with_trash(&["why", "images", "a/lost.jpg", "--json"]).with(0).json();
    assert_eq!(why["policies"][0]["reasons"][0]["reason"], "not_adopted", "{why:#}");
    with_trash(&["run", "lost"]).with(4);
    assert_eq!(files(&world, "images").len(), 2);
    with_trash(&["adopt", "images", "--yes"]).with(0);
    let why = with_trash(&["why", "images", "a/lost.jpg", "--json"]).with(0).json();
    assert_eq!(why["policies"][0]["fate"], "trashed", "{why:#}");
    let run = with_trash(&["run", "lost", "--json"]).with(0).json();
    assert_eq!(files(&world, "images"), ["named.jpg"]);
    let run_id = run["run_id"].as_str().unwrap();
    assert!(with_trash(&["check"]).stdout.contains("its trash holds 1 file of 1 run"));
    with_trash(&["restore", &run_id[run_id.len() - 8..]]).with(0);
    assert_eq!(files(&world, "images"), ["a/lost.jpg", "named.jpg"]);
    assert_eq!(std::fs::metadata(world.root("images").join("a/lost.jpg")).unwrap().len(), 5);
}

#[test]
fn f22_nothing_is_restored_into_a_copy() {
    let world = world(&[("images", RUN, "1.jpg")]);
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    let (root, aside) = (world.root("images"), world.dir.join("aside"));
    std::fs::rename(&root, &aside).unwrap();
    assert!(std::process::Command::new("cp").arg("-a").args([&aside, &root]).status().unwrap().success());
    call_in(&world, &["restore", RUN]).with(2);
    assert_eq!(findings(&world, "error", 1)[0]["code"], "other_store");
    assert_eq!(files(&world, "images"), Vec::<String>::new());
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::rename(&aside, &root).unwrap();
    call_in(&world, &["restore", RUN]).with(0);
    assert_eq!(files(&world, "images"), ["1.jpg"]);
}
