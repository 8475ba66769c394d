//! `at_most`: a run takes so many rows and no more, the next ones take the rest, and each says whether something is left.

use std::collections::BTreeSet;

use retaind::outcome::{PolicyResult, RunResult, Status};
use retaind::run::Listed;

use crate::engines::Database;
use crate::world::{World, set};

const OLD: u64 = 100;
const FILES: &str = "files = [{ store = \"images\", column = \"image\" }]\n";

/// Old rows, the first of them the oldest, and three young ones, each with an image.
fn world(db: Database, keys: &str) -> World {
    let world = empty(db, keys);
    for id in 1..=OLD {
        world.item(id, 200.0 - id as f64, None, Some(&format!("{id}.png")));
        world.put("images", &format!("{id}.png"), 1);
    }
    for id in 201..=203 {
        world.item(id, 1.0, None, Some(&format!("{id}.png")));
        world.put("images", &format!("{id}.png"), 1);
    }
    world
}

fn empty(db: Database, keys: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n{keys}"
    ));
    world
}

fn left_from(first: u64) -> BTreeSet<u64> {
    (first..=OLD).chain(201..=203).collect()
}

fn policy(result: RunResult) -> PolicyResult {
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    result.policies.into_iter().next().unwrap()
}

/// Runs until nothing is left: so many rows go each time, the oldest first, each with its image.
async fn goes_in_shares(world: &World, shares: &[u64]) {
    let mut gone = 0;
    for (position, share) in shares.iter().enumerate() {
        let (planned, listed) = world.plan().await;
        let planned = policy(planned);
        let is_last = position + 1 == shares.len();
        assert_eq!((planned.tally.rows_deleted, planned.more_to_do), (*share, !is_last), "{planned:?}");
        assert_eq!(planned.tally.rows_matched, OLD - gone, "all that are eligible: {planned:?}");
        let keys: BTreeSet<u64> = listed
            .iter()
            .filter_map(|line| match line {
                Listed::Row { key, .. } => Some(key.parse().unwrap()),
                Listed::File { .. } => None,
            })
            .collect();
        let ran = policy(world.run().await);
        assert_eq!((ran.tally.rows_deleted, ran.more_to_do), (*share, !is_last), "{ran:?}");
        assert_eq!((ran.tally.files_deleted, planned.tally.files_deleted), (ran.tally.rows_deleted, *share));
        assert_eq!(keys, (gone + 1..=gone + share).collect(), "a plan lists what goes");
        gone += share;
        let left = left_from(gone + 1);
        assert_eq!(world.ids(), left);
        assert_eq!(world.files("images"), left.iter().map(|id| format!("{id}.png")).collect());
    }
}

for_each_engine! {
    async fn goes_in_shares_of_several_batches(db) {
        let world = world(db, &format!("batch = 10\nat_most = 45\n{FILES}"));
        goes_in_shares(&world, &[45, 45, 10]).await;
        let done = policy(world.run().await);
        assert_eq!((done.tally.rows_deleted, done.more_to_do), (0, false));
    }
}

for_each_engine! {
    async fn goes_in_shares_smaller_than_a_batch(db) {
        let world = world(db, &format!("at_most = 50\n{FILES}"));
        // What is taken to the last row leaves nothing to do.
        goes_in_shares(&world, &[50, 50]).await;
    }
}

for_each_engine! {
    async fn shares_hold_for_two_batches_at_once(db) {
        let world = empty(db, "batch = 10\nparallel = 2\nat_most = 333\npace = { yield = false }\n");
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=1000);
        for share in [333, 333, 333, 1] {
            let done = policy(world.run().await);
            assert_eq!((done.tally.rows_deleted, done.more_to_do), (share, share == 333), "{done:?}");
        }
        assert_eq!(world.ids(), set([]));
    }
}

for_each_engine! {
    async fn shares_take_an_update_along_the_key(db) {
        let world = empty(db, "where = \"note IS NOT NULL\"\naction = \"update\"\nset = { note = { sql = \"NULL\" } }\nbatch = 7\nat_most = 20\n");
        let on = if world.db.kind().is_mysql() { " ON item" } else { "" };
        world.db.execute(&format!("DROP INDEX item_at{on}"));
        world.db.insert_series("item (id, at, note)", &format!("n, {}, 'n'", world.days_ago(40.0)), 1..=50);
        for share in [20, 20, 10] {
            let done = policy(world.run().await);
            assert_eq!((done.tally.rows_updated, done.more_to_do), (share, share == 20), "{done:?}");
        }
        assert_eq!(world.db.column("SELECT COUNT(*) FROM item WHERE note IS NULL"), ["50"]);
    }
}

for_each_engine! {
    async fn a_share_of_a_tree_breaks_no_reference(db) {
        let mut world = World::new(db);
        let at = world.db.timestamp_type();
        world.db.execute(&format!(
            "CREATE TABLE item (id INTEGER NOT NULL PRIMARY KEY, at {at} NULL, parent INTEGER, \
             CONSTRAINT above FOREIGN KEY (parent) REFERENCES item (id))"
        ));
        world.db.execute("CREATE INDEX item_parent ON item (parent)");
        world.db.insert_series("item (id, at, parent)", &format!("n, {}, NULL", world.days_ago(90.0)), 1..=20);
        world.db.insert_series("item (id, at, parent)", &format!("n, {}, n - 20", world.days_ago(40.0)), 21..=40);
        world.declare("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nat_most = 15\n");
        for (share, left) in [(15, 25), (15, 10), (10, 0)] {
            let done = policy(world.run().await);
            assert_eq!((done.tally.rows_deleted, done.more_to_do), (share, left > 0), "{done:?}");
            assert_eq!(world.ids().len(), left);
        }
    }
}

for_each_engine! {
    async fn a_share_needs_a_key(db) {
        let mut world = World::new(db);
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE item (id INTEGER, at {at} NULL)"));
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=40);
        world.declare("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nat_most = 15\n");
        let result = world.run().await;
        // SQLite and PostgreSQL number all rows.
        let (status, gone) = if world.db.kind().is_mysql() { (Status::Failed, 0) } else { (Status::Completed, 15) };
        assert_eq!((result.status, result.totals.rows_deleted), (Some(status), gone), "{result:?}");
        assert_eq!(world.ids().len() as u64, 40 - gone);
    }
}
