//! `check` on stores that policies of files and orphans go through: adoption, trash, room, and what rows have written.

use super::call_in;
use super::check::{all_findings, findings, messages, text};
use crate::engines::{Database, EngineKind};
use crate::world::World;

const ORPHANS: &str = "[policies.lost]\nkind = \"orphans\"\nstore = \"images\"\n";

/// A world whose store `images` is named by the table `photo`, by an index.
fn world(db: Database, policy: &str) -> World {
    let mut world = World::new(db);
    world.db.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY, path VARCHAR(200))");
    world.db.execute("CREATE INDEX photo_path ON photo (path)");
    world.reference("images", "photo", "path");
    world.declare(policy);
    world
}

fn photos(world: &World, paths: &[&str]) {
    for (id, path) in paths.iter().enumerate() {
        world.db.execute(&format!("INSERT INTO photo (id, path) VALUES ({}, '{path}')", id + 1));
    }
}

fn told(world: &World, level: &str, code: i32) -> String {
    messages(&findings(world, level, code))
}

for_each_engine! {
    fn written_paths_must_lead_into_the_store(db) {
        let mut world = world(db, ORPHANS);
        world.put("images", "nobody.jpg", 1);
        let warned = told(&world, "warn", 0);
        assert!(warned.contains("store images: table photo of source app is empty"), "{warned}");
        photos(&world, &["/elsewhere/a.jpg", "/elsewhere/b.jpg"]);
        world.db.execute("INSERT INTO photo (id, path) VALUES (90, NULL), (91, '')");
        let wrong = told(&world, "error", 1);
        assert!(wrong.contains("store images: none of the first 2 paths of app.photo.path leads into it: \"/elsewhere/b.jpg\""), "{wrong}");
        world.db.execute("INSERT INTO photo (id, path) VALUES (3, 'c.jpg')");
        let wrong = told(&world, "error", 1);
        assert!(wrong.contains("store images: 2 of the first 3 paths of app.photo.path lead elsewhere"), "{wrong}");
        world.db.execute("DELETE FROM photo WHERE id = 1");
        let warned = told(&world, "warn", 0);
        assert!(warned.contains("store images: 1 of the first 2 paths of app.photo.path lead elsewhere"), "{warned}");
        assert!(warned.contains("store images: none of the first 1 file that app.photo.path names is there"), "{warned}");
        world.put("images", "c.jpg", 1);
        assert!(!told(&world, "warn", 0).contains("names is there"));
        world.db.execute("DELETE FROM photo WHERE id = 2");
        let fine = told(&world, "ok", 0);
        assert!(fine.contains("store images: the first 1 path of app.photo.path lead into it"), "{fine}");
        world.db.execute("UPDATE photo SET path = NULL");
        assert!(told(&world, "warn", 0).contains("app.photo.path names no file in 3 rows"));
        // Where nobody looks for orphans, what rows have written is nobody's concern.
        world.db.execute("UPDATE photo SET path = '/elsewhere/x'");
        world.declare("enabled = false\n");
        assert_eq!(told(&world, "error", 0), "");
    }

    fn a_column_of_two_stores_leads_into_either(db) {
        let mut world = world(db, ORPHANS);
        world.reference("thumbs", "photo", "path");
        photos(&world, &["data/thumbs/a.jpg", "/nowhere/x.jpg"]);
        let thumb = "data/thumbs/a.jpg";
        // A path without the prefix of one store is one of the other's.
        world.db.execute(&format!("INSERT INTO photo (id, path) VALUES (8, 'a.jpg'), (9, '{thumb}')"));
        let warned = told(&world, "warn", 0);
        assert!(warned.contains("1 of the first 4 paths of app.photo.path lead elsewhere: \"/nowhere/x.jpg\""), "{warned}");
        world.declare("[policies.lost-thumbs]\nkind = \"orphans\"\nstore = \"thumbs\"\n");
        let warned = told(&world, "warn", 0);
        assert!(warned.contains("store thumbs: 1 of the first 3 paths") || !warned.contains("store thumbs: none"), "{warned}");
    }
}

