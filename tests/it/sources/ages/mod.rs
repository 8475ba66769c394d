//! Ages of every type, judged in statements on the real engines and read by the library: both come to one verdict.

mod hostile;
mod numbers;
mod texts;
mod typed;

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use retaind::decide::rows::AgeValue;
use retaind::policy::{AgeFormat, EARLIEST, Engine};
use retaind::sources::{Age, Session, Sql, Term};

use super::catalog::{column, facts};
use super::open;
use crate::engines::Database;

/// A table `aged` with a key and an age column `at`, whose values have the ids 1, 2, 3, ….
pub struct Aged {
    pub session: Session,
    pub age: Age,
    pub engine: Engine,
}

impl Aged {
    /// Makes the table; `kind` is the type of `at`.
    pub async fn create(db: &Database, kind: &str, zone: &str, format: Option<AgeFormat>) -> Self {
        db.execute(&format!("CREATE TABLE aged (id INTEGER PRIMARY KEY, at {kind}, note VARCHAR(20))"));
        Self::open(db, zone, format).await
    }

    /// Of a table that is there.
    pub async fn open(db: &Database, zone: &str, format: Option<AgeFormat>) -> Self {
        let mut session = open(db).await;
        let facts = facts(&mut session, "aged").await;
        let timezone = TimeZone::get(zone).unwrap();
        let age = Age { term: Term::column(column(&facts, "at")), timezone, format, earliest: EARLIEST };
        let engine = session.engine();
        Self { session, age, engine }
    }

    /// Runs "SELECT … FROM aged WHERE …" and gives its first column.
    async fn select(&mut self, what: &Sql, condition: &Sql) -> Vec<Option<String>> {
        let mut sql = self.session.sql();
        sql.push("SELECT ").append(what).push(" FROM aged WHERE (").append(condition).push(") ORDER BY id");
        let rows = self.session.query("a test query", &sql).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {}: {sql:?}", error.cause));
        rows.into_iter().map(|row| row.0.into_iter().next().flatten()).collect()
    }

    async fn ids(&mut self, condition: &Sql) -> BTreeSet<usize> {
        let mut id = self.session.sql();
        id.push(if self.engine == Engine::MySql { "CAST(id AS CHAR)" } else { "CAST(id AS TEXT)" });
        self.select(&id, condition).await.into_iter().map(|id| id.unwrap().parse().unwrap()).collect()
    }

    /// The predicate "older than `cutoff`".
    pub fn older_than(&self, cutoff: Timestamp) -> Sql {
        let mut sql = Sql::new(self.engine);
        self.age.push_older(&mut sql, cutoff, false);
        sql
    }

    pub async fn older(&mut self, cutoff: Timestamp) -> BTreeSet<usize> {
        let condition = self.older_than(cutoff);
        self.ids(&condition).await
    }

    pub async fn unreadable(&mut self) -> BTreeSet<usize> {
        let mut condition = Sql::new(self.engine);
        match self.age.push_unreadable(&mut condition) {
            true => self.ids(&condition).await,
            false => BTreeSet::new(),
        }
    }

    /// What lies between the bounds of an index's range.
    pub async fn within_bounds(&mut self, cutoff: Timestamp) -> BTreeSet<usize> {
        let mut condition = Sql::new(self.engine);
        self.age.push_floor(&mut condition);
        condition.push(" AND ");
        self.age.push_ceiling(&mut condition, cutoff);
        self.ids(&condition).await
    }

    /// What the library reads of each row.
    pub async fn read(&mut self) -> Vec<Option<Timestamp>> {
        let (mut shown, mut everything) = (Sql::new(self.engine), Sql::new(self.engine));
        self.age.push_instant_text(&mut shown);
        everything.push("1 = 1");
        let texts = self.select(&shown, &everything).await;
        texts.iter().map(|text| self.instant(text.as_ref()?)).collect()
    }

    /// The instant that a text is; none where it is not one.
    pub fn instant(&self, text: &str) -> Option<Timestamp> {
        match self.age.read(text) {
            AgeValue::At(at) => Some(at),
            AgeValue::NoTime | AgeValue::Unreadable => None,
        }
    }

    /// The rows that have no time and are no error.
    pub async fn without_time(&mut self) -> BTreeSet<usize> {
        let mut condition = Sql::new(self.engine);
        self.age.push_undated(&mut condition);
        let undated = self.ids(&condition).await;
        let unreadable = self.unreadable().await;
        undated.difference(&unreadable).copied().collect()
    }

    /// Holds statements and bounds to what the rows' instants are, at cutoffs around each of them.
    pub async fn judge(&mut self, instants: &[Option<Timestamp>]) {
        // What statements know of a cutoff.
        let nanos_each = match self.age.format {
            None => 1_000,
            Some(format) => format.nanos(),
        };
        let around = |at: &Timestamp| {
            let whole = whole(*at, nanos_each);
            [Some(whole), whole.checked_add(i64::try_from(nanos_each).unwrap().nanoseconds()).ok()]
        };
        let cutoffs: BTreeSet<Timestamp> = instants.iter().flatten().flat_map(around).flatten().collect();
        for cutoff in cutoffs {
            let expected: BTreeSet<usize> =
                (1..).zip(instants).filter(|(_, at)| at.is_some_and(|at| at < cutoff)).map(|(id, _)| id).collect();
            assert_eq!(self.older(cutoff).await, expected, "{cutoff}");
            let bounds = self.within_bounds(cutoff).await;
            assert!(bounds.is_superset(&expected), "{cutoff}: {bounds:?} lacks some of {expected:?}");
        }
    }
}

/// The instant that RFC 3339 text says.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The cutoff of whole units at or before an instant.
pub fn whole(at: Timestamp, nanos_each: i128) -> Timestamp {
    let nanos = at.as_nanosecond();
    Timestamp::from_nanosecond(nanos - nanos.rem_euclid(nanos_each)).unwrap()
}
