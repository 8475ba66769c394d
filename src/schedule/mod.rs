//! When tasks are due: tokio-cron-scheduler as the trigger, croner for the arithmetic, the ledger's state for what was missed.

mod next;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::policy::Name;
pub use next::{Timing, TimingError, next_slot};

/// Why a task is activated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Due,
    CatchUp,
}

/// A slot that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub task: Name,
    pub due_at: Timestamp,
    pub occasion: Occasion,
}

/// What the ledger remembers of a task's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The newest slot that was run or skipped.
    pub last_due_at: Option<Timestamp>,
    /// When a daemon first saw the task; slots before this were not missed.
    pub known_since: Timestamp,
}

impl Past {
    /// From where an `every` counts.
    pub fn anchor(&self) -> Timestamp {
        self.last_due_at.unwrap_or(self.known_since)
    }

    /// Slots up to here are done with.
    fn floor(&self) -> Timestamp {
        self.last_due_at.map_or(self.known_since, |last| last.max(self.known_since))
    }
}

/// What the schedule sets in motion. `app` implements it by calling `run`.
pub trait Runnable: Send + Sync + 'static {
    /// Runs the task of a slot to its end; the token asks it to stop between batches.
    fn activate(&self, activation: Activation, cancel: tokio_util::sync::CancellationToken) -> BoxFuture<'static, ()>;
    /// Notes a slot that passed without a run.
    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()>;
}
