//! A set of many paths in a few bytes each: sorted 64-bit fingerprints. Two paths of one fingerprint make one of them look
//! named when it may not be, which keeps a file. Pure.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Fingerprints that are collected in one piece of memory.
const BLOCK: usize = 128 * 1024;
/// About so many fingerprints share an entry of the index: what the processor fetches at once.
const PER_ENTRY: usize = 8;

/// Makes fingerprints: of one scan, and different in each, so that nobody can aim at a collision.
#[derive(Clone, Default)]
pub(in crate::run) struct Fingerprinter(RandomState);

impl Fingerprinter {
    /// The fingerprint of a path or a name.
    pub(in crate::run) fn of(&self, path: &[u8]) -> u64 {
        self.0.hash_one(path)
    }
}

/// Fingerprints that are being collected, in no order.
#[derive(Default)]
pub(in crate::run) struct Collection {
    blocks: Vec<Vec<u64>>,
}

impl Collection {
    pub(in crate::run) fn push(&mut self, fingerprint: u64) {
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(fingerprint),
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(fingerprint);
                self.blocks.push(block);
            }
        }
    }

    /// The set. At no time is more memory held than it takes, but for a block.
    pub(in crate::run) fn finish(self) -> Fingerprints {
        let mut sorted = Vec::with_capacity(self.blocks.iter().map(Vec::len).sum());
        // Each block is given back when it has been copied.
        self.blocks.into_iter().for_each(|block| sorted.extend_from_slice(&block));
        sorted.sort_unstable();
        sorted.dedup();
        Fingerprints::new(sorted)
    }
}

/// A set of fingerprints, each of which can be marked as found.
#[derive(Default)]
pub(in crate::run) struct Fingerprints {
    sorted: Vec<u64>,
    /// Number of leading bits of a fingerprint that choose an entry of `starts`.
    bits: u32,
    /// For each value of these bits the place of the first fingerprint that has them, or a later one's.
    starts: Vec<u32>,
    found: Vec<AtomicU64>,
}

impl Fingerprints {
    fn new(sorted: Vec<u64>) -> Self {
        let bits = (sorted.len() / PER_ENTRY).max(1).ilog2();
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (place, fingerprint) in sorted.iter().enumerate() {
            let entry = leading(*fingerprint, bits);
            while starts.len() <= entry {
                starts.push(u32::try_from(place).unwrap_or(u32::MAX));
            }
        }
        starts.resize((1 << bits) + 1, u32::try_from(sorted.len()).unwrap_or(u32::MAX));
        let found = (0..sorted.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { sorted, bits, starts, found }
    }

    pub(in crate::run) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    pub(in crate::run) fn len(&self) -> u64 {
        self.sorted.len() as u64
    }

    /// True if it is in the set; it is marked as found then.
    pub(in crate::run) fn find(&self, fingerprint: u64) -> bool {
        let Some(place) = self.place(fingerprint) else { return false };
        self.found[place / 64].fetch_or(1 << (place % 64), Ordering::Relaxed);
        true
    }

    /// True if it is in the set and nobody has found it.
    pub(in crate::run) fn is_missed(&self, fingerprint: u64) -> bool {
        self.place(fingerprint)
            .is_some_and(|place| self.found[place / 64].load(Ordering::Relaxed) & (1 << (place % 64)) == 0)
    }

    /// Number of fingerprints that nobody has found.
    pub(in crate::run) fn missed(&self) -> u64 {
        let found: u64 = self.found.iter().map(|bits| u64::from(bits.load(Ordering::Relaxed).count_ones())).sum();
        self.sorted.len() as u64 - found
    }

    fn place(&self, fingerprint: u64) -> Option<usize> {
        let entry = leading(fingerprint, self.bits);
        let (begin, end) = (*self.starts.get(entry)? as usize, *self.starts.get(entry + 1)? as usize);
        // Beyond four thousand million paths the index no longer tells places apart: then all are searched.
        let (begin, end) = if self.sorted.len() > u32::MAX as usize { (0, self.sorted.len()) } else { (begin, end) };
        self.sorted[begin..end].binary_search(&fingerprint).ok().map(|offset| begin + offset)
    }
}

fn leading(fingerprint: u64, bits: u32) -> usize {
    // A shift by all 64 bits is none.
    if bits == 0 { 0 } else { (fingerprint >> (64 - bits)) as usize }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn set(fingerprints: &[u64]) -> Fingerprints {
        let mut collection = Collection::default();
        fingerprints.iter().for_each(|fingerprint| collection.push(*fingerprint));
        collection.finish()
    }

    proptest! {
        #[test]
        fn it_holds_what_was_put_into_it(
            few in proptest::collection::vec(any::<u64>(), 0..2000),
            dense in proptest::collection::vec(0..5000_u64, 0..500),
            asked in proptest::collection::vec(0..5000_u64, 0..500),
        ) {
            let all: Vec<_> = few.iter().chain(&dense).copied().chain([0, u64::MAX]).collect();
            let (known, held): (HashSet<_>, _) = (all.iter().copied().collect(), set(&all));
            for fingerprint in all.iter().chain(&asked) {
                prop_assert_eq!(held.place(*fingerprint).is_some(), known.contains(fingerprint));
            }
        }

        #[test]
        fn what_was_not_found_is_missed(all in proptest::collection::hash_set(any::<u64>(), 0..500)) {
            let all: Vec<_> = all.into_iter().collect();
            let (found, missed) = all.split_at(all.len() / 2);
            let held = set(&all);
            prop_assert!(found.iter().all(|fingerprint| held.find(*fingerprint)));
            prop_assert!(missed.iter().all(|fingerprint| held.is_missed(*fingerprint)));
            prop_assert!(!found.iter().any(|fingerprint| held.is_missed(*fingerprint)));
            prop_assert_eq!(held.missed(), missed.len() as u64);
        }
    }

    #[test]
    fn nothing_is_in_an_empty_set() {
        assert!(!set(&[]).find(0) && set(&[]).is_empty() && set(&[]).missed() == 0);
    }
}
