//! Ends of runs, as the journal and the status line report them.

use jiff::Timestamp;

use super::holds::announce_held;
use super::status_line::EndedRun;
use crate::outcome::{Failure, HookPoint, PolicyResult, Reported, RunId, RunMode, RunResult, Status, Totals};
use crate::policy::{Name, Settings};
use crate::run::{Progress, RunError};
use crate::schedule::Activation;
use crate::telemetry::{Event, RunEvent};
use crate::text::chain;

/// Policies and hooks whose errors an event names.
const MOST_CAUSES: usize = 5;

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
    let causes = causes(result);
    let reported = Reported::of(&result.policies);
    Event::RunEnded(RunEvent {
        run_id: result.run_id,
        task: result.task.as_ref(),
        policies: &names(&result.policies, |_| true),
        mode: result.mode,
        status: result.status.unwrap_or(Status::Failed),
        cause: result.cause,
        totals: &result.totals,
        reported: reported.as_ref(),
        blocked: &names(&result.policies, |policy| policy.status == Status::Blocked),
        error: (!causes.is_empty()).then_some(causes.as_str()),
        duration_ms: result.duration_ms,
    })
    .emit();
}

fn names(policies: &[PolicyResult], which: impl Fn(&PolicyResult) -> bool) -> String {
    policies.iter().filter(|policy| which(policy)).map(|policy| policy.policy.as_str()).collect::<Vec<_>>().join(", ")
}

/// The first error of each policy and hook that had one.
pub(super) fn causes(result: &RunResult) -> String {
    let of_policies = result.policies.iter().filter_map(|policy| {
        let Failure { key, path, error, .. } = policy.errors.first()?;
        let of = path.as_ref().or(key.as_ref()).map(|of| format!("{of}: ")).unwrap_or_default();
        Some(format!("policy {}: {of}{error}", policy.policy))
    });
    let of_hooks = result.hook_errors.iter().map(|failure| format!("{} hook: {}", failure.hook.word(), failure.error));
    let mut all: Vec<String> = of_policies.chain(of_hooks).collect();
    let more = all.len().saturating_sub(MOST_CAUSES);
    all.truncate(MOST_CAUSES);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all.join("; ")
}

/// Reports that a run goes on for another minute.
pub(super) fn emit_goes_on(run_id: RunId, task: Option<&Name>, progress: &Progress) {
    let Progress { policy, hook, position, rows_done, rows_total, files_deleted, .. } = progress;
    let (position, rows_done, rows_total, files_deleted) = (*position, *rows_done, *rows_total, *files_deleted);
    let policy = policy.as_ref().filter(|_| hook.is_none());
    Event::RunGoesOn { run_id, task, policy, position, rows_done, rows_total, files_deleted }.emit();
}

/// Reports a slot whose run did not begin.
pub(super) fn emit_refused(error: &RunError, activation: &Activation, run_id: RunId) {
    let Activation { task, due_at, occasion: _ } = activation;
    match error {
        RunError::SlotTaken { .. } => {
            Event::SlotSkipped { task, due_at: *due_at, why: "this slot was run before" }.emit();
        }
        other => {
            Event::RunEnded(RunEvent {
                run_id,
                task: Some(task),
                policies: "",
                mode: RunMode::Enforce,
                status: Status::Failed,
                cause: None,
                totals: &Totals { errors: 1, ..Totals::default() },
                reported: None,
                blocked: "",
                error: Some(&chain(other)),
                duration_ms: 0,
            })
            .emit();
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
