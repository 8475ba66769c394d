//! Settling what earlier runs left owing: once before the daemon is ready, and later what could not be settled then.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::report::{Report, Reports};
use crate::clock::Backoff;
use crate::ledger::LedgerError;
use crate::outcome::PendingChoice;
use crate::run::{Recovery, Runner};
use crate::telemetry::Event;
use crate::text::chain;

/// Number of tries (some minutes of them), after which what is still pending waits for its source to come back, or for
/// the next run of its policy, which recovers first: an idle daemon does not poll for ever.
const TRIES: u32 = 8;

/// Examines the unsettled batches that a choice takes in.
pub async fn recover(
    runner: &Runner,
    choice: &PendingChoice,
    cancel: &CancellationToken,
) -> Result<Recovery, LedgerError> {
    let recovery = Box::pin(runner.recover(choice, cancel)).await?;
    let kept = recovery.kept.len();
    for why in &recovery.kept {
        tracing::debug!(%why, "An unsettled batch is kept for later: {why}");
    }
    if recovery.batches_settled > 0 || kept > 0 {
        let (batches, files_deleted) = (recovery.batches_settled, recovery.files_deleted);
        Event::Recovered { batches, files_deleted, kept: kept as u64 }.emit();
    }
    Ok(recovery)
}

/// Does the same by the configuration in force: one that comes into force meanwhile counts from there on.
pub async fn recover_in_force(
    live: &Live,
    choice: &PendingChoice,
    cancel: &CancellationToken,
) -> Result<Recovery, LedgerError> {
    let mut before = Recovery::default();
    loop {
        let mut changes = live.changes();
        let (runner, stop) = (live.runner(), cancel.child_token());
        let mut recovering = std::pin::pin!(recover(&runner, choice, &stop));
        tokio::select! {
            done = &mut recovering => return Ok(before.and(done?)),
            Ok(()) = changes.changed() => {
                stop.cancel();
                before = before.and(recovering.await?);
            }
        }
    }
}

/// Recovers in the background.
pub struct Background {
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Background {
    /// Tries again soon when `kept` batches wait, and whenever [`Background::wake`] says that it may work now.
    pub fn start(live: Live, reports: Reports, cancel: CancellationToken, kept: usize) -> Self {
        let wake = Arc::new(Notify::new());
        let task = tokio::spawn(keep_recovering(live, reports, cancel, Arc::clone(&wake), kept));
        Self { wake, task }
    }

    /// A source came up: what is pending there can be settled.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for the end, after the token was cancelled.
    pub async fn ended(&mut self) {
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "The recovery in the background ended by a bug in retaind");
        }
    }
}

async fn keep_recovering(live: Live, reports: Reports, cancel: CancellationToken, wake: Arc<Notify>, mut kept: usize) {
    let mut backoff = Backoff::default();
    loop {
        let tries_left = kept > 0 && backoff.attempts() < TRIES;
        let wait = if tries_left { Some(backoff.next_wait()) } else { None };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = wake.notified() => backoff = Backoff::default(),
            () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
        }
        match recover_in_force(&live, &PendingChoice::All, &cancel).await {
            Ok(recovery) => {
                kept = recovery.kept.len();
                // The main loop is gone only when the daemon ends.
                let _ = reports.send(Report::Recovered { kept });
            }
            Err(error) => tracing::error!(error = chain(&error), "Recovery failed: {}", chain(&error)),
        }
    }
}
