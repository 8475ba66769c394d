//! `adopt`: what it shows first, whom it asks, and which markers it leaves alone.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::call_in;
use super::check::findings;
use crate::engines::{Database, EngineKind};
use crate::world::World;

const OLDER: &str = "01936bb2-3d1e-7cc0-8c3f-1f2e3d4c5b6a";

/// A world whose store `images` has two files, of which the table `photo` names one.
fn world(db: Database) -> World {
    let mut world = World::new(db);
    world.db.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY, path VARCHAR(200))");
    world.db.execute("INSERT INTO photo (id, path) VALUES (1, 'a/1.jpg'), (2, 'a/gone.jpg'), (3, '/elsewhere/x.jpg')");
    world.reference("images", "photo", "path");
    world.put("images", "a/1.jpg", 100);
    world.put("images", "2.jpg", 11);
    world
}

fn marker(world: &World) -> Option<Value> {
    let text = std::fs::read_to_string(world.root("images").join(".retaind/store.json")).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

for_each_engine! {
    fn contents_are_shown_before_anything_is_written(db) {
        let world = world(db);
        let shown = call_in(&world, &["adopt", "images"]).with(2);
        let root = world.root("images");
        for part in [
            format!("images: path {}\n", root.display()),
            "images: files 2 files in 2 directories, 111 B\n".to_owned(),
            "images: marker none\n".to_owned(),
            "images: reference app.photo.path: of 3 paths, 2 lead into the store, 1 of them there\n".to_owned(),
        ] {
            assert!(shown.stdout.contains(&part), "{part:?} is not in\n{}", shown.stdout);
        }
        assert!(shown.stderr.contains("add --yes"), "{}", shown.stderr);
        assert!(!root.join(".retaind").exists() && !world.dir.join("state/ledger.db").exists());
        let found = call_in(&world, &["adopt", "images", "--yes", "--json"]).with(0).json();
        assert_eq!((&found["adopted"], &found["files"], &found["marker"]), (&true.into(), &2.into(), &Value::Null));
        assert_eq!(found["references"][0]["found"], 1);
        assert_eq!(marker(&world).unwrap()["store"], "images");
        let mode = std::fs::metadata(root.join(".retaind")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}

#[test]
fn an_adopted_store_is_unchanged_and_remembered() {
    let world = world(Database::create(EngineKind::Sqlite));
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    let first = marker(&world).unwrap();
    let again = call_in(&world, &["adopt", "images"]).with(0);
    assert!(again.stderr.contains("is adopted already"), "{}", again.stderr);
    assert_eq!(marker(&world).unwrap(), first);
    call_in(&world, &["adopt", "images", "--again", "--yes"]).with(0);
    assert_ne!(marker(&world).unwrap()["id"], first["id"]);
    // Without its marker it is another directory, as the ledger remembers.
    std::fs::remove_dir_all(world.root("images").join(".retaind")).unwrap();
    assert_eq!(findings(&world, "error", 1)[0]["code"], "not_adopted");
    let found = call_in(&world, &["adopt", "images"]).with(2).stdout;
    assert!(found.contains("before a store of that name was adopted"), "{found}");
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    assert_eq!(findings(&world, "error", 0), Vec::<Value>::new());
}

#[test]
fn d3_markers_of_other_stores_are_left_alone() {
    let world = world(Database::create(EngineKind::Sqlite));
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    let file = world.root("images").join(".retaind/store.json");
    let ours = std::fs::read_to_string(&file).unwrap();
    let device = marker(&world).unwrap()["device"].to_string();
    let fsid = marker(&world).unwrap()["fsid"].to_string();
    for (text, code) in [
        (ours.replace("\"images\"", "\"thumbs\""), "other_store"),
        (ours.replace(marker(&world).unwrap()["id"].as_str().unwrap(), OLDER), "other_store"),
        (ours.replace(&fsid, "\"f00\"").replace(&device, "1"), "other_store"),
        ("not JSON".to_owned(), "store_unavailable"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let refused = call_in(&world, &["adopt", "images", "--yes"]).with(4);
        assert!(refused.stderr.contains("adopt images --again"), "{refused:?}");
        assert_eq!(findings(&world, "error", 1)[0]["code"], code);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        call_in(&world, &["adopt", "images", "--yes", "--again"]).with(0);
        assert_eq!(marker(&world).unwrap()["store"], "images");
    }
}

#[test]
fn a_missing_store_is_not_adopted() {
    let world = world(Database::create(EngineKind::Sqlite));
    let unknown = call_in(&world, &["adopt", "image", "--yes"]).with(2);
    assert!(
        unknown.stderr.contains("there is no store named \"image\"")
            && unknown.stderr.contains("did you mean `images`")
    );
    std::fs::remove_dir_all(world.root("images")).unwrap();
    call_in(&world, &["adopt", "images", "--yes"]).with(1);
    std::fs::create_dir(world.root("images")).unwrap();
    let empty = call_in(&world, &["adopt", "images"]).with(2).stdout;
    assert!(empty.contains("It is empty: perhaps its disk is not mounted"), "{empty}");
    // What somebody else put in the way is not followed.
    std::os::unix::fs::symlink(&world.dir, world.root("images").join(".retaind")).unwrap();
    call_in(&world, &["adopt", "images", "--yes", "--again"]).with(1);
    assert!(!world.dir.join("store.json").exists());
}
