//! Range of a directory that is read. A directory is read from its beginning to its end by one thread, unless it is known
//! which positions its names have: ext4 keeps the names of a large directory in the order of a hash, and takes any value of
//! that for a position, so that two threads can read a half each.

use std::os::fd::OwnedFd;

use rustix::fs::FsWord;

/// The type of an ext4 file system (statfs(2)); ext2 and ext3 share it.
const EXT4: FsWord = 0xef53;
/// A position of ext4 is a hash from here on: its directories without hashes, which count bytes, are never as large.
const SMALLEST_HASH: u64 = 1 << 40;
/// The position behind the last hash (`EXT4_HTREE_EOF_64BIT` of Linux).
const END_OF_HASHES: u64 = i64::MAX as u64;

/// The names of a directory from a position on, to its end or to another position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) until: Option<u64>,
}

impl Span {
    pub(crate) const WHOLE: Self = Self { from: 0, until: None };

    /// True if a position is no longer in it.
    pub(crate) fn ends_before(self, position: u64) -> bool {
        self.until.is_some_and(|until| position >= until)
    }

    /// Gives away the upper half of what is behind `next`, where it has likely as many names as are worth it: `names` were
    /// read up to there.
    pub(crate) fn split(&mut self, directory: &OwnedFd, next: u64, names: u64, worth: u64) -> Option<Self> {
        let end = self.until.unwrap_or(END_OF_HASHES);
        let (read, left) = (next.checked_sub(self.from)?, end.checked_sub(next)?);
        let likely = u128::from(names) * u128::from(left / 2) / u128::from(read.max(1));
        if next < SMALLEST_HASH || likely < u128::from(worth) || !is_ext4(directory) {
            return None;
        }
        let middle = next + left / 2;
        let upper = Self { from: middle, until: self.until };
        self.until = Some(middle);
        Some(upper)
    }
}

fn is_ext4(directory: &OwnedFd) -> bool {
    rustix::fs::fstatfs(directory).is_ok_and(|facts| facts.f_type == EXT4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;

    use super::*;
    use crate::stores::dir_reader::tell;

    /// Reads a span, and gives away what it can after every thousandth name.
    fn read(directory: &OwnedFd, mut span: Span, seen: &mut BTreeMap<Vec<u8>, u64>) -> usize {
        let (mut names, mut rests) = (0, Vec::new());
        let directory = &crate::stores::root::again(directory).unwrap();
        tell(directory, span.from, &mut Vec::new(), |told, next| {
            *seen.entry(told.name.to_vec()).or_default() += 1;
            names += 1;
            if names % 1000 == 0 {
                rests.extend(span.split(directory, next, names, 1000));
            }
            if span.ends_before(next) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        rests.iter().map(|rest| read(directory, *rest, seen)).sum::<usize>() + rests.len()
    }

    #[test]
    fn parts_of_a_directory_have_each_name_once() {
        for parent in [std::env::temp_dir(), "/dev/shm".into()] {
            let world = tempfile::tempdir_in(parent).unwrap();
            let open = || OwnedFd::from(std::fs::File::open(world.path()).unwrap());
            let names: BTreeMap<Vec<u8>, u64> = (0..20_000).map(|name| (format!("{name}.jpg").into(), 1)).collect();
            for name in names.keys() {
                std::fs::write(world.path().join(str::from_utf8(name).unwrap()), "").unwrap();
            }
            let (directory, mut seen) = (open(), BTreeMap::new());
            let given = read(&directory, Span::WHOLE, &mut seen);
            assert!(seen == names, "{} names were seen", seen.len());
            assert_eq!(given > 0, is_ext4(&directory), "{given} parts were given away");
        }
    }
}
