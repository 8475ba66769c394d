//! Border of the schedule: slots that are due, the memory of them, and whoever runs their tasks.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::policy::{Name, Task};

/// Why a task is activated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    Due,
    /// It was missed.
    CatchUp,
    /// Its run did not succeed.
    Retry,
}

/// A slot that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub task: Name,
    pub due_at: Timestamp,
    pub occasion: Occasion,
}

/// Memory of a task's slots, as the ledger keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The newest slot that was run or skipped.
    pub last_due_at: Option<Timestamp>,
    /// When a daemon first saw the task; slots before this were not missed.
    pub known_since: Timestamp,
    /// When the run of the newest slot ended, if that slot is to be tried again.
    pub unfinished_at: Option<Timestamp>,
}

impl Past {
    /// From where an `every` counts.
    pub fn anchor(&self) -> Timestamp {
        self.last_due_at.unwrap_or(self.known_since)
    }

    /// When the newest slot is tried again; not where the next one begins before.
    pub fn retry_at(&self, task: &Task, zone: &TimeZone, next: Option<Timestamp>) -> Option<Timestamp> {
        let at = task.opening(zone, self.unfinished_at?.checked_add(task.retry?).ok()?);
        next.is_none_or(|next| at < next).then_some(at)
    }

    /// Slots up to here are done with.
    pub fn floor(&self) -> Timestamp {
        self.last_due_at.map_or(self.known_since, |last| last.max(self.known_since))
    }
}

/// End of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotEnd {
    /// The slot is done with.
    Done,
    /// Its run did not succeed: where the task says so, it is tried again.
    Unfinished,
}

/// Executor of the tasks that are due. `daemon` implements it by calling `run`.
pub trait Runnable: Send + Sync + 'static {
    /// Runs the task of a slot to its end; the token asks it to stop between batches.
    fn activate(&self, activation: Activation, cancel: CancellationToken) -> BoxFuture<'static, SlotEnd>;
    /// Notes a slot that passed without a run.
    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()>;
    /// Notes an activation that ended by a panic, with the panic's words.
    fn lost(&self, activation: Activation, panic: String) -> BoxFuture<'static, ()>;
}

/// State of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    pub task: Name,
    pub next: Option<Timestamp>,
    pub running_since: Option<Timestamp>,
    /// It runs well past its timeout.
    pub overrun: bool,
}

/// The answer to "how are things": given by the loop that starts the runs, so that an answer proves that it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    pub tasks: Vec<TaskStatus>,
    /// Number of activations that run, those of tasks that a reload took away included.
    pub running: usize,
    /// False when a slot has come and the trigger did not notice.
    pub ticking: bool,
}
