//! The words of log messages: numbers with units, error chains, and passwords taken out of urls.

use std::time::Duration;

use crate::policy::cut;

/// An error and its causes, as one line: "a: b: c". Each is cut where it is very long.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = cut(error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cut(cause.to_string());
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

/// The chain of an error as it may be logged: drivers are known to quote the url that they were given.
pub(super) fn safe_chain(error: &dyn std::error::Error) -> String {
    without_passwords(&chain(error))
}

/// The text with `…` for every password of a url in it.
pub fn without_passwords(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        safe.push_str(before);
        let authority =
            &after[..after.find(|c: char| c.is_whitespace() || "/?#\"'`".contains(c)).unwrap_or(after.len())];
        // The last '@' ends the password: one that is not percent-encoded may hold others.
        match authority.rfind('@').and_then(|end| Some((authority[..end].find(':')?, end))) {
            Some((colon, end)) => {
                safe.push_str(&authority[..=colon]);
                safe.push('…');
                rest = &after[end..];
            }
            None => rest = after,
        }
    }
    safe.push_str(rest);
    safe
}

/// "1 row", "2 rows".
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Bytes in the largest binary unit that leaves a number of 1 or more: "512 B", "1.5 MiB".
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Precision is lost above 2^53 bytes, which one decimal does not show.
    #[allow(clippy::cast_precision_loss)]
    let mut number = bytes as f64 / 1024.0;
    let mut unit = 0;
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    format!("{number:.1} {}", UNITS[unit])
}

/// A length of time for a person: "12 ms", "1.2 s", "3 min 4 s", "2 h 5 min".
pub(super) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Milliseconds, for a field.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        #[source]
        cause: Option<Box<Link>>,
    }

    #[test]
    fn a_chain_names_each_cause_once() {
        let link = |text, cause: Option<Link>| Link { text, cause: cause.map(Box::new) };
        let error = link("a", Some(link("b: c", Some(link("c", None)))));
        assert_eq!(chain(&error), "a: b: c");
    }

    #[test]
    fn a_password_never_gets_through() {
        for (text, safe) in [
            ("can't reach postgres://nvr:s3cret@db/nvr", "can't reach postgres://nvr:…@db/nvr"),
            ("mysql://u:p@ss@h:3306/d, then mysql://u:q@h", "mysql://u:…@h:3306/d, then mysql://u:…@h"),
            ("\"postgres://u:p@h\"", "\"postgres://u:…@h\""),
            ("postgres://u@h:5432/a:b@c", "postgres://u@h:5432/a:b@c"),
            ("http://h:80/x", "http://h:80/x"),
            ("no url", "no url"),
        ] {
            assert_eq!(without_passwords(text), safe);
        }
    }

    #[test]
    fn numbers_are_told_with_their_unit() {
        assert_eq!(
            [size(0), size(1023), size(1024), size(1_572_864), size(u64::MAX)].join(" "),
            "0 B 1023 B 1.0 KiB 1.5 MiB 16384.0 PiB"
        );
        assert_eq!(count(1, "row", "rows") + ", " + &count(0, "row", "rows"), "1 row, 0 rows");
        let spans = [7, 1_250, 184_000, 7_500_000].map(|ms| span(Duration::from_millis(ms)));
        assert_eq!(spans, ["7 ms", "1.2 s", "3 min 4 s", "2 h 5 min"]);
    }
}
