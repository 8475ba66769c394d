//! Pending files: lists them, tries again to remove them, or forgets one. Removes nothing but by the recovery of a run.

use std::sync::Arc;

use anyhow::Context;
use futures_util::StreamExt;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio_util::sync::CancellationToken;

use super::execute::open_ledger;
use super::operator::operator;
use super::{audit, status};
use crate::clock::Clock;
use crate::ledger::{AuditAction, ForgottenFile, IntentBatch, IntentItem, LeaseOutcome, Ledger, LedgerError};
use crate::outcome::{Operator, PendingChoice, PendingPath, RunId};
use crate::policy::{Name, Settings};
use crate::report::{Forgotten, ForgottenRow, PendingFile, PendingFiles, Retried};
use crate::run::{KeptBatch, Recovery, Runner, batch_waits_for};

/// Batches that are read from the ledger at once.
const BATCHES_AT_ONCE: u32 = 16;

/// Reason that nothing was done about a pending file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PendingError {
    #[error("{choice} is not pending")]
    NotPending { choice: PendingChoice },
    #[error("{choice} waits for run {run_id} (process {pid}), which has policy {policy}")]
    Busy { choice: PendingChoice, policy: Name, run_id: RunId, pid: u32 },
}

impl PendingError {
    /// Advice on what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            PendingError::NotPending { .. } => "`retaind pending` lists what is",
            PendingError::Busy { .. } => "wait for its end, or cancel it",
        }
    }
}

/// Pending files by what the state directory has. `settings`: none where the configuration is not known.
pub async fn list(
    (state, settings): (&Settings, Option<&Settings>),
    clock: &Clock,
    limit: u32,
) -> anyhow::Result<PendingFiles> {
    match status::open(state, clock.now()).await? {
        Some(ledger) => Ok(listed(settings, &ledger, (&PendingChoice::All, &[]), limit).await?),
        None => Ok(PendingFiles::default()),
    }
}

/// The pending files of a choice, the oldest first. `kept`: what an attempt has just come to.
pub async fn listed(
    settings: Option<&Settings>,
    ledger: &Ledger,
    (choice, kept): (&PendingChoice, &[KeptBatch]),
    limit: u32,
) -> Result<PendingFiles, LedgerError> {
    let (mut files, mut after) = (PendingFiles::default(), 0);
    loop {
        let batches = ledger.unsettled(None, after, BATCHES_AT_ONCE).await?;
        let Some(last) = batches.last() else { return Ok(files) };
        after = last.id;
        for batch in batches {
            let chosen: Vec<&IntentItem> = batch.items.iter().filter(|item| item.is_in(choice)).collect();
            files.files_pending += chosen.len() as u64;
            let room = (limit as usize).saturating_sub(files.pending.len());
            if chosen.is_empty() || room == 0 {
                continue;
            }
            let reason = reason_of(settings, ledger, &batch, kept).await?;
            files.pending.extend(chosen.into_iter().take(room).map(|item| pending_file(&batch, item, reason.clone())));
        }
    }
}

/// Reason for which all files of a batch wait: its word, and in words.
async fn reason_of(
    settings: Option<&Settings>,
    ledger: &Ledger,
    batch: &IntentBatch,
    kept: &[KeptBatch],
) -> Result<Option<(String, String)>, LedgerError> {
    let of_batch = |kept: &&KeptBatch| kept.policy == batch.policy && kept.batch.is_none_or(|id| id == batch.id);
    if let Some(KeptBatch { why, .. }) = kept.iter().find(of_batch) {
        return Ok(Some((why.code().to_owned(), why.to_string())));
    }
    if let Some(run_id) = ledger.holder(&batch.policy).await? {
        return Ok(Some(("already_running".to_owned(), format!("run {run_id} is at work on the policy"))));
    }
    let Some(settings) = settings else { return Ok(None) };
    let waits = batch_waits_for(settings, ledger, batch).await?;
    Ok(waits.map(|why| (why.code().to_owned(), why.to_string())))
}

fn pending_file(batch: &IntentBatch, item: &IntentItem, reason: Option<(String, String)>) -> PendingFile {
    let own = || match &item.why {
        Some(why) => ("not_removed".to_owned(), why.clone()),
        None => ("not_tried".to_owned(), "its run ended before it came to this file".to_owned()),
    };
    let (reason, why) = reason.unwrap_or_else(own);
    PendingFile {
        store: item.owner.store.clone(),
        path: item.path.clone(),
        directory: item.owner.directory,
        policy: batch.policy.clone(),
        run_id: batch.run_id,
        source: batch.source.clone(),
        table: item.owner.table.clone(),
        key: item.key.clone(),
        since: batch.recorded_at,
        reason,
        why,
    }
}

