//! When a row is old enough, as a predicate that an index on the age column serves where its order is that of time.
//!
//! An age is an instant, a wall-clock time, a date, a text or a whole number. One that is missing, infinite, a zero
//! date or can't be read is never old enough (G5), and no content of a column makes a statement fail. A date without
//! a time counts as old only when the whole day is.

mod moment;
mod number;
mod read;
mod sqlite;
mod template;
mod text;
mod typed;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use self::moment::seconds;
use self::moment::{Moments, has_rows_before};
use super::dialect::Term;
use super::{ColumnType, Sql};
use crate::policy::{AgeFormat, Engine};

/// An age column, the zone of its naive values, and what its whole numbers count.
#[derive(Debug, Clone)]
pub struct Age {
    pub term: Term,
    pub timezone: TimeZone,
    pub format: Option<AgeFormat>,
}

/// What a column's values are read as.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// The column's type knows instants or dates.
    Typed,
    Text,
    Number(AgeFormat),
}

/// Whether a column of this type, read so, can tell an age. SQLite has no type for instants and stores any value in
/// any column, so there the format decides how one that is declared as an instant is read.
pub fn tells_age(engine: Engine, kind: ColumnType, format: Option<AgeFormat>) -> bool {
    match kind {
        ColumnType::TimestampTz | ColumnType::Timestamp | ColumnType::Date | ColumnType::Text => format.is_none(),
        ColumnType::SqliteDateTime => engine == Engine::Sqlite,
        ColumnType::Integer => format.is_some(),
        ColumnType::Uuid | ColumnType::Binary | ColumnType::Other => false,
    }
}

