//! From an event to its log line: the message, the level, and the fields by which `journalctl` finds it.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::{Event, RunEvent, message_id};
use crate::outcome::Status;
use crate::policy::Name;
use crate::text::human::{counted, duration, length, size};
use crate::text::{safe_chain, without_passwords};

impl Event<'_> {
    /// Logs the event.
    pub fn emit(&self) {
        let message_id = self.message_id();
        let message = self.message();
        match self {
            Event::Ready { duration: took, tasks, policies, degraded } => {
                let (duration_ms, degraded) = (millis(*took), without_passwords(&degraded.join(", ")));
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
                info!(message_id, source = source.as_str(), duration_ms = millis(*down_for), "{message}");
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
                info!(message_id, duration_ms = millis(*took), forced = false, "{message}");
            }
            Event::ShutdownDone { duration: took, forced: true } => {
                warn!(message_id, duration_ms = millis(*took), forced = true, "{message}");
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
                    status = run.status.word(),
                    rows_deleted = run.totals.rows_deleted,
                    rows_updated = run.totals.rows_updated,
                    files_deleted = run.totals.files_deleted,
                    size_bytes = run.totals.bytes_reclaimed,
                    errors = run.totals.errors,
                    duration_ms = run.duration_ms,
                    "{message}"
                )
            };
        }
        match run.ending() {
            Ending::Failed => log!(error),
            Ending::WithErrors | Ending::Cancelled => log!(warn),
            // A task that is due every minute and finds nothing would fill the journal; `retaind status` shows it.
            Ending::Finished if run.did_nothing() => log!(debug),
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
            Event::RunEnded(run) => match run.ending() {
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
    WithErrors,
    Failed,
    Cancelled,
}

impl RunEvent<'_> {
    /// A run whose guards held is as it should be: what they said is an event of its own.
    fn ending(&self) -> Ending {
        match self.status {
            Status::Completed => Ending::Finished,
            Status::Blocked if self.totals.errors == 0 => Ending::Finished,
            Status::Blocked | Status::CompletedWithErrors => Ending::WithErrors,
            Status::Failed => Ending::Failed,
            Status::Cancelled => Ending::Cancelled,
        }
    }

    fn did_nothing(&self) -> bool {
        self.status == Status::Completed
            && self.totals.rows_deleted == 0
            && self.totals.rows_updated == 0
            && self.totals.files_deleted == 0
    }

    fn message(&self) -> String {
        let of_task = self.task.map(|task| format!(" of task {task}")).unwrap_or_default();
        let errors = match self.totals.errors {
            0 => String::new(),
            errors => format!(", {}", counted(errors, "error")),
        };
        let rows = |number| counted(number, "row");
        let rows = match (self.totals.rows_updated, self.totals.rows_deleted) {
            (0, deleted) => format!("{} and ", rows(deleted)),
            (updated, 0) => format!("{} updated, ", rows(updated)),
            (updated, deleted) => format!("{} updated, {} and ", rows(updated), rows(deleted)),
        };
        format!(
            "Run {}{of_task} {} in {}: {rows}{} ({}) deleted{errors}",
            self.run_id,
            self.status.word().replace('_', " "),
            duration(self.duration_ms),
            counted(self.totals.files_deleted, "file"),
            size(self.totals.bytes_reclaimed),
        )
    }
}

/// Milliseconds, for a field.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
