//! Removes files beneath a store's root, relative to directory handles: the only code that unlinks.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::policy::{Name, Store, StorePath};

/// A store whose root is open. Cheap to clone.
#[derive(Clone)]
pub struct OpenStore {}

/// A store that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("store {name}: cannot open {}", root.display())]
    Open {
        name: Name,
        root: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("store {name}: {} is not a directory", root.display())]
    NotDirectory { name: Name, root: PathBuf },
}

/// What became (or, in a plan, would become) of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Removed; the bytes that this freed (0 while another hard link remains).
    Removed { size_bytes: u64 },
    /// There was none.
    Missing,
    /// Kept for good: it is not a regular file, or it was written after its row's deletion was decided. Why, in words.
    Kept(String),
    /// Could not be removed now (permission, I/O, read-only): to be tried again. The error, in words.
    Failed(String),
}

/// What retaind's user may do in a store, for `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub readable: bool,
    pub writable: bool,
    pub mount_point: PathBuf,
    pub read_only_mount: bool,
    /// Owner and mode of the root, for the message.
    pub owner: String,
    pub mode: u32,
}

impl OpenStore {
    /// Opens the root and remembers its device and inode.
    pub fn open(_store: &Store) -> Result<Self, StoreError> {
        todo!()
    }
    /// Looks at each file as `remove` would, and removes nothing.
    pub async fn examine(&self, _paths: Vec<StorePath>, _decided_at: Timestamp) -> Vec<(StorePath, Outcome)> {
        todo!()
    }
    /// Removes each file and makes that durable. `decided_at`: a file born or written after it is kept.
    pub async fn remove(&self, _paths: Vec<StorePath>, _decided_at: Timestamp) -> Vec<(StorePath, Outcome)> {
        todo!()
    }
    /// What this process may do there.
    pub fn access(&self) -> std::io::Result<Access> {
        todo!()
    }
}
