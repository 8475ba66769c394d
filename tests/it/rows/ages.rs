//! Ages in texts and in numbers, end to end: who goes, who stays, and who is told of.

use std::collections::BTreeSet;

use retaind::outcome::{PolicyResult, Status};

use crate::engines::EngineKind;
use crate::world::World;

/// A world whose table `item` holds its ages as `kind`, with an index on them.
fn world(db: crate::engines::Database, kind: &str, keys: &str) -> World {
    let mut world = World::new(db);
    world.db.execute(&format!(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, at {kind} NULL, thumb VARCHAR(200), image VARCHAR(200))"
    ));
    world.db.execute("CREATE INDEX item_at ON item (at)");
    world.declare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nkeep = \"30d\"\nbatch = 10\n{keys}"
    ));
    world
}

fn failed_keys(result: &PolicyResult) -> BTreeSet<u64> {
    result.errors.iter().map(|failure| failure.key.as_deref().unwrap().parse().unwrap()).collect()
}

/// Runs, and holds who is left and who is told of against what is expected; then nothing is left to do.
async fn expect(world: &World, survivors: BTreeSet<u64>, unreadable: BTreeSet<u64>) {
    let gone = world.ids().len() - survivors.len();
    let result = world.run().await;
    let expected = if unreadable.is_empty() { Status::Completed } else { Status::CompletedWithErrors };
    assert_eq!(result.status, Some(expected), "{result:?}");
    assert_eq!(world.ids(), survivors);
    assert_eq!(result.totals.rows_deleted, gone as u64);
    assert_eq!(failed_keys(&result.policies[0]), unreadable);
    assert_eq!(result.policies[0].error_count, unreadable.len() as u64);
    let again = world.run().await;
    assert_eq!((again.totals.rows_deleted, world.ids()), (0, survivors));
}

for_each_engine! {
    async fn g5_broken_dates_are_kept_and_reported_blocking_nobody(db) {
        let kind = if db.kind().is_mysql() { "VARCHAR(60)" } else { "TEXT" };
        let world = world(db, kind, "age = \"at\"\n");
        // Of each hundred: dates of four shapes long ago, ten broken ones, ten missing ones, ten young ones.
        let old = "CASE n % 4 WHEN 0 THEN '2020-01-02T03:04:05Z' WHEN 1 THEN '2020-01-02 03:04' \
                   WHEN 2 THEN '2020-01-02T03:04:05.678+02:00' ELSE '2020-01-02' END";
        let at = format!(
            "CASE n % 10 WHEN 3 THEN '2020-02-30' WHEN 5 THEN NULL WHEN 7 THEN '2999-01-01T00:00:00Z' ELSE {old} END"
        );
        world.db.insert_series("item (id, at)", &format!("n, {at}"), 1..=200);
        let survivors = (1..=200).filter(|id| [3, 5, 7].contains(&(id % 10))).collect();
        expect(&world, survivors, (1..=200).filter(|id| id % 10 == 3).collect()).await;
    }

    async fn an_expiry_in_text_is_due_when_past(db) {
        let kind = if db.kind().is_mysql() { "VARCHAR(60)" } else { "TEXT" };
        let mut world = World::new(db);
        world.db.execute(&format!(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, at {kind} NULL, thumb VARCHAR(200), image VARCHAR(200))"
        ));
        world.declare("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nexpires = \"at\"\n");
        let now = world.clock.now();
        for (id, secs) in [(1, -60), (2, 3600)] {
            let at = jiff::Timestamp::from_second(now.as_second() + secs).unwrap();
            world.db.execute(&format!("INSERT INTO item (id, at) VALUES ({id}, '{at}')"));
        }
        world.db.execute("INSERT INTO item (id, at) VALUES (3, '9999-12-31'), (4, ''), (5, 'never'), (6, NULL)");
        expect(&world, (2..=6).collect(), BTreeSet::from([5])).await;
    }

    async fn whole_numbers_walk_along_their_index_with_ties(db) {
        let world = world(db, "BIGINT", "age = \"at\"\nage_format = \"unix\"\n");
        let old = world.clock.now().as_second() - 40 * 86_400;
        // Forty rows of one second, then one row a second, then young ones, and what is no age.
        world.db.insert_series("item (id, at)", &format!("n, CASE WHEN n > 60 THEN {old} ELSE {old} + n END"), 1..=100);
        world.db.insert_series("item (id, at)", &format!("n, {old} + 86400 * 39"), 101..=110);
        world.db.execute(&format!("INSERT INTO item (id, at) VALUES (111, 0), (112, -5), (113, NULL), (114, {old}000)"));
        expect(&world, (101..=114).collect(), BTreeSet::new()).await;
    }

    async fn milliseconds_are_never_taken_from_seconds(db) {
        let world = world(db, "BIGINT", "age = \"at\"\nage_format = \"unix_ms\"\n");
        let old = world.clock.now().as_second() - 40 * 86_400;
        world.db.insert_series("item (id, at)", &format!("n, {old}000 + n"), 1..=30);
        world.db.insert_series("item (id, at)", &format!("n, {old} + n"), 31..=60);
        expect(&world, (31..=60).collect(), BTreeSet::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_walks_over_fractions_of_a_second() {
    let db = crate::engines::Database::create(EngineKind::Sqlite);
    let world = world(db, "INTEGER", "age = \"at\"\nage_format = \"unix\"\n");
    let old = world.clock.now().as_second() - 40 * 86_400;
    // More than a batch within one second, more than a batch of one fraction with more digits than SQLite writes, and
    // so on after them.
    world.db.insert_series("item (id, at)", &format!("n, {old} + n * 0.01"), 1..=40);
    world.db.insert_series("item (id, at)", &format!("n, {old} + 1.1234567"), 41..=80);
    world.db.insert_series("item (id, at)", &format!("n, {old} + n"), 81..=120);
    world.db.insert_series("item (id, at)", &format!("n, {old} + 86400 * 39"), 121..=125);
    expect(&world, (121..=125).collect(), BTreeSet::new()).await;
}
