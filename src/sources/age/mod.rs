//! When a row is old enough, as a predicate that an index on the age column serves where its order is that of time.
//!
//! An age is an instant, a wall-clock time, a date, a text or a number. One that is missing, beyond the floor and the
//! ceiling of all dates, or can't be read is never old enough (G5), and no content of a column makes a statement fail. A
//! date without a time counts as old only when the whole day is.

mod digits;
mod moment;
mod number;
mod read;
mod template;
mod typed;
mod value;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::moment::Moments;
use self::value::Range;
use super::sql::term::Term;
use super::{ColumnType, Sql};
use crate::decide::rows::AgeValue;
use crate::policy::{AgeFormat, Engine, LATEST};
use crate::sources::sql::dialect::dialect;

/// An age column, the zone of its naive values, what its numbers count, and from when on it is believed.
#[derive(Debug, Clone)]
pub struct Age {
    pub term: Term,
    pub timezone: TimeZone,
    pub format: Option<AgeFormat>,
    /// Floor of its dates: an earlier value is not a time.
    pub earliest: Timestamp,
}

/// Form in which a column's values are read.
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
pub fn tells_age(kind: ColumnType, format: Option<AgeFormat>) -> bool {
    match kind {
        ColumnType::TimestampTz | ColumnType::Timestamp | ColumnType::Date => format.is_none(),
        ColumnType::Text | ColumnType::SqliteDateTime => true,
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
        match self.reading() {
            Reading::Typed => {
                if !above_floor {
                    sql.with(|sql| self.push_floor(sql)).push(" AND ");
                }
                self.push_ceiling(sql, cutoff);
            }
            Reading::Number(format) => {
                let bare = sql.traits().bare_number;
                if !above_floor {
                    number::push_floor(sql.push(bare), &self.term, format, range);
                    sql.push(" AND ");
                }
                number::push_ceiling(sql.push(bare), &self.term, format, range);
            }
            Reading::Digits(format) => {
                let (from, to) = (number::first_from(format, range.from), format.whole(range.to));
                self.term.push_in(sql, &sql.dialect().digits_within(from, to));
            }
            Reading::Text => {
                template::push(sql, &sql.dialect().old_text(), &self.term, Some(&self.moments(range)));
            }
        }
    }

    /// True if the bare column sorts in the order of time, so that [`Age::push_floor`] and [`Age::push_ceiling`] make a
    /// range of an index. Texts on SQLite do nearly: their range is a little wider than what is older.
    pub fn is_ordered(&self, engine: Engine) -> bool {
        match self.reading() {
            Reading::Typed | Reading::Number(_) => true,
            Reading::Text => dialect(engine).traits().orders_texts_by_time,
            Reading::Digits(_) => false,
        }
    }

    /// Writes "the age is not before the floor", for the bare column: with [`Age::push_ceiling`] it makes a range that holds
    /// every row older than `cutoff`: exactly those on the servers, perhaps more on SQLite, whose texts are not in the
    /// order of time. For a column that is not ordered it bounds nothing.
    pub fn push_floor(&self, sql: &mut Sql) {
        let range = Range { from: self.earliest, to: LATEST };
        match self.reading() {
            Reading::Typed => typed::push_floor(sql, &self.term, &self.moments(range)),
            Reading::Number(format) => number::push_floor(sql, &self.term, format, range),
            Reading::Text if sql.traits().orders_texts_by_time => {
                let day = self.moments(range).two_days_before();
                sql.push(&self.term).push(" >= ").with(|sql| self.term.push_value(sql, &day));
            }
            Reading::Text | Reading::Digits(_) => {
                sql.push(&self.term).push(" IS NOT NULL");
            }
        }
    }

    /// Writes the upper end of that range.
    pub fn push_ceiling(&self, sql: &mut Sql, cutoff: Timestamp) {
        let Some(range) = self.range(cutoff) else {
            sql.push("FALSE");
            return;
        };
        match self.reading() {
            Reading::Typed => typed::push_ceiling(sql, &self.term, &self.moments(range)),
            Reading::Number(format) => number::push_ceiling(sql, &self.term, format, range),
            Reading::Text if sql.traits().orders_texts_by_time => {
                let day = self.moments(range).in_two_days();
                sql.push(&self.term).push(" < ").with(|sql| self.term.push_value(sql, &day));
            }
            Reading::Text | Reading::Digits(_) => self.push_older(sql, cutoff, false),
        }
    }

    /// Writes "there is a value, and it can't be read as an instant"; false, with nothing written, where the type can
    /// hold no such value. NULL and the empty text are missing ages, not unreadable ones. Never NULL itself.
    pub fn push_unreadable(&self, sql: &mut Sql) -> bool {
        let dialect = sql.dialect();
        let template = match self.reading() {
            Reading::Typed => None,
            Reading::Number(_) => {
                let may_be_other = self.term.kind() == ColumnType::Real || sql.traits().stores_anything;
                sql.traits().no_number.filter(|_| may_be_other).map(str::to_owned)
            }
            Reading::Digits(_) => Some(dialect.unreadable_digits()),
            Reading::Text => Some(dialect.unreadable_text()),
        };
        if let Some(template) = &template {
            self.term.push_in(sql, template);
        }
        template.is_some()
    }

    /// Writes "there is no date": the value is missing, cannot be read, or is beyond the floor or the ceiling. Never NULL
    /// itself. An index on a typed column or on numbers serves.
    pub fn push_undated(&self, sql: &mut Sql) {
        let range = Range { from: self.earliest, to: LATEST };
        match self.reading() {
            Reading::Typed => typed::push_undated(sql, &self.term, &self.moments(range)),
            Reading::Number(format) => number::push_undated(sql, &self.term, format, range),
            Reading::Text | Reading::Digits(_) => {
                sql.push("((").with(|sql| self.push_older(sql, LATEST, false)).push(") IS NOT TRUE)");
            }
        }
    }

    /// Writes the age as text, for [`Age::read`] and to show it to a person: as the column holds it, cut at 64
    /// letters, for no date is as long.
    pub fn push_instant_text(&self, sql: &mut Sql) {
        match self.reading() {
            Reading::Typed => self.term.push_text(sql),
            Reading::Text | Reading::Number(_) | Reading::Digits(_) => {
                sql.template(sql.traits().shown_age, |sql, hole| match hole {
                    "text" => self.term.push_text(sql),
                    _ => self.term.push(sql),
                });
            }
        }
    }

    /// Reads what [`Age::push_instant_text`] selected, by the rules of the statements: a row is older than a cutoff
    /// exactly when its age is before it, where the cutoff is whole microseconds, or whole units of a column of numbers;
    /// statements leave out what is less. A date is its last nanosecond. The empty text is a missing time.
    pub fn read(&self, raw_text: &str) -> AgeValue {
        self.read_as(self.format, raw_text)
    }

    /// Reads it as [`Age::read`] does, as if the column counted in `format`.
    pub(super) fn read_as(&self, format: Option<AgeFormat>, raw_text: &str) -> AgeValue {
        let range = Range { from: self.earliest, to: LATEST };
        let told = match self.reading_as(format) {
            _ if raw_text.is_empty() => return AgeValue::NoTime,
            Reading::Typed => read::typed(self.term.kind(), &self.timezone, raw_text),
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

    /// The ages that are older than a cutoff; none where nothing can be.
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
        for kind in [ColumnType::TimestampTz, ColumnType::Timestamp, ColumnType::Date] {
            assert!(tells_age(kind, none) && !tells_age(kind, unix), "{kind:?}");
        }
        assert!(tells_age(ColumnType::Text, none) && tells_age(ColumnType::Text, unix));
        for kind in [ColumnType::Integer, ColumnType::Real] {
            assert!(!tells_age(kind, none) && tells_age(kind, unix), "{kind:?}");
        }
        for kind in [ColumnType::Uuid, ColumnType::Binary, ColumnType::Other] {
            assert!(!tells_age(kind, none) && !tells_age(kind, unix), "{kind:?}");
        }
        assert!(tells_age(ColumnType::SqliteDateTime, none));
        assert!(tells_age(ColumnType::SqliteDateTime, unix));
    }
}
