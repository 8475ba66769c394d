//! Rows that name files of a store: declared references, and the columns of rows that own files there. Pure.

use std::fmt;

use super::{FilePath, Name, OwnedFile, ReferenceMatch, TableName};

/// Rows that name files of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub source: Name,
    pub table: TableName,
    pub path: FilePath,
    /// The path is a directory: what it names is everything in it.
    pub directory: bool,
    pub matching: ReferenceMatch,
    /// Beginnings of what a row has written that never means a file of this store.
    pub ignore_prefix: Vec<String>,
    /// Rows whose file is missing are usual there, and speak against nothing.
    pub may_be_missing: bool,
    /// The table may have no rows.
    pub may_be_empty: bool,
}

impl ReferenceMatch {
    /// The last segment of a path of any shape; slashes at its end do not count. None where there is none.
    pub fn last_segment(written: &str) -> Option<&str> {
        written.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())
    }
}

impl fmt::Display for Reference {
    /// `nvr.detections.thumbnail_path`, with a slash behind a directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, table, path, directory, matching, .. } = self;
        write!(f, "{source}.{table}.{path}{}", if *directory { "/" } else { "" })?;
        match matching {
            ReferenceMatch::Path => Ok(()),
            ReferenceMatch::Name => f.write_str(" by name"),
        }
    }
}

impl Reference {
    /// Rows that own a file.
    pub fn owner(source: Name, table: TableName, file: &OwnedFile) -> Self {
        Self {
            source,
            table,
            path: file.path.clone(),
            directory: file.directory,
            matching: ReferenceMatch::Path,
            ignore_prefix: Vec::new(),
            may_be_missing: file.may_be_missing,
            may_be_empty: false,
        }
    }

    /// True if both read the same columns in the same way.
    pub fn is_same(&self, other: &Reference) -> bool {
        let same_files = self.path == other.path && self.matching == other.matching;
        self.source == other.source && self.table == other.table && same_files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_follows_the_last_slash() {
        for (written, name) in [
            ("b.jpg", Some("b.jpg")),
            ("C:/x/b.jpg", Some("b.jpg")),
            ("https://host/a/b.jpg", Some("b.jpg")),
            ("a/b//", Some("b")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(ReferenceMatch::last_segment(written), name, "{written}");
        }
    }
}
