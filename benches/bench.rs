//! One call of the bench: how much is asked of it, and the tables that several rows share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::engines::EngineKind;
use crate::purge::{Fixture, Layout};

/// What the rows of the bench are measured with.
pub struct Bench {
    /// Rounds of each row.
    pub rounds: u32,
    scale: f64,
    /// Tables with ascending ages, by engine and number of rows.
    fixtures: RefCell<BTreeMap<(&'static str, u64), Rc<Fixture>>>,
}

impl Bench {
    /// Of so many rounds, with that part of the usual numbers of rows and files.
    pub fn new(rounds: u32, scale: f64) -> Self {
        Self { rounds, scale, fixtures: RefCell::default() }
    }

    /// The part of a usual number that is asked for.
    pub fn scaled(&self, usual: u64) -> u64 {
        ((usual as f64 * self.scale) as u64).max(1)
    }

    /// A table, filled when it is first asked for. Those with ascending ages are kept for the other rows.
    pub fn fixture(&self, kind: EngineKind, layout: Layout, rows: u64) -> anyhow::Result<Rc<Fixture>> {
        let key = (engine_name(kind), rows);
        if layout != Layout::Ascending {
            return Ok(Rc::new(Fixture::fill(kind, layout, rows)?));
        }
        if let Some(fixture) = self.fixtures.borrow().get(&key) {
            return Ok(Rc::clone(fixture));
        }
        let fixture = Rc::new(Fixture::fill(kind, Layout::Ascending, rows)?);
        self.fixtures.borrow_mut().insert(key, Rc::clone(&fixture));
        Ok(fixture)
    }

    /// Stops the servers that no row needs any more.
    pub fn rest(&self) {
        self.fixtures.borrow().values().for_each(|fixture| fixture.rest());
    }
}

/// Name of an engine in a table of figures.
pub fn engine_name(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Postgres => "PostgreSQL",
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "MariaDB",
        EngineKind::Sqlite => "SQLite",
    }
}
