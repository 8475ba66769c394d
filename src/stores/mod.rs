//! Walks a store and removes, trashes and restores what is in it, relative to directory handles: the only code that
//! unlinks. Never follows a symbolic link, never leaves the root or its mount, never removes another kind of thing than
//! it was told to.

mod dir_reader;
mod marker;
mod metadata;
mod path;
mod private_dir;
mod probe;
mod remove;
mod request;
mod root;
mod sys;
mod trash;
mod walk;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::policy::{Name, Store};
pub use marker::{FileSystem, Identity, Marker, MarkerError, Placed};
pub use path::RawPath;
pub use private_dir::Owner;
pub use probe::access::{Access, Closed, Group, user_name};
pub use probe::lease::InUse;
pub use probe::obstacle::Removal;
pub use probe::open_files::FilesInUse;
pub use probe::space::Room;
pub use probe::stat::Glance;
use remove::context::{Act, Durable, RemovalOptions};
pub use remove::empty_dirs::Pruned;
pub use request::{
    GoneBefore, Inside, LEFT_AT_MOST, Left, Listener, Look, Outcome, Part, RemovalRequest, Unremoved, Why,
};
use root::Root;
pub use root::RootFacts;
pub use trash::bin::{Emptied, Restored, TrashError, TrashedRun, Way};
pub use walk::visitor::{ERRORS_AT_MOST, Surveyed, Unseen, Visitor, WalkError, Walked, Want};

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
    /// The outcomes are in the order of `removals`.
    pub async fn examine(
        &self,
        removals: Vec<RemovalRequest>,
        decided_at: Timestamp,
        stop: &CancellationToken,
        look: Look,
    ) -> Vec<(RawPath, Outcome)> {
        self.sweep(removals, None, decided_at, stop, look).await
    }

    /// Removes everything that is to be removed, for good or into the trash, and makes that durable. A file born or written after
    /// `decided_at`, by the machine's clock, is kept: it is not the one that was decided about. The outcomes are in the
    /// order of `removals`; of what is there twice, the second is missing. Once begun it goes on to its end, even if its
    /// future is dropped; directories end early when `stop` is cancelled.
    pub async fn remove(
        &self,
        removals: Vec<RemovalRequest>,
        decided_at: Timestamp,
        way: Way,
        stop: &CancellationToken,
    ) -> Vec<(RawPath, Outcome)> {
        self.sweep(removals, Some((way, Durable::AtOnce)), decided_at, stop, Look::default()).await
    }

    /// Removes likewise, except that a power cut may bring back what went, until [`OpenStore::make_durable`] is done: for much at
    /// once in many calls, after which nobody relies on it being gone.
    pub async fn remove_for_now(
        &self,
        removals: Vec<RemovalRequest>,
        decided_at: Timestamp,
        way: Way,
        stop: &CancellationToken,
    ) -> Vec<(RawPath, Outcome)> {
        self.sweep(removals, Some((way, Durable::Later)), decided_at, stop, Look::default()).await
    }

    /// Makes durable whatever was done in the store so far, and in the rest of its file system.
    pub async fn make_durable(&self) -> std::io::Result<()> {
        let root = Arc::clone(&self.root);
        let task = tokio::task::spawn_blocking(move || sys::sync_all(&root.directory(None)?));
        Ok(task.await.map_err(std::io::Error::other)??)
    }

    async fn sweep(
        &self,
        removals: Vec<RemovalRequest>,
        way: Option<(Way, Durable)>,
        decided_at: Timestamp,
        stop: &CancellationToken,
        look: Look,
    ) -> Vec<(RawPath, Outcome)> {
        let (root, removals, stop) = (Arc::clone(&self.root), Arc::new(removals), stop.clone());
        let swept = Arc::clone(&removals);
        let task = tokio::task::spawn_blocking(move || {
            let (way, durable) = way.unzip();
            let act = match way {
                None => Act::Examine,
                Some(Way::Unlink) => Act::Unlink,
                Some(Way::Trash { run }) => match trash::bin::destination(&root, run) {
                    Ok(destination) => Act::Move(destination),
                    Err(why) => return vec![Outcome::Failed(why.into()); swept.len()],
                },
            };
            let durable = durable.unwrap_or(Durable::Later);
            remove::batch::sweep(&root, &swept, &RemovalOptions { act, durable, decided_at, stop, look })
        });
        // The task is gone only where the runtime is shutting down: what it did will show when it is tried again.
        let outcomes =
            task.await.unwrap_or_else(|error| vec![Outcome::Failed(error.to_string().into()); removals.len()]);
        let removals = Arc::try_unwrap(removals).unwrap_or_else(|shared| shared.to_vec());
        removals.into_iter().map(|removal| removal.path).zip(outcomes).collect()
    }

    /// Walks through the whole store with as many visitors as the machine has cores, up to eight, and tells them of
    /// everything in it but directories and what is retaind's own. Ends within a second of `stop`, and when its future is
    /// dropped.
    pub async fn walk<V: Visitor>(
        &self,
        make: impl Fn() -> V + Send + 'static,
        stop: &CancellationToken,
    ) -> Result<Walked<V>, WalkError> {
        let (root, stop) = (Arc::clone(&self.root), stop.child_token());
        let _ends = stop.clone().drop_guard();
        tokio::task::spawn_blocking(move || walk::worker::walk(&root, make, &stop)).await.map_err(WalkError::Broken)?
    }

    /// Answers, for each of some files, whether a process of whatever user has it open. For who cannot see all processes.
    pub async fn in_use(&self, paths: Vec<RawPath>) -> Vec<InUse> {
        let (root, count) = (Arc::clone(&self.root), paths.len());
        let ask = move || paths.iter().map(|path| probe::lease::in_use(&root, path)).collect();
        tokio::task::spawn_blocking(ask).await.unwrap_or_else(|_| vec![InUse::Unknown; count])
    }

    /// Reads the marker in the root.
    pub fn identify(&self) -> Result<Identity, MarkerError> {
        marker::identify(&self.root)
    }

    /// Adds to the store's marker what a marker of an earlier version lacks; does nothing where it lacks nothing.
    pub fn extend_marker(&self, store: &Name) -> Result<(), MarkerError> {
        marker::extend(&self.root, store)
    }

    /// Identity of the root, which another directory at its path does not have.
    pub fn root_facts(&self) -> std::io::Result<RootFacts> {
        Ok(self.root.facts()?)
    }

    /// The file system that the root is on.
    pub fn here(&self) -> Result<FileSystem, MarkerError> {
        marker::here(&self.root)
    }

    /// Writes a marker into the root, durably, in place of any that is there. It and its directory are given to `owner`,
    /// for where another user adopts a store than the one who uses it then.
    pub fn adopt(&self, marker: &Marker, owner: Option<Owner>) -> Result<(), MarkerError> {
        marker::adopt(&self.root, marker, owner)
    }

    /// Kind of thing at a path just now.
    pub fn glance(&self, path: &RawPath) -> std::io::Result<Glance> {
        Ok(probe::stat::glance(&self.root, path)?)
    }

    /// For each path whether there is nothing.
    pub async fn missing(&self, paths: Vec<RawPath>) -> Vec<bool> {
        let (root, count) = (Arc::clone(&self.root), paths.len());
        let look = move || -> Vec<bool> {
            paths.iter().map(|path| matches!(probe::stat::glance(&root, path), Ok(Glance::Missing))).collect()
        };
        // Where that could not be told, nothing is missing.
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|_| vec![false; count])
    }

    /// Obstacle to removing anything, as far as a look shows; in words.
    pub async fn obstacle(&self, removal: Removal) -> Option<String> {
        let root = Arc::clone(&self.root);
        tokio::task::spawn_blocking(move || probe::obstacle::obstacle(&root, &removal)).await.unwrap_or_default()
    }

    /// Makes the trash, and tries whether something can be moved into it.
    pub async fn try_trash(&self) -> Result<(), String> {
        let root = Arc::clone(&self.root);
        let tried = tokio::task::spawn_blocking(move || probe::obstacle::try_trash(&root)).await;
        tried.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// The room on the store's file system.
    pub fn space(&self) -> std::io::Result<Room> {
        probe::space::space(&self.root)
    }

    /// Removes those of `directories` that are empty, were made before `before` and in which nothing came or went since
    /// `idle_since_ns` (nanoseconds since 1970), and then the directories around them as far as those are empty too. The
    /// error says why nothing may be done in the store.
    pub async fn prune_empty(
        &self,
        directories: Vec<RawPath>,
        before: Timestamp,
        idle_since_ns: Option<i128>,
        stop: &CancellationToken,
    ) -> Result<Pruned, String> {
        let (root, stop) = (Arc::clone(&self.root), stop.clone());
        let task = tokio::task::spawn_blocking(move || {
            remove::empty_dirs::prune(&root, directories, before, idle_since_ns, &stop)
        });
        task.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Contents of the trash, by run, the oldest first.
    pub async fn trash(&self, stop: &CancellationToken) -> Result<Vec<TrashedRun>, TrashError> {
        self.in_trash(stop, trash::bin::list).await
    }

    /// The runs that have something in the trash, in no order: a look at one directory, however much is in it.
    pub fn trashed_runs(&self) -> Result<Vec<uuid::Uuid>, TrashError> {
        trash::bin::runs(&self.root)
    }

    /// Removes for good what runs trashed that put nothing there since `before`.
    pub async fn empty_trash(&self, before: Timestamp, stop: &CancellationToken) -> Result<Emptied, TrashError> {
        self.in_trash(stop, move |root, stop| trash::bin::empty(root, before, stop)).await
    }

    /// Puts back what a run trashed, or of that only what lies at or beneath some paths. Takes the place of nothing: what
    /// cannot go back stays in the trash. May be done again at any time, and goes on where it was broken off.
    pub async fn restore(
        &self,
        run: uuid::Uuid,
        only: Option<Vec<RawPath>>,
        stop: &CancellationToken,
    ) -> Result<Restored, TrashError> {
        self.in_trash(stop, move |root, stop| trash::bin::restore(root, run, only, stop)).await
    }

    async fn in_trash<T: Send + 'static>(
        &self,
        stop: &CancellationToken,
        work: impl FnOnce(&Root, &CancellationToken) -> Result<T, TrashError> + Send + 'static,
    ) -> Result<T, TrashError> {
        let (root, stop) = (Arc::clone(&self.root), stop.clone());
        tokio::task::spawn_blocking(move || work(&root, &stop)).await.map_err(TrashError::Broken)?
    }

    /// Rights of this process there.
    pub fn access(&self) -> std::io::Result<Access> {
        probe::access::access(&self.root)
    }

    /// Directories in it from which this process may not remove what is in them: of the first thousand, the outer ones
    /// first. Where there are none it may still fail further in.
    pub fn closed(&self) -> Vec<Closed> {
        probe::access::closed(&self.root)
    }
}
