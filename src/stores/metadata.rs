//! Facts about a file as the kernel tells them, and what its removal frees. Pure.

use rustix::fs::{FileType, Statx, StatxFlags, StatxTimestamp};

use super::sys::kind;
use crate::policy::AgeBy;

/// What something is that is no directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Link,
    Pipe,
    Socket,
    Device,
}

impl Kind {
    pub(crate) fn new(kind: FileType) -> Option<Self> {
        match kind {
            FileType::RegularFile => Some(Self::File),
            FileType::Symlink => Some(Self::Link),
            FileType::Fifo => Some(Self::Pipe),
            FileType::Socket => Some(Self::Socket),
            FileType::CharacterDevice | FileType::BlockDevice => Some(Self::Device),
            FileType::Directory | FileType::Unknown => None,
        }
    }
}

/// Facts about something that is no directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub kind: Kind,
    /// How long it is.
    pub size_bytes: u64,
    /// What comes free when its last link goes: less than its size where it has holes.
    pub freed_bytes: u64,
    /// How many names it has.
    pub links: u32,
    pub device: u64,
    pub inode: u64,
    /// When it was last written, in nanoseconds since 1970; anybody who may write it can set that.
    pub modified_ns: i128,
    /// When it or anything about it (name, owner, rights, links) last changed, in the same way; nobody can set that.
    pub changed_ns: i128,
    /// When it was made, in the same way; none where the file system does not know.
    pub born_ns: Option<i128>,
}

impl Facts {
    /// None for a directory.
    pub(super) fn new(facts: &Statx) -> Option<Self> {
        Some(Self {
            kind: Kind::new(kind(facts))?,
            size_bytes: facts.stx_size,
            freed_bytes: freed_bytes(facts),
            links: facts.stx_nlink,
            device: device(facts),
            inode: facts.stx_ino,
            modified_ns: nanoseconds(&facts.stx_mtime),
            changed_ns: nanoseconds(&facts.stx_ctime),
            born_ns: born_ns(facts),
        })
    }

    /// What comes free when this name of it goes: the other links of a file hold its bytes.
    pub fn freed_alone(&self) -> u64 {
        if self.links > 1 { 0 } else { self.freed_bytes }
    }

    /// When it last came to be what it is, for orphans: a copy or a move brings old times of writing along.
    pub fn touched_ns(&self, by: AgeBy) -> i128 {
        touched_ns(by, self.modified_ns, self.changed_ns, self.born_ns)
    }

    /// When it was last written or made, for policies of files: a rotation, a link or a backup changes more than that.
    pub fn made_ns(&self, by: AgeBy) -> i128 {
        touched_ns(by, self.modified_ns, self.modified_ns, self.born_ns)
    }

    /// What a removal compares, so that it takes the file only as it was seen.
    pub fn seen(&self) -> Seen {
        // The removal of another link is a change, too.
        let changed_ns = (self.links <= 1).then_some(self.changed_ns);
        let (inode, size_bytes, modified_ns, born_ns) = (self.inode, self.size_bytes, self.modified_ns, self.born_ns);
        Seen { inode, size_bytes, modified_ns, changed_ns, born_ns }
    }
}

/// How a file was seen when its removal was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub inode: u64,
    pub size_bytes: u64,
    /// As in [`Facts`].
    pub modified_ns: i128,
    /// None where it had several links.
    pub changed_ns: Option<i128>,
    pub born_ns: Option<i128>,
}

impl Seen {
    /// True if a file is still as it was seen.
    pub(super) fn is_still(&self, facts: &Statx) -> bool {
        (self.inode, self.size_bytes, self.modified_ns, self.born_ns)
            == (facts.stx_ino, facts.stx_size, nanoseconds(&facts.stx_mtime), born_ns(facts))
            && self.changed_ns.is_none_or(|changed| changed == nanoseconds(&facts.stx_ctime))
    }
}

/// The latest of some times, or the first alone.
fn touched_ns(by: AgeBy, modified: i128, changed: i128, born: Option<i128>) -> i128 {
    match by {
        AgeBy::Written => modified,
        AgeBy::Latest => modified.max(changed).max(born.unwrap_or(modified)),
    }
}

/// When something was last touched, as far as that counts.
pub(super) fn last_touched_ns(facts: &Statx, by: AgeBy) -> i128 {
    touched_ns(by, nanoseconds(&facts.stx_mtime), nanoseconds(&facts.stx_ctime), born_ns(facts))
}

/// Files up to this size count in full: some file systems keep them beside their other facts, without a block.
const SMALL_BYTES: u64 = 4096;

/// What comes free when the last link of a file goes.
pub(super) fn freed_bytes(facts: &Statx) -> u64 {
    match Kind::new(kind(facts)) {
        Some(Kind::File) if facts.stx_size <= SMALL_BYTES => facts.stx_size,
        Some(Kind::File) => facts.stx_size.min(facts.stx_blocks.saturating_mul(512)),
        Some(Kind::Link | Kind::Pipe | Kind::Socket | Kind::Device) | None => 0,
    }
}

pub(super) fn device(facts: &Statx) -> u64 {
    rustix::fs::makedev(facts.stx_dev_major, facts.stx_dev_minor)
}

/// When something was made; none where the file system does not know.
pub(super) fn born_ns(facts: &Statx) -> Option<i128> {
    (facts.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| nanoseconds(&facts.stx_btime))
}

pub(super) fn nanoseconds(time: &StatxTimestamp) -> i128 {
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}
