//! Locks between processes: flock(2) on files of a directory beside the ledger, which the kernel frees when their
//! holder dies, however it dies. Never removes a lock file: whoever waits for one must find the same file.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Device and inode of a file.
pub type FileId = (u64, u64);

/// A lock file that this process holds until it drops it.
#[derive(Debug)]
pub(super) struct Lock {
    file: OwnedFd,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child process has a copy of the file from its fork to its exec. An error leaves the
        // lock to the closing.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// The directory of lock files.
#[derive(Debug)]
pub(super) struct LockDir {
    path: PathBuf,
}

impl LockDir {
    /// `locks/` beside the ledger's file; made when first needed.
    pub(super) fn beside(ledger: &Path) -> Self {
        Self { path: ledger.parent().unwrap_or(Path::new("/")).join("locks") }
    }

    /// Takes the lock of that name; `None` while somebody, this process included, holds it.
    pub(super) fn try_lock(&self, name: &str) -> std::io::Result<Option<Lock>> {
        self.lock(name).map_err(|error| {
            let file = self.path.join(name);
            std::io::Error::new(error.kind(), format!("lock file {}: {error}", file.display()))
        })
    }

    fn lock(&self, name: &str) -> std::io::Result<Option<Lock>> {
        let directory = self.enter()?;
        loop {
            // Read-only, so that a file that belongs to another user can be locked too.
            let file = open_or_create(&directory, name, OFlags::RDONLY)?;
            if !flock(&file)? {
                return Ok(None);
            }
            if is_at(&file, &directory, name)? {
                return Ok(Some(Lock { file }));
            }
        }
    }

    fn enter(&self) -> std::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Err(Errno::NOENT) => {}
            opened => return Ok(opened?),
        }
        match rustix::fs::mkdir(&self.path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = rustix::fs::open(&self.path, flags, Mode::empty())?;
        let parent = rustix::fs::openat(&directory, "..", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        own_like(&directory, &parent)?;
        Ok(directory)
    }
}

/// Opens a file of the directory, created (0600, owned like the directory) where there is none.
fn open_or_create(directory: &OwnedFd, name: &str, access: OFlags) -> std::io::Result<OwnedFd> {
    let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        match rustix::fs::openat(directory, name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {}
            opened => return Ok(opened?),
        }
        let mode = Mode::RUSR | Mode::WUSR;
        match rustix::fs::openat(directory, name, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Err(Errno::EXIST) => {}
            created => {
                let file = created?;
                own_like(&file, directory)?;
                return Ok(file);
            }
        }
    }
}

