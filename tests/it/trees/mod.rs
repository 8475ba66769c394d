//! Policies of files and of orphans, end to end: what goes from a store, and what stays whatever happens.

mod ages;
mod attack;
mod guards;
mod identity;
mod kills;
mod limits;
mod parity;
mod shapes;
mod spelled;
mod ties;
mod uploader;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use retaind::outcome::{PolicyResult, RunResult, Status};
use retaind::stores::{Marker, OpenStore};

use crate::decided::assert_blocked;
use crate::engines::Database;
use crate::world::World;

/// An enforcing policy of the orphans of `images`, which only the guard under test can stop.
const ORPHANS: &str = "[policies.orphans]\nkind = \"orphans\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"enforce\"\n";

/// A world whose table `link` names files of `images` in its column `path`.
fn linked(db: Database) -> World {
    // Most of these tests set the time of writing; those of the other times are in `ages`.
    let mut world = World::by_mtime(db);
    world.db.execute("CREATE TABLE link (id INTEGER PRIMARY KEY, path VARCHAR(300))");
    world.reference("images", "link", "path");
    world
}

/// Adds a row to `link`.
fn link(world: &World, path: &str) {
    let path = path.replace('\'', "''");
    world.db.execute(&format!("INSERT INTO link (id, path) SELECT COALESCE(MAX(id), 0) + 1, '{path}' FROM link"));
}

/// Puts a file that was last written so many days ago.
fn put_aged(world: &World, store: &str, path: &str, days: f64) {
    world.put(store, path, 1);
    age(&world.root(store).join(path), days);
}

/// Makes a file look as if it was last written so many days ago.
pub fn age(path: &Path, days: f64) {
    let at = SystemTime::now() - Duration::from_secs_f64(days * 86_400.0);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

/// Writes the marker of a store, as `retaind adopt` does.
fn adopt(world: &World, store: &str) {
    let settings = world.settings();
    let store = settings.stores.iter().find(|known| known.name.as_str() == store).unwrap();
    let open = OpenStore::open(store).unwrap();
    let here = open.identify().unwrap().here;
    open.adopt(&Marker::new(store.name.clone(), here, world.clock.now()), None).unwrap();
}

/// The files of a store, without what is retaind's own.
fn files(world: &World, store: &str) -> BTreeSet<String> {
    world.files(store).into_iter().filter(|path| !path.starts_with(".retaind/")).collect()
}

/// The only policy, which is blocked in a plan as in a run, neither of which deletes anything.
async fn blocked(world: &World) -> PolicyResult {
    let before = (world.files("images"), world.files("thumbs"));
    let (plan, listed) = world.plan().await;
    let mut result = world.run().await;
    for result in [&plan, &result] {
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_eq!((result.totals.files_deleted, result.totals.bytes_reclaimed), (0, 0), "{result:?}");
    }
    assert!(listed.iter().all(|line| format!("{line:?}").contains("Blocked")), "{listed:?}");
    assert_eq!(before, (world.files("images"), world.files("thumbs")));
    let why = |result: &RunResult| (result.policies[0].blocked_code.clone(), result.policies[0].blocked_facts.clone());
    assert_eq!(why(&plan), why(&result));
    result.policies.remove(0)
}

/// Runs, to the end and without an error.
async fn run(world: &World) -> RunResult {
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    result
}

/// Gives a store a trash.
fn keep_trash(world: &World, store: &str) {
    std::fs::create_dir_all(world.dir.join("conf.d")).unwrap();
    let fragment = format!("[stores.{store}]\ntrash = \"7d\"\n");
    std::fs::write(world.dir.join(format!("conf.d/{store}.toml")), fragment).unwrap();
}
