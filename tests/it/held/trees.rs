//! Policies that take files of a store, and what names these.

use std::collections::BTreeSet;

use crate::decided::assert_facts;
use serde_json::json;

use retaind::stores::{Marker, OpenStore};

use super::*;
use crate::world::paths;

const OWNS: &str = "files = [{ store = \"images\", column = \"image\" }]";
const ORPHANS: &str = "[policies.orphans]\nkind = \"orphans\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"enforce\"\n\
                       max_fraction = 1.0\n";

fn files(keys: &str) -> String {
    format!("[policies.spool]\nkind = \"files\"\nstore = \"images\"\n{keys}\n")
}

fn put(world: &World, path: &str, days: f64) {
    world.put("images", path, 10);
    let at = std::time::SystemTime::now() - std::time::Duration::from_secs_f64(days * 86_400.0);
    let file = std::fs::File::options().write(true).open(world.root("images").join(path)).unwrap();
    file.set_modified(at).unwrap();
}

/// One whose store `images` is adopted.
fn world() -> World {
    let world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.create_items();
    let settings = world.settings();
    let store = settings.stores.iter().find(|store| store.name.as_str() == "images").unwrap();
    let open = OpenStore::open(store).unwrap();
    let here = open.identify().unwrap().here;
    open.adopt(&Marker::new(store.name.clone(), here, world.clock.now()), None).unwrap();
    world
}

/// The files of `images` without the marker.
fn images(world: &World) -> BTreeSet<String> {
    world.files("images").into_iter().filter(|path| !path.starts_with(".retaind/")).collect()
}

/// The policy of a result.
fn of<'r>(result: &'r RunResult, policy: &str) -> &'r PolicyResult {
    result.policies.iter().find(|done| done.policy.as_str() == policy).unwrap()
}

async fn reasons(world: &World, policy: &str) -> Vec<String> {
    reload(world).await;
    let result = night(world).await;
    let done = of(&result, policy);
    assert_eq!((done.status, done.tally.files_deleted), (Status::Blocked, 0), "{done:?}");
    done.held.as_ref().unwrap_or_else(|| panic!("not held: {done:?}")).reasons.clone()
}

#[tokio::test]
async fn another_directory_is_held() {
    let mut world = world();
    world.declare(&files("keep = \"10d\""));
    put(&world, "young", 1.0);
    completed(&night(&world).await, 0);
    put(&world, "old", 20.0);
    std::fs::rename(world.root("images"), world.dir.join("elsewhere")).unwrap();
    world.conf_d("90-moved", &format!("[stores.images]\npath = \"{}\"\n", world.dir.join("elsewhere").display()));
    assert_eq!(reasons(&world, "spool").await, ["store images is another directory"]);
    let result = night(&world).await;
    assert_eq!(of(&result, "spool").tally.files_matched, 1, "counted as in a plan");
    assert!(world.dir.join("elsewhere/old").exists());
}

#[tokio::test]
async fn orphans_are_held_when_less_names_them() {
    // A reference is dropped; a policy whose rows owned files is removed; it owns them by another column.
    let owner = format!("{}\n", items(&format!("keep = \"30d\"\n{OWNS}")));
    for (declared, without, reason) in [
        (true, ORPHANS.to_owned(), "store images has lost a reference"),
        (false, ORPHANS.to_owned(), "app.item.image no longer names files of store images"),
        (false, format!("{owner}{ORPHANS}").replace("\"image\"", "\"thumb\""), "app.item.image no longer names files"),
    ] {
        let mut world = world();
        world.references = ["thumb", if declared { "image" } else { "note" }];
        // Another reference stays whatever happens; rows of `item` have the note n.
        world.db.execute("CREATE TABLE tag (id INTEGER PRIMARY KEY, path VARCHAR(50))");
        world.db.execute("INSERT INTO tag VALUES (1, 'tagged')");
        world.reference("images", "tag", "path");
        for path in ["named", "tagged", "n"] {
            put(&world, path, 5.0);
        }
        world.item(1, 1.0, None, Some("named"));
        world.declare(&format!("{owner}{ORPHANS}"));
        let agreed = night(&world).await;
        assert_eq!(of(&agreed, "orphans").status, Status::Completed, "{agreed:?}");
        let before = images(&world);
        assert!(before.contains("named") && before.contains("tagged"));
        world.redeclare(&without);
        let reasons = reasons(&world, "orphans").await;
        assert!(reasons.iter().any(|said| said.starts_with(reason)), "{reason}: {reasons:?}");
        assert_eq!(images(&world), before);
    }
}

