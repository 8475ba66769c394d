//! Hides passwords in text that is shown: same length, so that places in it stay true.

use std::ops::Range;

/// Words that mark a key whose value is nobody's business.
const SENSITIVE: [&str; 6] = ["password", "passwd", "passphrase", "secret", "token", "pwd"];

/// Masks a TOML text, well-formed or not: values of keys that smell of a password, and passwords in urls.
/// Control characters, which could steer a terminal, go as well.
pub(super) fn mask_source(text: &str) -> String {
    let mut ranges = Vec::new();
    let mut inside: Option<&'static str> = None;
    let mut value_follows = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end_matches(['\n', '\r']).len();
        let content = &text[start..end];
        let shift = |range: Range<usize>| start + range.start..start + range.end;
        if let Some(close) = inside {
            ranges.push(start..end);
            if content.contains(close) {
                inside = None;
            }
        } else if value_follows && !content.trim().is_empty() {
            ranges.push(start..end);
            value_follows = false;
        } else if let Some(value) = sensitive_value(content) {
            ranges.extend(url_passwords(&content[..value]).into_iter().map(shift));
            ranges.push(start + value..end);
            inside = opens_multiline(&content[value..]);
            value_follows = content[value..].trim().is_empty();
        } else {
            ranges.extend(url_passwords(content).into_iter().map(shift));
        }
        start += line.len();
    }
    cover(text, &ranges)
}

/// True if values of a key are nobody's business. Where a password is may be known.
pub(super) fn is_secret(key: &str) -> bool {
    SENSITIVE.iter().any(|word| key.to_ascii_lowercase().contains(word))
        && !["_credential", "_file"].iter().any(|place| key.ends_with(place))
}

/// The value of a key as it may be shown and kept: nothing of one that is secret, and no password of a url.
pub fn mask_value(key: &str, value: &str) -> String {
    // A url that cannot be read may be a password from end to end.
    let is_readable = value.contains("://") || value.starts_with("sqlite:") || value.starts_with("${");
    if is_secret(key) || (key.ends_with("url") && !is_readable) { "***".to_owned() } else { mask_message(value) }
}

/// Masks passwords of urls in a message, and drops control characters.
pub(super) fn mask_message(text: &str) -> String {
    cover(text, &url_passwords(text))
}

/// Begin of the value of a sensitive key, or of a url that cannot be read, in a line.
fn sensitive_value(line: &str) -> Option<usize> {
    let value = behind_equals(line)?;
    Some(line.len() - line[value..].trim_start().len())
}

fn behind_equals(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let after_equals = |word_at: usize| lower[word_at..].find('=').map(|at| word_at + at + 1);
    if let Some(at) = SENSITIVE.iter().filter_map(|word| lower.find(word)).min().and_then(after_equals) {
        return Some(at);
    }
    if let Some(at) = unreadable_ping(&lower) {
        return Some(at);
    }
    let value = url_value(&lower)?;
    let literal = lower[value..].trim_start().trim_start_matches(['"', '\'']);
    let readable = literal.starts_with("sqlite:") || literal.starts_with("${") || literal.contains("://");
    (!readable || opens_multiline(&lower[value..]).is_some()).then_some(value)
}

/// Begin of the value of a key `ping` in a line, where a text in it is no url that can be read: it may be one nearly.
fn unreadable_ping(lower: &str) -> Option<usize> {
    let at = lower.trim_start().starts_with("ping").then(|| lower.find('='))?? + 1;
    let mut texts = lower[at..].split('"').skip(1).step_by(2);
    texts.any(|text| !text.is_empty() && !text.contains("://")).then_some(at)
}

/// Begin of the value of a key `url` in a line.
fn url_value(lower: &str) -> Option<usize> {
    lower.match_indices("url").find_map(|(at, word)| {
        let rest = &lower[at + word.len()..];
        let gap = rest.len() - rest.trim_start_matches(['"', '\'', ' ', '\t']).len();
        rest[gap..].starts_with('=').then_some(at + word.len() + gap + 1)
    })
}

fn opens_multiline(value: &str) -> Option<&'static str> {
    let value = value.trim_start();
    let close = ["\"\"\"", "'''"].into_iter().find(|quotes| value.starts_with(quotes))?;
    (!value[3..].contains(close)).then_some(close)
}

