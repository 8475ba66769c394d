//! Plan of what one policy would take: without holds and without guards on how much may go, for whoever is to approve
//! it.

use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::Timestamp;

use super::execute::{Job, JobEnd, execute};
use super::selection::Selection;
use crate::outcome::{GuardReading, PolicyResult, RunMode, Status};
use crate::policy::{Mode, Name, Params, Policy, PolicyKind, Settings};
use crate::report::Amounts;

/// A policy as it would run if nothing held it.
#[derive(Debug, Clone)]
pub(crate) struct Foreseen {
    pub(crate) at: Timestamp,
    pub(crate) result: PolicyResult,
    pub(crate) amounts: Amounts,
    /// Amount that guards on how much may go count: rows, or files of a store.
    pub(crate) amount: u64,
    /// Guards on how much may go that say no.
    pub(crate) exceeded: Vec<GuardReading>,
}

impl Foreseen {
    /// Reason for which the policy would not run although it was approved, in words.
    pub(crate) fn obstacle(&self, policy: &Name) -> Option<String> {
        let unknown = || format!("policy {policy} could not be planned");
        match self.result.status {
            Status::Completed | Status::CompletedWithErrors => None,
            Status::Blocked => self.result.blocked_by.clone().or_else(|| Some(unknown())),
            Status::Failed | Status::Cancelled => {
                self.result.errors.first().map(|failure| failure.error.clone()).or_else(|| Some(unknown()))
            }
        }
    }
}

/// Plans a policy by itself; none where it was cancelled.
pub(crate) async fn foresee(settings: &Settings, policy: &Name, params: &Params) -> anyhow::Result<Option<Foreseen>> {
    let Some(own) = settings.policy(policy) else {
        anyhow::bail!("the configuration has no policy {policy}");
    };
    let free = Arc::new(Policy { mode: Mode::Enforce, ..own.without_guards() });
    let mut settings = settings.clone();
    settings.daemon.mode = Mode::Enforce;
    settings.daemon.approve_changes = false;
    for place in settings.policies.iter_mut().filter(|place| place.name == *policy) {
        *place = Arc::clone(&free);
    }
    let job = Job {
        settings: Arc::new(settings),
        selection: Selection { policies: vec![free], task: None },
        mode: RunMode::Plan,
        params: params.clone(),
        clock: Default::default(),
        is_temporary: false,
        looked: Default::default(),
        count_first: false,
        progress: None,
        list: None,
        on_signal: Box::new(|| {}),
    };
    let plan = match execute(job).await? {
        JobEnd::Result(plan) => plan,
        JobEnd::Forced => return Ok(None),
    };
    let at = plan.started_at;
    let cancelled = |result: &PolicyResult| result.status == Status::Cancelled;
    let Some(result) = plan.policies.into_iter().next().filter(|result| !cancelled(result)) else { return Ok(None) };
    Ok(Some(read(own, at, result)))
}

/// Reads a plan by the guards that the policy has.
fn read(policy: &Policy, at: Timestamp, result: PolicyResult) -> Foreseen {
    let tally = &result.tally;
    let amounts = Amounts {
        rows: tally.rows_matched,
        files: tally.files_deleted,
        size_bytes: tally.bytes_reclaimed + tally.bytes_trashed,
    };
    let amount = result.amount();
    let exceeded = limits(policy).into_iter().filter_map(|(guard, limit)| {
        let value = result.guards.iter().find(|reading| reading.guard == guard)?.value;
        (value > limit).then(|| GuardReading { guard: guard.to_owned(), value, limit })
    });
    let exceeded = exceeded.collect();
    Foreseen { at, result, amounts, amount, exceeded }
}

/// The guards of a policy on how much may go.
fn limits(policy: &Policy) -> Vec<(&'static str, f64)> {
    let number = |guard, most: Option<NonZeroU64>| most.map(|most| (guard, most.get() as f64));
    let (most, share) = match &policy.kind {
        PolicyKind::Rows(rows) => (number("max_rows", rows.max_rows), rows.max_fraction),
        PolicyKind::Files(files) => (number("max_files", files.max_files), files.max_fraction),
        PolicyKind::Orphans(orphans) => (number("max_files", orphans.max_files), Some(orphans.max_fraction)),
    };
    most.into_iter().chain(share.map(|share| ("max_fraction", share.get()))).collect()
}
