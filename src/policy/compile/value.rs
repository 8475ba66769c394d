//! Single values: durations, counts, shares, zones, modes. Pure; each says what is wrong and what to write instead.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::raw::DurationText;
use crate::config::{KeyPath, did_you_mean, unit_hint, zero_hint};

use super::super::{ClockTrust, Fraction, Mode};
use super::{Fault, Gather};

/// The longest time a thing can be kept: beyond a thousand years a date no longer fits everywhere.
pub(super) const LONGEST_KEEP: Duration = Duration::from_secs(1000 * 365 * 86_400);
/// The longest time that is waited for: databases count it in milliseconds, in 31 bits.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 86_400);

const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Parses `30s`, `15m`, `12h`, `30d`, `4w`, or several from large to small: `1d 12h`. `key` picks the hint.
pub(super) fn parse_duration(key: &str, text: &str, longest: Duration) -> Result<Duration, Fault> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        let hint = if number == 0 { zero_hint(key) } else { unit_hint(key, number) };
        return Err(Fault::new("a bare number is no duration").hint(hint));
    }
    let malformed = || {
        let hint = "write \"30d\": a number and one of s, m, h, d, w; months and years have no fixed length";
        Fault::new(format!("{text:?} is no duration")).hint(hint)
    };
    let too_long = || Fault::new(format!("longer than the {} days that are allowed", longest.as_secs() / 86_400));
    let mut rest = text;
    let mut secs: u64 = 0;
    let mut units_left = UNITS.as_slice();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return Err(malformed());
        }
        let number: u64 = rest[..digits].parse().map_err(|_| too_long())?;
        rest = rest[digits..].trim_start();
        let unit = rest.chars().next().ok_or_else(malformed)?;
        let at = units_left.iter().position(|(letter, _)| *letter == unit).ok_or_else(malformed)?;
        secs = number.checked_mul(units_left[at].1).and_then(|more| secs.checked_add(more)).ok_or_else(too_long)?;
        units_left = &units_left[at + 1..];
        rest = rest[unit.len_utf8()..].trim_start();
    }
    match Duration::from_secs(secs) {
        _ if text.is_empty() => Err(malformed()),
        Duration::ZERO => Err(Fault::new("nothing can be zero long").hint(zero_hint(key))),
        duration if duration > longest => Err(too_long()),
        duration => Ok(duration),
    }
}

/// Parses an IANA time zone.
pub(super) fn parse_zone(text: &str) -> Result<TimeZone, Fault> {
    // Without the zone files of the system there still is UTC.
    if text == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(text).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
        let hint = did_you_mean(text, known.iter().map(String::as_str));
        Fault::new(format!("there is no time zone {text:?}"))
            .hint(hint.unwrap_or_else(|| "write an IANA name such as \"Europe/Berlin\", or \"UTC\"".to_owned()))
    })
}

/// Parses `enforce` or `report`.
pub(super) fn parse_mode(text: &str) -> Result<Mode, Fault> {
    match text {
        "enforce" => Ok(Mode::Enforce),
        "report" => Ok(Mode::Report),
        other => {
            let hint = did_you_mean(other, ["enforce", "report"]);
            let hint =
                hint.unwrap_or_else(|| "\"enforce\" deletes, \"report\" only says what it would delete".to_owned());
            Err(Fault::new(format!("there is no mode {other:?}")).hint(hint))
        }
    }
}

/// Parses `check` or `trust`.
pub(super) fn parse_clock(text: &str) -> Result<ClockTrust, Fault> {
    match [ClockTrust::Check, ClockTrust::Trust].into_iter().find(|trust| trust.word() == text) {
        Some(trust) => Ok(trust),
        None => {
            let hint = did_you_mean(text, ["check", "trust"]).unwrap_or_else(|| {
                "\"check\" holds what goes by a clock that leapt, \"trust\" believes whatever the clock says".to_owned()
            });
            Err(Fault::new(format!("{text:?} does not say how far the clock is trusted")).hint(hint))
        }
    }
}

/// Parses an absolute path without `.` and `..`; a slash at its end is dropped.
pub(super) fn parse_absolute(text: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(Fault::new("the path is not absolute").hint("begin it with '/'"));
    }
    if text.contains('\0') {
        return Err(Fault::new("the path has a NUL character"));
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return Err(Fault::new("the path has a \".\" or \"..\"").hint("write it as it really is"));
    }
    // Collecting drops doubled slashes and the one at the end.
    Ok(path.components().filter(|part| !matches!(part, Component::CurDir)).collect())
}

impl Gather<'_> {
    /// A duration that has a default; `None` only after a diagnostic.
    pub(super) fn duration_or(
        &mut self,
        path: &KeyPath,
        raw: Option<&DurationText>,
        default: &str,
    ) -> Option<Duration> {
        let text = raw.map_or(default, |duration| &duration.0);
        self.check(path, parse_duration(path.last_key(), text, LONGEST_WAIT))
    }

    /// A duration without a default.
    pub(super) fn duration(&mut self, path: &KeyPath, raw: Option<&DurationText>) -> Option<Duration> {
        raw.and_then(|duration| self.check(path, parse_duration(path.last_key(), &duration.0, LONGEST_WAIT)))
    }

    /// A share for `max_fraction`.
    pub(super) fn fraction(&mut self, table: &KeyPath, share: f64) -> Option<Fraction> {
        let fault =
            || Fault::new(format!("{share} is no share")).hint("write a number above 0 and up to 1: 0.9 is 90 %");
        self.check(&table.key("max_fraction"), Fraction::new(share).ok_or_else(fault))
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(&mut self, path: &KeyPath, number: i64, most: i64) -> Option<i64> {
        let fits = (1..=most).contains(&number);
        let fault = || {
            let hint = if most == i64::MAX { "write 1 or more".to_owned() } else { format!("write 1 to {most}") };
            Fault::new(format!("{number} is out of range")).hint(hint)
        };
        self.check(path, fits.then_some(number).ok_or_else(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse_duration("keep", text, LONGEST_KEEP).ok().map(|duration| duration.as_secs())
    }

    #[test]
    fn durations_have_units() {
        for (text, wanted) in [
            ("30s", 30),
            ("15m", 900),
            ("12h", 43_200),
            ("30d", 2_592_000),
            ("4w", 2_419_200),
            ("1d 12h", 129_600),
            ("1d12h", 129_600),
            (" 30 d ", 2_592_000),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn g10_refuses_bare_zero_and_strange_durations() {
        for text in [
            "",
            " ",
            "30",
            "0",
            "0d",
            "0w 0s",
            "-3d",
            "1.5h",
            "30 days",
            "1y",
            "12h 1d",
            "1d 1d",
            "d",
            "30D",
            "٣d",
            "1000000d",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
        let hint = |text: &str| parse_duration("keep", text, LONGEST_KEEP).unwrap_err().hint.unwrap();
        assert_eq!(hint("30"), "write \"30d\"");
        assert_eq!(hint("0d"), "to keep for ever, leave the policy out or set mode = \"report\"");
        assert_eq!(parse_duration("timeout", "30", LONGEST_WAIT).unwrap_err().hint.unwrap(), "write \"30s\"");
    }

    #[test]
    fn paths_are_absolute_and_plain() {
        assert_eq!(parse_absolute("/srv//a/").unwrap(), PathBuf::from("/srv/a"));
        for text in ["", "srv", "./a", "/srv/../etc", "/srv/./a", "/a\0b", "~/a"] {
            assert!(parse_absolute(text).is_err(), "{text}");
        }
    }
}
