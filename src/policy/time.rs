//! Times of a run in SQL: the points in time that it may name, and the forms in which it may have them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::AgeFormat;

/// The first instant that a date of a row is believed to be: programs write 0001-01-01, 1970-01-01 or 1980-01-01 for
/// "never" and "not known".
pub const EARLIEST: Timestamp = Timestamp::constant(315_619_200, 0);
/// The instant from which on a date says "for ever": 9000-01-01.
pub const LATEST: Timestamp = Timestamp::constant(221_845_392_000, 0);

impl AgeFormat {
    /// The unit that it counts, in words.
    pub fn unit(self) -> &'static str {
        match self {
            AgeFormat::Unix => "seconds",
            AgeFormat::UnixMs => "milliseconds",
            AgeFormat::UnixUs => "microseconds",
            AgeFormat::UnixNs => "nanoseconds",
        }
    }

    /// Nanoseconds in one unit.
    pub fn nanos(self) -> i128 {
        match self {
            AgeFormat::Unix => 1_000_000_000,
            AgeFormat::UnixMs => 1_000_000,
            AgeFormat::UnixUs => 1_000,
            AgeFormat::UnixNs => 1,
        }
    }

    /// Whole units that have passed at an instant.
    pub fn whole(self, at: Timestamp) -> i128 {
        at.as_nanosecond().div_euclid(self.nanos())
    }

    /// The end of the parameters that are bound as such a number: `_unix` of `:now_unix`.
    fn ending(self) -> &'static str {
        match self {
            AgeFormat::Unix => "_unix",
            AgeFormat::UnixMs => "_ms",
            AgeFormat::UnixUs => "_us",
            AgeFormat::UnixNs => "_ns",
        }
    }
}

/// A point in time that SQL may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimePoint {
    /// The instant at which the run began.
    Now,
    /// The instant before which a row is eligible.
    Cutoff,
    /// So long before the run began: `:now_minus_2m`.
    NowMinus(Duration),
}

/// A parameter that stands for a time of the run, in the form in which it is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeParam {
    pub point: TimePoint,
    /// The unit of one that is bound as a whole number; none for a date and time.
    pub unit: Option<AgeFormat>,
}

impl TimeParam {
    /// Reads the name of a parameter, without its colon; none where it is not one of a time.
    pub fn parse(name: &str) -> Result<Option<Self>, String> {
        let unit = AgeFormat::ALL.into_iter().find(|unit| name.ends_with(unit.ending()));
        let bare = unit.and_then(|unit| name.strip_suffix(unit.ending())).unwrap_or(name);
        let point = match bare {
            "now" => TimePoint::Now,
            "cutoff" => TimePoint::Cutoff,
            _ if !name.starts_with("now_minus_") => return Ok(None),
            other => {
                let duration = other.strip_prefix("now_minus_").unwrap_or_default();
                TimePoint::NowMinus(parse_so_long(duration, name)?)
            }
        };
        Ok(Some(Self { point, unit }))
    }

    /// This time in another form.
    pub fn in_unit(self, unit: Option<AgeFormat>) -> Self {
        Self { unit, ..self }
    }
}

impl fmt::Display for TimeParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.point {
            TimePoint::Now => f.write_str(":now")?,
            TimePoint::Cutoff => f.write_str(":cutoff")?,
            TimePoint::NowMinus(ago) => {
                let secs = ago.as_secs();
                let units = [(7 * 86_400, 'w'), (86_400, 'd'), (3600, 'h'), (60, 'm')];
                let (each, letter) =
                    units.into_iter().find(|(each, _)| secs > 0 && secs % each == 0).unwrap_or((1, 's'));
                write!(f, ":now_minus_{}{letter}", secs / each)?;
            }
        }
        f.write_str(self.unit.map(AgeFormat::ending).unwrap_or_default())
    }
}

/// The duration of `:now_minus_…`: a whole number and one of the units s, m, h, d, w.
fn parse_so_long(text: &str, name: &str) -> Result<Duration, String> {
    let secs = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        Some(b'w') => 7 * 86_400,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|number| number.parse::<u32>().ok());
    match number {
        Some(number) if secs > 0 => Ok(Duration::from_secs(u64::from(number) * secs)),
        _ => Err(format!("the parameter :{name} is not known; write it such as :now_minus_2m, or :now_minus_2m_unix")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f1_every_time_has_every_form() {
        for point in ["now", "cutoff", "now_minus_2m", "now_minus_90s", "now_minus_3w"] {
            for (ending, unit) in [("", None)].into_iter().chain(AgeFormat::ALL.map(|unit| (unit.ending(), Some(unit))))
            {
                let name = format!("{point}{ending}");
                let param = TimeParam::parse(&name).unwrap().unwrap();
                assert_eq!(param.unit, unit, "{name}");
                assert_eq!(param.to_string(), format!(":{name}"));
            }
        }
        for name in ["nowadays", "session_id", "cutoff_s", "now_unix_ms", "timestamp_ms"] {
            assert_eq!(TimeParam::parse(name), Ok(None), "{name}");
        }
        for name in ["now_minus_", "now_minus_2", "now_minus_2x", "now_minus_unix", "now_minus_2m_s"] {
            assert!(TimeParam::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn floor_and_ceiling_are_what_they_are_called() {
        assert_eq!(EARLIEST.to_string(), "1980-01-02T00:00:00Z");
        assert_eq!(LATEST.to_string(), "9000-01-01T00:00:00Z");
    }

    #[test]
    fn a_unit_that_has_begun_does_not_count() {
        let at: Timestamp = "2026-03-01T12:00:00.123456789Z".parse().unwrap();
        let whole = AgeFormat::ALL.map(|unit| unit.whole(at));
        assert_eq!(whole, [1_772_366_400, 1_772_366_400_123, 1_772_366_400_123_456, 1_772_366_400_123_456_789]);
        assert_eq!(AgeFormat::Unix.whole(Timestamp::new(-1, -500_000_000).unwrap()), -2);
    }
}
