//! Tests of removal: every outcome, hostile trees, races.

mod hostile;
mod outcomes;
mod race;

use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::clock::Clock;

/// A store in a directory of its own, with a directory beside it that nothing may touch.
pub struct World {
    directory: TempDir,
    without_openat2: bool,
}

impl World {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("root")).unwrap();
        std::fs::create_dir(directory.path().join("outside")).unwrap();
        Self { directory, without_openat2: false }
    }

    /// Both ways to find a directory beneath a root.
    pub fn both() -> [Self; 2] {
        [Self::new(), Self { without_openat2: true, ..Self::new() }]
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

pub fn files<S: AsRef<str>>(texts: &[S]) -> Vec<Doomed> {
    paths(texts).into_iter().map(Doomed::file).collect()
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
    let examined = store.examine(files(texts), decided_at, &never(), None).await;
    assert_eq!(world.survivors(), before, "looking removes nothing");
    let removed = store.remove(files(texts), decided_at, &never()).await;
    assert_eq!(examined, removed, "a look says what a removal does");
    assert_eq!(removed.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), paths(texts), "in order");
    removed.into_iter().map(|(_, outcome)| outcome).collect()
}

pub fn removed() -> Outcome {
    Outcome::Removed { files: 1, size_bytes: 5 }
}

pub fn kept(why: &str) -> Outcome {
    Outcome::Kept(why.to_owned())
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
