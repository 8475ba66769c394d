//! From an event to its log line: the message, the level, and the fields by which `journalctl` finds it.

use tracing::{debug, error, info, warn};

use super::phrase::{count, millis, safe_chain, size, span, without_passwords};
use super::{Event, RunEvent, message_id};
use crate::policy::Name;

impl Event<'_> {
    /// Logs the event.
    pub fn emit(&self) {
        let message_id = self.message_id();
        let message = self.message();
        match self {
            Event::Ready { duration, tasks, policies, degraded } => {
                let (duration_ms, degraded) = (millis(*duration), without_passwords(&degraded.join(", ")));
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
            Event::RunFinished(run) | Event::RunWithErrors(run) | Event::RunFailed(run) | Event::RunCancelled(run) => {
                self.emit_run(run, &message);
            }
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
            Event::ShutdownDone { duration, forced: false } => {
                info!(message_id, duration_ms = millis(*duration), forced = false, "{message}");
            }
            Event::ShutdownDone { duration, forced: true } => {
                warn!(message_id, duration_ms = millis(*duration), forced = true, "{message}");
            }
        }
    }

    fn emit_run(&self, run: &RunEvent<'_>, message: &str) {
        // The level of a tracing line is fixed where it stands, so the fields are written once here.
        macro_rules! log {
            ($level:ident) => {
                $level!(
                    message_id = self.message_id(),
                    run_id = run.run_id,
                    task = run.task.map(Name::as_str),
                    status = run.status,
                    rows_deleted = run.rows_deleted,
                    rows_updated = run.rows_updated,
                    files_deleted = run.files_deleted,
                    size_bytes = run.size_bytes,
                    errors = run.errors,
                    duration_ms = millis(run.duration),
                    "{message}"
                )
            };
        }
        match self {
            Event::RunFailed(_) => log!(error),
            Event::RunWithErrors(_) | Event::RunCancelled(_) => log!(warn),
            // A task that is due every minute and finds nothing would fill the journal; `retaind status` shows it.
            Event::RunFinished(_) if run.did_nothing() => log!(debug),
            _ => log!(info),
        }
    }

    /// The id under which the journal catalog explains the event.
    pub fn message_id(&self) -> &'static str {
        match self {
            Event::Ready { .. } => message_id::READY,
            Event::StartFailed { .. } => message_id::START_FAILED,
            Event::ReloadDone { .. } => message_id::RELOAD_DONE,
            Event::ReloadFailed { .. } => message_id::RELOAD_FAILED,
            Event::RunFinished(_) => message_id::RUN_FINISHED,
            Event::RunWithErrors(_) => message_id::RUN_WITH_ERRORS,
            Event::RunFailed(_) => message_id::RUN_FAILED,
            Event::RunCancelled(_) => message_id::RUN_CANCELLED,
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
            Event::Ready { duration, tasks, policies, degraded } => {
                let tasks = count(*tasks as u64, "task", "tasks");
                let policies = count(*policies as u64, "policy", "policies");
                let but = match without_passwords(&degraded.join(", ")) {
                    none if none.is_empty() => none,
                    what => format!(", degraded: {what}"),
                };
                format!("Ready after {} with {tasks} and {policies}{but}", span(*duration))
            }
            Event::StartFailed { error } => format!("Start failed: {}", safe_chain(*error)),
            Event::ReloadDone { changes: "" } => "Reloaded the configuration: nothing changed".to_owned(),
            Event::ReloadDone { changes } => format!("Reloaded the configuration: {}", without_passwords(changes)),
            Event::ReloadFailed { errors, first } => {
                let errors = count(*errors as u64, "error", "errors");
                format!(
                    "Reload failed with {errors}, the old configuration keeps running: {}",
                    without_passwords(first)
                )
            }
            Event::RunFinished(run) | Event::RunWithErrors(run) | Event::RunFailed(run) | Event::RunCancelled(run) => {
                run.message()
            }
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
            Event::SourceUp { source, down_for } => format!("Source {source} is up again after {}", span(*down_for)),
            Event::Recovered { batches, files_deleted, kept } => {
                let batches = count(*batches, "unsettled batch", "unsettled batches");
                let files = count(*files_deleted, "file", "files");
                let kept = if *kept == 0 { String::new() } else { format!(", {kept} kept for later") };
                format!("Recovered {batches}: {files} deleted{kept}")
            }
            Event::SlotSkipped { task, due_at, why } => format!("Skipped the slot {due_at} of task {task}: {why}"),
            Event::ShutdownBegun { running: 0 } => "Shutting down, no run in progress".to_owned(),
            Event::ShutdownBegun { running } => {
                format!("Shutting down, stopping {} between batches", count(*running as u64, "run", "runs"))
            }
            Event::ShutdownDone { duration, forced: false } => format!("Shut down in {}", span(*duration)),
            Event::ShutdownDone { duration, forced: true } => {
                format!("Shut down by force after {}, the next start resolves what is pending", span(*duration))
            }
        }
    }
}

impl RunEvent<'_> {
    fn did_nothing(&self) -> bool {
        self.status == "completed" && self.rows_deleted == 0 && self.rows_updated == 0 && self.files_deleted == 0
    }

    fn message(&self) -> String {
        let of_task = self.task.map(|task| format!(" of task {task}")).unwrap_or_default();
        let errors = match self.errors {
            0 => String::new(),
            errors => format!(", {}", count(errors, "error", "errors")),
        };
        let rows = |number| count(number, "row", "rows");
        let rows = match (self.rows_updated, self.rows_deleted) {
            (0, deleted) => format!("{} and ", rows(deleted)),
            (updated, 0) => format!("{} updated, ", rows(updated)),
            (updated, deleted) => format!("{} updated, {} and ", rows(updated), rows(deleted)),
        };
        format!(
            "Run {}{of_task} {} in {}: {rows}{} ({}) deleted{errors}",
            self.run_id,
            self.status.replace('_', " "),
            span(self.duration),
            count(self.files_deleted, "file", "files"),
            size(self.size_bytes),
        )
    }
}

#[cfg(test)]
mod tests;
