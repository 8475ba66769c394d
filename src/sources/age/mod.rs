//! When a row is old enough, as a predicate that an index on the age column serves where its order is that of time.
//!
//! An age is an instant, a wall-clock time, a date, a text or a number. One that is missing, beyond the floor and the
//! ceiling of all dates, or can't be read is never old enough (G5), and no content of a column makes a statement fail. A
//! date without a time counts as old only when the whole day is.

mod digits;
mod moment;
mod number;
mod read;
mod sqlite;
mod template;
mod text;
mod typed;
mod value;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::moment::Moments;
use self::value::Range;
use super::sql::dialect::Term;
use super::{ColumnType, Sql};
use crate::decide::rows::AgeValue;
use crate::policy::{AgeFormat, Engine, LATEST};

/// An age column, the zone of its naive values, what its numbers count, and from when on it is believed.
#[derive(Debug, Clone)]
pub struct Age {
    pub term: Term,
    pub timezone: TimeZone,
    pub format: Option<AgeFormat>,
    /// What is before it is not a time.
    pub earliest: Timestamp,
}

/// What a column's values are read as.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// The column's type knows instants or dates.
    Typed,
    Text,
    Number(AgeFormat),
    /// A number written as a text.
    Digits(AgeFormat),
}

/// True if a column of this type, read so, can tell an age. SQLite has no type for instants and stores any value in
/// any column, so there the format decides how one that is declared as an instant is read.
pub fn tells_age(engine: Engine, kind: ColumnType, format: Option<AgeFormat>) -> bool {
    match kind {
        ColumnType::TimestampTz | ColumnType::Timestamp | ColumnType::Date => format.is_none(),
        ColumnType::Text => true,
        ColumnType::SqliteDateTime => engine == Engine::Sqlite,
        ColumnType::Integer | ColumnType::Real => format.is_some(),
        ColumnType::Uuid | ColumnType::Binary | ColumnType::Compound | ColumnType::Other => false,
    }
}

