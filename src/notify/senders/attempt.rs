//! Result of a try to deliver a message.

use std::time::Duration;

use crate::text::cut;

/// Result of one try.
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
    /// Nothing came of it.
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self::Failed { why: cut(why), retry_after: None }
    }

    /// A credential is missing.
    pub(super) fn lacking() -> Self {
        Self::failed("a credential of it was not passed to this process")
    }

    pub(in crate::notify) fn timed_out(after: Duration) -> Self {
        Self::failed(format!("there was no answer within {after:?}"))
    }
}
