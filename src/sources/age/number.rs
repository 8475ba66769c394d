//! Ages in whole numbers: seconds or milliseconds since 1970-01-01 UTC, compared as they are, so that an index serves.
//!
//! Zero and less says "never set". A number that makes sense only in the other unit can't be read: milliseconds taken
//! for seconds lie in the far future, and seconds taken for milliseconds in January 1970, where every row would be old.

use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::super::Sql;
use super::super::dialect::Term;
use crate::policy::{AgeFormat, Engine};

/// 3 March 1973 in milliseconds, 16 November 5138 in seconds.
const BETWEEN_UNITS: i64 = 100_000_000_000;
/// The last millisecond of year 9999.
const LAST_MS: i64 = 253_402_300_799_999;

fn readable(format: AgeFormat) -> RangeInclusive<i64> {
    match format {
        AgeFormat::Unix => 1..=BETWEEN_UNITS,
        AgeFormat::UnixMs => BETWEEN_UNITS..=LAST_MS,
    }
}

/// Writes "the number is not below what can be read".
pub(super) fn push_floor(sql: &mut Sql, term: &Term, format: AgeFormat) {
    push_compared(sql, term, ">=", *readable(format).start());
}

/// Writes "the number is before the cutoff".
pub(super) fn push_ceiling(sql: &mut Sql, term: &Term, format: AgeFormat, cutoff: Timestamp) {
    // A number stands for the whole of its second: the row may have begun at its end.
    let whole = match format {
        AgeFormat::Unix => cutoff.as_second(),
        AgeFormat::UnixMs => cutoff.as_millisecond(),
    };
    push_compared(sql, term, "<", whole.min(readable(format).end() + 1));
}

/// Writes "there is a value, and it is no number that can be read".
pub(super) fn push_unreadable(sql: &mut Sql, term: &Term, format: AgeFormat) {
    let range = readable(format);
    sql.push("(");
    term.push(sql);
    sql.push(" IS NOT NULL AND (");
    push_compared(sql, term, "<", *range.start());
    sql.push(" OR ");
    // On SQLite a text, whatever it says, is more than every number.
    push_compared(sql, term, ">", *range.end());
    sql.push("))");
}

/// Any bound of ours fits 64 bits, whatever the column's width is.
fn push_compared(sql: &mut Sql, term: &Term, operator: &str, bound: i64) {
    term.push(sql);
    sql.push(&format!(" {operator} "));
    let (before, after) = match sql.engine() {
        Engine::Postgres => ("(", ")::bigint"),
        Engine::MySql => ("CAST(", " AS SIGNED)"),
        Engine::Sqlite => ("CAST(", " AS INTEGER)"),
    };
    sql.push(before).bind(bound.to_string()).push(after);
}

/// Reads what the column holds, as text.
pub(super) fn read(format: AgeFormat, raw: &str) -> Option<Timestamp> {
    let range = readable(format);
    let nanos_each: i128 = match format {
        AgeFormat::Unix => 1_000_000_000,
        AgeFormat::UnixMs => 1_000_000,
    };
    let nanos = match raw.parse::<i64>() {
        Ok(whole) => range.contains(&whole).then(|| i128::from(whole) * nanos_each)?,
        // SQLite stores a number with a fraction even in a column of whole ones.
        Err(_) => {
            let number = raw.parse::<f64>().ok()?;
            let inside = number >= *range.start() as f64 && number <= *range.end() as f64;
            inside.then_some((number * nanos_each as f64) as i128)?
        }
    };
    Some(Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g5_a_number_of_the_other_unit_is_no_age() {
        let read = |format, raw: &str| read(format, raw).map(|at| at.to_string());
        let at = |text: &str| Some(text.to_owned());
        assert_eq!(read(AgeFormat::Unix, "1700000000"), at("2023-11-14T22:13:20Z"));
        assert_eq!(read(AgeFormat::Unix, "1700000000.5"), at("2023-11-14T22:13:20.5Z"));
        assert_eq!(read(AgeFormat::Unix, "1"), at("1970-01-01T00:00:01Z"));
        assert_eq!(read(AgeFormat::Unix, "100000000000"), at("5138-11-16T09:46:40Z"));
        for raw in ["0", "-1", "100000000001", "1700000000000", "0.5", "-0.0", "", " 1", "soon", "nan", "inf"] {
            assert_eq!(read(AgeFormat::Unix, raw), None, "{raw}");
        }
        assert_eq!(read(AgeFormat::UnixMs, "1700000000123"), at("2023-11-14T22:13:20.123Z"));
        assert_eq!(read(AgeFormat::UnixMs, "100000000000"), at("1973-03-03T09:46:40Z"));
        assert_eq!(read(AgeFormat::UnixMs, "253402300799999"), Some(Timestamp::MAX.to_string()));
        for raw in ["99999999999", "1700000000", "0", "-1", "253402300800000", "9223372036854775807"] {
            assert_eq!(read(AgeFormat::UnixMs, raw), None, "{raw}");
        }
    }
}
