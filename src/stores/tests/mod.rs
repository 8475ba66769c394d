//! Tests of removal: every outcome, hostile trees, races; of single files and of whole directories.

mod directories;
mod doubts;
mod hostile;
mod hostile_directories;
mod identity;
mod outcomes;
mod prune;
mod race;
mod race_directories;
mod trash;
mod trash_attacked;
mod walk;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use tempfile::TempDir;

use super::metadata::file_facts;
use super::*;
use crate::clock::Clock;
use crate::decide::file::{FileFacts, FileKind, Stays};
use crate::decide::store::Mismatch;
use crate::policy::{AgeBy, StorePath};

/// A store in a directory of its own, with a directory beside it that nothing may touch.
pub struct World {
    directory: TempDir,
    without_openat2: bool,
}

impl World {
    pub fn new() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    /// In memory, where there is such a place: for what would take long on a disk that others use.
    pub fn in_memory() -> Self {
        Self::within(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    fn within(directory: TempDir) -> Self {
        std::fs::create_dir(directory.path().join("root")).unwrap();
        std::fs::create_dir(directory.path().join("outside")).unwrap();
        Self { directory, without_openat2: false }
    }

    /// Both ways to find a directory beneath a root.
    pub fn both() -> [Self; 2] {
        [Self::new(), Self { without_openat2: true, ..Self::new() }]
    }

    pub fn both_in_memory() -> [Self; 2] {
        [Self::in_memory(), Self { without_openat2: true, ..Self::in_memory() }]
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    pub fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    pub fn open(&self) -> OpenStore {
        let mut root = Root::open(&self.root()).unwrap();
        root.without_openat2 = self.without_openat2;
        OpenStore { root: Arc::new(root) }
    }

    /// Writes a file of five bytes beneath the root, its directories included.
    pub fn write(&self, path: &str) {
        write(&self.root().join(path));
    }

    /// True if the file system knows when something was made.
    pub fn born(&self, path: &str) -> bool {
        std::fs::metadata(self.root().join(path)).unwrap().created().is_ok()
    }

    /// Moves something out of the way, to where nothing looks.
    pub fn put_away(&self, path: &Path) {
        std::fs::rename(path, self.directory.path().join(uuid::Uuid::now_v7().to_string())).unwrap();
    }

    /// Paths of everything beneath the root that is no directory.
    pub fn survivors(&self) -> BTreeSet<String> {
        names(&self.root())
    }
}

pub fn write(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(path).unwrap().write_at(b"bytes", 0).unwrap();
}

pub fn names(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else {
                names.insert(entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    names
}

pub fn paths<S: AsRef<str>>(texts: &[S]) -> Vec<StorePath> {
    texts.iter().map(|text| StorePath::parse(text.as_ref()).unwrap()).collect()
}

pub fn files<S: AsRef<str>>(texts: &[S]) -> Vec<RemovalRequest> {
    paths(texts).into_iter().map(RemovalRequest::file).collect()
}

pub fn directories<S: AsRef<str>>(texts: &[S]) -> Vec<RemovalRequest> {
    paths(texts).into_iter().map(RemovalRequest::directory).collect()
}

/// A stop that never comes.
pub fn never() -> CancellationToken {
    CancellationToken::new()
}

/// A decision after everything that a test has written so far.
pub fn later() -> Timestamp {
    Clock::system().now() + Duration::from_secs(3600)
}

/// Examines, sees that nothing changed, removes, and sees that both said the same.
pub async fn remove<S: AsRef<str>>(world: &World, texts: &[S]) -> Vec<Outcome> {
    let store = world.open();
    let decided_at = later();
    let before = world.survivors();
    let examined = store.examine(files(texts), decided_at, &never(), Look::default()).await;
    assert_eq!(world.survivors(), before, "looking removes nothing");
    let removed = store.remove(files(texts), decided_at, Way::Unlink, &never()).await;
    assert_eq!(examined, removed, "a look says what a removal does");
    let order: Vec<_> = removed.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(order, paths(texts), "in order");
    removed.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Examines, sees that nothing changed, removes, and sees that both said the same, and that the look named exactly what
/// went from directories.
pub async fn remove_all(world: &World, removal: Vec<RemovalRequest>) -> Vec<Outcome> {
    let store = world.open();
    let decided_at = later();
    let before = world.survivors();
    let (listener, listed) = listener();
    let examined =
        store.examine(removal.clone(), decided_at, &never(), Look { listener: Some(listener), gone: None }).await;
    assert_eq!(world.survivors(), before, "looking removes nothing");
    let removed = store.remove(removal.clone(), decided_at, Way::Unlink, &never()).await;
    assert_eq!(examined, removed, "a look says what a removal does");
    let listed = std::mem::take(&mut *listed.lock().unwrap());
    let mut named: BTreeSet<String> = listed.iter().map(|inside| inside.path.clone()).collect();
    assert_eq!(named.len(), listed.len(), "no file is named twice");
    for (removal, (_, outcome)) in removal.iter().zip(&removed) {
        if !removal.directory && matches!(outcome, Outcome::Removed { .. }) {
            named.insert(removal.path.to_string());
        }
    }
    assert_eq!(named, &before - &world.survivors(), "a look names what a removal removes");
    assert_eq!(removed.iter().map(|(_, outcome)| files_of(outcome)).sum::<u64>(), named.len() as u64);
    removed.into_iter().map(|(_, outcome)| outcome).collect()
}

pub async fn remove_directories<S: AsRef<str>>(world: &World, texts: &[S]) -> Vec<Outcome> {
    remove_all(world, directories(texts)).await
}

/// Something that hears of files, and what it heard.
pub fn listener() -> (Listener, Arc<Mutex<Vec<Inside>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let written = Arc::clone(&heard);
    (Arc::new(move |inside| written.lock().unwrap().push(inside)), heard)
}

pub fn files_of(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Removed { files, .. } | Outcome::Partly(Part { files, .. }) => *files,
        Outcome::Trashed { files, .. } => *files,
        Outcome::Missing | Outcome::Kept(_) | Outcome::Mismatch(_) | Outcome::Failed(_) | Outcome::Stopped => 0,
    }
}

pub fn left(path: &str, why: Why) -> Left {
    Left { path: path.to_owned(), why }
}

/// A directory that went with so many files of five bytes.
pub fn emptied(files: u64) -> Outcome {
    Outcome::Removed { files, size_bytes: 5 * files }
}

pub fn removed() -> Outcome {
    Outcome::Removed { files: 1, size_bytes: 5 }
}

pub fn kept(why: Stays) -> Outcome {
    // What is of another kind is tried again; what came later is somebody else's.
    match why {
        Stays::OtherKind { .. } | Stays::MountPoint | Stays::LinkInPath | Stays::MountInPath => Outcome::Mismatch(why),
        later => Outcome::Kept(later),
    }
}

pub fn other(found: FileKind, wanted: FileKind) -> Stays {
    Stays::OtherKind { found, wanted }
}

pub fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

/// Runs a program; whether it succeeded.
pub fn command(program: &str, arguments: &[&OsStr]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|done| done.status.success())
}
