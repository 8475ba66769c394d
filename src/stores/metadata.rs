//! Facts about a file as the kernel reports them, and what its removal frees. Pure.

use rustix::fs::{FileType, Statx, StatxAttributes, StatxFlags, StatxTimestamp};

use super::sys::kind;
use crate::decide::file::{FileFacts, FileKind};

/// Kind of thing that the kernel says it is.
pub(super) fn file_kind(kind: FileType) -> FileKind {
    match kind {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        FileType::Fifo => FileKind::Pipe,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice | FileType::BlockDevice => FileKind::Device,
        FileType::Unknown => FileKind::Unknown,
    }
}

/// The kernel's facts as decisions go by them.
pub(super) fn file_facts(facts: &Statx) -> FileFacts {
    FileFacts {
        kind: file_kind(kind(facts)),
        is_mount_point: facts.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        size_bytes: facts.stx_size,
        freed_bytes: freed_bytes(facts),
        links: facts.stx_nlink,
        device: device(facts),
        inode: facts.stx_ino,
        modified_ns: nanoseconds(&facts.stx_mtime),
        changed_ns: nanoseconds(&facts.stx_ctime),
        born_ns: born_ns(facts),
    }
}

/// Files up to this size count in full: some file systems keep them beside their other facts, without a block.
const SMALL_BYTES: u64 = 4096;

/// Bytes that come free when the last link of a file goes.
fn freed_bytes(facts: &Statx) -> u64 {
    match kind(facts) {
        FileType::RegularFile if facts.stx_size <= SMALL_BYTES => facts.stx_size,
        FileType::RegularFile => facts.stx_size.min(facts.stx_blocks.saturating_mul(512)),
        _ => 0,
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
