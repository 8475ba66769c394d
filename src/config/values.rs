//! Forms of single values: texts, durations, counts, shares, sizes, zones. Each says what is wrong and what to write instead.

use std::num::NonZeroU64;
use std::time::Duration;

use jiff::tz::TimeZone;
use toml::Value;

use super::fault::Fault;
use super::form::{Form, FormReader};
use super::hint::{did_you_mean, unit_hint, zero_hint};
use super::kind::KeyKind;

impl Form for String {
    const KIND: KeyKind = KeyKind::Text;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        value.as_str().map(str::to_owned).or_else(|| reader.mismatch(Self::KIND, value))
    }
}

impl Form for bool {
    const KIND: KeyKind = KeyKind::Flag;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        value.as_bool().or_else(|| reader.mismatch(Self::KIND, value))
    }
}

/// A whole number from 1 to `MOST`.
#[derive(Debug, Clone, Copy)]
pub struct Count<const MOST: i64 = { i64::MAX }>(pub NonZeroU64);

impl<const MOST: i64> Default for Count<MOST> {
    fn default() -> Self {
        Self(NonZeroU64::MIN)
    }
}

impl<const MOST: i64> Form for Count<MOST> {
    const KIND: KeyKind = KeyKind::Count(MOST);
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let Some(number) = value.as_integer() else { return reader.mismatch(Self::KIND, value) };
        let fits = NonZeroU64::new(number.unsigned_abs()).filter(|_| (1..=MOST).contains(&number));
        fits.map(Self).or_else(|| {
            let hint = if MOST == i64::MAX { "write 1 or more".to_owned() } else { format!("write 1 to {MOST}") };
            reader.refuse(Fault::new(format!("{number} is out of range")).hint(hint))
        })
    }
}

/// A number above 0 and up to 1.
#[derive(Debug, Clone, Copy)]
pub struct Share(pub f64);

impl Form for Share {
    const KIND: KeyKind = KeyKind::Share;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        let Some(share) = number else { return reader.mismatch(Self::KIND, value) };
        Some(Self(share)).filter(|_| share > 0.0 && share <= 1.0).or_else(|| {
            let fault = Fault::new(format!("{share} is no share"));
            reader.refuse(fault.hint("write a number above 0 and up to 1: 0.9 is 90 %"))
        })
    }
}

/// A number above 0.
#[derive(Debug, Clone, Copy)]
pub struct Load(pub f64);

impl Form for Load {
    const KIND: KeyKind = KeyKind::Number;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
        let Some(load) = number else { return reader.mismatch(Self::KIND, value) };
        Some(Self(load)).filter(|_| load > 0.0 && load.is_finite()).or_else(|| {
            reader.refuse(Fault::new(format!("{load} is no load")).hint("write a number above 0, such as 4 or 1.5"))
        })
    }
}

/// A size as it was written, not parsed.
pub struct SizeText(pub String);

impl Form for SizeText {
    const KIND: KeyKind = KeyKind::Size;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        value.as_str().map(|text| Self(text.to_owned())).or_else(|| reader.mismatch(Self::KIND, value))
    }
}

/// An IANA time zone.
pub struct Zone(pub TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Form for Zone {
    const KIND: KeyKind = KeyKind::Text;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let text = String::read(value, reader)?;
        // Without the zone files of the system there still is UTC.
        if text == "UTC" {
            return Some(Self::default());
        }
        TimeZone::get(&text).map(Self).ok().or_else(|| {
            let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
            let hint = did_you_mean(&text, known.iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| "write an IANA name such as \"Europe/Berlin\", or \"UTC\"".to_owned());
            reader.refuse(Fault::new(format!("there is no time zone {text:?}")).hint(hint))
        })
    }
}

/// A time of at most `DAYS` days.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span<const DAYS: u64>(pub Duration);

/// A time that is waited for: databases count it in milliseconds, in 31 bits.
pub type WaitSpan = Span<24>;
/// A time for which a thing is kept: beyond a thousand years a date no longer fits everywhere.
pub type KeepSpan = Span<365_000>;

impl<const DAYS: u64> Form for Span<DAYS> {
    const KIND: KeyKind = KeyKind::Duration;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let Some(text) = value.as_str() else { return reader.mismatch(Self::KIND, value) };
        let duration = parse_duration(reader.key(), text, DAYS);
        duration.map(Self).map_or_else(|fault| reader.refuse(fault), Some)
    }
}

/// A time of at most an hour that may be shorter than a second.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShortSpan(pub Duration);

impl Form for ShortSpan {
    const KIND: KeyKind = KeyKind::ShortDuration;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let Some(text) = value.as_str() else { return reader.mismatch(Self::KIND, value) };
        parse_short(reader.key(), text).map(Self).map_or_else(|fault| reader.refuse(fault), Some)
    }
}

