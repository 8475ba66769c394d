//! Policies of kind `orphans`.

use std::num::NonZeroU64;
use std::time::Duration;

use jiff::Timestamp;

use super::{FileMatch, Fraction, Name};

/// Files of a store that no row of its references names. The store has at least one reference.
#[derive(Debug, Clone)]
pub struct OrphansPolicy {
    pub store: Name,
    /// Files of another shape are no orphans, whatever rows say.
    pub matching: FileMatch,
    /// Grace: a file changed since is no orphan, because its row may still be on its way.
    pub keep: Duration,
    /// Guard: a larger share of the matching files blocks the run.
    pub max_fraction: Fraction,
    /// Guard: more files than that block the run.
    pub max_files: Option<NonZeroU64>,
}

impl OrphansPolicy {
    /// The instant before which an orphan was last changed, for a run that begins at `now`; a time before the first that
    /// there is makes nothing eligible.
    pub fn cutoff(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.keep).unwrap_or(Timestamp::MIN)
    }
}
