//! Trees of files, made over two threads.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow, ensure};

use crate::measure::time;

/// Directories that files are spread over.
pub const DIRECTORIES: u64 = 1024;

/// Makes the directories and in them the files of these numbers that are not there yet, `d5/…`, three days old.
pub fn make(root: &Path, count: u64, content: &[u8], path: impl Fn(u64) -> String + Sync) -> anyhow::Result<()> {
    for directory in 0..DIRECTORIES {
        std::fs::create_dir_all(root.join(format!("d{directory}")))?;
    }
    let old = SystemTime::now().checked_sub(Duration::from_secs(3 * 24 * 60 * 60)).context("a time in the past")?;
    let write = |numbers: &mut dyn Iterator<Item = u64>| -> anyhow::Result<()> {
        for number in numbers {
            let mut file = std::fs::File::create(root.join(path(number)))?;
            std::io::Write::write_all(&mut file, content)?;
            file.set_modified(old)?;
        }
        Ok(())
    };
    // Each thread has directories of its own.
    std::thread::scope(|scope| {
        let of = |thread: u64| (1..=count).filter(move |number| number % DIRECTORIES % 2 == thread);
        let threads = [0, 1].map(|thread| scope.spawn(move || write(&mut of(thread))));
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
    })
}

/// Writes out all that was made, so that neither side pays for it.
pub fn sync() -> anyhow::Result<()> {
    time(&mut std::process::Command::new("sync")).map(drop)
}

/// Fails unless there are so many files beneath the directories.
pub fn ensure_files(root: &Path, expected: u64) -> anyhow::Result<()> {
    let mut files = 0;
    for directory in std::fs::read_dir(root)? {
        let directory = directory?;
        // `.retaind` has the marker of the store.
        if directory.file_type()?.is_dir() && directory.file_name() != ".retaind" {
            files += std::fs::read_dir(directory.path())?.count() as u64;
        }
    }
    ensure!(files == expected, "{files} files are there, not {expected}");
    Ok(())
}

/// A directory that goes with all in it.
pub struct Scratch(pub PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
