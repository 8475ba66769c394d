//! One name in an open directory: looked at, and taken if it is what was decided about. Takes a single component only,
//! because the kernel would resolve a longer one.

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{FileType, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::context::Ground;
use crate::clock::Clock;
use crate::stores::metadata::{freed_bytes, nanoseconds};
use crate::stores::sys::{instant, kind, look, words};
use crate::stores::trash::rename::Unmoved;
use crate::stores::{Doomed, Outcome};

/// The kernel stamps files with a clock that lags the precise one by at most one tick, 10 ms at 100 Hz: a file stamped
/// this little before the decision may have been written after it.
const TICK: Duration = Duration::from_millis(10);

/// For so long a file is left alone whose name, owner or rights changed after its removal was decided.
const DOUBT_FOR: Duration = Duration::from_secs(10 * 60);

/// Looks at one file and, if it may go, takes it in the way that the terms say. `target` is where its directory's files
/// are moved to, once that was needed.
pub(crate) fn visit(
    ground: Ground<'_>,
    directory: &OwnedFd,
    doomed: &Doomed,
    target: &mut Option<Rc<OwnedFd>>,
) -> Outcome {
    let (parent, name) = doomed.path.split();
    let facts = match look(directory, name) {
        Ok(facts) => facts,
        Err(error) => return outcome_of_file(error),
    };
    if let Some(what) = what_if_no_file(kind(&facts)) {
        return Outcome::Mismatch(format!("is {what}, not a file"));
    }
    if is_mount_point(&facts) {
        return Outcome::Mismatch(MOUNT_POINT.to_owned());
    }
    let changed = doomed.seen.is_some_and(|seen| !seen.is_still(&facts));
    let why = changed.then(|| "changed since it was looked at".to_owned());
    if let Some(why) = why.or_else(|| why_kept(&facts, ground.terms.decided_at).map(str::to_owned)) {
        return Outcome::Kept(why);
    }
    if doomed.seen.is_none()
        && let Some(why) = why_in_doubt(ground, &facts)
    {
        return Outcome::Failed(why.to_owned());
    }
    match ground.take(directory, name, &facts, || ground.target(parent.unwrap_or_default(), target)) {
        Ok(()) => {
            let size_bytes = ground.links.freed(facts.stx_ino, facts.stx_nlink, freed_bytes(&facts));
            ground.terms.act.outcome(1, size_bytes)
        }
        Err(Unmoved::Error(error)) => outcome_of_file(error),
        Err(Unmoved::Kept(why)) => Outcome::Kept(why),
        Err(Unmoved::Failed(why)) => Outcome::Failed(why),
    }
}

fn what_if_no_file(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Symlink => Some("a symbolic link"),
        FileType::Fifo => Some("a named pipe"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Unknown => Some("something unknown"),
    }
}

/// Why what has a directory's name is kept, if it is no directory.
pub(crate) fn why_no_directory(kind: FileType) -> Option<String> {
    (kind != FileType::Directory).then(|| format!("is {}, not a directory", what_if_no_file(kind).unwrap_or("a file")))
}

/// Why a mount point stays.
pub(crate) const MOUNT_POINT: &str = "is a mount point";

fn is_mount_point(facts: &Statx) -> bool {
    facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// Why it is kept, whatever kind it is.
pub(crate) fn why_kept(facts: &Statx, decided_at: Timestamp) -> Option<&'static str> {
    if is_mount_point(facts) {
        return Some(MOUNT_POINT);
    }
    let decided_at = decided_at.checked_sub(TICK).unwrap_or(Timestamp::MIN);
    let born = (facts.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| instant(&facts.stx_btime)).flatten();
    if kind(facts) == FileType::Directory {
        // Written whenever something in it goes, so that its time of writing says nothing.
        return born.filter(|&born| born > decided_at).map(|_| "was made after its removal was decided");
    }
    let is_new = born.is_some_and(|born| born > decided_at)
        // A time of writing can be set at will; one that has not come yet says nothing about when it was written.
        || instant(&facts.stx_mtime).is_some_and(|written| written > decided_at && written <= Clock::system().now());
    is_new.then_some("was written after its removal was decided")
}

/// Why it is kept for now: something about it was changed after its removal was decided, a short time ago. Either an upload
/// was renamed into its place, whose row is still on its way; or it is what was decided about, with other rights. The
/// first shows as soon as that row is there, so that later it is asked about once more.
pub(crate) fn why_in_doubt(ground: Ground<'_>, facts: &Statx) -> Option<&'static str> {
    let decided_at = ground.terms.decided_at.checked_sub(TICK).ok()?;
    let changed_at = instant(&facts.stx_ctime).filter(|&changed_at| changed_at > decided_at)?;
    // A change of what is in a directory says nothing about where it was before.
    let is_filled =
        kind(facts) == FileType::Directory && nanoseconds(&facts.stx_ctime) == nanoseconds(&facts.stx_mtime);
    let now = Clock::system().now();
    let is_late = changed_at <= now && now.duration_since(changed_at).unsigned_abs() < DOUBT_FOR;
    (is_late && !is_filled && !ground.root.has_unlinked(facts.stx_ino)).then_some(
        "was changed after its removal was decided, as by an upload that took its place: kept for now, and asked about again",
    )
}

fn outcome_of_file(error: Errno) -> Outcome {
    match error {
        // No file can have a name that its file system does not take.
        Errno::NOENT | Errno::NAMETOOLONG => Outcome::Missing,
        Errno::ISDIR => Outcome::Mismatch("is a directory, not a file".to_owned()),
        other => Outcome::Failed(words(other)),
    }
}

/// What an error at a file's directory means for the file.
pub(crate) fn outcome_of_parent(error: Errno) -> Outcome {
    match error {
        // Beneath what is no directory there is no file either.
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Outcome::Missing,
        Errno::LOOP => Outcome::Mismatch("a directory in its path is a symbolic link".to_owned()),
        Errno::XDEV => Outcome::Mismatch("a directory in its path is a mount point".to_owned()),
        other => Outcome::Failed(words(other)),
    }
}