/// Tries again to remove files of a choice, where no daemon runs. A signal stops it between two batches.
pub async fn retry(
    settings: &Arc<Settings>,
    choice: &PendingChoice,
    limit: u32,
) -> anyhow::Result<Result<Retried, PendingError>> {
    let (clock, cancel) = (Clock::default(), CancellationToken::new());
    let ledger = open_ledger(settings).await?;
    if let Err(error) = check_pending(settings, &ledger, choice).await? {
        return Ok(Err(error));
    }
    audit::note(&ledger, &clock, (AuditAction::Retry, choice.to_string()), serde_json::json!({})).await?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
    let stop = cancel.clone();
    let listening = tokio::spawn(async move {
        if signals.next().await.is_some() {
            stop.cancel();
        }
    });
    let runner = Runner::new(Arc::clone(settings), Some(ledger.clone()), clock);
    let recovery = Box::pin(runner.recover(choice, &cancel)).await;
    listening.abort();
    Ok(Ok(retried(settings, &ledger, (choice, recovery?), limit).await?))
}

/// Refuses a choice of which nothing is pending, but for a store that there is.
pub async fn check_pending(
    settings: &Settings,
    ledger: &Ledger,
    choice: &PendingChoice,
) -> Result<Result<(), PendingError>, LedgerError> {
    let is_known = match choice {
        PendingChoice::All => true,
        PendingChoice::Store(store) => settings.store(store).is_some(),
        PendingChoice::File(_) => false,
    };
    if is_known || !listed(None, ledger, (choice, &[]), 1).await?.pending.is_empty() {
        return Ok(Ok(()));
    }
    Ok(Err(PendingError::NotPending { choice: choice.clone() }))
}

/// Result of an attempt, and what is left of the choice.
pub async fn retried(
    settings: &Settings,
    ledger: &Ledger,
    (choice, recovery): (&PendingChoice, Recovery),
    limit: u32,
) -> Result<Retried, LedgerError> {
    let left = listed(Some(settings), ledger, (choice, &recovery.kept), limit).await?;
    let Recovery { batches_settled, files_deleted, files_missing, files_referenced, kept: _ } = recovery;
    Ok(Retried { batches_settled, files_deleted, files_missing, files_referenced, left })
}

/// Forgets a file where no daemon runs.
pub async fn forget_here(settings: &Settings, file: &PendingPath) -> anyhow::Result<Result<Forgotten, PendingError>> {
    let ledger = open_ledger(settings).await?;
    Ok(forget(&ledger, file, &operator(), &Clock::default()).await?)
}

/// Forgets a pending file, which stays then, under the leases of the policies that would remove it.
pub async fn forget(
    ledger: &Ledger,
    file: &PendingPath,
    by: &Operator,
    clock: &Clock,
) -> Result<Result<Forgotten, PendingError>, LedgerError> {
    let choice = PendingChoice::File(file.clone());
    let (mut leases, mut busy) = (Vec::new(), None);
    for (policy, _) in ledger.owed().await? {
        if busy.is_some() || !ledger.has_pending(&policy, &choice).await? {
            continue;
        }
        match ledger.acquire_lease(&policy, RunId::now_v7(), clock.now()).await? {
            LeaseOutcome::Granted(lease) => leases.push(lease),
            LeaseOutcome::Held { run_id, pid, .. } => {
                busy = Some(PendingError::Busy { choice: choice.clone(), policy, run_id, pid });
            }
        }
    }
    let forgotten = match busy {
        Some(busy) => Ok(Err(busy)),
        None => {
            let policies: Vec<Name> = leases.iter().map(|lease| lease.policy.clone()).collect();
            let rows = ledger.forget_pending(&policies, (&file.store, &file.path), by, clock.now()).await;
            rows.map(
                |rows| if rows.is_empty() { Err(PendingError::NotPending { choice }) } else { Ok(told(file, rows)) },
            )
        }
    };
    for lease in leases {
        ledger.release(lease).await?;
    }
    forgotten
}

fn told(file: &PendingPath, rows: Vec<ForgottenFile>) -> Forgotten {
    let row = |ForgottenFile { policy, run_id, key }| ForgottenRow { policy, run_id, key };
    Forgotten { store: file.store.clone(), path: file.path.clone(), rows: rows.into_iter().map(row).collect() }
}
