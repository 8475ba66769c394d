//! Files that a process holds open, as far as this one may know. Opens none of them, and stops nobody.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::FileType;

/// Files held open when this was gathered. Says nothing of files that are only mapped into memory, of other machines that
/// share a file system, or of processes in another container around this one.
#[derive(Debug, Clone, Default)]
pub struct FilesInUse {
    files: HashSet<(u64, u64)>,
    gathered_at: Option<Instant>,
    /// Processes that this one may not look into, at the least: 0 where all could be seen.
    pub unseen: u64,
}

impl FilesInUse {
    /// Looks through all processes that can be seen.
    pub fn gather() -> io::Result<Self> {
        let mut held = Self { gathered_at: Some(Instant::now()), ..Self::default() };
        let mut sees_first = false;
        for process in std::fs::read_dir("/proc")? {
            let process = process?;
            sees_first |= process.file_name() == "1";
            if process.file_name().as_bytes().iter().all(u8::is_ascii_digit)
                && let Err(error) = held.add(&process.path().join("fd"))
            {
                // It ended meanwhile, or is not ours to look into.
                held.unseen += u64::from(error.kind() == io::ErrorKind::PermissionDenied);
            }
        }
        // Where other users' processes are not even listed, the first one is not either.
        held.unseen += u64::from(!sees_first);
        Ok(held)
    }

    fn add(&mut self, handles: &Path) -> io::Result<()> {
        for handle in std::fs::read_dir(handles)? {
            // What is behind the link is not opened; closed meanwhile, it is held no more.
            let Ok(stat) = rustix::fs::stat(handle?.path()) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                self.files.insert((stat.st_dev, stat.st_ino));
            }
        }
        Ok(())
    }

    /// Looks through them again if that was longer ago than `age`: it takes some milliseconds.
    pub fn renew(&mut self, age: Duration) -> io::Result<()> {
        if self.gathered_at.is_none_or(|at| at.elapsed() > age) {
            *self = Self::gather()?;
        }
        Ok(())
    }

    /// True if some process holds a file open, by its device and inode.
    pub fn is_held(&self, device: u64, inode: u64) -> bool {
        self.files.contains(&(device, inode))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_is_held_until_it_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let file = std::fs::File::create(&path).unwrap();
        let facts = std::fs::metadata(&path).unwrap();
        let is_held = || FilesInUse::gather().unwrap().is_held(facts.dev(), facts.ino());
        assert!(is_held());
        drop(file);
        assert!(!is_held());
    }

    #[test]
    fn what_is_known_is_renewed_when_old() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut held = FilesInUse::default();
        held.renew(Duration::from_secs(3600)).unwrap();
        let file = std::fs::File::create(&path).unwrap();
        let facts = file.metadata().unwrap();
        held.renew(Duration::from_secs(3600)).unwrap();
        assert!(!held.is_held(facts.dev(), facts.ino()), "what is known is young enough");
        held.renew(Duration::ZERO).unwrap();
        assert!(held.is_held(facts.dev(), facts.ino()));
    }
}
