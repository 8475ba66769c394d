//! Removes files and whole directories beneath a store's root, relative to directory handles: the only code that
//! unlinks. Never follows a symbolic link, never leaves the root or its mount, never removes another kind of thing than
//! it was told to.

mod access;
mod beneath;
mod doomed;
mod file;
mod links;
mod listing;
mod marks;
mod sweep;
mod tree;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::policy::{Name, Store, StorePath};
use beneath::Root;
pub use doomed::{Doomed, GoneBefore, Inside, LEFT_AT_MOST, Left, Listener, Look, Outcome, Part, Why};
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

/// A directory in a store that retaind's user may not empty, for `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Beneath the root.
    pub path: String,
    /// Owner and group, as in [`Access`].
    pub owner: String,
    /// Permission bits.
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

    /// Looks at everything as `remove` would, and removes nothing; tells the look's listener of each file in a directory.
    /// The outcomes are in the order of `doomed`.
    pub async fn examine(
        &self,
        doomed: Vec<Doomed>,
        decided_at: Timestamp,
        stop: &CancellationToken,
        look: Look,
    ) -> Vec<(StorePath, Outcome)> {
        self.sweep(doomed, Terms { act: Act::Examine, decided_at, stop: stop.clone(), look }).await
    }

    /// Removes everything that is doomed and makes that durable. A file born or written after `decided_at`, by the
    /// machine's clock, is kept: it is not the one that was decided about. The outcomes are in the order of `doomed`; of
    /// what is there twice, the second is missing. Once begun it goes on to its end, even if its future is dropped;
    /// directories end early when `stop` is cancelled.
    pub async fn remove(
        &self,
        doomed: Vec<Doomed>,
        decided_at: Timestamp,
        stop: &CancellationToken,
    ) -> Vec<(StorePath, Outcome)> {
        self.sweep(doomed, Terms { act: Act::Remove, decided_at, stop: stop.clone(), look: Look::default() }).await
    }

    async fn sweep(&self, doomed: Vec<Doomed>, terms: Terms) -> Vec<(StorePath, Outcome)> {
        let (root, doomed) = (Arc::clone(&self.root), Arc::new(doomed));
        let swept = Arc::clone(&doomed);
        let task = tokio::task::spawn_blocking(move || sweep::sweep(&root, &swept, &terms));
        // The task is gone only where the runtime is shutting down: what it did will show when it is tried again.
        let outcomes = task.await.unwrap_or_else(|error| vec![Outcome::Failed(error.to_string()); doomed.len()]);
        let doomed = Arc::try_unwrap(doomed).unwrap_or_else(|shared| shared.to_vec());
        doomed.into_iter().map(|doomed| doomed.path).zip(outcomes).collect()
    }

    /// What this process may do there.
    pub fn access(&self) -> std::io::Result<Access> {
        access::access(&self.root)
    }

    /// Directories in it from which this process may not remove what is in them: of the first thousand, the outer ones
    /// first. Where there are none it may still fail further in.
    pub fn closed(&self) -> Vec<Closed> {
        access::closed(&self.root)
    }
}

/// On what terms things are removed.
struct Terms {
    act: Act,
    decided_at: Timestamp,
    /// Heeded in directories only: files are few.
    stop: CancellationToken,
    look: Look,
}

impl Terms {
    /// Whether a path, or a directory that it is in, would be gone by now.
    fn is_gone(&self, path: &str) -> bool {
        let Some(gone) = &self.look.gone else { return false };
        path.match_indices('/').any(|(end, _)| gone(&path[..end])) || gone(path)
    }
}
