//! What is to be removed, and what became of it. Pure: touches no file.

use std::sync::Arc;

use crate::policy::StorePath;

/// What is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    pub path: StorePath,
    /// The path is to be a directory, which goes with everything in it; else it is to be a file.
    pub directory: bool,
    /// Paths beneath the directory that somebody still names: each stays, with all that is in it and all directories
    /// above it, whatever else is doomed in the same call. The directory's outcome says nothing of them.
    pub spared: Vec<StorePath>,
}

impl Doomed {
    /// A single file.
    pub fn file(path: StorePath) -> Self {
        Self { path, directory: false, spared: Vec::new() }
    }

    /// A whole directory.
    pub fn directory(path: StorePath) -> Self {
        Self { path, directory: true, spared: Vec::new() }
    }
}

/// What became (or, in a plan, would become) of what was doomed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Gone: the file, or the directory and everything that was in it. `files` are files, links and whatever else is no
    /// directory; `size_bytes` is what that freed (0 for a file of which another hard link remains).
    Removed { files: u64, size_bytes: u64 },
    /// A directory that stays, because something in it stays.
    Partly(Part),
    /// There was none.
    Missing,
    /// Kept for good: it is not what was to be removed, or it was written after its row's deletion was decided. Why, in
    /// words.
    Kept(String),
    /// Could not be removed now (permission, I/O, read-only): to be tried again. The error, in words.
    Failed(String),
    /// A directory that was not begun before the stop: to be tried again.
    Stopped,
}

/// What went of a directory that stays, and what stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// What went of it, as in [`Outcome::Removed`].
    pub files: u64,
    pub size_bytes: u64,
    /// How many files and directories in it are kept for good; what is spared is not counted.
    pub kept: u64,
    /// How many could not be removed now.
    pub failed: u64,
    /// A stop came before its end.
    pub stopped: bool,
    /// The first of those kept and failed, at most [`LEFT_AT_MOST`].
    pub left: Vec<Left>,
}

impl Part {
    /// Whether it is to be tried again.
    pub fn is_owed(&self) -> bool {
        self.failed > 0 || self.stopped
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

/// Why something stays, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// For good.
    Kept(String),
    /// To be tried again.
    Failed(String),
}

/// A file (or whatever else is no directory) in a doomed directory, which would go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Where the directory is in the list that was given.
    pub place: usize,
    /// Beneath the root; bytes that are no text are shown as `\u{fffd}`.
    pub path: String,
    /// The size of a file, however many links it has.
    pub size_bytes: u64,
}

/// What a look hears, and knows before.
#[derive(Clone, Default)]
pub struct Look {
    pub listener: Option<Listener>,
    /// Whether a path would be gone by now: it was looked at before.
    pub gone: Option<GoneBefore>,
}

/// Tells of a path beneath the root. Called from several threads.
pub type GoneBefore = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// Hears of each file in a doomed directory. Called from several threads, which it may hold up.
pub type Listener = Arc<dyn Fn(Inside) + Send + Sync>;
