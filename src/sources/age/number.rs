//! Ages in numbers: units of time since 1970-01-01 UTC, compared as they are, so that an index serves.
//!
//! A number of another unit than the declared one lies in January 1970 or far in the future, beyond the floor and the
//! ceiling of all dates, and so is not a time.

use jiff::Timestamp;

use super::super::{ColumnType, Sql};
use super::value::Range;
use crate::decide::rows::AgeValue;
use crate::policy::AgeFormat;
use crate::sources::sql::term::Term;

/// The least number that is at or after an instant.
pub(super) fn first_from(format: AgeFormat, at: Timestamp) -> i128 {
    -(-at.as_nanosecond()).div_euclid(format.nanos())
}

/// Writes "the number is not before the floor".
pub(super) fn push_floor(sql: &mut Sql, term: &Term, format: AgeFormat, range: Range) {
    push_compared(sql, term, ">=", first_from(format, range.from));
}

/// Writes "the number is before the cutoff".
pub(super) fn push_ceiling(sql: &mut Sql, term: &Term, format: AgeFormat, range: Range) {
    // A number stands for the whole of its second: the row may have begun at its end.
    push_compared(sql, term, "<", format.whole(range.to));
}

/// Writes "there is no value, or one that is beyond the range": what is no number is beyond every one.
pub(super) fn push_undated(sql: &mut Sql, term: &Term, format: AgeFormat, range: Range) {
    sql.push("(").push(term).push(" IS NULL OR ");
    sql.with(|sql| push_compared(sql, term, "<", first_from(format, range.from))).push(" OR ");
    sql.with(|sql| push_compared(sql, term, ">=", first_from(format, range.to))).push(")");
}

/// The bound has the column's kind of number, so that an index on the column serves.
fn push_compared(sql: &mut Sql, term: &Term, operator: &str, bound: i128) {
    let may_have_fraction = term.kind() == ColumnType::Real || sql.traits().stores_anything;
    let bound = if may_have_fraction { bound } else { within_64_bits(bound) };
    let is_exact = term.typed().declared.to_ascii_lowercase().starts_with("numeric");
    let cast = sql.traits().numbers[if term.kind() != ColumnType::Real { 0 } else { 2 - usize::from(is_exact) }];
    sql.push(term).push(&format!(" {operator} ")).bind_in(cast, bound.to_string());
}

/// The bound, or the nearest number that a column of whole numbers can hold.
fn within_64_bits(bound: i128) -> i128 {
    bound.clamp(i128::from(i64::MIN), i128::from(i64::MAX))
}

/// Reads what the column holds, as text.
pub(super) fn read(format: AgeFormat, range: Range, raw: &str) -> AgeValue {
    let nanos = match raw.parse::<i128>() {
        Ok(whole) => whole.saturating_mul(format.nanos()),
        Err(_) => match raw.parse::<f64>() {
            Ok(number) if !number.is_nan() => with_fraction(raw, number, format),
            Ok(_) | Err(_) => return AgeValue::Unreadable,
        },
    };
    match Timestamp::from_nanosecond(nanos) {
        Ok(at) if at >= range.from && at < range.to => AgeValue::At(at),
        Ok(_) | Err(_) => AgeValue::NoTime,
    }
}

/// The nanoseconds of a number with a fraction: digit by digit where it is written so, which is exact.
fn with_fraction(raw: &str, number: f64, format: AgeFormat) -> i128 {
    let exact = || {
        let (whole, fraction) = raw.split_once('.')?;
        let digits = fraction.get(..fraction.len().min(18))?;
        let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
        let part = if digits.is_empty() { 0 } else { digits.parse::<u64>().ok()? };
        let nanos = whole.parse::<i64>().ok()?;
        let part = i128::from(part) * format.nanos() / scale;
        let whole = i128::from(nanos) * format.nanos();
        Some(if whole < 0 { whole - part } else { whole + part })
    };
    exact().unwrap_or((number * format.nanos() as f64) as i128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{EARLIEST, LATEST};

    fn told(format: AgeFormat, raw: &str) -> String {
        match read(format, Range { from: EARLIEST, to: LATEST }, raw) {
            AgeValue::At(at) => at.to_string(),
            AgeValue::NoTime => "no time".to_owned(),
            AgeValue::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn f6_numbers_of_another_unit_are_not_times() {
        for (format, raw, expected) in [
            (AgeFormat::Unix, "1700000000", "2023-11-14T22:13:20Z"),
            (AgeFormat::Unix, "1700000000.5", "2023-11-14T22:13:20.5Z"),
            (AgeFormat::Unix, "1700000000.123456789", "2023-11-14T22:13:20.123456789Z"),
            (AgeFormat::Unix, "1.7e9", "2023-11-14T22:13:20Z"),
            (AgeFormat::Unix, "315619200", "1980-01-02T00:00:00Z"),
            (AgeFormat::Unix, "315619199", "no time"),
            (AgeFormat::Unix, "221845391999", "8999-12-31T23:59:59Z"),
            (AgeFormat::Unix, "221845392000", "no time"),
            (AgeFormat::UnixMs, "1700000000123", "2023-11-14T22:13:20.123Z"),
            (AgeFormat::UnixUs, "1700000000123456", "2023-11-14T22:13:20.123456Z"),
            (AgeFormat::UnixNs, "1700000000123456789", "2023-11-14T22:13:20.123456789Z"),
        ] {
            assert_eq!(told(format, raw), expected, "{format:?} {raw}");
        }
        for raw in ["0", "-1", "1", "2451545", "1700000000000", "9223372036854775807", "inf", "-Infinity", "-0.0"] {
            assert_eq!(told(AgeFormat::Unix, raw), "no time", "{raw}");
        }
        for (format, raw) in [
            (AgeFormat::UnixMs, "1700000000"),
            (AgeFormat::UnixMs, "1700000000000000"),
            (AgeFormat::UnixUs, "1700000000000"),
            (AgeFormat::UnixUs, "1700000000000000000"),
            (AgeFormat::UnixNs, "1700000000000000"),
        ] {
            assert_eq!(told(format, raw), "no time", "{format:?} {raw}");
        }
        for raw in ["", " 1", "soon", "nan", "2026-01-01"] {
            assert_eq!(told(AgeFormat::Unix, raw), "unreadable", "{raw}");
        }
    }

    #[test]
    fn a_bound_between_numbers_is_the_next_one() {
        let at: Timestamp = "1980-01-02T00:00:00.5Z".parse().unwrap();
        assert_eq!(first_from(AgeFormat::Unix, at), 315_619_201);
        assert_eq!(first_from(AgeFormat::UnixMs, at), 315_619_200_500);
        assert_eq!(first_from(AgeFormat::UnixNs, LATEST), 221_845_392_000_000_000_000);
    }
}
