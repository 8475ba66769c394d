//! When tasks are due: tokio-cron-scheduler as the trigger, croner for the arithmetic, the ledger's state for what was missed.

mod activations;
mod alarm;
mod next;
mod ticker;
mod timetable;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::policy::Name;
use activations::Activations;
pub use alarm::Alarm;
pub use next::{Timing, TimingError, next_slot};
use ticker::{Board, Ticker};
pub use timetable::Scheduled;
use timetable::Timetable;

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
    fn activate(&self, activation: Activation, cancel: CancellationToken) -> BoxFuture<'static, ()>;
    /// Notes a slot that passed without a run.
    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()>;
    /// Notes an activation that ended by a panic, with the panic's words.
    fn lost(&self, activation: Activation, panic: String) -> BoxFuture<'static, ()>;
}

/// Where a task stands.
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
    /// How many activations run, those of tasks that a reload took away included.
    pub running: usize,
    /// False when a slot has come and the trigger did not notice.
    pub ticking: bool,
}

/// Why a schedule could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    #[error("the schedule cannot be made")]
    Timing(#[from] TimingError),
    #[error("the scheduler did not start")]
    Trigger(#[source] tokio_cron_scheduler::JobSchedulerError),
}

/// The running schedule.
pub struct Schedule {
    board: Arc<Board>,
    ticker: Ticker,
    ask: mpsc::Sender<oneshot::Sender<Pulse>>,
    stop: CancellationToken,
    activations: JoinHandle<()>,
}

impl Schedule {
    /// Starts to activate tasks. Slots that were missed since each task's past are judged right away.
    /// Cancelling `parent` cancels every activation.
    pub async fn start(
        zone: TimeZone,
        tasks: &[Scheduled],
        clock: Clock,
        alarm: Alarm,
        runnable: Arc<dyn Runnable>,
        parent: &CancellationToken,
    ) -> Result<Self, ScheduleError> {
        let table = Timetable::at_start(zone, tasks, clock.now())?;
        let board = Arc::new(Board::new(table, clock, alarm));
        let stop = parent.child_token();
        let (bell, heard) = mpsc::channel(1);
        let (ask, asked) = mpsc::channel(4);
        let ticker = Ticker::start(Arc::clone(&board), bell).await.map_err(ScheduleError::Trigger)?;
        let activations = Activations::new(Arc::clone(&board), runnable, stop.clone(), heard, asked);
        Ok(Self { board, ticker, ask, stop, activations: tokio::spawn(activations.run()) })
    }

    /// Puts other tasks in place of the present ones; what runs is left alone. On an error nothing has changed.
    pub fn replace(&self, zone: TimeZone, tasks: &[Scheduled]) -> Result<(), ScheduleError> {
        self.board.table().replace(zone, tasks, self.board.clock.now())?;
        self.board.announce_change();
        Ok(())
    }

    /// How things are; none when the loop that starts the runs does not answer within `patience`.
    pub async fn pulse(&self, patience: std::time::Duration) -> Option<Pulse> {
        let (answer, answered) = oneshot::channel();
        let asking = async {
            self.ask.send(answer).await.ok()?;
            answered.await.ok()
        };
        tokio::time::timeout(patience, asking).await.ok().flatten()
    }

    /// No task is activated any more, and what runs is asked to stop.
    pub async fn close(&mut self) {
        self.stop.cancel();
        self.ticker.stop().await;
    }

    /// Waits until everything that ran has ended; call [`Schedule::close`] first.
    pub async fn ended(&mut self) {
        if let Err(error) = (&mut self.activations).await {
            tracing::error!(%error, "The loop that starts the runs ended by a bug in retaind");
        }
    }
}

#[cfg(test)]
mod tests;
