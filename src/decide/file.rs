//! One file or directory of a store, and the last look at it: whether it is still what was decided about, and whether
//! anything about it keeps it, whichever policy it is of. The one place for such a rule: plans, runs, `why` and every
//! kind of policy ask it, and a removal asks it once more beside the unlink.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::facts::facts_of;
use crate::policy::AgeBy;

/// Kind of a thing that a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    File,
    Directory,
    Link,
    Pipe,
    Socket,
    Device,
    Unknown,
}

/// Facts about something in a store. Times are nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFacts {
    pub kind: FileKind,
    /// Another file system begins here.
    pub is_mount_point: bool,
    /// Its length.
    pub size_bytes: u64,
    /// Bytes that come free when its last link goes: less than its size where it has holes.
    pub freed_bytes: u64,
    /// Number of its names.
    pub links: u32,
    pub device: u64,
    pub inode: u64,
    /// When it was last written; anybody who may write it can set that.
    pub modified_ns: i128,
    /// When it or anything about it (name, owner, rights, links) last changed; nobody can set that.
    pub changed_ns: i128,
    /// When it was made; none where the file system does not know.
    pub born_ns: Option<i128>,
}

/// A file as it was seen when its removal was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub inode: u64,
    pub size_bytes: u64,
    /// As in [`FileFacts`].
    pub modified_ns: i128,
    /// None where it had several links: the removal of another link is a change, too.
    pub changed_ns: Option<i128>,
    pub born_ns: Option<i128>,
}

/// Facts besides at the last look before a removal.
#[derive(Debug, Clone, Copy)]
pub struct LastLook {
    pub decided_at: Timestamp,
    pub now: Timestamp,
    /// As it was seen when its removal was decided, where it was.
    pub seen: Option<Seen>,
}

/// Reason that something stays at the last look before its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "stays", rename_all = "snake_case")]
pub enum Stays {
    /// It is not of the kind that was to be removed: for a file, or else for a directory.
    OtherKind {
        found: FileKind,
        wanted: FileKind,
    },
    MountPoint,
    /// It is not as it was when its removal was decided.
    Changed,
    /// It was made later than that.
    MadeLater,
    /// It was written later than that.
    WrittenLater,
    /// Its name, owner or rights were changed later, a short time ago: kept for now, and asked about again. Either an
    /// upload was renamed into its place, whose row is still on its way; or it is what was decided about, with other
    /// rights. The first shows as soon as that row is there. The removal of another of its names is a change, too: whoever
    /// did that knows better.
    ChangedLately,
    /// It is in a directory that goes, and was changed a short time ago.
    Young,
    /// Somebody still names it.
    Named,
    /// A directory in its path is a symbolic link, a mount point, or by now a file.
    LinkInPath,
    MountInPath,
    FileInPath,
    /// There is something already where it was to go.
    Taken,
}

/// The kernel stamps files with a clock that lags the precise one by at most one tick, 10 ms at 100 Hz: a file stamped
/// this little before the decision may have been written after it.
const TICK_NS: i128 = 10_000_000;

/// For so long a file is left alone whose name, owner or rights changed after its removal was decided.
const DOUBT_FOR: Duration = Duration::from_secs(10 * 60);

impl FileFacts {
    /// Bytes that come free when this name of it goes: the other links of a file hold its bytes.
    pub fn freed_alone(&self) -> u64 {
        if self.links > 1 { 0 } else { self.freed_bytes }
    }

    /// When it last came to be what it is, for orphans: a copy or a move brings old times of writing along.
    pub fn touched_ns(&self, by: AgeBy) -> i128 {
        self.latest_ns(by, self.changed_ns)
    }

    /// When it was last written or made, for policies of files: a rotation, a link or a backup changes more than that.
    pub fn made_ns(&self, by: AgeBy) -> i128 {
        self.latest_ns(by, self.modified_ns)
    }

    fn latest_ns(&self, by: AgeBy, changed_ns: i128) -> i128 {
        match by {
            AgeBy::Written => self.modified_ns,
            AgeBy::Latest => self.modified_ns.max(changed_ns).max(self.born_ns.unwrap_or(self.modified_ns)),
        }
    }

