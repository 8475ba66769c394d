//! Directories that a walk found and nobody has read yet, shared among its workers only when one of them has none.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::listing::Names;

/// Directories of one directory that are still to be read.
#[derive(Default)]
pub(super) struct Batch {
    /// The directory that they are in, beneath the root.
    pub(super) parent: Vec<u8>,
    pub(super) names: Names,
    /// Where in it the names begin that are not in this batch yet.
    pub(super) more: Option<u64>,
}

impl Batch {
    /// The root: a directory without a name in a directory without a path.
    pub(super) fn root() -> Self {
        let mut root = Self::default();
        root.names.push(b"");
        root
    }
}

/// What is to be read by whoever is free.
pub(super) struct Pool {
    offered: Mutex<Offered>,
    changed: Condvar,
    /// Workers that wait for something to read.
    waiting: AtomicUsize,
}

struct Offered {
    batches: Vec<Batch>,
    /// Workers that may still find more.
    busy: usize,
}

impl Pool {
    pub(super) fn new(batch: Batch) -> Self {
        let offered = Offered { batches: vec![batch], busy: 0 };
        Self { offered: Mutex::new(offered), changed: Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    /// Puts something to read on a worker's stack, waiting for it; nothing when all has been read.
    pub(super) fn take(&self, stack: &mut Vec<Batch>) -> Option<Turn<'_>> {
        let mut offered = self.lock();
        loop {
            if let Some(batch) = offered.batches.pop() {
                offered.busy += 1;
                stack.push(batch);
                return Some(Turn(self));
            }
            if offered.busy == 0 {
                return None;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            offered = self.changed.wait(offered).unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether a worker waits.
    pub(super) fn is_hungry(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Offers half of the outermost directories on a worker's stack, beneath which there is likely the most.
    pub(super) fn share(&self, stack: &mut [Batch]) {
        for batch in stack {
            let names = batch.names.split();
            if !names.is_empty() {
                self.lock().batches.push(Batch { parent: batch.parent.clone(), names, more: None });
                self.changed.notify_one();
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Offered> {
        // A list and a number are whole whatever happened to a thread that held them.
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While a worker has one, it may find more to read.
pub(super) struct Turn<'a>(&'a Pool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut offered = self.0.lock();
        offered.busy -= 1;
        if offered.busy == 0 {
            self.0.changed.notify_all();
        }
    }
}
