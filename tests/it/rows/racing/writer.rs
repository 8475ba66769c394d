//! A writer that works on the rows that are about to go, and remembers what it has committed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engines::{Client, EngineKind};
use crate::rows::racing::ground::{Ground, Race, lot};

pub const WRITERS: u64 = 2;
/// So many eligible rows a writer wants to have before it races for one.
const FODDER: usize = 20;
const PAUSE: Duration = Duration::from_millis(2);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A row as its writer last committed it.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub is_old: bool,
    pub image: u64,
    /// Rows of `shield` and `hold` that keep it, each with its table.
    pub keepers: Vec<(&'static str, u64)>,
    /// Its children and their files.
    pub parts: BTreeSet<u64>,
    /// It points to another, which must stay for it.
    pub is_keeper: bool,
}

impl Row {
    pub fn is_eligible(&self) -> bool {
        self.is_old && self.keepers.is_empty()
    }
}

/// What became of an operation on a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// Committed, and the row was there.
    There,
    /// The purge had it first.
    Gone,
    /// A deadlock or a lock that was not had in time: rolled back.
    Failed,
}

/// How an operation makes sure of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Locks the row before, for a change of its own or of others.
    Locks { changes: bool },
    /// Writes first and looks then, in one transaction: the statement itself locks the row, or its foreign key does.
    Looks,
    /// Commits, and asks then with a lock whether the row is still there: from then on it counts.
    Asks,
}

/// One connection with rows of its own: those whose id leaves `number` when divided by [`WRITERS`].
pub struct Writer {
    ground: Ground,
    client: Client,
    pub number: u64,
    random: u64,
    next_row: u64,
    next_part: u64,
    next_keeper: u64,
    pub rows: BTreeMap<u64, Row>,
    /// Rows as they were when the purge took them.
    pub gone: Vec<(u64, Row)>,
    /// Files that a row was led away from: nobody's, or somebody else's.
    pub forsaken: BTreeSet<u64>,
    pub inserted: u64,
    pub parts: u64,
    /// Operations that made a row eligible.
    pub fed: u64,
    /// Operations on rows that were eligible: how often the writer was first, how often the purge, how often neither.
    pub won: u64,
    pub lost: u64,
    pub failed: u64,
    /// What must never be.
    pub wrongs: Vec<String>,
}

impl Writer {
    pub fn new(ground: Ground, mut client: Client, number: u64) -> Self {
        match ground.kind {
            EngineKind::Sqlite => client.execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF").unwrap(),
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning if number % 2 == 1 => {
                client.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").unwrap();
            }
            _ => {}
        }
        Self {
            ground,
            client,
            number,
            random: 0x9E37_79B9_7F4A_7C15 ^ (number + 1),
            next_row: WRITERS + number,
            next_part: WRITERS + number,
            next_keeper: WRITERS + number,
            rows: BTreeMap::new(),
            gone: Vec::new(),
            forsaken: BTreeSet::new(),
            inserted: 0,
            parts: 0,
            fed: 0,
            won: 0,
            lost: 0,
            failed: 0,
            wrongs: Vec::new(),
        }
    }

    /// Works until it has made so many operations.
    pub fn work(mut self, operations: u64) -> Self {
        while self.fed + self.won + self.lost + self.failed < operations && self.wrongs.is_empty() {
            let eligible: Vec<_> = self.rows.iter().filter(|(_, row)| row.is_eligible()).map(|(id, _)| *id).collect();
            if self.ground.kind == EngineKind::Sqlite {
                // Who waits for the lock of the whole database sleeps; without a pause only writers would get it.
                std::thread::sleep(PAUSE);
            }
            if eligible.len() < FODDER {
                self.feed();
                self.fed += 1;
            } else {
                let id = self.one_of(&eligible);
                let met = self.race_for(id);
                match met {
                    Met::There => self.won += 1,
                    Met::Gone => self.lost += 1,
                    Met::Failed => self.failed += 1,
                }
            }
        }
        self
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % limit
    }

    fn one_of(&mut self, ids: &[u64]) -> u64 {
        ids[self.below(ids.len() as u64) as usize]
    }

    /// A row that is not eligible.
    fn kept(&mut self) -> Option<u64> {
        let kept: Vec<_> =
            self.rows.iter().filter(|(_, row)| !row.is_eligible() && !row.is_keeper).map(|(id, _)| *id).collect();
        (!kept.is_empty()).then(|| self.one_of(&kept))
    }

    /// Makes something eligible: a row that is born old, one that grows old, one that loses what kept it.
    fn feed(&mut self) {
        match (self.below(4), self.kept()) {
            (1.., Some(id)) if !self.rows[&id].keepers.is_empty() => self.unkeep(id),
            (1.., Some(id)) => {
                self.set_age(id, true);
            }
            _ => self.insert(true),
        }
    }

