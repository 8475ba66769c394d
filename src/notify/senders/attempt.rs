//! Result of a try to deliver a message.

use std::time::Duration;

use crate::text::{cut, printable};

/// Result of one try. Its words may be of others: they are made by the constructors, which escape and cut them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It arrived; what was answered, in words.
    Delivered(String),
    /// It was understood and is not taken: others may be.
    Refused(String),
    /// Nothing can be delivered there now; after what time to try again, where that was said.
    Failed { why: String, retry_after: Option<Duration> },
}

impl Attempt {
    /// It arrived.
    pub(super) fn delivered(answer: impl AsRef<str>) -> Self {
        Self::Delivered(safe(answer))
    }

    /// This message is not taken.
    pub(super) fn refused(why: impl AsRef<str>) -> Self {
        Self::Refused(safe(why))
    }

    /// Nothing came of it.
    pub(super) fn failed(why: impl AsRef<str>) -> Self {
        Self::failed_until(why, None)
    }

    /// Nothing came of it, and it is said when to try again.
    pub(super) fn failed_until(why: impl AsRef<str>, retry_after: Option<Duration>) -> Self {
        Self::Failed { why: safe(why), retry_after }
    }

    /// A credential is missing.
    pub(super) fn lacking() -> Self {
        Self::failed("a credential of it was not passed to this process")
    }

    /// There was no answer in that time.
    pub fn timed_out(after: Duration) -> Self {
        Self::failed(format!("there was no answer within {after:?}"))
    }
}

/// Text of others as it may be shown and kept.
fn safe(text: impl AsRef<str>) -> String {
    cut(printable(text.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SHOWN_BYTES;

    #[test]
    fn words_of_others_are_escaped_and_cut() {
        let hostile = format!("\u{1b}[2J\r\u{202e}{}", "x".repeat(1 << 20));
        let failed = |text: &str| Attempt::failed_until(text, None);
        for make in [|text: &str| Attempt::delivered(text), |text: &str| Attempt::refused(text), failed] {
            let (Attempt::Delivered(words) | Attempt::Refused(words) | Attempt::Failed { why: words, .. }) =
                make(&hostile);
            assert!(words.starts_with("\\x1b[2J\\r\\u{202e}x"), "{words}");
            assert!(words.len() < SHOWN_BYTES + 50, "{}", words.len());
        }
    }
}
