//! Small files in a directory of the state directory: each is there as a whole or not at all, and is for its owner alone.

use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::locks::own_like;

/// The directory of such files; made by the first of them.
#[derive(Debug, Clone)]
pub(super) struct SmallFiles {
    pub(super) directory: PathBuf,
}

impl SmallFiles {
    pub(super) fn of(state_dir: &Path, name: &str) -> Self {
        Self { directory: state_dir.join(name) }
    }

    /// Names of all files.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let name = |entry: Result<std::fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
        entries.filter_map(|entry| name(entry).transpose()).collect()
    }

    /// A file; none where there is none of that name.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match std::fs::read(self.directory.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Writes a file, also in the place of another.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.written(bytes)?.persist(self.directory.join(name)).map_err(|error| error.error)?;
        self.sync()
    }

    /// Writes a file; false where there is one of that name.
    pub(super) fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        match self.written(bytes)?.persist_noclobber(self.directory.join(name)).map_err(|error| error.error) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            persisted => persisted.and_then(|_| self.sync()).map(|()| true),
        }
    }

    /// Removes a file; false where there was none of that name.
    pub(super) fn remove(&self, name: &str) -> Result<bool> {
        #[expect(clippy::disallowed_methods, reason = "a file of the daemon's own, in its state directory")]
        match std::fs::remove_file(self.directory.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.and_then(|()| self.sync()).map(|()| true),
        }
    }

    fn written(&self, bytes: &[u8]) -> Result<tempfile::NamedTempFile> {
        if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(&self.directory)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let directory = self.open()?;
        if let Some(parent) = self.directory.parent() {
            own_like(&directory, std::fs::File::open(parent)?)?;
        }
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(&self.directory)?;
        own_like(file.as_file(), &directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    fn sync(&self) -> Result<()> {
        rustix::fs::fsync(self.open()?).map_err(Error::from)
    }

    fn open(&self) -> Result<rustix::fd::OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.directory, flags, Mode::empty())?)
    }
}
