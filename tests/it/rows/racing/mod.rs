//! Writers beside the purge: no row and no file goes that was not eligible when the purge last looked (G2, G3).
//!
//! What is promised, exactly: a row that is not eligible goes never, and the purge's last look at a row is made while it
//! has the row locked and just before it commits. So an operation is in time when it is committed before that look. For a
//! change of the row itself that is so whenever it was committed while the row was there. For something in another table
//! that keeps the row, or names its file, a writer has three ways to know, and all three are raced here:
//!
//! - it locks the row first (`FOR KEY SHARE`, `LOCK IN SHARE MODE`) and finds it there: then the purge has to wait, and
//!   looks after the writer's commit;
//! - a foreign key does the same for it;
//! - it commits, and then finds the row there with a lock: then the purge has not locked it yet, and looks later.
//!
//! A writer that does none of these may commit a protection of a row in the instant between the last look and the
//! purge's commit: it protects a row that is as good as gone, and no database could tell.

mod ground;
mod writer;

use std::collections::{BTreeMap, BTreeSet};

use retaind::outcome::{RunMode, RunResult, Status, Tally};

use crate::engines::{Database, EngineKind};
use crate::needs::is_quick;
use crate::rows::racing::ground::{Ground, Race};
use crate::rows::racing::writer::{Row, WRITERS, Writer};
use crate::world::{World, effort};

/// Runs one after the other until the writers are done, then once more in peace.
async fn race(kind: EngineKind, race: Race, operations: u64) {
    let mut world = World::new(Database::create(kind));
    let ground = Ground::lay(&mut world, race, operations);
    let runner = world.runner().await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writer = Writer::new(ground.clone(), world.db.connect(), number);
            tokio::task::spawn_blocking(move || writer.work(operations / WRITERS))
        })
        .collect();
    let mut tally = Tally::default();
    let mut runs = 0;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let result = runner.run(world.request(RunMode::Enforce)).await.unwrap();
        only_locks_hindered(&result);
        tally.add(&result.policies[0].tally);
        runs += 1;
    }
    let mut done = Vec::new();
    for writer in writers {
        done.push(writer.await.unwrap());
    }
    let last = runner.run(world.request(RunMode::Enforce)).await.unwrap();
    assert_eq!(last.status, Some(Status::Completed), "{last:?}");
    tally.add(&last.policies[0].tally);
    let after = After::of(&world, ground);
    for writer in &done {
        after.judge(writer);
    }
    after.add_up(&done, &tally);
    let sum = |count: fn(&Writer) -> u64| done.iter().map(count).sum::<u64>();
    let (fed, won, lost, failed) = (sum(|w| w.fed), sum(|w| w.won), sum(|w| w.lost), sum(|w| w.failed));
    let told = format!("{kind:?} {race:?}: {runs} runs, {fed} fed, {won} won, {lost} lost, {failed} failed; {tally:?}");
    println!("{told}");
    assert!(fed + won + lost + failed >= operations / WRITERS * WRITERS && (runs > 1 || is_quick()), "{told}");
    assert!(won > operations / 100 && lost > operations / 100, "one side always wins: {told}");
    assert!(failed < won, "most operations must mean something: {told}");
}

/// A run in a race may come upon locks and leave something for the next; nothing else may go wrong. In a tree, a row
/// that was passed over for one that pointed to it counts as left where the other is led away before the count.
fn only_locks_hindered(result: &RunResult) {
    let policy = &result.policies[0];
    let is_lock = |error: &str| {
        let words = ["lock", "Deadlock", "deadlock", "came that keep what was about to go", "rows of the same table"];
        words.iter().any(|word| error.contains(word))
    };
    let other: Vec<_> = policy.errors.iter().filter(|failure| !is_lock(&failure.error)).collect();
    assert!(other.is_empty() && policy.blocked_code.is_none(), "{other:?}\n{result:?}");
}

/// What is there after the race.
struct After {
    ground: Ground,
    /// Live rows, with their images.
    rows: BTreeMap<u64, String>,
    /// How often rows expired.
    times: u64,
    /// Children and the rows that they belong to.
    parts: BTreeMap<u64, u64>,
    images: BTreeSet<String>,
    thumbs: BTreeSet<String>,
}

impl After {
    fn of(world: &World, ground: Ground) -> Self {
        let pair = |row: Vec<Option<String>>| <[String; 2]>::try_from(row.into_iter().flatten().collect::<Vec<_>>());
        let pairs = |sql: &str| world.db.query(sql).into_iter().map(move |row| pair(row).unwrap());
        let number = |text: String| text.parse::<u64>().unwrap();
        let image = ground.shows_image();
        let rows = pairs(&format!("SELECT id, {image} FROM piece WHERE state = 'live'"));
        let parts = pairs("SELECT id, piece_id FROM part");
        Self {
            ground,
            rows: rows.map(|[id, image]| (number(id), image.trim_start_matches(['.', '/']).to_owned())).collect(),
            times: world.db.value("SELECT SUM(times) FROM piece").map_or(0, number),
            parts: parts.map(|[id, piece]| (number(id), number(piece))).collect(),
            images: world.files("images"),
            thumbs: world.files("thumbs"),
        }
    }