    /// Facts that a removal compares, so that it takes the file only as it was seen.
    pub fn seen(&self) -> Seen {
        let changed_ns = (self.links <= 1).then_some(self.changed_ns);
        let Self { inode, size_bytes, modified_ns, born_ns, .. } = *self;
        Seen { inode, size_bytes, modified_ns, changed_ns, born_ns }
    }

    /// Checks that it is of the kind that it was taken for; the error says what it is instead.
    pub fn is(&self, wanted: FileKind) -> Result<(), Stays> {
        if self.kind == wanted { Ok(()) } else { Err(Stays::OtherKind { found: self.kind, wanted }) }
    }

    /// Reason that it stays whichever policy it is of and whatever kind it is of; none where it may go.
    pub fn stays(&self, look: LastLook) -> Option<Stays> {
        if self.is_mount_point {
            return Some(Stays::MountPoint);
        }
        if look.seen.is_some_and(|seen| !seen.is_still(self)) {
            return Some(Stays::Changed);
        }
        let decided_ns = look.decided_at.as_nanosecond() - TICK_NS;
        let is_born_later = self.born_ns.is_some_and(|born| born > decided_ns);
        if self.kind == FileKind::Directory {
            // Written whenever something in it goes, so that its time of writing says nothing.
            if is_born_later {
                return Some(Stays::MadeLater);
            }
        } else if is_born_later || (self.modified_ns > decided_ns && self.modified_ns <= look.now.as_nanosecond()) {
            // A time of writing can be set at will; one that has not come yet says nothing about when it was written.
            return Some(Stays::WrittenLater);
        }
        let is_doubtful = look.seen.is_none() && self.is_changed_lately(decided_ns, look.now);
        is_doubtful.then_some(Stays::ChangedLately)
    }

    fn is_changed_lately(&self, decided_ns: i128, now: Timestamp) -> bool {
        // A change of what is in a directory says nothing about where it was before.
        let is_filled = self.kind == FileKind::Directory && self.changed_ns == self.modified_ns;
        let since_ns = now.as_nanosecond() - self.changed_ns;
        let is_late = since_ns >= 0 && since_ns < i128::try_from(DOUBT_FOR.as_nanos()).unwrap_or(i128::MAX);
        self.changed_ns > decided_ns && is_late && !is_filled
    }
}

impl Seen {
    /// True if a file is still as it was seen.
    fn is_still(&self, facts: &FileFacts) -> bool {
        (self.inode, self.size_bytes, self.modified_ns, self.born_ns)
            == (facts.inode, facts.size_bytes, facts.modified_ns, facts.born_ns)
            && self.changed_ns.is_none_or(|changed| changed == facts.changed_ns)
    }
}

impl Stays {
    /// The word that JSON has, which stays the same.
    pub fn word(&self) -> Option<String> {
        facts_of(self).get("stays").and_then(|word| word.as_str()).map(str::to_owned)
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::File => "a file",
            FileKind::Directory => "a directory",
            FileKind::Link => "a symbolic link",
            FileKind::Pipe => "a named pipe",
            FileKind::Socket => "a socket",
            FileKind::Device => "a device",
            FileKind::Unknown => "something unknown",
        })
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stays::OtherKind { found, wanted } => write!(f, "is {found}, not {wanted}"),
            Stays::MountPoint => f.write_str("is a mount point"),
            Stays::Changed => f.write_str("changed since it was looked at"),
            Stays::MadeLater => f.write_str("was made after its removal was decided"),
            Stays::WrittenLater => f.write_str("was written after its removal was decided"),
            Stays::ChangedLately => f.write_str(
                "was changed after its removal was decided, as by an upload that took its place: kept for now, and asked \
                 about again",
            ),
            Stays::Young => f.write_str("was changed a short time ago"),
            Stays::Named => f.write_str("somebody still names it"),
            Stays::LinkInPath => f.write_str("a directory in its path is a symbolic link"),
            Stays::MountInPath => f.write_str("a directory in its path is a mount point"),
            Stays::FileInPath => f.write_str("a directory in its path is a file now"),
            Stays::Taken => f.write_str("something is there already"),
        }
    }
}
