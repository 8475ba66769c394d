//! What an application has at a moment, and what retaind lists of it: both as identities, to be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// Rows by table and key, or files by store and path.
pub type Names = BTreeSet<(String, String)>;

/// Rows by table and key with what matters of them, files by store and path with their sizes, and directories.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Holdings {
    pub rows: BTreeMap<(String, String), String>,
    pub files: BTreeMap<(String, String), u64>,
    pub directories: Names,
}

/// What a run would do, or did: each row and file by its name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Listing {
    pub rows: Names,
    pub files: BTreeMap<(String, String), u64>,
}

impl Holdings {
    /// What is no longer there afterwards.
    pub fn lost(&self, after: &Holdings) -> Listing {
        let rows = self.rows.keys().filter(|name| !after.rows.contains_key(*name));
        let files = self.files.iter().filter(|(name, _)| !after.files.contains_key(*name));
        Listing { rows: rows.cloned().collect(), files: files.map(|(name, size)| (name.clone(), *size)).collect() }
    }

    /// What a run did: rows that are gone or no longer what they were, and files that are gone.
    pub fn difference(&self, after: &Holdings) -> Listing {
        let changed = self.rows.iter().filter(|(name, state)| after.rows.get(*name) != Some(*state));
        Listing { rows: changed.map(|(name, _)| name.clone()).collect(), ..self.lost(after) }
    }

    /// The rows as a test writes them down: table, key, and what matters.
    pub fn rows_written(&self) -> BTreeSet<String> {
        let written = self.rows.iter().map(|((table, key), state)| format!("{table} {key} {state}"));
        written.map(|row| row.trim_end().to_owned()).collect()
    }

    /// The paths of a store's files.
    pub fn paths(&self, store: &str) -> BTreeSet<&str> {
        self.files.keys().filter(|(of, _)| of == store).map(|(_, path)| path.as_str()).collect()
    }

    /// The paths of a store's directories.
    pub fn directories_of(&self, store: &str) -> BTreeSet<&str> {
        self.directories.iter().filter(|(of, _)| of == store).map(|(_, path)| path.as_str()).collect()
    }

    /// The names of the rows that are there.
    pub fn row_names(&self) -> Names {
        self.rows.keys().cloned().collect()
    }

    /// The names of the files that are there.
    pub fn file_names(&self) -> Names {
        self.files.keys().cloned().collect()
    }

    /// Adds what is in a store.
    pub fn collect(&mut self, store: &str, root: &Path) {
        self.collect_in(store, root, "");
    }

    fn collect_in(&mut self, store: &str, dir: &Path, prefix: &str) {
        for entry in std::fs::read_dir(dir).expect("a directory is read") {
            let entry = entry.expect("an entry");
            let metadata = entry.metadata().expect("its metadata");
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            // What adopting a store leaves there is no holding of the application.
            if path == ".retaind" {
                continue;
            }
            if metadata.is_dir() {
                self.collect_in(store, &entry.path(), &format!("{path}/"));
                self.directories.insert((store.to_owned(), path));
            } else {
                self.files.insert((store.to_owned(), path), metadata.len());
            }
        }
    }
}

impl Listing {
    /// What `plan --json --list` printed; each row and file must be there once.
    pub fn read(printed: &str) -> Self {
        let mut listing = Self::default();
        for line in printed.lines() {
            let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let text = |key: &str| entry[key].as_str().unwrap_or_else(|| panic!("{key}: {line}")).to_owned();
            let is_new = match text("kind").as_str() {
                "row" => listing.rows.insert((text("table"), text("key"))),
                _ => {
                    let size = entry["size_bytes"].as_u64().expect("a size");
                    listing.files.insert((text("store"), text("path")), size).is_none()
                }
            };
            assert!(is_new && text("mode") == "enforce", "{line}");
        }
        listing
    }
}
