//! Words of values that JSON has as one.

use serde::Serialize;

/// Word under which JSON has a value, such as a case without data; none where it has more than a word.
pub fn word_of(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_and_nothing_else() {
        assert_eq!(word_of(&"held").as_deref(), Some("held"));
        assert_eq!(word_of(&7), None);
    }
}