    fn race_for(&mut self, id: u64) -> Met {
        match self.below(12) {
            0..=2 => self.set_age(id, false),
            3 => self.keep(id, "shield"),
            4 if self.ground.race != Race::Trees => self.keep(id, "shield"),
            4 if self.ground.race == Race::Trees => self.follow(id),
            5 if self.ground.race != Race::Updates => self.keep(id, "hold"),
            6 | 7 if self.ground.race != Race::Updates => self.add_part(id),
            8 if self.ground.race != Race::Updates => self.move_part(id),
            9 => self.take_another_file(id),
            _ => self.share_file(id),
        }
    }

    fn next(&mut self, limit: u64) -> Option<u64> {
        let id = self.next_row;
        self.next_row += WRITERS;
        (id <= limit).then_some(id)
    }

    /// Inserts a row with a file of its own.
    fn insert(&mut self, is_old: bool) {
        let Some(id) = self.next(self.ground.images) else {
            self.wrongs.push("the files that were made for the race are used up".to_owned());
            return;
        };
        let insert = self.ground.insert(id, is_old, id);
        if self.client.execute(&insert).is_ok() {
            self.inserted += 1;
            self.rows.insert(id, Row { is_old, image: id, ..Row::default() });
        }
    }

    fn set_age(&mut self, id: u64, is_old: bool) -> Met {
        let update = format!("UPDATE piece SET at = {} WHERE id = {id} AND state = 'live'", self.ground.age(is_old));
        let how = self.any_of([How::Looks, How::Locks { changes: true }]);
        let met = self.attempt(id, how, &update);
        self.then(id, met, |row| row.is_old = is_old)
    }

    fn keep(&mut self, id: u64, table: &'static str) -> Met {
        let keeper = self.next_keeper;
        self.next_keeper += WRITERS;
        let how = match self.ground.race {
            Race::Keys | Race::Trees => How::Looks,
            Race::Locks | Race::Spelled | Race::Updates => self.any_of([How::Asks, How::Locks { changes: false }]),
        };
        let met = self.attempt(id, how, &format!("INSERT INTO {table} (id, piece_id) VALUES ({keeper}, {id})"));
        self.then(id, met, |row| row.keepers.push((table, keeper)))
    }

    /// Inserts a young row that points to this one.
    fn follow(&mut self, id: u64) -> Met {
        let Some(keeper) = self.next(self.ground.images) else { return self.set_age(id, false) };
        let insert = self.ground.insert(keeper, false, keeper);
        let points = format!("UPDATE piece SET previous = {id} WHERE id = {keeper}");
        let met = self.attempt(id, How::Looks, &format!("{insert}; {points}"));
        if met == Met::There {
            self.inserted += 1;
            self.rows.insert(keeper, Row { image: keeper, is_keeper: true, ..Row::default() });
        }
        self.then(id, met, |row| row.keepers.push(("piece", keeper)))
    }

    fn unkeep(&mut self, id: u64) {
        let Some((table, keeper)) = self.rows[&id].keepers.last().copied() else { return };
        let statement = match table {
            "piece" => format!("UPDATE piece SET previous = NULL WHERE id = {keeper}"),
            _ => format!("DELETE FROM {table} WHERE id = {keeper}"),
        };
        let met = self.attempt(id, How::Locks { changes: false }, &statement);
        self.then(id, met, |row| row.keepers.truncate(row.keepers.len() - 1));
    }

    fn add_part(&mut self, id: u64) -> Met {
        let part = self.next_part;
        if part > self.ground.thumbs {
            return self.set_age(id, false);
        }
        self.next_part += WRITERS;
        let how = if self.ground.race.has_keys() { How::Looks } else { How::Locks { changes: false } };
        let insert = format!(
            "INSERT INTO part (id, piece_id, piece_lot, thumb) VALUES ({part}, {id}, {}, 'data/thumbs/{part}.jpg')",
            lot(id)
        );
        let met = self.attempt(id, how, &insert);
        if met == Met::There {
            self.parts += 1;
        }
        self.then(id, met, |row| row.parts.extend([part]))
    }

    /// Gives a child of the row to one that stays.
    fn move_part(&mut self, id: u64) -> Met {
        let (Some(part), Some(to)) = (self.rows[&id].parts.first().copied(), self.kept()) else {
            return self.add_part(id);
        };
        let update = format!("UPDATE part SET piece_id = {to}, piece_lot = {} WHERE id = {part}", lot(to));
        let met = self.attempt(id, How::Locks { changes: false }, &update);
        if met == Met::There {
            self.rows.get_mut(&to).unwrap().parts.insert(part);
        }
        self.then(id, met, |row| row.parts.retain(|other| *other != part))
    }

    /// Leads the row to the file of one that stays, which must outlive the row.
    fn take_another_file(&mut self, id: u64) -> Met {
        let Some(other) = self.kept() else { return self.set_age(id, false) };
        let image = self.rows[&other].image;
        let update =
            format!("UPDATE piece SET image = {} WHERE id = {id} AND state = 'live'", self.ground.image(id, image));
        let how = self.any_of([How::Looks, How::Locks { changes: true }]);
        let met = self.attempt(id, how, &update);
        self.then_leads(id, id, image, met)
    }

