//! Paths that a column spells oddly (`a//b`, `./a`, `x/../a`): no index finds them, so they are known beforehand.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Sql;
use super::dialect::{Term, separated};
use crate::policy::{Store, StorePath};

/// Most oddly spelled paths that a column may hold; beyond that nothing of its store is removed.
pub(super) const ODD_AT_MOST: usize = 20_000;

/// Files that a column names by an odd spelling, as fingerprints. Two files of one fingerprint make one of them look
/// named when it may not be; the exact question then follows.
#[derive(Debug, Clone, Default)]
pub struct OddNames {
    fingerprints: HashSet<u64>,
    /// There are more than are remembered: any file may be one of them.
    too_many: bool,
}

impl OddNames {
    /// Adds a path.
    pub fn insert(&mut self, path: &StorePath) {
        match self.fingerprints.len() <= ODD_AT_MOST {
            true => drop(self.fingerprints.insert(fingerprint(path))),
            false => self.too_many = true,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }

    /// Whether the column may name the file by an odd spelling.
    pub fn may_name(&self, path: &StorePath) -> bool {
        self.too_many || self.fingerprints.contains(&fingerprint(path))
    }
}

fn fingerprint(path: &StorePath) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// Writes "the column may spell its path oddly".
pub(super) fn push_odd(sql: &mut Sql, column: &Term, store: &Store) {
    // A prefix that is odd by itself ("file:///srv/") would make every path odd.
    let prefix = store.strip_prefix.as_deref().filter(|prefix| prefix.contains("//") || prefix.starts_with("./"));
    let patterns = ["%//%", "%/./%", "%/../%", "./%", "../%", "%/.", "%/..", "%/"];
    separated(sql, " OR ", &patterns, |sql, pattern| {
        match prefix {
            None => column.push_text(sql),
            Some(prefix) => {
                sql.push("replace(");
                column.push_text(sql);
                sql.push(", ").bind(prefix.to_owned()).push(", '')");
            }
        }
        sql.push(" LIKE ").bind((*pattern).to_owned());
    });
}
