//! Reasons not to trust what rows name in a store: that it is not all, or not what is there.

use super::blocked::Blocked;
use crate::outcome::MissingFile;
use crate::policy::Store;

/// A reference that names at least so many files is judged by itself.
pub const JUDGED_FROM: usize = 20;

/// Counts of what one declared reference names.
pub struct NamedFiles<'a> {
    /// `nvr.detections.thumbnail_path`.
    pub reference: &'a str,
    pub may_be_empty: bool,
    pub rows: u64,
    /// Rows that name a file of the store.
    pub inside: u64,
    /// Rows whose path maps neither into this store nor into another one that the same column is a reference of.
    pub outside: u64,
}

/// Reason not to trust what a reference names; `examples`: paths that lead out of the store.
pub fn judge_reference(store: &Store, named: &NamedFiles<'_>, examples: impl FnOnce() -> String) -> Option<Blocked> {
    let NamedFiles { reference, may_be_empty, rows, inside, outside } = *named;
    let (reference, store, root) = (reference.to_owned(), store.name.clone(), &store.root);
    if rows == 0 && !may_be_empty {
        return Some(Blocked::ReferenceEmpty { reference, store });
    }
    if outside > inside {
        let (root, examples) = (root.clone(), examples());
        return Some(Blocked::ReferenceOutside { reference, store, root, outside, inside, examples });
    }
    (inside == 0 && !may_be_empty).then_some(Blocked::ReferenceWithoutFiles { reference, rows })
}

/// Named files that are not in the store.
pub struct NotFound<'a> {
    /// Files and directories that rows name, and how many of them a walk did not find.
    pub named: u64,
    pub missed: u64,
    /// Rows of references that speak for something, and files of theirs that are not there.
    pub rows: u64,
    pub files: u64,
    /// A reference that names many files of which none is there, and may not.
    pub absent: Option<&'a MissingFile>,
    pub example: Option<&'a MissingFile>,
}

/// Reason not to trust a comparison of rows and files where something would go: paths that are written in another way may
/// map into the store all the same.
pub fn judge_found(store: &Store, orphans: u64, found: &NotFound<'_>) -> Option<Blocked> {
    let NotFound { named, missed, rows, files, absent, example } = *found;
    let (store, root) = (store.name.clone(), &store.root);
    let example = || example.map(|first| first.path.clone());
    if orphans == 0 || named == 0 {
        return None;
    }
    if let (true, Some(MissingFile { reference, path })) = (missed < named, absent) {
        let (reference, path) = (reference.clone(), path.clone());
        return Some(Blocked::ReferenceAbsent { reference, path, store, orphans });
    }
    let many = (JUDGED_FROM as u64).max(named.div_ceil(100));
    if missed < named && files >= many && orphans >= many {
        return Some(Blocked::ManyMissing { store, missing: files, orphans, example: example() });
    }
    (missed == named && rows > 0).then(|| Blocked::AllMissing { store, root: root.clone(), named, example: example() })
}
