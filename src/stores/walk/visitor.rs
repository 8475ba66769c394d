//! Reports of a walk, and who receives them. Pure.

use crate::decide::file::{FileFacts, FileKind};

/// Number of things that a walk could not look at and yet names.
pub const ERRORS_AT_MOST: usize = 100;

/// Hears of a store. Each worker of a walk has one of its own, so that it needs no lock.
///
/// A path is relative to the root, in bytes; that of the root itself is empty. All of one directory is told to one visitor
/// and in one piece: `begin`, `file` for each name, `facts` for those that were wanted (in another order, and not
/// necessarily after all names), `end`. Only of a large directory some of the files may be told to others, who hear neither
/// its `begin` nor its `end`, at the same time or later.
pub trait Visitor: Send + 'static {
    /// True if a directory is gone into; of one that is not, nothing more is told.
    fn enters(&mut self, _directory: &[u8]) -> bool {
        true
    }

    /// A directory was opened.
    fn begin(&mut self, _directory: &[u8]) {}

    /// Something in it that is no directory; whether facts about it are wanted, each of which costs a call.
    fn file(&mut self, path: &[u8], kind: FileKind) -> Want;

    /// Facts that were wanted; not reported for what has gone meanwhile or has become a directory.
    fn facts(&mut self, _path: &[u8], _facts: &FileFacts) {}

    /// The directory was read, or as much of it as could be. `names` is how many names were met, directories included, but
    /// for those of a large directory that others read: with 0 it is empty.
    fn end(&mut self, _directory: &[u8], _names: u64) {}
}

/// Wish for facts about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Nothing,
    Facts,
    /// Facts that nothing is decided by: where they cannot be had, nothing is said of it.
    FactsIfAny,
}

/// Counts of a walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surveyed {
    /// Directories that were read, the root included.
    pub directories: u64,
    /// Everything else.
    pub files: u64,
    /// Mount points, which were not entered.
    pub mounts: u64,
    /// Number of things that could not be looked at, so that files may be missing from the report.
    pub errors: u64,
    /// The first of those, at most [`ERRORS_AT_MOST`].
    pub first_errors: Vec<Unseen>,
}

/// Something that a walk could not look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// Beneath the root, as text; empty for the root itself.
    pub path: String,
    /// In words.
    pub why: String,
}

/// Why a walk has no result.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    #[error("the walk was stopped")]
    Stopped,
    /// The path no longer leads to the directory that was opened, in words.
    #[error("{0}")]
    Replaced(String),
    #[error("the walk broke off")]
    Broken(#[source] tokio::task::JoinError),
}

/// Final report of a walk.
#[derive(Debug)]
pub struct Walked<V> {
    pub surveyed: Surveyed,
    /// The visitors, in no order.
    pub visitors: Vec<V>,
}

impl Surveyed {
    pub(crate) fn add(&mut self, other: Self) {
        self.directories += other.directories;
        self.files += other.files;
        self.mounts += other.mounts;
        self.errors += other.errors;
        let room = ERRORS_AT_MOST.saturating_sub(self.first_errors.len());
        self.first_errors.extend(other.first_errors.into_iter().take(room));
    }
}
