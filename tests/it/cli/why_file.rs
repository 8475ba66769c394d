//! `why STORE PATH`: what keeps a file, which row names it, and by which run it goes.

use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{call_in, retaind};
use crate::engines::{Database, EngineKind};
use crate::world::World;

const DAY: u64 = 86_400;

/// A world whose store `images` is named by the table `photo` and adopted.
fn world(db: Database, policies: &str) -> World {
    let mut world = World::by_mtime(db);
    world.db.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY, path VARCHAR(200))");
    world.reference("images", "photo", "path");
    world.declare(policies);
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    world
}

/// Puts a file that was changed so many days ago.
fn put(world: &World, path: &str, size: usize, days: u64) {
    world.put("images", path, size);
    let file = std::fs::File::options().write(true).open(world.root("images").join(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * DAY)).unwrap();
}

fn ask(world: &World, path: &str) -> Value {
    call_in(world, &["why", "images", path, "--json"]).with(0).json()
}

/// Of the only policy: its fate and the reasons.
fn fate(answer: &Value) -> (String, Vec<String>) {
    let policy = &answer["policies"][0];
    let reasons = policy["reasons"].as_array().unwrap();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&policy["fate"]), reasons.iter().map(|reason| word(&reason["reason"])).collect())
}

fn kept(reasons: &[&str]) -> (String, Vec<String>) {
    ("kept".to_owned(), reasons.iter().map(|reason| (*reason).to_owned()).collect())
}

const LOST: &str = "[policies.lost]\nkind = \"orphans\"\nstore = \"images\"\ntask = \"orphan-scan\"\nmode = \"enforce\"\n\
                    keep = \"2d\"\nmatch = \"**/*.jpg\"\nexclude = \"kept/**\"\n";

for_each_engine! {
    fn the_row_that_names_a_file_keeps_it(db) {
        let mut world = world(db, LOST);
        put(&world, "a/1.jpg", 2048, 9);
        put(&world, "a/2.jpg", 1, 9);
        put(&world, "odd.jpg", 1, 9);
        world.db.execute("INSERT INTO photo (id, path) VALUES (7, 'a/1.jpg'), (8, 'a/1.jpg'), (9, './odd.jpg')");
        let answer = ask(&world, "a/1.jpg");
        assert_eq!(fate(&answer), kept(&["named"]));
        assert_eq!(answer["named_by"].as_array().unwrap().len(), 2, "{answer:#}");
        assert_eq!((&answer["named_by"][0]["table"], &answer["size_bytes"]), (&"photo".into(), &2048.into()));
        assert_eq!(ask(&world, "odd.jpg")["named_by"][0]["key"], "9");
        let free = ask(&world, "a/2.jpg");
        assert_eq!(fate(&free), ("removed".to_owned(), vec![]));
        assert!(free["policies"][0]["taken_at"].is_string(), "{free:#}");
        // Whose rows own it says so, too.
        world.declare("[policies.photos]\nkind = \"rows\"\nsource = \"app\"\ntable = \"photo\"\nwhere = \"id = 7\"\n\
                       files = [{ store = \"images\", column = \"path\" }]\n");
        let page = call_in(&world, &["why", "images", "a/1.jpg"]).with(0).stdout;
        assert!(page.contains("named by row 7 of app.photo in path; policy photos takes it together with the row"), "{page}");
        let reason = &ask(&world, "a/1.jpg")["policies"][0]["reasons"][0]["facts"];
        assert_eq!((&reason["key"], &reason["table"], &reason["others"]), (&"7".into(), &"photo".into(), &true.into()));
    }

    fn names_and_directories_keep_a_file_too(db) {
        let mut world = world(db, LOST);
        world.db.execute("CREATE TABLE link (id INTEGER PRIMARY KEY, url VARCHAR(200), dir VARCHAR(200))");
        world.db.execute("INSERT INTO link (id, url, dir) VALUES (1, 'https://host/x/n.jpg', 'albums/7/')");
        let by_name = "{ source = \"app\", table = \"link\", column = \"url\", match = \"name\" }";
        world.reference_entry("images", by_name);
        for path in ["q/n.jpg", "albums/7/deep/p.jpg", "albums/77/p.jpg"] {
            put(&world, path, 1, 9);
        }
        assert_eq!(ask(&world, "q/n.jpg")["named_by"][0]["column"], "url");
        let by_directory = "{ source = \"app\", table = \"link\", column = \"dir\", directory = true }";
        world.reference_entries = vec![["images", by_directory].map(str::to_owned)];
        assert_eq!(ask(&world, "albums/7/deep/p.jpg")["named_by"][0]["column"], "dir");
        assert_eq!(fate(&ask(&world, "albums/77/p.jpg")).0, "removed");
    }
}

