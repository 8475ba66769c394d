//! Files that a walk has found and that are dealt with later: in memory while they are few, in an unnamed temporary file
//! beyond that, so that memory does not grow with them.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// What is held in memory.
const IN_MEMORY: usize = 1024 * 1024;

/// A file (or directory) that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Found {
    /// Beneath the root; any bytes.
    pub(in crate::run) path: Vec<u8>,
    /// What makes it the same file later; none for a directory.
    pub(in crate::run) seen: Option<Seen>,
}

/// What was seen of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) struct Seen {
    pub(in crate::run) device: u64,
    pub(in crate::run) inode: u64,
    /// Nanoseconds since 1970.
    pub(in crate::run) mtime_ns: i64,
    pub(in crate::run) size_bytes: u64,
}

/// Takes what is found.
pub(in crate::run) struct Spool {
    file: SpooledTempFile,
    count: u64,
    record: Vec<u8>,
}

impl Spool {
    pub(in crate::run) fn new() -> Self {
        Self { file: tempfile::spooled_tempfile(IN_MEMORY), count: 0, record: Vec::new() }
    }

    pub(in crate::run) fn count(&self) -> u64 {
        self.count
    }

    /// Adds one. Fails where the temporary file cannot be written.
    pub(in crate::run) fn push(&mut self, path: &[u8], seen: Option<Seen>) -> io::Result<()> {
        let length = u32::try_from(path.len()).map_err(io::Error::other)?;
        self.record.clear();
        self.record.extend_from_slice(&length.to_le_bytes());
        self.record.push(u8::from(seen.is_some()));
        if let Some(Seen { device, inode, mtime_ns, size_bytes }) = seen {
            for number in [device.to_le_bytes(), inode.to_le_bytes(), mtime_ns.to_le_bytes(), size_bytes.to_le_bytes()]
            {
                self.record.extend_from_slice(&number);
            }
        }
        self.record.extend_from_slice(path);
        self.file.write_all(&self.record)?;
        self.count += 1;
        Ok(())
    }

    /// Gives all of them back, in the order in which they came.
    pub(in crate::run) fn read(mut self) -> io::Result<Reading> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Reading { file: BufReader::with_capacity(64 * 1024, self.file), left: self.count })
    }
}

/// Gives back what was found.
pub(in crate::run) struct Reading {
    file: BufReader<SpooledTempFile>,
    left: u64,
}

impl Reading {
    fn record(&mut self) -> io::Result<Found> {
        let mut head = [0; 5];
        self.file.read_exact(&mut head)?;
        let [a, b, c, d, is_seen] = head;
        let seen = if is_seen == 1 {
            Some(Seen {
                device: u64::from_le_bytes(self.number()?),
                inode: u64::from_le_bytes(self.number()?),
                mtime_ns: i64::from_le_bytes(self.number()?),
                size_bytes: u64::from_le_bytes(self.number()?),
            })
        } else {
            None
        };
        let mut path = vec![0; u32::from_le_bytes([a, b, c, d]) as usize];
        self.file.read_exact(&mut path)?;
        Ok(Found { path, seen })
    }

    fn number(&mut self) -> io::Result<[u8; 8]> {
        let mut number = [0; 8];
        self.file.read_exact(&mut number)?;
        Ok(number)
    }
}

impl Iterator for Reading {
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
        let seen = (any::<u64>(), any::<u64>(), any::<i64>(), any::<u64>());
        let seen = seen.prop_map(|(device, inode, mtime_ns, size_bytes)| Seen { device, inode, mtime_ns, size_bytes });
        (proptest::collection::vec(any::<u8>(), 0..300), proptest::option::of(seen))
            .prop_map(|(path, seen)| Found { path, seen })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_goes_in_comes_out(all in proptest::collection::vec(found(), 0..50), times in 1..400_usize) {
            let mut spool = Spool::new();
            let all: Vec<_> = all.iter().cycle().take(all.len() * times).cloned().collect();
            for Found { path, seen } in &all {
                spool.push(path, *seen).unwrap();
            }
            prop_assert_eq!(spool.count(), all.len() as u64);
            let back: Vec<_> = spool.read().unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(back, all);
        }
    }
}