#[test]
fn an_unadopted_store_is_reported_with_the_remedy() {
    let mut world = world(Database::create(EngineKind::Sqlite), ORPHANS);
    photos(&world, &["a.jpg"]);
    let about = |world: &World, level: &str, code: i32| {
        let found = all_findings(world, level, code);
        found.into_iter().find(|finding| finding["code"] == "not_adopted")
    };
    let warned = about(&world, "warn", 0).unwrap();
    assert_eq!((&warned["subject"], &warned["fix"]), (&"store images".into(), &"retaind adopt images".into()));
    world.declare("mode = \"enforce\"\n");
    assert!(about(&world, "error", 1).is_some());
    call_in(&world, &["check", "--config-only"]).with(0);
}

#[test]
fn an_index_without_use_is_not_asked_for() {
    let mut world = world(Database::create(EngineKind::Sqlite), ORPHANS);
    photos(&world, &["a.jpg"]);
    world.db.execute("CREATE TABLE link (id INTEGER PRIMARY KEY, url VARCHAR(200))");
    world.db.execute("INSERT INTO link VALUES (1, 'https://host/a.jpg')");
    let entry = "{ source = \"app\", table = \"link\", column = \"url\", match = \"name\" }";
    world.reference_entry("images", entry);
    assert!(!told(&world, "warn", 0).contains("no index begins with link.url"));
    let fine = told(&world, "ok", 0);
    assert!(fine.contains("link.url of source app is asked by the last segment of its paths"), "{fine}");
    assert!(fine.contains("the first 1 path of app.link.url by name lead into it"), "{fine}");
}

#[test]
fn another_stores_marker_fails_and_none_is_fine() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n",
    );
    assert_eq!(told(&world, "error", 0), "");
    let own = world.root("images").join(".retaind");
    std::fs::create_dir(&own).unwrap();
    let marker = |store: &str, device: u64, fsid: &str| {
        let id = "01936bb2-3d1e-7cc0-8c3f-1f2e3d4c5b6a";
        let text = format!(
            "{{\"store\":\"{store}\",\"id\":\"{id}\",\"adopted_at\":\"2026-01-02T03:04:05Z\",\"device\":{device},\"fsid\":\"{fsid}\"}}"
        );
        std::fs::write(own.join("store.json"), text).unwrap();
    };
    marker("thumbs", 1, "1");
    let code = |world: &World| findings(world, "error", 1)[0]["code"].clone();
    assert_eq!(code(&world), "other_store");
    marker("images", 1, "2");
    assert_eq!(code(&world), "other_store");
    std::fs::write(own.join("store.json"), "{").unwrap();
    assert_eq!(code(&world), "store_unavailable");
}

#[test]
fn the_trash_and_the_room_are_told() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.declare("[policies.full]\nkind = \"files\"\nmode = \"report\"\nstore = \"images\"\nmin_free = \"1B\"\n");
    let trashed = "images/.retaind/trash/01936bb2-3d1e-7cc0-8c3f-1f2e3d4c5b6a/a";
    std::fs::create_dir_all(world.dir.join(trashed)).unwrap();
    std::fs::write(world.dir.join(trashed).join("b.jpg"), "12345").unwrap();
    let found = findings(&world, "warn", 0);
    let warned = messages(&found);
    assert!(warned.contains("store images: its trash holds 1 file of 1 run, 5 B, and nothing empties it"), "{warned}");
    assert!(found.iter().any(|finding| text(&finding["fix"]).contains("retaind restore 01936bb2-")), "{found:?}");
    let fine = told(&world, "ok", 0);
    assert!(fine.contains("policy full: ") && fine.contains(" are free, min_free is 1B"), "{fine}");
}