#[tokio::test]
async fn rows_are_held_when_their_files_lose_references() {
    let mut world = world();
    world.references = ["thumb", "note"];
    world.db.execute("CREATE TABLE album (id INTEGER PRIMARY KEY, at TIMESTAMP NULL, cover VARCHAR(50))");
    let album = "[policies.album]\nkind = \"rows\"\nsource = \"app\"\ntable = \"album\"\nage = \"at\"\nkeep = \"90d\"\n\
                 files = [{ store = \"images\", column = \"cover\" }]\n";
    let owner = items(&format!("keep = \"30d\"\n{OWNS}"));
    world.declare(&format!("{owner}{album}"));
    let agreed = night(&world).await;
    assert_eq!(agreed.status, Some(Status::Completed), "{agreed:?}");
    put(&world, "cover", 50.0);
    world.item(1, 50.0, None, Some("cover"));
    world.db.execute(&format!("INSERT INTO album VALUES (1, {}, 'cover')", world.days_ago(50.0)));
    world.redeclare(&owner);
    assert_eq!(reasons(&world, "items").await, ["app.album.cover no longer names files of store images"]);
    assert_eq!((world.ids(), images(&world)), (set([1]), paths(["cover"])));
    // A change of the other policy that names no less holds nothing.
    world.redeclare(&format!("{owner}{}", album.replace("90d", "95d")));
    assert!(reload(&world).await.is_empty());
    assert_eq!(night(&world).await.status, Some(Status::Completed));
    assert_eq!((world.ids(), images(&world)), (set([]), paths(["cover"])));
}

#[tokio::test]
async fn demanded_space_is_not_measured_by_past_nights() {
    let mut world = world();
    for number in 0..1300 {
        std::fs::write(world.root("images").join(format!("{number}")), "0123456789").unwrap();
    }
    put(&world, "last", 5.0);
    world.declare(&files("max_total = \"1kB\""));
    let result = night(&world).await;
    let done = of(&result, "spool");
    assert_eq!((done.status, done.tally.files_deleted), (Status::Completed, 1201), "{done:?}");
}

#[tokio::test]
async fn far_more_old_files_than_usual_are_held() {
    let mut world = world();
    for number in 0..1300 {
        put(&world, &format!("{number}"), 20.0);
    }
    world.declare(&files("keep = \"10d\""));
    let result = night(&world).await;
    let done = of(&result, "spool");
    assert_eq!((done.status, done.tally.files_matched, done.tally.files_deleted), (Status::Blocked, 1300, 0));
    assert_eq!(done.held.as_ref().unwrap().kind, HoldKind::Growth);
    assert_eq!(approve(&world, "spool").await, 1300);
    put(&world, "one-more", 20.0);
    assert_eq!(of(&night(&world).await, "spool").tally.files_deleted, 0, "more than was shown");
    std::fs::remove_file(world.root("images").join("one-more")).unwrap();
    assert_eq!(of(&night(&world).await, "spool").tally.files_deleted, 1300);
}

#[tokio::test]
async fn a_loosened_guard_holds_only_the_excess() {
    let mut world = world();
    for number in 0..3 {
        put(&world, &format!("{number}"), 20.0);
    }
    world.declare(&files("keep = \"30d\"\nmax_files = 2"));
    assert_eq!(night(&world).await.policies[0].status, Status::Completed);
    for number in 3..6 {
        put(&world, &format!("{number}"), 40.0);
    }
    world.redeclare(&files("keep = \"30d\"\nmax_files = 100"));
    assert!(reload(&world).await.is_empty());
    let result = night(&world).await;
    let (hold, _) = held(&result);
    assert_eq!(hold.reasons[0], "max_files 2 → 100");
    assert_facts(&hold.facts, json!({ "guard": "max_files", "most": 2 }));
    assert_eq!((hold.kind, result.policies[0].tally.files_matched), (HoldKind::Guard, 3), "counted as in a plan");
    approve(&world, "spool").await;
    night(&world).await;
    assert_eq!(images(&world), paths(["0", "1", "2"]));
}

#[tokio::test]
async fn hooks_run_unless_every_policy_is_held() {
    let mut world = world();
    let hooked = Hooked::of(&world);
    let spool = files(&format!("keep = \"1d\"\n{}", Hooked::TASK));
    world.declare(&(hooked.declaration() + &spool));
    (0..1100).for_each(|index| put(&world, &format!("old/{index}"), 10.0));
    held(&night_of(&world, "sweep").await);
    assert!(!hooked.ran());
    world.redeclare(&(hooked.declaration() + &spool + &items(&format!("keep = \"30d\"\n{}", Hooked::TASK))));
    (1..=10).for_each(|id| world.item(id, 40.0, None, None));
    let result = night_of(&world, "sweep").await;
    assert_eq!(result.policies.iter().filter(|done| done.held.is_some()).count(), 1, "{result:?}");
    assert!(hooked.ran());
}

#[tokio::test]
async fn a_hook_still_prepares_what_a_run_needs() {
    let mut world = world();
    let root = world.root("images");
    let away = world.dir.join("away");
    std::fs::rename(&root, &away).unwrap();
    let command = format!("[\"/bin/mv\", \"{}\", \"{}\"]", away.display(), root.display());
    let task = format!("[tasks.sweep]\nevery = \"1h\"\nbefore = {{ command = {command} }}\n");
    world.declare(&(task + &files(&format!("keep = \"1d\"\n{}", Hooked::TASK))));
    completed(&night_of(&world, "sweep").await, 0);
}