impl Age {
    /// Writes the exact predicate: the row is older than `cutoff`. On SQLite no index serves it, and none must be tempted:
    /// of several bounds SQLite takes the first for its index, and a window's own bounds come later.
    pub fn push_older(&self, sql: &mut Sql, cutoff: Timestamp) {
        if !has_rows_before(cutoff) {
            sql.push("FALSE");
            return;
        }
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => {
                self.push_floor(sql);
                sql.push(" AND ");
                self.push_ceiling(sql, cutoff);
            }
            (Reading::Number(format), engine) => {
                // SQLite uses no index for an operand with a sign.
                let sign = if engine == Engine::Sqlite { "+" } else { "" };
                number::push_floor(sql.push(sign), &self.term, format);
                sql.push(" AND ").push(sign);
                number::push_ceiling(sql, &self.term, format, cutoff);
            }
            (Reading::Text, Engine::Sqlite) => sqlite::push_older(sql, &self.term, &self.moments(cutoff)),
            (Reading::Text, Engine::Postgres | Engine::MySql) => {
                text::push_older(sql, &self.term, &self.moments(cutoff));
            }
        }
    }

    /// Whether the bare column sorts in the order of time, so that [`Age::push_floor`] and [`Age::push_ceiling`] make a
    /// range of an index. Texts on SQLite do nearly: their range is a little wider than what is older.
    pub fn is_ordered(&self, engine: Engine) -> bool {
        match self.reading() {
            Reading::Typed | Reading::Number(_) => true,
            Reading::Text => engine == Engine::Sqlite,
        }
    }

    /// Writes "the age is no missing one", for the bare column: with [`Age::push_ceiling`] it makes a range that holds
    /// every row older than `cutoff`: exactly those on the servers, perhaps more on SQLite, whose texts are not in the
    /// order of time. For a column that is not ordered it bounds nothing.
    pub fn push_floor(&self, sql: &mut Sql) {
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => typed::push_floor(sql, &self.term),
            (Reading::Number(format), _) => number::push_floor(sql, &self.term, format),
            (Reading::Text, Engine::Sqlite) => sqlite::push_floor(sql, &self.term),
            (Reading::Text, Engine::Postgres | Engine::MySql) => {
                self.term.push(sql);
                sql.push(" IS NOT NULL");
            }
        }
    }

    /// Writes the upper end of that range.
    pub fn push_ceiling(&self, sql: &mut Sql, cutoff: Timestamp) {
        if !has_rows_before(cutoff) {
            sql.push("FALSE");
            return;
        }
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => typed::push_ceiling(sql, &self.term, &self.moments(cutoff)),
            (Reading::Number(format), _) => number::push_ceiling(sql, &self.term, format, cutoff),
            (Reading::Text, Engine::Sqlite) => sqlite::push_ceiling(sql, &self.term, &self.moments(cutoff)),
            (Reading::Text, Engine::Postgres | Engine::MySql) => self.push_older(sql, cutoff),
        }
    }

    /// Writes "there is a value, and it can't be read as an instant"; false, with nothing written, where the type can
    /// hold no such value. NULL and the empty text are missing ages, not unreadable ones. Never NULL itself.
    pub fn push_unreadable(&self, sql: &mut Sql) -> bool {
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => return false,
            (Reading::Number(format), _) => number::push_unreadable(sql, &self.term, format),
            (Reading::Text, Engine::Sqlite) => sqlite::push_unreadable(sql, &self.term),
            (Reading::Text, Engine::Postgres | Engine::MySql) => text::push_unreadable(sql, &self.term),
        }
        true
    }

    /// Writes the age as text, for [`Age::read`] and to show it to a person: as the column holds it, cut at 64
    /// letters, for no date is as long.
    pub fn push_instant_text(&self, sql: &mut Sql) {
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => self.term.push_text(sql),
            (Reading::Text | Reading::Number(_), Engine::Sqlite) => sqlite::push_shown(sql, &self.term),
            (Reading::Text | Reading::Number(_), Engine::Postgres | Engine::MySql) => {
                sql.push("left(");
                self.term.push_text(sql);
                sql.push(", 64)");
            }
        }
    }

    /// Reads what [`Age::push_instant_text`] selected, by the rules of the statements: a row is older than a cutoff
    /// exactly when its age is before it, where the cutoff is whole microseconds, or whole units of a column of numbers;
    /// statements leave out what is less. None where the age is missing or can't be read. A date is its last nanosecond; an instant beyond year 9999 is [`Timestamp::MAX`].
    pub fn read(&self, engine: Engine, raw_text: &str) -> Option<Timestamp> {
        match (self.reading(), engine) {
            (Reading::Typed, _) => read::typed(engine, self.term.kind(), &self.timezone, raw_text),
            (Reading::Number(format), _) => number::read(format, raw_text),
            (Reading::Text, _) => read::text(&self.timezone, raw_text),
        }
    }

    fn reading(&self) -> Reading {
        match (self.format, self.term.kind()) {
            (Some(format), _) => Reading::Number(format),
            (None, ColumnType::Text | ColumnType::SqliteDateTime) => Reading::Text,
            (None, _) => Reading::Typed,
        }
    }

    fn moments(&self, cutoff: Timestamp) -> Moments {
        Moments::of(cutoff, &self.timezone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_belongs_to_whole_numbers() {
        let (none, unix) = (None, Some(AgeFormat::Unix));
        for engine in [Engine::Postgres, Engine::MySql, Engine::Sqlite] {
            for kind in [ColumnType::TimestampTz, ColumnType::Timestamp, ColumnType::Date, ColumnType::Text] {
                assert!(tells_age(engine, kind, none) && !tells_age(engine, kind, unix), "{kind:?}");
            }
            assert!(!tells_age(engine, ColumnType::Integer, none) && tells_age(engine, ColumnType::Integer, unix));
            for kind in [ColumnType::Uuid, ColumnType::Binary, ColumnType::Other] {
                assert!(!tells_age(engine, kind, none) && !tells_age(engine, kind, unix), "{kind:?}");
            }
        }
        assert!(tells_age(Engine::Sqlite, ColumnType::SqliteDateTime, none));
        assert!(tells_age(Engine::Sqlite, ColumnType::SqliteDateTime, unix));
    }
}
