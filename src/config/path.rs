//! The dotted path of a key, as diagnostics write it: `policies.detections.files[1].store`.

use std::fmt;

/// Place of a value in the configuration's tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeyPath(Vec<KeySegment>);

/// A step down the tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySegment {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// The path of these keys, from the top.
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| KeySegment::Key((*key).to_owned())).collect())
    }

    /// The path of a key beneath this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(KeySegment::Key(key.to_owned()))
    }

    /// The path of an element of this list, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(KeySegment::Index(index))
    }

    fn with(&self, segment: KeySegment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// Steps further down.
    pub(super) fn push(&mut self, segment: KeySegment) {
        self.0.push(segment);
    }

    /// Steps back up.
    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// The path above, and the last step; none for the top.
    pub fn split_last(&self) -> Option<(Self, &KeySegment)> {
        self.0.split_last().map(|(last, above)| (Self(above.to_vec()), last))
    }

    /// The steps from the top.
    pub fn segments(&self) -> &[KeySegment] {
        &self.0
    }

    /// True if this path is `above`, or lies beneath it.
    pub fn is_within(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    /// The value at this path of a tree.
    pub(super) fn lookup<'v>(&self, tree: &'v toml::Value) -> Option<&'v toml::Value> {
        self.0.iter().try_fold(tree, |value, segment| match segment {
            KeySegment::Key(key) => value.get(key.as_str()),
            KeySegment::Index(index) => value.get(*index),
        })
    }

    /// The last key's name; empty for the top or an element of a list.
    pub fn last_key(&self) -> &str {
        match self.0.last() {
            Some(KeySegment::Key(key)) => key,
            Some(KeySegment::Index(_)) | None => "",
        }
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                KeySegment::Index(index) => write!(f, "[{index}]")?,
                KeySegment::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    if is_bare(key) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// True if TOML takes the key without quotes.
pub(super) fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_lists_and_odd_keys() {
        let path = KeyPath::of(&["policies", "a b", "files"]).index(1).key("store");
        assert_eq!(path.to_string(), "policies.\"a b\".files[1].store");
        assert!(path.is_within(&KeyPath::of(&["policies"])));
        assert!(!path.is_within(&KeyPath::of(&["policies", "a"])));
    }
}
