//! Removes files beneath a store's root, relative to directory handles: the only code that unlinks. Never follows a
//! symbolic link, never leaves the root or its mount, never removes what is not a regular file.

mod access;
mod beneath;
mod file;
mod sweep;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::io::Errno;

use crate::policy::{Name, Store, StorePath};
use beneath::Root;
use file::Act;

/// A store whose root is open. Cheap to clone; while one is left, the root's file system can't be unmounted.
#[derive(Debug, Clone)]
pub struct OpenStore {
    root: Arc<Root>,
}

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
    /// Names can be listed and files be looked at.
    pub readable: bool,
    /// Files directly in the root can be removed, as far as its own mode and mount say.
    pub writable: bool,
    pub mount_point: PathBuf,
    pub read_only_mount: bool,
    /// Owner and group of the root ("camera:video"; a number where there is no name), for the message.
    pub owner: String,
    /// Permission bits of the root.
    pub mode: u32,
}

impl OpenStore {
    /// Opens the root and remembers its device and inode.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let (name, path) = (store.name.clone(), store.root.clone());
        match Root::open(&path) {
            Ok(root) => Ok(Self { root: Arc::new(root) }),
            Err(Errno::NOTDIR) if path.exists() => Err(StoreError::NotDirectory { name, root: path }),
            Err(error) => Err(StoreError::Open { name, root: path, cause: error.into() }),
        }
    }

    /// Looks at each file as `remove` would, and removes nothing. The outcomes are in the order of `paths`.
    pub async fn examine(&self, paths: Vec<StorePath>, decided_at: Timestamp) -> Vec<(StorePath, Outcome)> {
        self.sweep(paths, decided_at, Act::Examine).await
    }

    /// Removes each file and makes that durable. A file born or written after `decided_at`, by the machine's clock, is
    /// kept: it is not the one that was decided about. The outcomes are in the order of `paths`; of a path that is
    /// there twice, the second is missing. Once begun it goes on to its end, even if its future is dropped.
    pub async fn remove(&self, paths: Vec<StorePath>, decided_at: Timestamp) -> Vec<(StorePath, Outcome)> {
        self.sweep(paths, decided_at, Act::Remove).await
    }

    async fn sweep(&self, paths: Vec<StorePath>, decided_at: Timestamp, act: Act) -> Vec<(StorePath, Outcome)> {
        let (root, paths) = (Arc::clone(&self.root), Arc::new(paths));
        let swept = Arc::clone(&paths);
        let task = tokio::task::spawn_blocking(move || sweep::sweep(&root, &swept, decided_at, act));
        // The task is gone only where the runtime is shutting down: what it did will show when it is tried again.
        let outcomes = task.await.unwrap_or_else(|error| vec![Outcome::Failed(error.to_string()); paths.len()]);
        let paths = Arc::try_unwrap(paths).unwrap_or_else(|shared| shared.to_vec());
        paths.into_iter().zip(outcomes).collect()
    }

    /// What this process may do there.
    pub fn access(&self) -> std::io::Result<Access> {
        access::access(&self.root)
    }
}
