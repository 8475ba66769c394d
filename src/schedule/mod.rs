//! When tasks are due: tokio-cron-scheduler as the trigger, croner for the arithmetic, the ledger's state for what was missed.

mod activations;
mod alarm;
mod interface;
mod next;
mod ticker;
mod timetable;

use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use activations::Activations;
pub use alarm::Alarm;
pub use interface::{Activation, Occasion, Past, Pulse, Runnable, SlotEnd, TaskStatus};
pub use next::{Timing, TimingError, next_slot};
use ticker::{Board, Ticker};
pub use timetable::Scheduled;
use timetable::Timetable;

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

    /// State of all tasks; none when the loop that starts the runs does not answer within `patience`.
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