/// True if the lock was free, and is now ours.
fn flock(file: &OwnedFd) -> std::io::Result<bool> {
    match rustix::io::retry_on_intr(|| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// True if the name still leads to the file: the lock of a file that somebody removed locks out nobody.
fn is_at(file: &OwnedFd, directory: &OwnedFd, name: &str) -> std::io::Result<bool> {
    let held = rustix::fs::fstat(file)?;
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(named) => Ok((named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives what root has just created to the owner of the directory, who could not use it otherwise.
pub(super) fn own_like(created: impl AsFd, directory: impl AsFd) -> std::io::Result<()> {
    let owner = rustix::fs::fstat(directory)?;
    if rustix::process::geteuid().is_root() && (owner.st_uid, owner.st_gid) != (0, 0) {
        let (uid, gid) = (rustix::fs::Uid::from_raw(owner.st_uid), rustix::fs::Gid::from_raw(owner.st_gid));
        rustix::fs::fchown(created, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// The daemon's sole right to a state directory, until dropped or dead.
#[derive(Debug)]
pub struct StateLock {
    lock: Lock,
}

impl StateLock {
    /// Writes down which ledger the daemon has open, so that others can tell whether it is the one at its path.
    pub fn note_ledger(&self, (device, inode): FileId) {
        self.note(&format!("{LEDGER_MARK}{device}:{inode}\n"));
    }

    /// Writes down where the daemon answers, so that commands find it.
    pub fn note_socket(&self, path: &Path) {
        self.note(&format!("{SOCKET_MARK}{}\n", path.display()));
    }

    fn note(&self, line: &str) {
        let file = self.lock.file.try_clone();
        let written = file.and_then(|file| std::fs::File::from(file).write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::debug!(%error, "The file of the daemon's lock cannot be written");
        }
    }
}

/// The daemon that holds a state directory, as its lock file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHolder {
    pub pid: Option<u32>,
    pub since: Option<Timestamp>,
    /// Device and inode of the ledger that it has open.
    pub ledger: Option<FileId>,
    /// Socket on which it answers.
    pub socket: Option<PathBuf>,
}

impl StateHolder {
    /// Reads the content of a `daemon.lock`.
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        let since = lines.next().and_then(|line| line.parse().ok());
        let notes: Vec<&str> = lines.collect();
        let ledger = notes.iter().find_map(|line| line.strip_prefix(LEDGER_MARK)?.split_once(':'));
        Self {
            socket: notes.iter().find_map(|line| line.strip_prefix(SOCKET_MARK)).map(PathBuf::from),
            pid,
            since,
            ledger: ledger.and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?))),
        }
    }
}

const LEDGER_MARK: &str = "ledger ";
const SOCKET_MARK: &str = "socket ";

/// Why a state directory could not be had.
#[derive(Debug, thiserror::Error)]
pub enum StateLockError {
    #[error("state directory {} is in use by another retaind daemon{}", directory.display(), holder(*pid, *since))]
    Held {
        directory: PathBuf,
        /// `None` in the instant between that daemon's locking and its writing.
        pid: Option<u32>,
        since: Option<Timestamp>,
    },
    #[error("state directory {}: cannot lock daemon.lock", directory.display())]
    Failed {
        directory: PathBuf,
        #[source]
        cause: std::io::Error,
    },
}

fn holder(pid: Option<u32>, since: Option<Timestamp>) -> String {
    match (pid, since) {
        (Some(pid), Some(since)) => format!(" (process {pid}, since {since:.0})"),
        (Some(pid), None) => format!(" (process {pid})"),
        (None, _) => String::new(),
    }
}

/// Locks a state directory for a daemon and writes into its `daemon.lock` who has it, since `now`.
pub fn lock_state_dir(directory: &Path, now: Timestamp) -> Result<StateLock, StateLockError> {
    match claim(directory, now) {
        Ok(Claim::Ours(lock)) => Ok(StateLock { lock }),
        Ok(Claim::Theirs(StateHolder { pid, since, .. })) => {
            Err(StateLockError::Held { directory: directory.to_owned(), pid, since })
        }
        Err(cause) => Err(StateLockError::Failed { directory: directory.to_owned(), cause }),
    }
}

impl StateLockError {
    /// True if the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            StateLockError::Failed { cause, .. } => is_full(cause),
            StateLockError::Held { .. } => false,
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

enum Claim {
    Ours(Lock),
    Theirs(StateHolder),
}

fn claim(path: &Path, now: Timestamp) -> std::io::Result<Claim> {
    const NAME: &str = "daemon.lock";
    let directory = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    loop {
        let file = open_or_create(&directory, NAME, OFlags::RDWR)?;
        let locked = flock(&file)?;
        let current = is_at(&file, &directory, NAME)?;
        let mut file = std::fs::File::from(file);
        if !locked {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            return Ok(Claim::Theirs(StateHolder::read(&text)));
        }
        if current {
            file.set_len(0)?;
            // On a full disk it stays empty: nobody but a reader of messages misses it.
            match file.write_all(format!("{}\n{now:.0}\n", std::process::id()).as_bytes()) {
                Err(error) if !is_full(&error) => return Err(error),
                Ok(()) | Err(_) => {}
            }
            return Ok(Claim::Ours(Lock { file: file.into() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_copy_does_not_keep_a_lock() {
        let directory = tempfile::tempdir().unwrap();
        let locks = LockDir::beside(&directory.path().join("ledger.db"));
        let lock = locks.try_lock("policy-events.lock").unwrap().unwrap();
        let copy = lock.file.try_clone().unwrap();
        assert!(locks.try_lock("policy-events.lock").unwrap().is_none());
        drop(lock);
        assert!(locks.try_lock("policy-events.lock").unwrap().is_some());
        drop(copy);
    }
}
