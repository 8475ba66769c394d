//! Reads the names in a directory: as they come, or many at a time in the order in which the file system can look them up
//! fastest. Looks at no file.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, RawDir, SeekFrom};
use rustix::io::Errno;

/// Buffer that the kernel fills at a time.
const BUFFER_BYTES: usize = 256 * 1024;
/// Names that are held at a time. The more, the better their order; a directory seldom has as many.
const NAMES_AT_ONCE: usize = 32 * 1024;

/// Memory for reading directories, used again and again.
pub(super) struct Scratch {
    buffer: Vec<u8>,
    listing: Listing,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::with_capacity(BUFFER_BYTES), listing: Listing::default() }
    }
}

/// Names that were put aside, in one piece of memory, with what the directory tells of each for free.
#[derive(Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    inode: u64,
    begin: u32,
    end: u32,
    kind: FileType,
}

/// A name in a directory, as the directory tells it.
pub(super) struct Told<'a> {
    pub(super) name: &'a [u8],
    /// Kind, as far as the file system says for free.
    pub(super) kind: FileType,
    pub(super) inode: u64,
}

/// Calls `each` with every name in an open directory from a place on (0: all), as they come, and with where the names
/// after it begin. Ends early when `each` says so.
pub(super) fn tell(
    directory: &OwnedFd,
    from: u64,
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(Told<'_>, u64) -> ControlFlow<()>,
) -> Result<(), Errno> {
    buffer.reserve(BUFFER_BYTES);
    // It may have been read before.
    rustix::fs::seek(directory, SeekFrom::Start(from))?;
    let mut names = RawDir::new(directory, buffer.spare_capacity_mut());
    loop {
        let entry = match names.next() {
            // The second: the directory itself was removed by somebody else.
            None | Some(Err(Errno::NOENT)) => return Ok(()),
            Some(entry) => entry?,
        };
        let name = entry.file_name().to_bytes();
        let told = Told { name, kind: entry.file_type(), inode: entry.ino() };
        if !matches!(name, b"." | b"..") && each(told, entry.next_entry_cookie()).is_break() {
            return Ok(());
        }
    }
}

/// Calls `each` with every name in an open directory, and what it is as far as the file system tells for free. Ends
/// early when `each` says so.
pub(super) fn read(
    directory: &OwnedFd,
    scratch: &mut Scratch,
    mut each: impl FnMut(&[u8], FileType) -> ControlFlow<()>,
) -> Result<(), Errno> {
    let Scratch { buffer, listing } = scratch;
    listing.clear();
    let mut all = |listing: &mut Listing| {
        let done = listing.in_order(|name, kind| each(name, kind));
        listing.clear();
        done
    };
    let mut ended = ControlFlow::Continue(());
    tell(directory, 0, buffer, |told, _| {
        listing.push(&told);
        if listing.is_full() {
            ended = all(listing);
        }
        ended
    })?;
    if ended.is_continue() {
        let _: ControlFlow<()> = all(listing);
    }
    Ok(())
}

impl Listing {
    pub(super) fn push(&mut self, told: &Told<'_>) {
        let (begin, end) = (self.names.len() as u32, (self.names.len() + told.name.len()) as u32);
        self.names.extend_from_slice(told.name);
        self.entries.push(Entry { inode: told.inode, begin, end, kind: told.kind });
    }

    /// True if no more names should be held.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= NAMES_AT_ONCE
    }

    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.entries.clear();
    }

    /// Calls `each` with all names: inodes lie on the disk in their order, names in a directory often in none.
    pub(super) fn in_order(&mut self, mut each: impl FnMut(&[u8], FileType) -> ControlFlow<()>) -> ControlFlow<()> {
        self.entries.sort_unstable_by_key(|entry| entry.inode);
        self.told().try_for_each(|told| each(told.name, told.kind))
    }

    /// All names.
    pub(super) fn told(&self) -> impl Iterator<Item = Told<'_>> {
        self.entries.iter().map(|Entry { inode, begin, end, kind }| {
            let name = &self.names[*begin as usize..*end as usize];
            Told { name, kind: *kind, inode: *inode }
        })
    }
}

/// Names of a directory that are still to be dealt with: one after the other in one piece of memory, because there may
/// be many.
#[derive(Default)]
pub(super) struct Names(Vec<u8>);

impl Names {
    pub(super) fn push(&mut self, name: &[u8]) {
        self.0.extend_from_slice(name);
        // No name has a NUL.
        self.0.push(0);
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        let (_, text) = self.0.split_last()?;
        let begin = text.iter().rposition(|&byte| byte == 0).map_or(0, |end| end + 1);
        let name = text[begin..].to_vec();
        self.0.truncate(begin);
        Some(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives away half of them, or the only one; nothing where there is none.
    pub(super) fn split(&mut self) -> Self {
        let half = self.0[self.0.len() / 2..].iter().position(|&byte| byte == 0);
        let end = half.map_or(0, |place| self.0.len() / 2 + place + 1);
        let kept = self.0.split_off(end);
        Self(std::mem::replace(&mut self.0, kept))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_come_back_last_first() {
        let mut names = super::Names::default();
        for name in [&b"a"[..], b"\xff\xfe", b"bc"] {
            names.push(name);
        }
        let back: Vec<_> = std::iter::from_fn(|| names.pop()).collect();
        assert_eq!(back, [&b"bc"[..], b"\xff\xfe", b"a"]);
    }

    #[test]
    fn half_of_the_names_are_given_away() {
        let mut names = super::Names::default();
        assert_eq!(names.split().pop(), None);
        for name in [&b"a"[..], b"b", b"c", b"d"] {
            names.push(name);
        }
        let mut given = names.split();
        let count = |names: &mut super::Names| std::iter::from_fn(|| names.pop()).count();
        let (given, left) = (count(&mut given), count(&mut names));
        assert!(given >= 2 && left >= 1 && given + left == 4, "{given} given, {left} left");
        names.push(b"only");
        assert_eq!(names.split().pop().as_deref(), Some(&b"only"[..]));
        assert_eq!(names.pop(), None);
    }
}