    /// Everything that a writer left not eligible is as it left it; everything else is gone.
    fn judge(&self, writer: &Writer) {
        assert!(writer.wrongs.is_empty(), "{:?}", writer.wrongs);
        for (id, row) in &writer.rows {
            if row.is_eligible() {
                assert!(!self.rows.contains_key(id), "row {id} is eligible and still there: {row:?}");
                self.judge_parts_of_gone(*id, row);
                continue;
            }
            let image = format!("{}.png", row.image);
            assert_eq!(self.rows.get(id), Some(&image), "row {id} must stay: {row:?}");
            assert!(self.images.contains(&image), "row {id} lost its file: {row:?}");
            for part in &row.parts {
                assert_eq!(self.parts.get(part), Some(id), "part {part} must stay with row {id}");
                assert!(self.thumbs.contains(&format!("{part}.jpg")), "part {part} lost its file");
            }
        }
        for (id, row) in &writer.gone {
            self.judge_parts_of_gone(*id, row);
        }
        self.judge_files(writer);
    }

    fn judge_parts_of_gone(&self, id: u64, row: &Row) {
        for part in &row.parts {
            assert!(!self.parts.contains_key(part), "part {part} of row {id} must be gone");
            assert!(!self.thumbs.contains(&format!("{part}.jpg")), "the file of part {part} must be gone");
        }
    }

    /// A file is gone where a row that named it went and none names it any more. Where a row was led away from it, it may
    /// be nobody's.
    fn judge_files(&self, writer: &Writer) {
        let eligible = writer.rows.values().filter(|row| row.is_eligible());
        let released: BTreeSet<_> =
            eligible.chain(writer.gone.iter().map(|(_, row)| row)).map(|row| row.image).collect();
        let named: BTreeSet<_> = writer.rows.values().filter(|row| !row.is_eligible()).map(|row| row.image).collect();
        for image in (1..=self.ground.images).filter(|image| image % WRITERS == writer.number) {
            let is_there = self.images.contains(&format!("{image}.png"));
            match (named.contains(&image), released.contains(&image)) {
                (true, _) => assert!(is_there, "file {image} is named and gone"),
                (false, false) => assert!(is_there, "file {image} is gone, and no row that named it went"),
                (false, true) if writer.forsaken.contains(&image) => {}
                (false, true) => assert!(!is_there, "file {image} belonged to rows that are gone"),
            }
        }
    }

    /// What the runs say that they did is what is missing.
    fn add_up(&self, writers: &[Writer], tally: &Tally) {
        let sum = |count: fn(&Writer) -> u64| writers.iter().map(count).sum::<u64>();
        match self.ground.race {
            Race::Updates => assert_eq!(tally.rows_updated, self.times, "each row was updated once each time"),
            Race::Locks | Race::Keys | Race::Spelled | Race::Trees => {
                assert_eq!(tally.rows_deleted, sum(|writer| writer.inserted) - self.rows.len() as u64);
                let gone = sum(|writer| writer.parts) - self.parts.len() as u64;
                assert_eq!(tally.children.get("part").copied().unwrap_or_default(), gone);
                assert!(gone > 0 || is_quick(), "children went with their rows");
            }
        }
        let before = self.ground.images + self.ground.thumbs;
        let left = (self.images.len() + self.thumbs.len()) as u64;
        assert_eq!((tally.files_deleted, tally.files_missing, tally.files_pending), (before - left, 0, 0));
    }
}

fn on(kind: EngineKind, which: Race, operations: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(race(kind, which, operations));
}

macro_rules! races {
    ($($(#[$attribute:meta])* $name:ident: $kind:ident, $race:ident, $operations:expr;)*) => {
        $(#[test]
        $(#[$attribute])*
        fn $name() {
            needs!(EngineKind::$kind);
            on(EngineKind::$kind, Race::$race, effort($operations));
        })*
    };
}

races! {
    g2_writers_that_lock_postgres: Postgres, Locks, 2000;
    g2_writers_that_lock_mariadb: MariaDb, Locks, 2000;
    g2_writers_that_lock_mariadb_no_returning: MariaDbNoReturning, Locks, 2000;
    g2_writers_that_lock_sqlite: Sqlite, Locks, 2000;
    g2_writers_behind_foreign_keys_postgres: Postgres, Keys, 1500;
    g2_writers_behind_foreign_keys_mariadb: MariaDb, Keys, 1500;
    g2_writers_behind_foreign_keys_sqlite: Sqlite, Keys, 1500;
    g2_writers_that_spell_postgres: Postgres, Spelled, 1250;
    g2_writers_that_spell_mariadb: MariaDb, Spelled, 1250;
    g2_writers_that_spell_sqlite: Sqlite, Spelled, 1000;
    g2_writers_in_trees_postgres: Postgres, Trees, 1250;
    g2_writers_in_trees_mariadb: MariaDb, Trees, 1250;
    g2_writers_in_trees_sqlite: Sqlite, Trees, 1000;
    g2_updates_race_postgres: Postgres, Updates, 1250;
    g2_updates_race_mariadb: MariaDb, Updates, 1250;
    g2_updates_race_mariadb_no_returning: MariaDbNoReturning, Updates, 1250;
    g2_updates_race_sqlite: Sqlite, Updates, 1250;
}
