//! Files that a walk has found and that are dealt with later: in memory while they are few, in an unnamed temporary file
//! beyond that, so that memory does not grow with them.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::decide::file::Seen;

/// Bytes that are held in memory; beyond them a temporary file is used.
const IN_MEMORY: usize = 1024 * 1024;
/// Stands for a time that is not known: no file has it.
const NONE: i128 = i128::MIN;
/// Bytes that are written at a time.
const WRITE_BYTES: usize = 64 * 1024;

/// A file (or directory) that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Found {
    /// Beneath the root; any bytes.
    pub(in crate::run) path: Vec<u8>,
    /// Identity by which it is known to be the same file later; none for a directory.
    pub(in crate::run) file: Option<SeenFile>,
}

/// A file as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) struct SeenFile {
    pub(in crate::run) device: u64,
    pub(in crate::run) seen: Seen,
}

/// Takes what is found.
pub(in crate::run) struct Spool {
    file: SpooledTempFile,
    count: u64,
    unwritten: Vec<u8>,
}

impl Spool {
    pub(in crate::run) fn new() -> Self {
        Self { file: tempfile::spooled_tempfile(IN_MEMORY), count: 0, unwritten: Vec::new() }
    }

    /// Adds one. Fails where the temporary file cannot be written.
    pub(in crate::run) fn push(&mut self, path: &[u8], file: Option<SeenFile>) -> io::Result<()> {
        let length = u32::try_from(path.len()).map_err(io::Error::other)?;
        self.unwritten.extend_from_slice(&length.to_le_bytes());
        self.unwritten.push(u8::from(file.is_some()));
        if let Some(SeenFile { device, seen }) = file {
            let Seen { inode, size_bytes, modified_ns, changed_ns, born_ns } = seen;
            for number in [device, inode, size_bytes] {
                self.unwritten.extend_from_slice(&number.to_le_bytes());
            }
            for time in [modified_ns, changed_ns.unwrap_or(NONE), born_ns.unwrap_or(NONE)] {
                self.unwritten.extend_from_slice(&time.to_le_bytes());
            }
        }
        self.unwritten.extend_from_slice(path);
        self.count += 1;
        if self.unwritten.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.unwritten)?;
        self.unwritten.clear();
        Ok(())
    }

    /// Gives all of them back, in the order in which they came.
    pub(in crate::run) fn read(mut self) -> io::Result<Reading> {
        self.write()?;
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Reading { file: BufReader::with_capacity(64 * 1024, self.file), left: self.count })
    }

    /// Reads them, and keeps them for another reading. Nothing more can be added then.
    pub(super) fn look(&mut self) -> io::Result<Reading<&mut SpooledTempFile>> {
        self.write()?;
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Reading { file: BufReader::with_capacity(64 * 1024, &mut self.file), left: self.count })
    }
}

/// Gives back what was found.
pub(in crate::run) struct Reading<F = SpooledTempFile> {
    file: BufReader<F>,
    left: u64,
}

impl<F: Read> Reading<F> {
    fn record(&mut self) -> io::Result<Found> {
        let mut head = [0; 5];
        self.file.read_exact(&mut head)?;
        let [a, b, c, d, is_file] = head;
        let file = if is_file == 1 {
            let device = u64::from_le_bytes(self.number()?);
            let (inode, size_bytes) = (u64::from_le_bytes(self.number()?), u64::from_le_bytes(self.number()?));
            let modified_ns = i128::from_le_bytes(self.number()?);
            let changed_ns = Some(i128::from_le_bytes(self.number()?)).filter(|&time| time != NONE);
            let born_ns = Some(i128::from_le_bytes(self.number()?)).filter(|&time| time != NONE);
            Some(SeenFile { device, seen: Seen { inode, size_bytes, modified_ns, changed_ns, born_ns } })
        } else {
            None
        };
        let mut path = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        self.file.read_exact(&mut path)?;
        Ok(Found { path, file })
    }

    fn number<const BYTES: usize>(&mut self) -> io::Result<[u8; BYTES]> {
        let mut number = [0; BYTES];
        self.file.read_exact(&mut number)?;
        Ok(number)
    }
}

impl<F: Read> Iterator for Reading<F> {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let record = self.record();
        if record.is_err() {
            self.left = 0;
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found() -> impl Strategy<Value = Found> {
        let times = (any::<i128>(), any::<Option<i64>>(), any::<Option<i64>>());
        let file = (any::<u64>(), any::<u64>(), any::<u64>(), times);
        let file = file.prop_map(|(device, inode, size_bytes, (modified_ns, changed, born))| SeenFile {
            device,
            seen: Seen {
                inode,
                size_bytes,
                modified_ns,
                changed_ns: changed.map(i128::from),
                born_ns: born.map(i128::from),
            },
        });
        (proptest::collection::vec(any::<u8>(), 0..300), proptest::option::of(file))
            .prop_map(|(path, file)| Found { path, file })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_goes_in_comes_out(all in proptest::collection::vec(found(), 0..50), times in 1..400_usize) {
            let mut spool = Spool::new();
            let all: Vec<_> = all.iter().cycle().take(all.len() * times).cloned().collect();
            for Found { path, file } in &all {
                spool.push(path, *file).unwrap();
            }
            let back: Vec<_> = spool.read().unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(back, all);
        }
    }
}
