//! Numbers, sizes, times and durations as a person reads them. Pure: what time it is comes from outside.

use jiff::{SignedDuration, Timestamp};

/// A count with separators: `1,204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun, in the plural for any number but one: `1 row`, `1,204 rows`, `2 batches`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = match noun.strip_suffix('y') {
        _ if number == 1 => noun.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None if noun.ends_with("ch") => format!("{noun}es"),
        None => format!("{noun}s"),
    };
    format!("{} {plural}", count(number))
}

/// A size in bytes: `512 B`, `1.2 GiB`.
pub fn size(size_bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size_bytes < 1024 {
        return format!("{} B", count(size_bytes));
    }
    let mut value = size_bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 and above would be shown as "1024.0".
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration in milliseconds: `340 ms`, `3.2 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(duration_ms: u64) -> String {
    let secs = duration_ms / 1000;
    let (days, hours, minutes) = (secs / 86_400, secs / 3600, secs / 60);
    match duration_ms {
        0..1_000 => format!("{duration_ms} ms"),
        1_000..60_000 => format!("{}.{} s", secs, duration_ms % 1000 / 100),
        60_000..3_600_000 => two(minutes, "min", secs % 60, "s"),
        3_600_000..86_400_000 => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    let large = format!("{} {large_unit}", count(large));
    if small == 0 { large } else { format!("{large} {small} {small_unit}") }
}

/// A duration: as of [`duration`].
pub fn length(length: std::time::Duration) -> String {
    duration(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

/// Time from one instant to a later one; none when it is not later.
pub fn between(from: Timestamp, to: Timestamp) -> String {
    duration(u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0))
}

/// An instant in UTC, to the second: `2025-01-01T03:00:00Z`.
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant and how far it is from `now`: `2025-01-01T03:00:00Z (in 2 h)`.
pub fn instant_from(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        format!("{} (in {})", instant(at), between(now, at))
    } else {
        format!("{} ({} ago)", instant(at), between(at, now))
    }
}

/// A share as a percentage: `41.5 %`.
pub fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A span of time in its largest unit, for people.
pub fn spell(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_nouns_a_number() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(2000, "policy"), "2,000 policies");
        assert_eq!(counted(2, "batch"), "2 batches");
    }

    #[test]
    fn sizes_take_the_unit_that_keeps_them_short() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1,023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_288_490_188, "1.2 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn durations_have_two_units_at_most() {
        for (ms, shown) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (3_249, "3.2 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
            (252_000, "4 min 12 s"),
            (7_500_000, "2 h 5 min"),
            (273_600_000, "3 d 4 h"),
            (218_196_000_000, "2,525 d 10 h"),
        ] {
            assert_eq!(duration(ms), shown);
        }
    }

    #[test]
    fn instants_are_utc_to_the_second() {
        let at: Timestamp = "2025-01-01T04:00:00.123+01:00".parse().unwrap();
        assert_eq!(instant(at), "2025-01-01T03:00:00Z");
        let later: Timestamp = "2025-01-01T05:00:00.123Z".parse().unwrap();
        assert_eq!(instant_from(later, at), "2025-01-01T05:00:00Z (in 2 h)");
        assert_eq!(instant_from(at, later), "2025-01-01T03:00:00Z (2 h ago)");
        assert_eq!(share(0.4149), "41.5 %");
    }
}
