//! Space that the files of a store occupy, as a walk weighs them: all that it judges, and of the others the first ones
//! and a sample, because each look costs a call.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::decide::file::FileFacts;
use crate::outcome::Survey;
use crate::stores::{Surveyed, Want};

/// So many of the others a worker weighs before it takes a sample.
const ALL_UP_TO: u64 = 1000;
/// One in so many is in the sample.
const ONE_IN: u64 = 16;

/// Sums of one worker of a walk, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Weighed {
    judged_bytes: u64,
    /// Files that are not judged, those of them that were looked at, and those that a sample has.
    others: u64,
    looked: Sum,
    sampled: Sum,
    /// Directories that were not entered.
    pub(super) closed: u64,
    /// Time from which on the oldest file ages that is old enough to go.
    oldest_ns: Option<i128>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    files: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

impl Weighed {
    /// Counts a file that is not judged, and says whether it is to be looked at all the same.
    pub(super) fn other(&mut self, path: &[u8]) -> Want {
        self.others += 1;
        if self.others <= ALL_UP_TO || is_sampled(path) { Want::FactsIfAny } else { Want::Nothing }
    }

    /// Weighs a file that was looked at.
    pub(super) fn weigh(&mut self, path: &[u8], facts: &FileFacts, judged: bool) {
        // A file with several names is counted by each, and weighed by its share.
        let bytes = facts.freed_bytes / u64::from(facts.links.max(1));
        if judged {
            self.judged_bytes += bytes;
            return;
        }
        self.looked.add(bytes);
        if is_sampled(path) {
            self.sampled.add(bytes);
        }
    }

    /// Notes a file that is old enough to go.
    pub(super) fn note_eligible(&mut self, aged_from_ns: i128) {
        self.oldest_ns = Some(self.oldest_ns.map_or(aged_from_ns, |oldest| oldest.min(aged_from_ns)));
    }

    fn is_estimate(&self) -> bool {
        // What went between its name and the look weighs nothing.
        self.others > ALL_UP_TO && self.sampled.files > 0
    }

    fn bytes(&self) -> u64 {
        let others = match self.is_estimate() {
            true => (self.sampled.bytes as f64 / self.sampled.files as f64 * self.others as f64) as u64,
            false => self.looked.bytes,
        };
        self.judged_bytes.saturating_add(others)
    }

    /// The store as all workers of a walk saw it, without its room.
    pub(super) fn survey(workers: impl Iterator<Item = Self> + Clone, surveyed: &Surveyed, at: Timestamp) -> Survey {
        let directories = workers.clone().map(|worker| worker.closed).sum();
        let oldest_ns = workers.clone().filter_map(|worker| worker.oldest_ns).min();
        Survey {
            at,
            files: surveyed.files,
            directories,
            bytes: (directories == 0).then(|| workers.clone().map(|worker| worker.bytes()).sum()),
            bytes_estimated: directories == 0 && workers.clone().any(|worker| worker.is_estimate()),
            available_bytes: None,
            // A time that no clock shows is nothing to tell.
            oldest_eligible_at: oldest_ns.and_then(|ns| Timestamp::from_nanosecond(ns).ok()),
        }
    }
}

fn is_sampled(path: &[u8]) -> bool {
    fingerprint(path).is_multiple_of(ONE_IN)
}

/// Number of a path that is the same in every run, so that a plan and a run choose alike.
pub(super) fn fingerprint(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::file::FileKind;

    fn file(size: u64, links: u32) -> FileFacts {
        FileFacts {
            kind: FileKind::File,
            is_mount_point: false,
            size_bytes: size,
            freed_bytes: size,
            links,
            device: 1,
            inode: 1,
            modified_ns: 0,
            changed_ns: 0,
            born_ns: None,
        }
    }

    /// The survey of one worker that meets so many files that are not judged, each with its bytes.
    fn met(others: u64, bytes_of: impl Fn(u64) -> u64) -> Survey {
        let mut weighed = Weighed::default();
        weighed.weigh(b"judged", &file(7, 1), true);
        for number in 0..others {
            let path = format!("a/{number}.jpg").into_bytes();
            if weighed.other(&path) == Want::FactsIfAny {
                weighed.weigh(&path, &file(bytes_of(number), 1), false);
            }
        }
        let surveyed = Surveyed { files: others + 1, ..Surveyed::default() };
        Weighed::survey(std::iter::once(weighed), &surveyed, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn many_files_are_weighed_by_a_sample() {
        let few = met(ALL_UP_TO, |_| 100);
        assert_eq!((few.bytes, few.bytes_estimated), (Some(100 * ALL_UP_TO + 7), false));
        // The first thousand are small: a sample by turns of those would be far off.
        let many = met(100_000, |number| if number < ALL_UP_TO { 1 } else { 1000 });
        assert!(many.bytes_estimated);
        let exact = 99_000_000.0 + 1000.0;
        assert!((many.bytes.unwrap() as f64 / exact - 1.0).abs() < 0.05, "{many:?}");
    }

    #[test]
    fn a_file_with_two_names_weighs_once() {
        let mut weighed = Weighed::default();
        for path in ["a", "b"] {
            weighed.weigh(path.as_bytes(), &file(100, 2), true);
        }
        let survey = |weighed| Weighed::survey(std::iter::once(weighed), &Surveyed::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(survey(weighed).bytes, Some(100));
        weighed.closed = 3;
        assert_eq!((survey(weighed).bytes, survey(weighed).directories), (None, 3));
    }
}
