//! Reads the names in a directory, many at a time, in the order in which the file system can look them up fastest.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

/// What the kernel fills at a time.
const BUFFER_BYTES: usize = 64 * 1024;
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

#[derive(Default)]
struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    inode: u64,
    begin: u32,
    end: u32,
    kind: FileType,
}

/// Calls `each` with every name in an open directory, and what it is as far as the file system tells for free. Ends
/// early when `each` says so.
pub(super) fn read(
    directory: &OwnedFd,
    scratch: &mut Scratch,
    mut each: impl FnMut(&[u8], FileType) -> std::ops::ControlFlow<()>,
) -> Result<(), Errno> {
    // It may have been read before.
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
    let Scratch { buffer, listing } = scratch;
    let mut names = RawDir::new(directory, buffer.spare_capacity_mut());
    while listing.fill(&mut names)? {
        for Entry { begin, end, kind, .. } in &listing.entries {
            if each(&listing.names[*begin as usize..*end as usize], *kind).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Listing {
    /// Takes the next names; whether there were any.
    fn fill(&mut self, names: &mut RawDir<'_, &OwnedFd>) -> Result<bool, Errno> {
        self.names.clear();
        self.entries.clear();
        while self.entries.len() < NAMES_AT_ONCE {
            let entry = match names.next() {
                // The second: the directory itself was removed by somebody else.
                None | Some(Err(Errno::NOENT)) => break,
                Some(entry) => entry?,
            };
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                let (begin, end) = (self.names.len() as u32, (self.names.len() + name.len()) as u32);
                self.names.extend_from_slice(name);
                self.entries.push(Entry { inode: entry.ino(), begin, end, kind: entry.file_type() });
            }
        }
        // Inodes lie on the disk in their order, names in a directory often in none.
        self.entries.sort_unstable_by_key(|entry| entry.inode);
        Ok(!self.entries.is_empty())
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
}
