//! A property of something that is configured, as a reload compares and shows it.

use std::fmt::Display;

/// A property of a thing, as it is compared and shown.
pub(super) struct Fact {
    pub key: &'static str,
    /// `None`: not set.
    pub value: Option<String>,
    pub is_secret: bool,
}

pub(super) fn fact(key: &'static str, value: impl Display) -> Fact {
    Fact { key, value: Some(value.to_string()), is_secret: false }
}

/// Something that may hold a password: a change of it is said, and not what it is.
pub(super) fn secret(key: &'static str, value: Option<String>) -> Fact {
    Fact { key, value, is_secret: true }
}

pub(super) fn optional(key: &'static str, value: Option<impl Display>) -> Fact {
    Fact { key, value: value.map(|value| value.to_string()), is_secret: false }
}
