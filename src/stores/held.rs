//! Which files a process holds open, as far as this one may know. Opens none of them, and stops nobody.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::FileType;

/// Files held open when this was gathered. Says nothing of other machines that share a file system, or of processes in
/// another container around this one.
#[derive(Debug, Clone, Default)]
pub struct Held {
    files: HashSet<(u64, u64)>,
    /// Processes that this one may not look into, at the least: 0 where all could be seen.
    pub unseen: u64,
}

impl Held {
    /// Looks through all processes that can be seen.
    pub fn gather() -> io::Result<Self> {
        let mut held = Self::default();
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

    /// Whether some process holds a file open, by its device and inode.
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
        let is_held = || Held::gather().unwrap().is_held(facts.dev(), facts.ino());
        assert!(is_held());
        drop(file);
        assert!(!is_held());
    }
}
