//! Times as `--since` takes them.

use std::time::Duration;

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use crate::config::form::{Form, FormReader};
use crate::config::values::KeepSpan;

/// A time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    At(Timestamp),
    Ago(Duration),
}

impl Since {
    /// Reads an RFC 3339 time, a date (its beginning in UTC), or a duration as the configuration has it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let date = text.parse::<Date>().ok().filter(|_| text.len() == "2026-01-31".len());
        if let Some(at) = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()) {
            return Ok(Self::At(at.timestamp()));
        }
        let length = KeepSpan::read(&toml::Value::String(text.to_owned()), &mut FormReader::default());
        let wanted =
            "write a time such as 2026-01-31T03:00:00Z, a date such as 2026-01-31, or a length of time such as 7d";
        length.map(|KeepSpan { 0: length }| Self::Ago(length)).ok_or_else(|| wanted.to_owned())
    }

    /// The instant that is meant.
    pub fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(length) => now.checked_sub(length).unwrap_or(Timestamp::MIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_dates_and_lengths_are_read() {
        let now: Timestamp = "2026-02-08T12:00:00Z".parse().unwrap();
        for (text, meant) in [
            ("2026-02-01T03:00:00+01:00", "2026-02-01T02:00:00Z"),
            ("2026-02-01", "2026-02-01T00:00:00Z"),
            ("7d", "2026-02-01T12:00:00Z"),
            ("1h 30m", "2026-02-08T10:30:00Z"),
        ] {
            assert_eq!(Since::parse(text).map(|since| since.instant(now).to_string()), Ok(meant.to_owned()));
        }
        for text in ["", "7", "yesterday", "2026-02-01T03:00:00", "2026-13-01", "-7d"] {
            assert!(Since::parse(text).is_err(), "{text}");
        }
    }
}
