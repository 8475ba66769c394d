//! Reads an age from the text of its column, by the rules of the statements: for people, who want to know how old a row
//! is. No row goes by what is read here.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use super::super::ColumnType;
use super::moment::{at_offset, end_of, instant_of};
use crate::decide::rows::AgeValue;
use crate::sources::sql::dialect::ZERO_DATES;

/// A date, perhaps with a time and an offset from UTC.
struct Written {
    date: Date,
    time: Option<Time>,
    offset: Option<Offset>,
}

impl Written {
    fn instant(&self, zone: &TimeZone) -> Timestamp {
        match (self.time, self.offset) {
            (None, _) => end_of(self.date, zone),
            (Some(time), None) => instant_of(DateTime::from_parts(self.date, time), zone),
            (Some(time), Some(offset)) => at_offset(DateTime::from_parts(self.date, time), offset),
        }
    }
}

/// An age of type text.
pub(super) fn text(zone: &TimeZone, raw: &str) -> AgeValue {
    match parse(raw) {
        Some(written) => AgeValue::At(written.instant(zone)),
        None if ZERO_DATES.contains(&raw) => AgeValue::NoTime,
        None => AgeValue::Unreadable,
    }
}

/// An age of a type that the server knows, as the server writes it.
pub(super) fn typed(kind: ColumnType, zone: &TimeZone, raw: &str) -> AgeValue {
    let utc = &TimeZone::UTC;
    let (raw, zone) = match raw.strip_suffix("+00") {
        // PostgreSQL writes it for UTC.
        Some(raw) => (raw, utc),
        // Written in the session's zone, which is UTC.
        None if kind == ColumnType::TimestampTz => (raw, utc),
        None => (raw, zone),
    };
    // Such a type holds nothing that is not a date: what is written otherwise is infinite, before Christ, beyond the year
    // 9999, or a zero date.
    parse(raw).map_or(AgeValue::NoTime, |written| AgeValue::At(written.instant(zone)))
}

/// `YYYY-MM-DD`, then perhaps `T` or a blank and `hh:mm`, `:ss`, a fraction of up to nine digits, and `Z` or `±hh:mm` up
/// to 14 hours.
fn parse(raw: &str) -> Option<Written> {
    let (date, rest) = raw.split_at_checked(10)?;
    let date = parse_date(date)?;
    if rest.is_empty() {
        return Some(Written { date, time: None, offset: None });
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = match clock.strip_suffix(['Z', 'z']) {
        Some(time) => (time, Some(Offset::UTC)),
        None => match clock.rfind(['+', '-']) {
            Some(sign) => (&clock[..sign], Some(parse_offset(&clock[sign..])?)),
            None => (clock, None),
        },
    };
    Some(Written { date, time: Some(parse_time(time)?), offset })
}

fn parse_date(text: &str) -> Option<Date> {
    let [year, month, day] = fields(text, '-')?;
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    Date::new(number(year)?, number(month)?, number(day)?).ok()
}

fn parse_time(text: &str) -> Option<Time> {
    let (text, seconds) = match text.split_at_checked(5)? {
        (minutes, "") => (minutes, "00"),
        (minutes, rest) => (minutes, rest.strip_prefix(':')?),
    };
    let [hour, minute] = fields(text, ':')?;
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    if (hour.len(), minute.len(), second.len()) != (2, 2, 2) || fraction.len() > 9 {
        return None;
    }
    // The digits that are not there are zeros.
    let nanos = number::<i32>(fraction)? * 10_i32.pow(9 - u32::try_from(fraction.len()).ok()?);
    Time::new(number(hour)?, number(minute)?, number(second)?, nanos).ok()
}

fn parse_offset(text: &str) -> Option<Offset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = fields(text.get(1..)?, ':')?;
    let (hours_count, minutes_count) = (number::<i32>(hours)?, number::<i32>(minutes)?);
    let total_minutes = hours_count * 60 + minutes_count;
    if (hours.len(), minutes.len()) != (2, 2) || minutes_count > 59 || total_minutes > 14 * 60 {
        return None;
    }
    Offset::from_seconds(sign * total_minutes * 60).ok()
}

fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

/// ASCII digits alone: the standard library also takes a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
