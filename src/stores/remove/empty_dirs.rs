//! Removes directories that are empty, and those that only held them. Never a file, never the root, never what is ours.

use jiff::Timestamp;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::decide::file::{FileKind, LastLook, Stays};
use crate::stores::metadata::file_facts;
use crate::stores::path::{RawPath, is_own, shown, split};
use crate::stores::request::{LEFT_AT_MOST, Left, Why};
use crate::stores::root::Root;
use crate::stores::sys::{look, unlink};

/// Outcome of directories that were to go if they are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Those that went.
    pub directories: u64,
    /// Those that are empty and could not be removed.
    pub failed: u64,
    /// The first of those, at most [`LEFT_AT_MOST`].
    pub left: Vec<Left>,
    /// A stop came before the end.
    pub stopped: bool,
}

/// Removes those of `directories` that are empty, were made before `before` and in which nothing came or went since
/// `idle_since_ns`, and then the directories around them as far as those are empty too.
pub(crate) fn prune(
    root: &Root,
    mut directories: Vec<RawPath>,
    before: Timestamp,
    idle_since_ns: Option<i128>,
    stop: &CancellationToken,
) -> Result<Pruned, String> {
    root.replaced().map_or(Ok(()), Err)?;
    // The inner ones first.
    directories.sort_by(|a, b| b.cmp(a));
    directories.dedup();
    let mut pruned = Pruned::default();
    for directory in &directories {
        let mut path = Some(directory.as_bytes()).filter(|path| !is_own(path));
        // The removal of the inner one is a change in the one around it.
        let mut idle_since_ns = idle_since_ns;
        while let Some(empty) = path {
            if stop.is_cancelled() {
                pruned.stopped = true;
                return Ok(pruned);
            }
            path = match remove(root, empty, before, idle_since_ns.take()) {
                Ok(was_there) => {
                    pruned.directories += u64::from(was_there);
                    split(empty).0
                }
                Err(None) => None,
                Err(Some(error)) => {
                    pruned.failed += 1;
                    if pruned.left.len() < LEFT_AT_MOST {
                        pruned.left.push(Left { path: shown(empty), why: Why::Failed(error.into()) });
                    }
                    None
                }
            };
        }
    }
    Ok(pruned)
}

/// Removes a directory if it is empty; whether it was there. An error without a cause: it stays, and should.
fn remove(root: &Root, path: &[u8], before: Timestamp, idle_since_ns: Option<i128>) -> Result<bool, Option<Errno>> {
    let (above, name) = split(path);
    let above = match root.directory(above) {
        Err(Errno::NOENT) => return Ok(false),
        Err(Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Err(None),
        opened => opened.map_err(Some)?,
    };
    let facts = match look(&above, name) {
        Err(Errno::NOENT) => return Ok(false),
        looked => looked.map_err(Some)?,
    };
    let facts = file_facts(&facts);
    let is_busy = idle_since_ns.is_some_and(|since| facts.modified_ns >= since);
    // Emptying it was a change of it: only when it was made counts.
    let stays = facts.stays(LastLook { decided_at: before, now: Clock::system().now(), seen: None });
    let is_kept = stays.is_some_and(|why| why != Stays::ChangedLately);
    if facts.is(FileKind::Directory).is_err() || is_busy || is_kept {
        return Err(None);
    }
    match unlink(&above, name, AtFlags::REMOVEDIR) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        // A file, or a mount point, since the look.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::BUSY) => Err(None),
        Err(error) => Err(Some(error)),
    }
}
