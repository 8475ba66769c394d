//! Errors with their causes on one line, and passwords taken out of urls.

use crate::text::cut;

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
pub fn safe_chain(error: &dyn std::error::Error) -> String {
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
}
