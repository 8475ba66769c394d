//! Calls of the kernel on one name in an open directory, and its errors in words.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags};
use rustix::io::Errno;

/// Facts about what has a name, links not followed.
pub(super) fn look(directory: &OwnedFd, name: &[u8]) -> Result<Statx, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
}

/// Removes a name: with `REMOVEDIR` an empty directory only; else never a directory, and of a symbolic link only the
/// link. That is all that a swap after the look can bring.
#[allow(clippy::disallowed_methods, reason = "this is the one place that removes files, beneath a root")]
pub(super) fn unlink(directory: &OwnedFd, name: &[u8], flags: AtFlags) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::unlinkat(directory, name, flags))
}

/// Makes durable what was removed from a directory.
pub(super) fn sync(directory: &OwnedFd) -> Result<(), Errno> {
    synced(rustix::io::retry_on_intr(|| rustix::fs::fsync(directory)))
}

/// Makes durable what was removed anywhere in the file system of a directory.
pub(super) fn sync_all(directory: &OwnedFd) -> Result<(), Errno> {
    synced(rustix::io::retry_on_intr(|| rustix::fs::syncfs(directory)))
}

fn synced(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        // The last two: a file system without such a thing, or read-only, from which nothing was removed.
        Ok(()) | Err(Errno::INVAL | Errno::ROFS) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(super) fn kind(facts: &Statx) -> FileType {
    FileType::from_raw_mode(u32::from(facts.stx_mode))
}

/// "permission denied (os error 13)".
pub(super) fn words(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
