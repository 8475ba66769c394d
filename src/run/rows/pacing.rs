//! Speed of a deletion under way: what was measured of its batches, for `decide::pace`.

use std::time::{Duration, Instant};

use crate::decide::pace::{Pacer, Taken};
use crate::decide::replica::LogPlaces;

/// Speed of a deletion under way.
pub(crate) struct Pacing {
    pub(super) pacer: Pacer,
    /// The slowest transaction since the last rest: its rows and its time.
    pub(super) slowest: Option<(u64, Duration)>,
    /// The batch that no rest has followed yet.
    pub(super) taken: Option<Taken>,
    pub(super) began: Instant,
    /// End of the last batch, or of the rest after it.
    pub(super) last: Instant,
    pub(super) looked: Option<Instant>,
    pub(super) asked: Option<Instant>,
    pub(super) places: LogPlaces,
}

impl Pacing {
    pub(crate) fn new(pacer: Pacer) -> Self {
        let now = Instant::now();
        Self {
            pacer,
            slowest: None,
            taken: None,
            began: now,
            last: now,
            looked: None,
            asked: None,
            places: LogPlaces::default(),
        }
    }

    /// Rows of the next batch.
    pub(crate) fn rows(&self) -> u32 {
        self.pacer.rows()
    }

    /// True while the deletion goes as fast as it can.
    pub(crate) fn is_at_full_speed(&self) -> bool {
        !self.pacer.is_yielding()
    }

    /// Hears of a transaction that was committed.
    pub(crate) fn transaction(&mut self, rows: u64, took: Duration) {
        if self.slowest.is_none_or(|(_, slowest)| took > slowest) {
            self.slowest = Some((rows, took));
        }
    }

    /// Hears that a batch waited too long for a lock or for its end.
    pub(crate) fn timed_out(&mut self) {
        self.pacer.timed_out();
    }
}
