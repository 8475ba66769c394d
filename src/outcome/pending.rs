//! Choice of pending files: all of them, those of a store, or one.

use std::fmt;

use crate::policy::{Name, StorePath};

/// Choice of pending files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PendingChoice {
    #[default]
    All,
    Store(Name),
    File(PendingPath),
}

/// Path of a pending file in its store, written as `STORE/PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingPath {
    pub store: Name,
    pub path: StorePath,
}

impl PendingChoice {
    /// Reads `STORE` or `STORE/PATH`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.contains('/') {
            true => PendingPath::parse(text).map(PendingChoice::File),
            false => Name::parse(text).map(PendingChoice::Store),
        }
    }

    /// True if it takes a file in.
    pub fn has(&self, store: &Name, path: &StorePath) -> bool {
        match self {
            PendingChoice::All => true,
            PendingChoice::Store(chosen) => chosen == store,
            PendingChoice::File(chosen) => chosen.store == *store && chosen.path == *path,
        }
    }
}

impl PendingPath {
    /// Reads `STORE/PATH`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (store, path) = text.split_once('/').ok_or("it is written STORE/PATH")?;
        Ok(Self { store: Name::parse(store)?, path: StorePath::parse(path)? })
    }
}

impl fmt::Display for PendingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.path)
    }
}

impl fmt::Display for PendingChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PendingChoice::All => f.write_str("all"),
            PendingChoice::Store(store) => write!(f, "store {store}"),
            PendingChoice::File(file) => write!(f, "file {file}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_stores_or_paths_in_them() {
        let file = PendingPath::parse("thumbs//a/./b c.jpg").unwrap();
        assert_eq!(file.to_string(), "thumbs/a/b c.jpg");
        assert_eq!(PendingChoice::parse("thumbs/a/b c.jpg"), Ok(PendingChoice::File(file.clone())));
        assert_eq!(PendingChoice::parse("thumbs"), Ok(PendingChoice::Store(file.store.clone())));
        for refused in ["", "/", "/srv/a.jpg", "thumbs/", "thumbs/../a", "Thumbs/a", "thumbs/.retaind/x"] {
            assert!(PendingChoice::parse(refused).is_err(), "{refused}");
        }
        let other = StorePath::parse("a/b").unwrap();
        assert!(!PendingChoice::File(file.clone()).has(&file.store, &other));
        assert!(PendingChoice::Store(file.store.clone()).has(&file.store, &other));
    }
}
