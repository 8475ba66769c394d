//! When a row is old enough, as a predicate that an index on the age column serves.
//!
//! A value that is missing, infinite, a zero date or no date at all is never old enough (G5). A date without a time
//! counts as old only when the whole day is.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::dialect::Term;
use super::{ColumnType, Sql};
use crate::policy::Engine;

/// The shape of a date at the beginning of a text; SQLite reads times of day and bare numbers as dates, too.
const DATE_SHAPE: &str = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'";

/// An age column and the zone of its naive values.
#[derive(Debug, Clone)]
pub struct Age {
    pub term: Term,
    pub timezone: TimeZone,
    pub format: Option<crate::policy::AgeFormat>,
}

pub fn tells_age(engine: Engine, kind: ColumnType, _format: Option<crate::policy::AgeFormat>) -> bool {
    match kind {
        ColumnType::TimestampTz | ColumnType::Timestamp | ColumnType::Date | ColumnType::SqliteDateTime => true,
        ColumnType::Text => engine == Engine::Sqlite,
        ColumnType::Integer | ColumnType::Uuid | ColumnType::Binary | ColumnType::Other => false,
    }
}

impl Age {
    pub fn push_unreadable(&self, _sql: &mut Sql) -> bool {
        false
    }

    pub fn is_ordered(&self, _engine: Engine) -> bool {
        true
    }

    /// Writes the exact predicate: the row is older than `cutoff`. On SQLite no index serves it, and none must be tempted:
    /// of several bounds SQLite takes the first for its index, and a window's own bounds come later.
    pub fn push_older(&self, sql: &mut Sql, cutoff: Timestamp) {
        match sql.engine() {
            Engine::Postgres | Engine::MySql => {
                self.push_floor(sql);
                sql.push(" AND ");
                self.push_ceiling(sql, cutoff);
            }
            Engine::Sqlite => self.push_sqlite_exact(sql, cutoff),
        }
    }

    /// Writes "the age is no missing one", for the bare column: with [`Age::push_ceiling`] it makes a range that holds
    /// every row older than `cutoff`, exactly those on the servers, perhaps more on SQLite, whose texts are not in the
    /// order of time.
    pub fn push_floor(&self, sql: &mut Sql) {
        let floor = match (sql.engine(), self.term.kind()) {
            // Not `> '-infinity'`: for such a bound PostgreSQL's planner looks up the least value of the index, each time
            // walking over all that was deleted before.
            (Engine::Postgres, _) => {
                sql.push("isfinite(");
                self.term.push(sql);
                sql.push(")");
                return;
            }
            // MySQL's zero dates sort before every date; a TIMESTAMP cannot be compared with a date before 1970.
            (Engine::MySql, ColumnType::TimestampTz) => "1970-01-02 00:00:00",
            (Engine::MySql, ColumnType::Date) => "1000-01-01",
            (Engine::MySql, _) => "1000-01-01 00:00:00",
            (Engine::Sqlite, _) => "0",
        };
        self.term.push(sql);
        sql.push(" >= ");
        self.term.push_value(sql, floor);
    }

    /// Writes the upper end of that range.
    pub fn push_ceiling(&self, sql: &mut Sql, cutoff: Timestamp) {
        let local = earliest_local(cutoff, &self.timezone);
        let utc = || seconds(TimeZone::UTC.to_datetime(cutoff));
        let ceiling = match (sql.engine(), self.term.kind()) {
            (Engine::Postgres, ColumnType::TimestampTz) => format!("{}+00", utc()),
            (Engine::MySql, ColumnType::TimestampTz) => utc(),
            (Engine::Postgres | Engine::MySql, ColumnType::Date) => local.date().to_string(),
            (Engine::Postgres | Engine::MySql, _) => seconds(local),
            // A text may carry an offset of up to 14 hours, so its date may be a day later than the cutoff's.
            (Engine::Sqlite, _) => in_two_days(cutoff),
        };
        self.term.push(sql);
        sql.push(" < ");
        self.term.push_value(sql, &ceiling);
    }

    fn push_sqlite_exact(&self, sql: &mut Sql, cutoff: Timestamp) {
        let local = earliest_local(cutoff, &self.timezone);
        let age = |sql: &mut Sql| self.term.push(sql);
        sql.push("typeof(");
        age(sql);
        sql.push(") = 'text' AND ");
        age(sql);
        sql.push(&format!(" GLOB {DATE_SHAPE} AND CASE WHEN length("));
        age(sql);
        sql.push(") = 10 THEN ");
        age(sql);
        sql.push(" < ").bind(local.date().to_string());
        if self.timezone != TimeZone::UTC {
            sql.push(" WHEN ");
            age(sql);
            sql.push(" LIKE '%Z' OR substr(");
            age(sql);
            sql.push(", -6, 1) IN ('+', '-') THEN ");
            push_julian(sql, age, TimeZone::UTC.to_datetime(cutoff));
        }
        sql.push(" ELSE ");
        push_julian(sql, age, local);
        sql.push(" END");
    }
}

fn push_julian(sql: &mut Sql, age: impl Fn(&mut Sql), cutoff: DateTime) {
    sql.push("julianday(");
    age(sql);
    sql.push(") < CAST(").bind(julian_day(cutoff).to_string()).push(" AS REAL)");
}

/// SQLite's julian day: days since noon of 24 November 4714 BC (<https://www.sqlite.org/lang_datefunc.html>), in
/// whole milliseconds as SQLite keeps it.
fn julian_day(at: DateTime) -> f64 {
    const EPOCH_MS: f64 = 210_866_760_000_000.0;
    let since_epoch = at.to_zoned(TimeZone::UTC).map_or(i64::MIN, |zoned| zoned.timestamp().as_millisecond());
    (EPOCH_MS + since_epoch as f64) / 86_400_000.0
}

/// The wall-clock time in `zone` before which every row is older than `cutoff`, also where the clock is set back
/// soon after and the same times come again.
fn earliest_local(cutoff: Timestamp, zone: &TimeZone) -> DateTime {
    let local = zone.to_datetime(cutoff);
    let again = zone.following(cutoff).next().map(|transition| zone.to_datetime(transition.timestamp()));
    again.map_or(local, |again| local.min(again))
}

/// `YYYY-MM-DD hh:mm:ss.ffffff`.
pub fn seconds(at: DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn in_two_days(cutoff: Timestamp) -> String {
    let date = TimeZone::UTC.to_datetime(cutoff).date();
    date.checked_add(jiff::Span::new().days(2)).unwrap_or(date).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d15_a_clock_set_back_never_makes_a_row_older() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        // 02:30 summer time, half an hour before the clock goes back from 03:00 to 02:00.
        let cutoff: Timestamp = "2026-10-25T00:30:00Z".parse().unwrap();
        assert_eq!(earliest_local(cutoff, &berlin).to_string(), "2026-10-25T02:00:00");
        let later: Timestamp = "2026-10-25T12:00:00Z".parse().unwrap();
        assert_eq!(earliest_local(later, &berlin).to_string(), "2026-10-25T13:00:00");
    }

    #[test]
    fn julian_days_are_those_of_sqlite() {
        assert_eq!(julian_day("2000-01-01T12:00:00".parse().unwrap()), 2_451_545.0);
        assert_eq!(julian_day("1970-01-01T00:00:00".parse().unwrap()), 2_440_587.5);
    }
}
