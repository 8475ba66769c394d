//! Removal requests and their outcomes. Pure: touches no file.

use std::fmt;
use std::sync::Arc;

use rustix::io::Errno;

use crate::decide::file::{Seen, Stays};
use crate::policy::{AgeBy, StorePath};
use crate::stores::RawPath;
use crate::stores::sys::words;

/// Removal request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovalRequest {
    pub path: RawPath,
    /// The path is to be a directory, which goes with everything in it; else it is to be a file.
    pub directory: bool,
    /// Paths beneath the directory that somebody still names: each stays, with all that is in it and all directories
    /// above it, whatever else is to be removed in the same call. The directory's outcome says nothing of them.
    pub kept: Vec<StorePath>,
    /// A file goes only as it was seen then, where it was.
    pub seen: Option<Seen>,
    /// Instant, in nanoseconds since 1970: what was changed since stays, and with it the directories that it is in; a directory in
    /// which nothing is stays if it was changed itself.
    pub changed_before_ns: Option<i128>,
    /// Change that counts there.
    pub age_by: AgeBy,
}

impl RemovalRequest {
    /// A single file.
    pub fn file(path: impl Into<RawPath>) -> Self {
        let (path, kept, age_by) = (path.into(), Vec::new(), AgeBy::default());
        Self { path, directory: false, kept, seen: None, changed_before_ns: None, age_by }
    }

    /// A single file, as a walk saw it.
    pub fn seen(path: RawPath, seen: Seen) -> Self {
        Self { seen: Some(seen), ..Self::file(path) }
    }

    /// A whole directory.
    pub fn directory(path: impl Into<RawPath>) -> Self {
        Self { directory: true, ..Self::file(path) }
    }

    /// A whole directory, of which nothing was changed lately.
    pub fn old_directory(path: impl Into<RawPath>, changed_before_ns: i128, age_by: AgeBy) -> Self {
        Self { changed_before_ns: Some(changed_before_ns), age_by, ..Self::directory(path) }
    }
}

/// Outcome of a removal request; in a plan, the one that it would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Gone: the file, or the directory and everything that was in it. `files` are files, links and whatever else is no
    /// directory; `size_bytes` is what that freed: 0 for a file of which another hard link remains, and without the holes
    /// of a file that has some.
    Removed { files: u64, size_bytes: u64 },
    /// Moved into the trash, in the same way: `size_bytes` come free when the trash is emptied.
    Trashed { files: u64, size_bytes: u64 },
    /// A directory that stays, because something in it stays.
    Partly(Part),
    /// There was none.
    Missing,
    /// Kept for good: it was written after its removal was decided, so it is somebody else's.
    Kept(Stays),
    /// Kept, because what has the path is of another kind than what was to be removed (a directory in place of a file, a
    /// link, a mount point): to be tried again.
    Mismatch(Stays),
    /// Could not be removed now (permission, I/O, read-only): to be tried again.
    Failed(Unremoved),
    /// A directory that was not begun before the stop: to be tried again.
    Stopped,
}

/// Removed and kept parts of a directory that stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Removed part of it, as in [`Outcome::Removed`].
    pub files: u64,
    pub size_bytes: u64,
    /// It went to the trash.
    pub trashed: bool,
    /// Number of files and directories in it that are kept for good; those that are referenced are not counted.
    pub kept: u64,
    /// Number of those that could not be removed now.
    pub failed: u64,
    /// A stop came before its end.
    pub stopped: bool,
    /// The first of those kept and failed, at most [`LEFT_AT_MOST`].
    pub left: Vec<Left>,
}

impl Part {
    /// True if it is to be tried again.
    pub fn is_pending(&self) -> bool {
        self.failed > 0 || self.stopped
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.size_bytes += other.size_bytes;
        self.kept += other.kept;
        self.failed += other.failed;
        self.stopped |= other.stopped;
        let room = LEFT_AT_MOST.saturating_sub(self.left.len());
        self.left.extend(other.left.into_iter().take(room));
    }
}

/// Most that a [`Part`] names of what stays.
pub const LEFT_AT_MOST: usize = 100;

/// Something that stays in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Beneath the root, as text.
    pub path: String,
    pub why: Why,
}

/// Reason that something stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// For good.
    Kept(Stays),
    /// To be tried again.
    Failed(Unremoved),
}

/// Reason that something could not be removed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unremoved {
    /// It may be another thing than was decided about.
    Stays(Stays),
    /// The error, in words.
    Error(String),
}

impl Unremoved {
    /// The reason, where it is not an error.
    pub fn stays(&self) -> Option<Stays> {
        match self {
            Unremoved::Stays(stays) => Some(*stays),
            Unremoved::Error(_) => None,
        }
    }
}

impl From<Stays> for Unremoved {
    fn from(stays: Stays) -> Self {
        Self::Stays(stays)
    }
}

impl From<String> for Unremoved {
    fn from(error: String) -> Self {
        Self::Error(error)
    }
}

impl From<Errno> for Unremoved {
    fn from(error: Errno) -> Self {
        Self::Error(words(error))
    }
}

impl fmt::Display for Unremoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unremoved::Stays(stays) => stays.fmt(f),
            Unremoved::Error(error) => f.write_str(error),
        }
    }
}

impl Why {
    /// The reason, where it is not an error.
    pub fn stays(&self) -> Option<Stays> {
        match self {
            Why::Kept(stays) => Some(*stays),
            Why::Failed(why) => why.stays(),
        }
    }

    /// The reason without a word on whether it is tried again.
    pub fn cause(&self) -> &dyn fmt::Display {
        match self {
            Why::Kept(stays) => stays,
            Why::Failed(why) => why,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Kept(why) => write!(f, "kept: {why}"),
            Why::Failed(why) => why.fmt(f),
        }
    }
}

/// A file (or whatever else is no directory) in a directory to be removed, which would go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Position of the directory in the list that was given.
    pub place: usize,
    /// Beneath the root; bytes that are no text are shown as `\u{fffd}`.
    pub path: String,
    /// Bytes that a file frees when it is the last link, however many it has.
    pub size_bytes: u64,
}

/// Listener of a look, with what it knows before.
#[derive(Clone, Default)]
pub struct Look {
    pub listener: Option<Listener>,
    /// Set if a path would be gone by now: it was looked at before.
    pub gone: Option<GoneBefore>,
}

/// Tells of a path beneath the root. Called from several threads.
pub type GoneBefore = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Hears of each file in a directory to be removed. Called from several threads, which it may hold up.
pub type Listener = Arc<dyn Fn(Inside) + Send + Sync>;