fn sqlite(policies: &str) -> World {
    world(Database::create(EngineKind::Sqlite), policies)
}

#[test]
fn every_reason_that_keeps_orphans_is_shown() {
    let world = sqlite(LOST);
    put(&world, "young.jpg", 1, 1);
    put(&world, "old.txt", 1, 9);
    put(&world, "kept/old.jpg", 1, 9);
    put(&world, "old.jpg", 1, 9);
    std::os::unix::fs::symlink("old.jpg", world.root("images").join("link.jpg")).unwrap();
    assert_eq!(fate(&ask(&world, "young.jpg")), kept(&["too_young"]));
    assert_eq!(fate(&ask(&world, "old.txt")), kept(&["not_matched"]));
    assert_eq!(fate(&ask(&world, "kept/old.jpg")), kept(&["excluded"]));
    let link = ask(&world, "link.jpg");
    assert_eq!((fate(&link).1[0].as_str(), &link["found"]), ("not_file", &"link".into()));
    let absolute = world.root("images").join("old.jpg");
    assert_eq!(fate(&ask(&world, absolute.to_str().unwrap())).0, "removed");
    let young = ask(&world, "young.jpg");
    assert!(young["policies"][0]["taken_at"].is_string(), "{young:#}");
    let with = |set: &str| call_in(&world, &["why", "images", "old.jpg", "--set", set, "--json"]).with(0).json();
    assert_eq!(fate(&with("policies.lost.mode=report")), kept(&["report_mode"]));
    assert_eq!(fate(&with("policies.lost.enabled=false")), kept(&["policy_off"]));
    std::fs::remove_dir_all(world.root("images").join(".retaind")).unwrap();
    assert_eq!(fate(&ask(&world, "old.jpg")), kept(&["not_adopted"]));
}

#[test]
fn a_file_goes_with_its_named_directory() {
    let mut world = sqlite(LOST);
    world.reference_entry("images", "{ source = \"app\", table = \"photo\", path = \"out/{id}\", directory = true }");
    put(&world, "out/7/deep/a.jpg", 1, 9);
    put(&world, "other/7.jpg", 1, 9);
    let told = |path: &str| call_in(&world, &["why", "images", path]).with(0).stdout;
    assert!(told("out/7/deep/a.jpg").contains("it goes with its directory out/7 as a whole"));
    assert!(!told("other/7.jpg").contains("as a whole"));
}

#[test]
fn a_store_with_a_trash_moves_it_there() {
    let world = sqlite(LOST);
    put(&world, "old.jpg", 1, 9);
    let page =
        call_in(&world, &["why", "images", "old.jpg", "--set", "stores.images.trash=7d", "--json"]).with(0).json();
    assert_eq!(fate(&page), ("trashed".to_owned(), vec![]));
}

