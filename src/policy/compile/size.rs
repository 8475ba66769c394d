//! Sizes in bytes, and room on a file system as a size or a percentage. Pure.

use crate::config::Fault;

use super::super::{ByteCount, Fraction, Space};

const EXAMPLE: &str = "write \"10GiB\": a whole number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB";

/// Parses `10GiB` (1024³ each), `500MB` (1000² each), with or without a space.
pub(super) fn parse_size(text: &str) -> Result<ByteCount, Fault> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    if number.is_empty() || unit.starts_with(['.', ',']) {
        return Err(Fault::new(format!("{text:?} is no size")).hint(EXAMPLE));
    }
    if unit.is_empty() {
        let hint = format!("give it a unit: \"{number}GiB\" or \"{number}MB\"");
        return Err(Fault::new("a bare number is no size").hint(hint));
    }
    let Some(bytes) = ByteCount::unit(unit) else {
        let fault = Fault::new(format!("there is no unit {unit:?}"));
        let close: Vec<String> = ByteCount::units()
            .filter(|known| {
                known.trim_end_matches(['i', 'B']).eq_ignore_ascii_case(unit.trim_end_matches(['i', 'I', 'b', 'B']))
            })
            .map(|known| format!("\"{number}{known}\""))
            .collect();
        return Err(fault.hint(if close.is_empty() {
            EXAMPLE.to_owned()
        } else {
            format!("write {}", close.join(" or "))
        }));
    };
    let too_large = || Fault::new(format!("{text} is more than any disk has"));
    let number: u64 = number.parse().map_err(|_| too_large())?;
    // The largest that SQL and JSON carry without loss of sign.
    let bytes = number.checked_mul(bytes).filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(too_large)?;
    ByteCount::new(bytes).ok_or_else(|| Fault::new("a size of nothing").hint("leave the key out, or write a size"))
}

/// Parses a size, or a percentage of a file system: `10%`.
pub(super) fn parse_space(text: &str) -> Result<Space, Fault> {
    let text = text.trim();
    let Some(percent) = text.strip_suffix('%') else { return parse_size(text).map(Space::Bytes) };
    let is_decimal = |c: char| c.is_ascii_digit() || c == '.';
    let share = Some(percent.trim()).filter(|number| number.chars().all(is_decimal));
    let share = share.and_then(|number| number.parse::<f64>().ok()).map(|number| number / 100.0);
    // All of a file system is never free.
    share.filter(|share| *share < 1.0).and_then(Fraction::new).map(Space::Share).ok_or_else(|| {
        Fault::new(format!("{text:?} is no share of a file system")).hint("write \"10%\": above 0% and below 100%")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_both_kinds() {
        for (text, bytes) in [
            ("10GiB", 10 << 30),
            ("10 GiB", 10 << 30),
            (" 500MB ", 500_000_000),
            ("1TiB", 1 << 40),
            ("1kB", 1000),
            ("1KB", 1000),
            ("1KiB", 1024),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text).unwrap().get(), bytes, "{text}");
        }
    }

    #[test]
    fn g10_refuses_bare_zero_and_strange_sizes() {
        let hint = |text: &str| parse_size(text).unwrap_err().hint.unwrap_or_default();
        assert_eq!(hint("10"), "give it a unit: \"10GiB\" or \"10MB\"");
        assert_eq!(hint("10G"), "write \"10GiB\" or \"10GB\"");
        assert_eq!(hint("10gb"), "write \"10GiB\" or \"10GB\"");
        for text in ["", "0GiB", "1.5TiB", "-1MB", "GiB", "10 parsecs", "9999999PiB", "99999999999999999999B", "٣MB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn space_may_be_a_percentage() {
        assert_eq!(parse_space("10%").unwrap().of(1000), 100);
        assert_eq!(parse_space("2.5 %").unwrap().of(1000), 25);
        assert_eq!(parse_space("1KiB").unwrap().of(7), 1024);
        for text in ["0%", "100%", "-1%", "%", "1e1%", "inf%", "NaN%", "x%", "10"] {
            assert!(parse_space(text).is_err(), "{text}");
        }
    }
}