impl Age {
    /// Writes the exact predicate: the row is older than `cutoff`. On SQLite no index serves it, and none must be tempted:
    /// of several bounds SQLite takes the first for its index, and a window's own bounds come later. `above_floor`: the bare
    /// column is bounded already, so that no floor need be asked for where its order is that of time.
    pub fn push_older(&self, sql: &mut Sql, cutoff: Timestamp, above_floor: bool) {
        let Some(range) = self.range(cutoff) else {
            sql.push("FALSE");
            return;
        };
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => {
                if !above_floor {
                    self.push_floor(sql);
                    sql.push(" AND ");
                }
                self.push_ceiling(sql, cutoff);
            }
            (Reading::Number(format), engine) => {
                // SQLite uses no index for an operand with a sign.
                let sign = if engine == Engine::Sqlite { "+" } else { "" };
                if !above_floor {
                    number::push_floor(sql.push(sign), &self.term, format, range);
                    sql.push(" AND ");
                }
                sql.push(sign);
                number::push_ceiling(sql, &self.term, format, range);
            }
            (Reading::Digits(format), _) => digits::push_within(sql, &self.term, format, range),
            (Reading::Text, Engine::Sqlite) => sqlite::push_older(sql, &self.term, &self.moments(range)),
            (Reading::Text, Engine::Postgres | Engine::MySql) => {
                text::push_older(sql, &self.term, &self.moments(range));
            }
        }
    }

    /// True if the bare column sorts in the order of time, so that [`Age::push_floor`] and [`Age::push_ceiling`] make a
    /// range of an index. Texts on SQLite do nearly: their range is a little wider than what is older.
    pub fn is_ordered(&self, engine: Engine) -> bool {
        match self.reading() {
            Reading::Typed | Reading::Number(_) => true,
            Reading::Text => engine == Engine::Sqlite,
            Reading::Digits(_) => false,
        }
    }

    /// Writes "the age is not before the floor", for the bare column: with [`Age::push_ceiling`] it makes a range that holds
    /// every row older than `cutoff`: exactly those on the servers, perhaps more on SQLite, whose texts are not in the
    /// order of time. For a column that is not ordered it bounds nothing.
    pub fn push_floor(&self, sql: &mut Sql) {
        let range = Range { from: self.earliest, to: LATEST };
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => typed::push_floor(sql, &self.term, &self.moments(range)),
            (Reading::Number(format), _) => number::push_floor(sql, &self.term, format, range),
            (Reading::Text, Engine::Sqlite) => sqlite::push_floor(sql, &self.term, &self.moments(range)),
            (Reading::Digits(_), _) | (Reading::Text, Engine::Postgres | Engine::MySql) => {
                self.term.push(sql);
                sql.push(" IS NOT NULL");
            }
        }
    }

    /// Writes the upper end of that range.
    pub fn push_ceiling(&self, sql: &mut Sql, cutoff: Timestamp) {
        let Some(range) = self.range(cutoff) else {
            sql.push("FALSE");
            return;
        };
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => typed::push_ceiling(sql, &self.term, &self.moments(range)),
            (Reading::Number(format), _) => number::push_ceiling(sql, &self.term, format, range),
            (Reading::Text, Engine::Sqlite) => sqlite::push_ceiling(sql, &self.term, &self.moments(range)),
            (Reading::Digits(_), _) | (Reading::Text, Engine::Postgres | Engine::MySql) => {
                self.push_older(sql, cutoff, false);
            }
        }
    }

    /// Writes "there is a value, and it can't be read as an instant"; false, with nothing written, where the type can
    /// hold no such value. NULL and the empty text are missing ages, not unreadable ones. Never NULL itself.
    pub fn push_unreadable(&self, sql: &mut Sql) -> bool {
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => return false,
            (Reading::Number(_), _) => return number::push_unreadable(sql, &self.term),
            (Reading::Digits(_), _) => digits::push_unreadable(sql, &self.term),
            (Reading::Text, Engine::Sqlite) => sqlite::push_unreadable(sql, &self.term),
            (Reading::Text, Engine::Postgres | Engine::MySql) => text::push_unreadable(sql, &self.term),
        }
        true
    }

    /// Writes "there is no date": the value is missing, cannot be read, or is beyond the floor or the ceiling. Never NULL
    /// itself. An index on a typed column or on numbers serves.
    pub fn push_undated(&self, sql: &mut Sql) {
        let range = Range { from: self.earliest, to: LATEST };
        match self.reading() {
            Reading::Typed => typed::push_undated(sql, &self.term, &self.moments(range)),
            Reading::Number(format) => number::push_undated(sql, &self.term, format, range),
            Reading::Text | Reading::Digits(_) => {
                sql.push("((");
                self.push_older(sql, LATEST, false);
                sql.push(") IS NOT TRUE)");
            }
        }
    }

    /// Writes the age as text, for [`Age::read`] and to show it to a person: as the column holds it, cut at 64
    /// letters, for no date is as long.
    pub fn push_instant_text(&self, sql: &mut Sql) {
        match (self.reading(), sql.engine()) {
            (Reading::Typed, _) => self.term.push_text(sql),
            (Reading::Text | Reading::Number(_) | Reading::Digits(_), Engine::Sqlite) => {
                sqlite::push_shown(sql, &self.term);
            }
            (Reading::Text | Reading::Number(_) | Reading::Digits(_), Engine::Postgres | Engine::MySql) => {
                sql.push("left(");
                self.term.push_text(sql);
                sql.push(", 64)");
            }
        }
    }

    /// Reads what [`Age::push_instant_text`] selected, by the rules of the statements: a row is older than a cutoff
    /// exactly when its age is before it, where the cutoff is whole microseconds, or whole units of a column of numbers;
    /// statements leave out what is less. A date is its last nanosecond. The empty text is a missing time.
    pub fn read(&self, engine: Engine, raw_text: &str) -> AgeValue {
        self.read_as(engine, self.format, raw_text)
    }

    /// The same, as if the column counted another unit.
    pub(super) fn read_as(&self, engine: Engine, format: Option<AgeFormat>, raw_text: &str) -> AgeValue {
        let range = Range { from: self.earliest, to: LATEST };
        let told = match self.reading_as(format) {
            _ if raw_text.is_empty() => return AgeValue::NoTime,
            Reading::Typed => read::typed(engine, self.term.kind(), &self.timezone, raw_text),
            Reading::Text => read::text(&self.timezone, raw_text),
            Reading::Number(format) => return number::read(format, range, raw_text),
            Reading::Digits(format) => return digits::read(format, range, raw_text),
        };
        match told {
            AgeValue::At(at) if at < range.from || at >= range.to => AgeValue::NoTime,
            told => told,
        }
    }

    fn reading(&self) -> Reading {
        self.reading_as(self.format)
    }

    fn reading_as(&self, format: Option<AgeFormat>) -> Reading {
        match (format, self.term.kind()) {
            (Some(format), ColumnType::Text) => Reading::Digits(format),
            (Some(format), _) => Reading::Number(format),
            (None, ColumnType::Text | ColumnType::SqliteDateTime) => Reading::Text,
            (None, _) => Reading::Typed,
        }
    }

    /// What is older than a cutoff; none where nothing can be.
    fn range(&self, cutoff: Timestamp) -> Option<Range> {
        let to = cutoff.min(LATEST);
        (self.earliest < to).then_some(Range { from: self.earliest, to })
    }

    fn moments(&self, range: Range) -> Moments {
        Moments::of(range.from, range.to, &self.timezone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_belongs_to_numbers_and_texts() {
        let (none, unix) = (None, Some(AgeFormat::Unix));
        for engine in [Engine::Postgres, Engine::MySql, Engine::Sqlite] {
            for kind in [ColumnType::TimestampTz, ColumnType::Timestamp, ColumnType::Date] {
                assert!(tells_age(engine, kind, none) && !tells_age(engine, kind, unix), "{kind:?}");
            }
            assert!(tells_age(engine, ColumnType::Text, none) && tells_age(engine, ColumnType::Text, unix));
            for kind in [ColumnType::Integer, ColumnType::Real] {
                assert!(!tells_age(engine, kind, none) && tells_age(engine, kind, unix), "{kind:?}");
            }
            for kind in [ColumnType::Uuid, ColumnType::Binary, ColumnType::Other] {
                assert!(!tells_age(engine, kind, none) && !tells_age(engine, kind, unix), "{kind:?}");
            }
        }
        assert!(tells_age(Engine::Sqlite, ColumnType::SqliteDateTime, none));
        assert!(tells_age(Engine::Sqlite, ColumnType::SqliteDateTime, unix));
    }
}
