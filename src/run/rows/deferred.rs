//! Batches whose rows are gone and whose files wait until it is known what rows mean by unusual spellings. Their intents are
//! in the ledger.

use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::IntentBatch;

/// Files that wait at most.
const FILES_AT_MOST: usize = 50_000;
/// A reading takes at most about this part of the time of a run.
const SHARE: u32 = 40;
/// Longest reading that a stop waits for.
const SHORT: Duration = Duration::from_millis(500);

/// Batches that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    batches: Vec<IntentBatch>,
    files: usize,
    /// The last reading took a connection of its own; what does not is done after each batch.
    pub(crate) reads_long: bool,
    /// Time that the last reading took, and when it ended.
    last: Option<(Duration, Timestamp)>,
}

impl Waiting {
    pub(crate) fn push(&mut self, batch: IntentBatch) {
        self.files += batch.items.len();
        self.batches.push(batch);
    }

    pub(crate) fn take(&mut self) -> Vec<IntentBatch> {
        self.files = 0;
        std::mem::take(&mut self.batches)
    }

    /// True if it is time for a reading: the last one was long enough ago for what it took, or much waits.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let rested = self.last.is_none_or(|(took, ended_at)| {
            let since = Duration::try_from(now.duration_since(ended_at)).unwrap_or_default();
            since >= took.saturating_mul(SHARE)
        });
        !self.reads_long || rested || self.files >= FILES_AT_MOST
    }

    pub(crate) fn searched(&mut self, began_at: Timestamp, ended_at: Timestamp) {
        let took = Duration::try_from(ended_at.duration_since(began_at)).unwrap_or_default();
        self.last = Some((took, ended_at));
    }

    /// True if a stop should not wait for a reading.
    pub(crate) fn takes_long(&self) -> bool {
        self.last.is_some_and(|(took, _)| took > SHORT)
    }
}