    /// Leads a row that stays, or a new one, to the row's file, which must outlive the row then.
    fn share_file(&mut self, id: u64) -> Met {
        let image = self.rows[&id].image;
        let how = How::Locks { changes: false };
        match (self.below(2), self.kept()) {
            (0, Some(other)) => {
                let named = self.ground.image(other, image);
                let met = self.attempt(id, how, &format!("UPDATE piece SET image = {named} WHERE id = {other}"));
                self.then_leads(id, other, image, met)
            }
            _ => {
                let Some(new) = self.next(self.ground.images) else { return self.set_age(id, false) };
                let insert = self.ground.insert(new, false, image);
                let met = self.attempt(id, how, &insert);
                if met == Met::There {
                    self.inserted += 1;
                    self.rows.insert(new, Row { image, ..Row::default() });
                }
                self.then(id, met, |_| {})
            }
        }
    }

    /// Where `id` was there, `led` names `image` now.
    fn then_leads(&mut self, id: u64, led: u64, image: u64, met: Met) -> Met {
        if met == Met::There {
            let before = std::mem::replace(&mut self.rows.get_mut(&led).unwrap().image, image);
            self.forsaken.insert(before);
        }
        self.then(id, met, |_| {})
    }

    fn then(&mut self, id: u64, met: Met, change: impl FnOnce(&mut Row)) -> Met {
        match met {
            Met::There => change(self.rows.get_mut(&id).unwrap()),
            Met::Failed => {}
            Met::Gone => {
                let row = self.rows.remove(&id).unwrap();
                if !row.is_eligible() {
                    self.wrongs.push(format!("row {id} was not eligible and is gone: {row:?}"));
                }
                self.gone.push((id, row));
                if self.ground.race == Race::Updates && self.below(3) == 0 {
                    self.revive(id);
                }
            }
        }
        met
    }

    /// Brings a row back that has expired, with another file.
    fn revive(&mut self, id: u64) {
        let Some(image) = self.next(self.ground.images) else { return };
        // What came too late to shield it must not do so now.
        let update = format!(
            "{}; DELETE FROM shield WHERE piece_id = {id}; UPDATE piece SET state = 'live', at = {}, \
             image = '{image}.png' WHERE id = {id} AND state = 'expired'; COMMIT",
            self.ground.begins(),
            self.ground.young
        );
        let done = self.client.execute(&update);
        if done.is_err() {
            let _ = self.client.execute("ROLLBACK");
        } else {
            self.rows.insert(id, Row { image, ..Row::default() });
        }
    }

    fn any_of(&mut self, ways: [How; 2]) -> How {
        ways[self.below(2) as usize]
    }

    fn attempt(&mut self, id: u64, how: How, statement: &str) -> Met {
        let done = match how {
            How::Locks { changes } => self.lock_and_write(id, changes, statement),
            How::Looks => self.write_and_look(id, statement),
            How::Asks => self.write_and_ask(id, statement),
        };
        match done {
            Ok(true) => Met::There,
            Ok(false) => Met::Gone,
            Err(_) => {
                let _ = self.client.execute("ROLLBACK");
                // A foreign key fails, too, where its row is gone; no row comes back by another hand.
                match self.client.query(&self.ground.asks(id)) {
                    Ok(rows) if rows.is_empty() => Met::Gone,
                    _ => Met::Failed,
                }
            }
        }
    }

    fn lock_and_write(&mut self, id: u64, changes: bool, statement: &str) -> Result<bool, Error> {
        self.client.execute(self.ground.begins())?;
        let asks = format!("{}{}", self.ground.asks(id), self.ground.locks(changes));
        let is_there = !self.client.query(&asks)?.is_empty();
        let statements = if is_there { format!("{statement}; COMMIT") } else { "ROLLBACK".to_owned() };
        self.client.execute(&statements)?;
        Ok(is_there)
    }

    fn write_and_look(&mut self, id: u64, statement: &str) -> Result<bool, Error> {
        self.client.execute(&format!("{}; {statement}", self.ground.begins()))?;
        let is_there = !self.client.query(&self.ground.asks(id))?.is_empty();
        self.client.execute(if is_there { "COMMIT" } else { "ROLLBACK" })?;
        Ok(is_there)
    }

    fn write_and_ask(&mut self, id: u64, statement: &str) -> Result<bool, Error> {
        self.client.execute(statement)?;
        let asks = format!("{}{}", self.ground.asks(id), self.ground.locks(false));
        // What is written is written: only the answer tells whether it was in time.
        for _ in 0..100 {
            match self.client.query(&asks) {
                Ok(rows) => return Ok(!rows.is_empty()),
                Err(_) => drop(self.client.execute("ROLLBACK")),
            }
        }
        panic!("row {id} cannot be asked about");
    }
}
