//! One name in an open directory: looked at, and removed if it is what was decided about. Takes a single component only,
//! because the kernel would resolve a longer one.

use std::os::fd::OwnedFd;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags, StatxTimestamp};
use rustix::io::Errno;

use super::Outcome;
use crate::clock::Clock;

/// Whether files are removed or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Examine,
    Remove,
}

/// The kernel stamps files with a clock that lags the precise one by at most one tick, 10 ms at 100 Hz: a file stamped
/// this little before the decision may have been written after it.
const TICK: Duration = Duration::from_millis(10);

/// What became of a file, and which file it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    /// Inode and number of links, as seen before the removal.
    pub(super) seen: Option<(u64, u32)>,
}

impl From<Outcome> for Verdict {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, seen: None }
    }
}

/// Looks at one file and, if it may go and `act` says so, removes it. `Removed` has the file's whole size.
pub(super) fn visit(directory: &OwnedFd, name: &str, decided_at: Timestamp, act: Act) -> Verdict {
    debug_assert!(!name.contains('/') && !matches!(name, "" | "." | ".."));
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let facts = match rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME) {
        Ok(facts) => facts,
        Err(error) => return outcome_of_file(error).into(),
    };
    if let Some(why) = why_kept(&facts, decided_at) {
        return Outcome::Kept(why.to_owned()).into();
    }
    if act == Act::Remove
        && let Err(error) = unlink(directory, name)
    {
        return outcome_of_file(error).into();
    }
    Verdict {
        outcome: Outcome::Removed { files: 1, size_bytes: facts.stx_size },
        seen: Some((facts.stx_ino, facts.stx_nlink)),
    }
}

/// Never removes a directory, and of a symbolic link only the link: that is all that a swap after the look can bring.
#[allow(clippy::disallowed_methods, reason = "this is the one place that removes files, beneath a root")]
fn unlink(directory: &OwnedFd, name: &str) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::unlinkat(directory, name, AtFlags::empty()))
}

fn why_kept(facts: &Statx, decided_at: Timestamp) -> Option<&'static str> {
    match FileType::from_raw_mode(u32::from(facts.stx_mode)) {
        FileType::RegularFile => {}
        FileType::Directory => return Some("is a directory, not a file"),
        FileType::Symlink => return Some("is a symbolic link, not a file"),
        FileType::Fifo => return Some("is a named pipe, not a file"),
        FileType::Socket => return Some("is a socket, not a file"),
        FileType::CharacterDevice | FileType::BlockDevice => return Some("is a device, not a file"),
        FileType::Unknown => return Some("is not a regular file"),
    }
    if facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Some("is a mount point");
    }
    let decided_at = decided_at.checked_sub(TICK).unwrap_or(Timestamp::MIN);
    let born = (facts.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| instant(&facts.stx_btime)).flatten();
    let is_new = born.is_some_and(|born| born > decided_at)
        // A time of writing can be set at will; one that has not come yet says nothing about when it was written.
        || instant(&facts.stx_mtime).is_some_and(|written| written > decided_at && written <= Clock::system().now());
    is_new.then_some("was written after its row's deletion was decided")
}

/// `None` for a time that no calendar has.
fn instant(time: &StatxTimestamp) -> Option<Timestamp> {
    Timestamp::new(time.tv_sec, i32::try_from(time.tv_nsec).ok()?).ok()
}

fn outcome_of_file(error: Errno) -> Outcome {
    match error {
        // No file can have a name that its file system does not take.
        Errno::NOENT | Errno::NAMETOOLONG => Outcome::Missing,
        Errno::ISDIR => Outcome::Kept("is a directory, not a file".to_owned()),
        other => Outcome::Failed(words(other)),
    }
}

/// What an error at a file's directory means for the file.
pub(super) fn outcome_of_parent(error: Errno) -> Outcome {
    match error {
        // Beneath what is no directory there is no file either.
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Outcome::Missing,
        Errno::LOOP => Outcome::Kept("a directory in its path is a symbolic link".to_owned()),
        Errno::XDEV => Outcome::Kept("a directory in its path is a mount point".to_owned()),
        other => Outcome::Failed(words(other)),
    }
}

/// "permission denied (os error 13)".
pub(super) fn words(error: Errno) -> String {
    let text = std::io::Error::from(error).to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
