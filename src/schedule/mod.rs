//! When tasks are due: tokio-cron-scheduler as the trigger, croner for the arithmetic, the ledger's state for what was missed.

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::policy::Name;

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

/// What the schedule sets in motion. `app` implements it by calling `run`.
pub trait Runnable: Send + Sync + 'static {
    /// Runs the task of a slot to its end; the token asks it to stop between batches.
    fn activate(&self, activation: Activation, cancel: tokio_util::sync::CancellationToken) -> BoxFuture<'static, ()>;
    /// Notes a slot that passed without a run.
    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()>;
}