#[test]
fn files_go_by_age_number_and_size() {
    let policy =
        |lines: &str| format!("[policies.logs]\nkind = \"files\"\nstore = \"images\"\nmatch = \"**/*.log\"\n{lines}\n");
    let told = |lines: &str, path: &str| {
        let world = sqlite(&policy(lines));
        for (path, size, days) in [
            ("d/1.log", 4000, 5),
            ("d/2.log", 3000, 4),
            ("d/3.log", 2000, 3),
            ("e/4.log", 1000, 9),
            ("d/x.txt", 9000, 1),
        ] {
            put(&world, path, size, days);
        }
        let answer = ask(&world, path);
        (fate(&answer), answer["policies"][0]["goes_for"].clone())
    };
    let removed = || ("removed".to_owned(), Vec::new());
    assert_eq!(told("keep = \"4d\"", "d/1.log").0, removed());
    assert_eq!(told("keep = \"5d\"", "d/2.log").0, kept(&["too_young"]));
    assert_eq!(told("keep_last = 2", "d/1.log").0, removed());
    assert_eq!(told("keep_last = 2", "d/2.log").0, kept(&["newest"]));
    assert_eq!(told("keep_last = 1", "e/4.log").0, kept(&["newest"]));
    assert_eq!(told("keep_last = 3\nper = \"store\"", "e/4.log").0, removed());
    assert_eq!(told("keep = \"1d\"\nkeep_last = 3", "d/1.log").0, kept(&["newest"]));
    assert_eq!(told("keep = \"90d\"\nmax_total = \"6kB\"", "d/1.log"), (removed(), "max_total".into()));
    assert_eq!(told("keep = \"90d\"\nmax_total = \"6kB\"", "d/2.log").0, kept(&["too_young"]));
    assert_eq!(told("max_total = \"6kB\"", "d/2.log").0, kept(&["within_limits"]));
    assert_eq!(told("max_total = \"9kB\"\nper = \"directory\"", "e/4.log").0, kept(&["within_limits"]));
    assert_eq!(told("min_free = \"1B\"", "d/1.log").0, kept(&["within_limits"]));
    assert_eq!(told("keep = \"2d\"", "d/x.txt").0, kept(&["not_matched", "too_young"]));
}

#[test]
fn a_missing_file_is_shown_with_its_rows() {
    let world = sqlite(LOST);
    world.db.execute("INSERT INTO photo (id, path) VALUES (5, 'gone.jpg')");
    let gone = call_in(&world, &["why", "images", "gone.jpg"]).with(1);
    assert!(
        gone.stdout.contains("images: gone.jpg  is not there") && gone.stdout.contains("by row 5 of app.photo"),
        "{gone:?}"
    );
    let none = call_in(&world, &["why", "image", "x"]).with(2);
    assert!(
        none.stderr.contains("did you mean `images`") && none.stderr.contains("such as nvr.detections"),
        "{}",
        none.stderr
    );
    for path in ["../x", ".retaind/store.json", "/etc/passwd", ""] {
        let refused = call_in(&world, &["why", "images", path]).with(2);
        assert!(refused.stderr.contains("is no path in store images"), "{path}: {}", refused.stderr);
    }
    call_in(&world, &["why", "images", "x", "--param", "a=b"]).with(2);
    put(&world, "thumbs-have-no-policy.jpg", 1, 9);
    world.put("thumbs", "t.jpg", 1);
    let thumb = call_in(&world, &["why", "thumbs", "data/thumbs/t.jpg"]).with(0).stdout;
    assert!(
        thumb.contains("thumbs: t.jpg  a file of 1 B") && thumb.contains("no policy of files or orphans"),
        "{thumb}"
    );
}

#[test]
fn names_that_are_not_text_can_be_asked() {
    let world = sqlite(LOST);
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe.jpg");
    world.put_named("images", name, 1);
    let mut command: Command = retaind(&["why", "--json", "images"]);
    let output = command.arg(name).arg("--config").arg(world.config_file()).output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{page}");
    let answer: Value = serde_json::from_str(&page).unwrap();
    assert_eq!(fate(&answer).1, ["names_unknown", "too_young"], "{page}");
}