/// Parses milliseconds, `100ms`, or what any other duration may be, up to an hour.
fn parse_short(key: &str, text: &str) -> Result<Duration, Fault> {
    const LONGEST: Duration = Duration::from_secs(3600);
    let millis = text.trim().strip_suffix("ms").and_then(|number| number.trim_end().parse::<u64>().ok());
    let duration = match millis {
        Some(0) => return Err(Fault::new("nothing can be zero long").hint(zero_hint(key))),
        Some(millis) => Duration::from_millis(millis),
        None => parse_duration(key, text, 1)?,
    };
    let too_long = || Fault::new("longer than the hour that is allowed");
    Some(duration).filter(|duration| *duration <= LONGEST).ok_or_else(too_long)
}

const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];

/// Parses `30s`, `15m`, `12h`, `30d`, `4w`, or several from large to small: `1d 12h`. `key` picks the hint.
fn parse_duration(key: &str, text: &str, most_days: u64) -> Result<Duration, Fault> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        let hint = if number == 0 { zero_hint(key) } else { unit_hint(key, number) };
        return Err(Fault::new("a bare number is no duration").hint(hint));
    }
    let malformed = || {
        let hint = "write \"30d\": a number and one of s, m, h, d, w; months and years have no fixed length";
        Fault::new(format!("{text:?} is no duration")).hint(hint)
    };
    let too_long = || Fault::new(format!("longer than the {most_days} days that are allowed"));
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
    match secs {
        _ if text.is_empty() => Err(malformed()),
        0 => Err(Fault::new("nothing can be zero long").hint(zero_hint(key))),
        secs if secs > most_days * 86_400 => Err(too_long()),
        secs => Ok(Duration::from_secs(secs)),
    }
}

/// One text, or a list of them.
#[derive(Default)]
pub struct Texts<const NAMES: bool> {
    pub texts: Vec<String>,
    /// They stand in a list, also where it is one.
    pub is_list: bool,
}

pub type Patterns = Texts<false>;
pub type Names = Texts<true>;

impl<const NAMES: bool> Form for Texts<NAMES> {
    const KIND: KeyKind = if NAMES { KeyKind::Names } else { KeyKind::Patterns };
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self { texts: vec![text.clone()], is_list: false }),
            Value::Array(_) => Some(Self { texts: Vec::read(value, reader)?, is_list: true }),
            other => reader.mismatch(Self::KIND, other),
        }
    }
}

/// A text, a number, true or false.
pub enum Scalar {
    Text(String),
    /// As TOML writes it.
    Number(String),
    Flag(bool),
}

impl Form for Scalar {
    const KIND: KeyKind = KeyKind::Scalar;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Integer(number) => Some(Self::Number(number.to_string())),
            Value::Float(number) => Some(Self::Number(number.to_string())),
            Value::Boolean(flag) => Some(Self::Flag(*flag)),
            other => reader.mismatch(Self::KIND, other),
        }
    }
}

/// A name where a table has its place as well.
pub struct PlainName(pub String);

impl Form for PlainName {
    const KIND: KeyKind = KeyKind::Text;
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let phrase = "a name in quotes, or { name = \"…\", type = \"…\" }";
        value.as_str().map(|name| Self(name.to_owned())).or_else(|| reader.expected(phrase, value, None))
    }
}

/// Something plain, or a table in its place.
pub enum OrTable<P, T> {
    Plain(P),
    Table(T),
}

impl<P: Form, T: Form> Form for OrTable<P, T> {
    const KIND: KeyKind = match T::KIND {
        KeyKind::Table(keys) => KeyKind::OrTable(&P::KIND, keys),
        other => other,
    };
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        match value {
            Value::Table(_) => T::read(value, reader).map(Self::Table),
            _ => P::read(value, reader).map(Self::Plain),
        }
    }
    fn hole() -> Option<Self> {
        T::hole().map(Self::Table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse_duration("keep", text, 365_000).ok().map(|duration| duration.as_secs())
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
    fn short_durations_have_milliseconds() {
        let millis = |text| parse_short("pause", text).ok().map(|duration| duration.as_millis());
        let wanted = [("100ms", 100), (" 5 ms ", 5), ("2s", 2000), ("1m 30s", 90_000), ("60m", 3_600_000)];
        for (text, wanted) in wanted {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        for text in ["", "0ms", "0s", "100", "1s 5ms", "-5ms", "1.5s", "61m", "3600001ms", "ms", "2d"] {
            assert_eq!(millis(text), None, "{text}");
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
        let hint = |text: &str| parse_duration("keep", text, 365_000).unwrap_err().hint.unwrap();
        assert_eq!(hint("30"), "write \"30d\"");
        assert_eq!(hint("0d"), "to keep for ever, leave the policy out or set mode = \"report\"");
        assert_eq!(parse_duration("timeout", "30", 24).unwrap_err().hint.unwrap(), "write \"30s\"");
    }
}
