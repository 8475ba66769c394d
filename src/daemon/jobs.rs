//! Runs as jobs that others read of: what their states say, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use super::active_runs::ActiveRun;
use super::run_ends::causes;
use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerError};
use crate::notify::{JobMetadata, JobStates};
use crate::outcome::RunResult;
use crate::policy::{Name, Settings, words_of};
use crate::text::chain;
use crate::text::human::counted;

/// Interval at which the state of a run is looked at.
pub(super) const UPDATE_PERIOD: Duration = Duration::from_millis(500);

/// Makes a job of a run that may change something.
pub(super) fn begin(jobs: &JobStates, run: &ActiveRun) {
    let ActiveRun { run_id, mode, trigger, since, .. } = *run;
    let keep = keep(&run.settings, run.policies.iter());
    let metadata = JobMetadata { run_id, task: run.task.clone(), mode, trigger, keep };
    jobs.begin(metadata, &run.settings.daemon.timezone, since);
}

/// Notes how far it is.
pub(super) fn update(jobs: &JobStates, run: &ActiveRun, clock: &Clock) {
    let progress = run.progress();
    let mut message = progress.message;
    if progress.policy.is_some() && progress.hook.is_none() {
        let (rows, files) = (counted(progress.rows_done, "row"), counted(progress.files_deleted, "file"));
        message = format!("{message}: {rows}, {files}");
    }
    jobs.update(run.run_id, progress.progress, message, clock.now());
}

/// Errors of a run and the guards that blocked it, in words; none where all went well.
pub(super) fn error_of(result: &RunResult) -> Option<String> {
    let guards = result.policies.iter().filter_map(|policy| {
        let guard = policy.blocked_by.as_ref()?;
        Some(format!("policy {}: {guard}", policy.policy))
    });
    let causes = Some(causes(result)).filter(|causes| !causes.is_empty());
    let all: Vec<String> = causes.into_iter().chain(guards).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Ends jobs whose states a daemon that died, or that Redis did not hear to the end, left at running, and those of which Redis
/// never heard.
pub(super) async fn settle(jobs: &JobStates, settings: &Settings, ledger: &Ledger, (clock, newest): (&Clock, u32)) {
    if !jobs.are_wanted() {
        return;
    }
    if let Err(error) = settle_newest(jobs, settings, ledger, (clock, newest)).await {
        tracing::warn!(error = chain(&error), "Earlier runs could not be read from the ledger: {}", chain(&error));
    }
}

async fn settle_newest(
    jobs: &JobStates,
    settings: &Settings,
    ledger: &Ledger,
    (clock, newest): (&Clock, u32),
) -> Result<(), LedgerError> {
    for run in ledger.runs(newest).await?.into_iter().filter(|run| run.status.is_some()) {
        let Some(result) = ledger.run(&run.run_id.to_string()).await? else { continue };
        let keep = keep(settings, result.policies.iter().map(|policy| &policy.policy));
        let RunResult { run_id, mode, trigger, .. } = result;
        let metadata = JobMetadata { run_id, task: result.task.clone(), mode, trigger, keep };
        jobs.settle(metadata, &settings.daemon.timezone, (&result, error_of(&result)), clock.now());
    }
    Ok(())
}

/// Time that each policy keeps, as it is written.
fn keep<'a>(settings: &Settings, policies: impl Iterator<Item = &'a Name>) -> BTreeMap<Name, Option<String>> {
    let of = |name: &Name| settings.policy(name).and_then(|policy| words_of(policy).remove("keep"));
    policies.map(|name| (name.clone(), of(name))).collect()
}
