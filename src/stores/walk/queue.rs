//! Work of a walk that nobody has dealt with yet: directories, shared among its workers only when one of them has none,
//! and parts and files of large directories, which would keep one worker busy while the others wait.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::range::Span;
use crate::stores::dir_reader::{Listing, Names};

/// Directories of one directory that are still to be read.
#[derive(Default)]
pub(crate) struct Batch {
    /// The directory that they are in, beneath the root.
    pub(crate) parent: Vec<u8>,
    pub(crate) names: Names,
    /// Part of it that was not read for this batch yet.
    pub(crate) more: Option<Span>,
}

impl Batch {
    /// The root: a directory without a name in a directory without a path.
    pub(crate) fn root() -> Self {
        let mut root = Self::default();
        root.names.push(b"");
        root
    }
}

/// A large directory that several workers have to do with.
pub(crate) struct Large {
    pub(crate) directory: Arc<OwnedFd>,
    /// Beneath the root.
    pub(crate) path: Vec<u8>,
}

/// Work for whoever is free.
pub(crate) enum Task {
    Read(Batch),
    /// Part of a directory that nobody has read yet.
    ReadOn(Large, Span),
    /// A piece: files of a directory that were read, and that nobody has told of yet.
    Tell(Large, Listing),
}

/// Pieces that are put aside for each worker but the one that reads them.
const PIECES_EACH: usize = 2;

/// Work to be done, and who waits for it.
pub(crate) struct Pool {
    offered: Mutex<Offered>,
    changed: Condvar,
    /// Workers that wait for something to do.
    waiting: AtomicUsize,
    /// Pieces that may still be put aside.
    room: AtomicUsize,
}

struct Offered {
    tasks: Vec<Task>,
    /// Workers that may still find more.
    busy: usize,
}

impl Pool {
    pub(crate) fn new(batch: Batch, workers: usize) -> Self {
        let offered = Offered { tasks: vec![Task::Read(batch)], busy: 0 };
        let room = AtomicUsize::new(workers.saturating_sub(1) * PIECES_EACH);
        Self { offered: Mutex::new(offered), changed: Condvar::new(), waiting: AtomicUsize::new(0), room }
    }

    /// Something to do, waiting for it; nothing when all is done.
    pub(crate) fn take(&self) -> Option<(Task, Turn<'_>)> {
        let mut offered = self.lock();
        loop {
            if let Some(task) = offered.tasks.pop() {
                offered.busy += 1;
                if matches!(task, Task::Tell(..)) {
                    self.room.fetch_add(1, Ordering::Relaxed);
                }
                return Some((task, Turn(self)));
            }
            if offered.busy == 0 {
                return None;
            }
            self.waiting.fetch_add(1, Ordering::Relaxed);
            offered = self.changed.wait(offered).unwrap_or_else(PoisonError::into_inner);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// True if a worker waits.
    pub(crate) fn is_hungry(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Offers half of the outermost directories on a worker's stack, beneath which there is likely the most.
    pub(crate) fn share(&self, stack: &mut [Batch]) {
        for batch in stack {
            let names = batch.names.split();
            if !names.is_empty() {
                self.offer(Task::Read(Batch { parent: batch.parent.clone(), names, more: None }));
                return;
            }
        }
    }

    /// True if a piece may be made, to be put aside: so few of them that they take little memory.
    pub(crate) fn reserve(&self) -> bool {
        self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(1)).is_ok()
    }

    /// Leaves something to whoever is free; of pieces only those for which there was room.
    pub(crate) fn offer(&self, task: Task) {
        self.lock().tasks.push(task);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Offered> {
        // A list and a number are whole whatever happened to a thread that held them.
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While a worker has one, it may find more to read.
pub(crate) struct Turn<'a>(&'a Pool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut offered = self.0.lock();
        offered.busy -= 1;
        if offered.busy == 0 {
            self.0.changed.notify_all();
        }
    }
}
