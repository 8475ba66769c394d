//! From an event to its log line: the message, the level, and the fields by which `journalctl` finds it.

use tracing::{error, info, warn};

use super::{BegunRun, Event, RunEvent, message_id};
use crate::clock::millis_of;
use crate::outcome::{Cause, Reported, RunMode, RunTrigger, Status, Totals};
use crate::policy::Name;
use crate::text::human::{count, counted, duration, length, size};
use crate::text::{safe_chain, without_passwords};

impl Event<'_> {
    /// Logs the event.
    pub fn emit(&self) {
        let message_id = self.message_id();
        let message = self.message();
        match self {
            Event::Ready { duration: took, tasks, policies, degraded } => {
                let (duration_ms, degraded) = (millis_of(*took), without_passwords(&degraded.join(", ")));
                if degraded.is_empty() {
                    info!(message_id, duration_ms, tasks, policies, "{message}");
                } else {
                    warn!(message_id, duration_ms, tasks, policies, degraded, "{message}");
                }
            }
            Event::StartFailed { error } => error!(message_id, error = safe_chain(*error), "{message}"),
            Event::ReloadDone { changes } => info!(message_id, changes = without_passwords(changes), "{message}"),
            Event::ReloadFailed { errors, first } => {
                error!(message_id, errors, error = without_passwords(first), "{message}");
            }
            Event::RunBegun(run) => info!(
                message_id,
                run_id = %run.run_id,
                task = run.task.map(Name::as_str),
                policy = run.policies,
                mode = run.mode.word(),
                trigger = run.trigger.word(),
                by = run.by.map(tracing::field::display),
                "{message}"
            ),
            Event::RunGoesOn { run_id, task, policy, position, rows_done, rows_total, files_deleted } => info!(
                message_id,
                run_id = %run_id,
                task = task.map(Name::as_str),
                policy = policy.map(Name::as_str),
                position = position.0,
                policies = position.1,
                rows_done,
                rows_total,
                files_deleted,
                "{message}"
            ),
            Event::RunEnded(run) => self.emit_run(run, &message),
            Event::GuardBlocked { policy, run_id, guard } => {
                error!(message_id, policy = policy.as_str(), run_id, guard, "{message}");
            }
            Event::PolicyHeld { policy, reasons, command } => {
                let reasons = without_passwords(reasons);
                warn!(message_id, policy = policy.as_str(), reasons, command, "{message}");
            }
            Event::HookFailed { task, run_id, hook, error } => {
                error!(message_id, task = task.as_str(), run_id, hook, error = without_passwords(error), "{message}");
            }
            Event::SourceDown { source, error } => {
                warn!(message_id, source = source.as_str(), error = safe_chain(*error), "{message}");
            }
            Event::SourceUp { source, down_for } => {
                info!(message_id, source = source.as_str(), duration_ms = millis_of(*down_for), "{message}");
            }
            Event::Recovered { batches, files_deleted, kept: 0 } => {
                info!(message_id, batches, files_deleted, "{message}");
            }
            Event::Recovered { batches, files_deleted, kept } => {
                warn!(message_id, batches, files_deleted, kept, "{message}");
            }
            Event::SlotSkipped { task, due_at, why } => {
                warn!(message_id, task = task.as_str(), due_at = %due_at, why, "{message}");
            }
            Event::ShutdownBegun { running } => info!(message_id, running, "{message}"),
            Event::ShutdownDone { duration: took, forced: false } => {
                info!(message_id, duration_ms = millis_of(*took), forced = false, "{message}");
            }
            Event::ShutdownDone { duration: took, forced: true } => {
                warn!(message_id, duration_ms = millis_of(*took), forced = true, "{message}");
            }
        }
    }

    fn emit_run(&self, run: &RunEvent<'_>, message: &str) {
        // The level of a tracing line is fixed where it stands, so the fields are written once here.
        macro_rules! log {
            ($level:ident) => {
                $level!(
                    message_id = self.message_id(),
                    run_id = %run.run_id,
                    task = run.task.map(Name::as_str),
                    policy = run.policies,
                    mode = run.mode.word(),
                    status = run.status.word(),
                    cause = run.cause.map(Cause::word),
                    rows_deleted = run.totals.rows_deleted,
                    rows_updated = run.totals.rows_updated,
                    files_deleted = run.totals.files_deleted,
                    size_bytes = run.totals.bytes_reclaimed,
                    rows_eligible = run.reported.map(|reported| reported.rows_eligible),
                    files_eligible = run.reported.map(|reported| reported.files_eligible),
                    blocked = Some(run.blocked).filter(|names| !names.is_empty()),
                    errors = run.totals.errors,
                    error = run.error.map(without_passwords),
                    duration_ms = run.duration_ms,
                    "{message}"
                )
            };
        }
        match run.ending() {
            Ending::Failed => log!(error),
            Ending::WithErrors | Ending::Cancelled | Ending::Blocked => log!(warn),
            Ending::Finished => log!(info),
        }
    }

    /// The id under which the journal catalog explains the event.
    pub fn message_id(&self) -> &'static str {
        match self {
            Event::Ready { .. } => message_id::READY,
            Event::StartFailed { .. } => message_id::START_FAILED,
            Event::ReloadDone { .. } => message_id::RELOAD_DONE,
            Event::ReloadFailed { .. } => message_id::RELOAD_FAILED,
            Event::RunBegun(_) => message_id::RUN_BEGUN,
            Event::RunGoesOn { .. } => message_id::RUN_GOES_ON,
            Event::RunEnded(run) => match run.ending() {
                Ending::Blocked => message_id::RUN_BLOCKED,
                Ending::Finished => message_id::RUN_FINISHED,
                Ending::WithErrors => message_id::RUN_WITH_ERRORS,
                Ending::Failed => message_id::RUN_FAILED,
                Ending::Cancelled => message_id::RUN_CANCELLED,
            },
            Event::GuardBlocked { .. } => message_id::GUARD_BLOCKED,
            Event::PolicyHeld { .. } => message_id::POLICY_HELD,
            Event::HookFailed { .. } => message_id::HOOK_FAILED,
            Event::SourceDown { .. } => message_id::SOURCE_DOWN,
            Event::SourceUp { .. } => message_id::SOURCE_UP,
            Event::Recovered { .. } => message_id::RECOVERED,
            Event::SlotSkipped { .. } => message_id::SLOT_SKIPPED,
            Event::ShutdownBegun { .. } => message_id::SHUTDOWN_BEGUN,
            Event::ShutdownDone { .. } => message_id::SHUTDOWN_DONE,
        }
    }

    /// The sentence that an operator reads.
    fn message(&self) -> String {
        match self {
            Event::Ready { duration: took, tasks, policies, degraded } => {
                let tasks = counted(*tasks as u64, "task");
                let policies = counted(*policies as u64, "policy");
                let but = match without_passwords(&degraded.join(", ")) {
                    none if none.is_empty() => none,
                    what => format!(", degraded: {what}"),
                };
                format!("Ready after {} with {tasks} and {policies}{but}", length(*took))
            }
            Event::StartFailed { error } => format!("Start failed: {}", safe_chain(*error)),
            Event::ReloadDone { changes: "" } => "Reloaded the configuration: nothing changed".to_owned(),
            Event::ReloadDone { changes } => format!("Reloaded the configuration: {}", without_passwords(changes)),
            Event::ReloadFailed { errors, first } => {
                let errors = counted(*errors as u64, "error");
                format!(
                    "Reload failed with {errors}, the old configuration keeps running: {}",
                    without_passwords(first)
                )
            }
            Event::RunBegun(run) => run.message(),
            Event::RunGoesOn { run_id, task, policy, position, rows_done, rows_total, files_deleted } => {
                let of_task = of_task(*task);
                let doing = match policy {
                    Some(policy) => format!("policy {policy}, {} of {}", position.0, position.1),
                    None => "a hook".to_owned(),
                };
                let total = rows_total.map(|total| format!(" of {}", count(total))).unwrap_or_default();
                let files = counted(*files_deleted, "file");
                format!(
                    "Run {run_id}{of_task} goes on with {doing}: {}{total} done, {files} deleted",
                    counted(*rows_done, "row")
                )
            }
            Event::RunEnded(run) => run.message(),
            Event::GuardBlocked { policy, run_id, guard } => {
                format!("Policy {policy} was blocked in run {run_id}, it deleted nothing: {guard}")
            }
            Event::PolicyHeld { policy, reasons, command } => {
                format!(
                    "Policy {policy} is held and deletes nothing: {}; it goes on with '{command}'",
                    without_passwords(reasons)
                )
            }
            Event::HookFailed { task, run_id, hook, error } => {
                format!("The {hook} hook of task {task} failed in run {run_id}: {}", without_passwords(error))
            }
            Event::SourceDown { source, error } => format!("Source {source} is down: {}", safe_chain(*error)),
            Event::SourceUp { source, down_for } => {
                format!("Source {source} is up again after {}", length(*down_for))
            }
            Event::Recovered { batches, files_deleted, kept } => {
                let batches = counted(*batches, "unsettled batch");
                let files = counted(*files_deleted, "file");
                let kept = if *kept == 0 { String::new() } else { format!(", {kept} kept for later") };
                format!("Recovered {batches}: {files} deleted{kept}")
            }
            Event::SlotSkipped { task, due_at, why } => format!("Skipped the slot {due_at} of task {task}: {why}"),
            Event::ShutdownBegun { running: 0 } => "Shutting down, no run in progress".to_owned(),
            Event::ShutdownBegun { running } => {
                format!("Shutting down, stopping {} between batches", counted(*running as u64, "run"))
            }
            Event::ShutdownDone { duration: took, forced: false } => {
                format!("Shut down in {}", length(*took))
            }
            Event::ShutdownDone { duration: took, forced: true } => {
                format!("Shut down by force after {}, the next start resolves what is pending", length(*took))
            }
        }
    }
}

