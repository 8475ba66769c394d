//! Ends of runs, as the journal and the status line report them.

use jiff::Timestamp;

use super::holds::announce_held;
use super::status_line::EndedRun;
use crate::outcome::{HookPoint, RunId, RunResult, Status, Totals};
use crate::policy::{Name, Settings};
use crate::run::RunError;
use crate::schedule::Activation;
use crate::telemetry::{Event, RunEvent};
use crate::text::chain;

/// Writes into the journal how a run ended, and what of it a person should know.
pub(super) fn emit_result(result: &RunResult) {
    let run_id = result.run_id.to_string();
    for failure in &result.hook_errors {
        if let Some(task) = &result.task {
            let (hook, error) = (failure.hook.word(), failure.error.as_str());
            Event::HookFailed { task, run_id: &run_id, hook, error }.emit();
        }
    }
    let is_barred = result.hook_errors.iter().any(|failure| failure.hook == HookPoint::Before);
    // A failed `before` has been told of: it blocks every policy, and no guard does.
    for policy in result.policies.iter().filter(|_| !is_barred) {
        if let Some(held) = &policy.held {
            announce_held(result, &policy.policy, held);
        } else if let Some(guard) = &policy.blocked_by {
            Event::GuardBlocked { policy: &policy.policy, run_id: &run_id, guard }.emit();
        }
    }
    let status = result.status.unwrap_or(Status::Failed);
    let RunResult { run_id, task, totals, duration_ms, .. } = result;
    let (run_id, task, duration_ms) = (*run_id, task.as_ref(), *duration_ms);
    Event::RunEnded(RunEvent { run_id, task, status, totals, duration_ms }).emit();
}

/// Reports a slot whose run did not begin.
pub(super) fn emit_refused(error: &RunError, activation: &Activation, run_id: RunId) {
    let Activation { task, due_at, occasion: _ } = activation;
    match error {
        RunError::SlotTaken { .. } => {
            Event::SlotSkipped { task, due_at: *due_at, why: "this slot was run before" }.emit();
        }
        other => {
            tracing::error!(%task, error = chain(other), "Task {task} could not run: {}", chain(other));
            let totals = Totals { errors: 1, ..Totals::default() };
            let (task, status, totals) = (Some(task), Status::Failed, &totals);
            Event::RunEnded(RunEvent { run_id, task, status, totals, duration_ms: 0 }).emit();
        }
    }
}

/// A run that ended, as the status line shows it.
pub(super) fn last_run(result: &RunResult, now: Timestamp) -> EndedRun {
    EndedRun {
        task: result.task.clone(),
        status: result.status.unwrap_or(Status::Failed),
        finished_at: result.finished_at.unwrap_or(now),
        rows: result.totals.rows_deleted + result.totals.rows_updated,
        files_deleted: result.totals.files_deleted,
    }
}

/// The sources of the policies that failed.
pub(super) fn suspects(settings: &Settings, result: &RunResult) -> Vec<Name> {
    let failed = result.policies.iter().filter(|policy| policy.status == Status::Failed);
    let policies = failed.filter_map(|failed| settings.policy(&failed.policy));
    let mut sources: Vec<Name> = policies.flat_map(|policy| settings.sources_of(policy)).cloned().collect();
    sources.sort();
    sources.dedup();
    sources
}
