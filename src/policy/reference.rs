//! Which rows name files of a store: declared references, and the columns of rows that own files there. Pure.

use std::fmt;

use super::{Action, Assignment, FilePath, Ident, Name, OwnedFile, Policy, RowsPolicy, Settings, Store, TableName};

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

/// A column or template that names files of a store, with whoever says so.
#[derive(Debug, Clone)]
pub struct Namer<'a> {
    pub reference: Reference,
    /// The operator declared it as a reference of the store.
    pub declared: bool,
    /// Policies whose rows own the file that it names.
    pub owners: Vec<&'a Name>,
    /// What updates set where a row lets go of its file: a row that has all the literals of one of them names nothing
    /// that is missed.
    pub releases: Vec<&'a [Assignment]>,
}

/// How what a row has written names a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceMatch {
    /// As a path of the store.
    Path,
    /// By its last segment, whatever stands before it: every file of that name is named, wherever in the store.
    Name,
}

impl ReferenceMatch {
    /// The word that configuration uses.
    pub fn word(self) -> &'static str {
        match self {
            ReferenceMatch::Path => "path",
            ReferenceMatch::Name => "name",
        }
    }

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

    /// Whether both read the same columns in the same way.
    pub fn is_same(&self, other: &Reference) -> bool {
        let same_files = self.path == other.path && self.matching == other.matching;
        self.source == other.source && self.table == other.table && same_files
    }
}

impl Settings {
    /// Every column that names files of a store: its declared references first, then those of the rows that own files
    /// there, whether their policies and entries are switched on or not. The one answer to that question.
    pub fn references_of<'a>(&'a self, store: &Store) -> Vec<Namer<'a>> {
        let declared = store.references.iter().cloned();
        let mut namers: Vec<Namer<'a>> = declared
            .map(|reference| Namer { reference, declared: true, owners: Vec::new(), releases: Vec::new() })
            .collect();
        for policy in &self.policies {
            let Some(rows) = policy.kind.rows() else { continue };
            let files = rows.all_files().into_iter().filter(|(_, file)| file.store == store.name);
            for (table, file) in files {
                add_owner(&mut namers, policy, rows, Reference::owner(rows.source.clone(), table.clone(), file));
            }
        }
        namers
    }

    /// Other stores whose files the same columns name as well.
    pub fn others_named<'a>(
        &'a self,
        store: &'a Name,
        (source, table, path): (&'a Name, &'a Ident, &'a FilePath),
    ) -> impl Iterator<Item = &'a Store> {
        let others = self.stores.iter().map(AsRef::as_ref).filter(move |other: &&Store| other.name != *store);
        others.filter(move |other| {
            self.references_of(other).iter().any(|Namer { reference, .. }| {
                let same = reference.source == *source && reference.table.table == *table && reference.path == *path;
                same && reference.matching == ReferenceMatch::Path
            })
        })
    }
}

fn add_owner<'a>(namers: &mut Vec<Namer<'a>>, policy: &'a Policy, rows: &'a RowsPolicy, owner: Reference) {
    let releases = match &rows.action {
        Action::Delete => None,
        Action::Update(set) => Some(set.as_slice()),
    };
    let place = namers.iter().position(|known| known.reference.is_same(&owner)).unwrap_or_else(|| {
        namers.push(Namer { reference: owner.clone(), declared: false, owners: Vec::new(), releases: Vec::new() });
        namers.len() - 1
    });
    let namer = &mut namers[place];
    // What one of them takes for a directory is one.
    namer.reference.directory |= owner.directory;
    if !namer.owners.contains(&&policy.name) {
        namer.owners.push(&policy.name);
    }
    namer.releases.extend(releases);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_is_what_follows_the_last_slash() {
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