/// Kinds of an event about a run that has ended.
#[derive(Clone, Copy)]
enum Ending {
    Finished,
    /// No policy failed, and one or more were stopped by a guard or wait for an approval.
    Blocked,
    WithErrors,
    Failed,
    Cancelled,
}

impl RunEvent<'_> {
    fn ending(&self) -> Ending {
        match self.status {
            Status::Completed => Ending::Finished,
            Status::Blocked if self.totals.errors == 0 => Ending::Blocked,
            Status::Blocked | Status::CompletedWithErrors => Ending::WithErrors,
            Status::Failed => Ending::Failed,
            Status::Cancelled => Ending::Cancelled,
        }
    }

    fn message(&self) -> String {
        let of = match self.task {
            None if !self.policies.is_empty() => format!(" of {}", self.policies),
            task => of_task(task),
        };
        let nothing = if self.status == Status::Completed { "nothing to do" } else { "nothing deleted" };
        let parts = [self.went(), self.would_go(), self.was_blocked()];
        let what = parts.into_iter().flatten().reduce(|all, part| format!("{all}, {part}"));
        let errors = match self.totals.errors {
            0 => String::new(),
            errors => format!(", {}", counted(errors, "error")),
        };
        let why = self.error.map(|error| format!(": {}", without_passwords(error))).unwrap_or_default();
        format!(
            "Run {}{of} {}{} in {}: {}{errors}{why}",
            self.run_id,
            self.status.word().replace('_', " "),
            self.cause.map_or("", Cause::words),
            duration(self.duration_ms),
            what.as_deref().unwrap_or(nothing),
        )
    }

    /// Rows and files that the run deleted and updated, where it did.
    fn went(&self) -> Option<String> {
        let Totals { rows_deleted, rows_updated, files_deleted, bytes_reclaimed, .. } = *self.totals;
        if rows_deleted == 0 && rows_updated == 0 && files_deleted == 0 {
            return None;
        }
        let rows = |number| counted(number, "row");
        let rows = match (rows_updated, rows_deleted) {
            (0, deleted) => format!("{} and ", rows(deleted)),
            (updated, 0) => format!("{} updated, ", rows(updated)),
            (updated, deleted) => format!("{} updated, {} and ", rows(updated), rows(deleted)),
        };
        Some(format!("{rows}{} ({}) deleted", counted(files_deleted, "file"), size(bytes_reclaimed)))
    }

    /// Amounts that policies that only report would have deleted, where there are any.
    fn would_go(&self) -> Option<String> {
        let Reported { rows_eligible, files_eligible, .. } = self.reported?;
        let whose = if self.mode == RunMode::Report { "report mode" } else { "policies in report mode" };
        let rows = (*rows_eligible > 0).then(|| counted(*rows_eligible, "row"));
        let files = (*files_eligible > 0).then(|| counted(*files_eligible, "file"));
        let what = rows.into_iter().chain(files).reduce(|rows, files| format!("{rows} and {files}"));
        Some(format!("would delete {} ({whose})", what.as_deref().unwrap_or("nothing")))
    }

    fn was_blocked(&self) -> Option<String> {
        (!self.blocked.is_empty()).then(|| format!("blocked or held: {}", self.blocked))
    }
}

impl BegunRun<'_> {
    fn message(&self) -> String {
        let Self { run_id, task, policies, mode, trigger, by } = self;
        let why = match (by, trigger) {
            (_, RunTrigger::Schedule) => "by schedule".to_owned(),
            (_, RunTrigger::CatchUp) => "in place of a slot that was missed".to_owned(),
            (_, RunTrigger::Retry) => "in place of a run that did not succeed".to_owned(),
            (Some(by), RunTrigger::Cli | RunTrigger::Api) => format!("on request of {by}"),
            (None, RunTrigger::Cli | RunTrigger::Api) => "on request".to_owned(),
        };
        let mode = if *mode == RunMode::Report { ", in report mode" } else { "" };
        let policies = if policies.is_empty() { "no policy" } else { policies };
        format!("Run {run_id}{} begins {why}{mode}: {policies}", of_task(*task))
    }
}

fn of_task(task: Option<&Name>) -> String {
    task.map(|task| format!(" of task {task}")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