/// The passwords of all urls in a text: what stands between the first `:` and the last `@` behind `://`.
/// Without an `@` everything behind that `:` goes, because the `@` may have been forgotten.
fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let in_url_key = url_value(&text.to_ascii_lowercase()).is_some();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, mark) in text.match_indices("://") {
        let start = at + mark.len();
        if ranges.last().is_some_and(|last| start < last.end) {
            continue;
        }
        let rest = &text[start..];
        // A password may hold a blank or a quote: in a url's own line, whatever comes before the last '@' counts.
        let end = match rest.rfind('@') {
            Some(at) if in_url_key => rest[at..].find(['"', '\'', ' ']).map_or(rest.len(), |end| at + end),
            _ => rest.find(|c: char| c == '"' || c == '\'' || c.is_whitespace()).unwrap_or(rest.len()),
        };
        let literal = &rest[..end];
        // Of a webhook the path is as good as a password.
        if text[..at].ends_with("http") || text[..at].ends_with("https") {
            let path = literal.find(['/', '?']).unwrap_or(literal.len());
            ranges.extend((path + 1 < literal.len()).then_some(start + path + 1..start + literal.len()));
            continue;
        }
        let until = literal.rfind('@').unwrap_or(literal.len());
        if let Some(colon) = literal[..until].find(':') {
            ranges.push(start + colon + 1..start + until);
        }
    }
    ranges
}

/// Replaces what lies in `ranges`, which are in order and apart.
fn cover(text: &str, ranges: &[Range<usize>]) -> String {
    let mut left = ranges.iter().peekable();
    text.char_indices()
        .map(|(at, c)| {
            while left.next_if(|range| range.end <= at).is_some() {}
            let hidden = left.peek().is_some_and(|range| range.start <= at);
            match c {
                '"' | '\'' | '\n' | '\t' | '\r' => c,
                _ if hidden => stand_in(c),
                _ if c.is_control() => {
                    if c.len_utf8() == 1 {
                        '?'
                    } else {
                        stand_in(c)
                    }
                }
                _ => c,
            }
        })
        .collect()
}

/// A character as many bytes long as `c`.
fn stand_in(c: char) -> char {
    match c.len_utf8() {
        1 => '*',
        2 => '·',
        3 => '•',
        _ => '🞄',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_and_everything_else_stays_in_place() {
        for (text, wanted) in [
            ("url = \"postgres://u:s3cret@h/db\" # x", "url = \"postgres://u:******@h/db\" # x"),
            ("url = \"postgres://u:a\"b c@h/db\"", "url = \"postgres://u:*\"***@h/db\""),
            ("url = \"mysql://u:pä@h/db\"", "url = \"mysql://u:*·@h/db\""),
            ("url = \"postgres://u:s3cret/db\"", "url = \"postgres://u:*********\""),
            ("url = \"u:s3cret@h/db\"", "url = \"*************\""),
            ("url = \"https://h/s3cret\"", "url = \"https://h/******\""),
            ("ping = \"https//h/x\"", "ping = \"**********\""),
            ("ping = \"https://h/x?y\"", "ping = \"https://h/***\""),
            ("ignore_prefix = \"https://\"", "ignore_prefix = \"https://\""),
            ("url = \"sqlite:/var/lib/x.db\"", "url = \"sqlite:/var/lib/x.db\""),
            ("password = \"s3cret\"", "password = \"******\""),
            ("x = { Password = 's' }", "x = { Password = '*'**"),
            ("table = \"a\"", "table = \"a\""),
        ] {
            assert_eq!(mask_source(text), wanted);
            assert_eq!(mask_source(text).len(), text.len());
        }
    }

    #[test]
    fn a_secret_over_several_lines_goes_whole() {
        let masked = mask_source("password = \"\"\"one\ntwo\nthree\"\"\"\ntable = \"a\"\npassword =\n\"four\"\n");
        for secret in ["one", "two", "three", "four"] {
            assert!(!masked.contains(secret), "{masked}");
        }
        assert!(masked.contains("table = \"a\""));
    }

    #[test]
    fn messages_lose_passwords_and_terminal_codes() {
        assert_eq!(mask_message("see 'postgres://u:pw@h/db' \u{1b}[31m"), "see 'postgres://u:**@h/db' ?[31m");
        assert_eq!(mask_message("postgres://u@h/db is fine"), "postgres://u@h/db is fine");
    }
}
