//! Heartbeats of tasks: their monitors hear when a run begins and how each ended, also of one that ended while no daemon ran.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::ledger::{Ledger, LedgerError, RunFilter, RunSummary};
use crate::notify::Outbox;
use crate::outcome::{Heartbeat, HeartbeatSign, RunId, Status};
use crate::policy::{Addressee, Name, Settings};
use crate::text::chain;
use crate::text::human::counted;

/// Runs of a task that are looked through for those of which its monitor has not heard.
const RUNS_SEARCHED: u32 = 20;

/// Notes monitors that are new: of what ran before them they hear nothing.
pub(super) async fn begin(ledger: &Ledger, addressees: &[Addressee]) {
    for addressee in addressees {
        let Addressee::Ping(task, _) = addressee else { continue };
        report(begin_one(ledger, &addressee.key(), task).await);
    }
}

async fn begin_one(ledger: &Ledger, monitor: &str, task: &Name) -> Result<(), LedgerError> {
    if ledger.heard(monitor).await?.is_some() {
        return Ok(());
    }
    ledger.begin_beats(monitor, ids(&ended_runs(ledger, task).await?)).await
}

fn ids(runs: &[RunSummary]) -> BTreeSet<RunId> {
    runs.iter().map(|run| run.run_id).collect()
}

/// The monitor of a task hears that a run begins, and before that of the end of another that no look has come to yet.
pub(super) async fn of_start(
    post: (&Ledger, &Outbox),
    settings: &Settings,
    (task, run_id): (Option<&Name>, RunId),
    now: Timestamp,
) {
    let wants_start = |task: &&Name| {
        settings.task(task).and_then(|task| task.ping.as_ref()).is_some_and(|ping| ping.lacks || ping.start.is_some())
    };
    let Some(task) = task.filter(wants_start) else { return };
    let heartbeat = Heartbeat { sign: HeartbeatSign::Start, run_id, message: format!("task {task} begins") };
    let (mut heartbeats, ended) = match unheard(post.0, task).await {
        Ok((heartbeats, ended)) => (heartbeats, Some(ended)),
        Err(error) => {
            report(Err(error));
            (Vec::new(), None)
        }
    };
    heartbeats.push(heartbeat);
    beat(post, &Addressee::monitor_of(task), (heartbeats, ended), now).await;
}

/// Monitors hear of the runs that have ended since they heard of one. True if that could be noted.
pub(super) async fn of_ends(post: (&Ledger, &Outbox), settings: &Settings, now: Timestamp) -> bool {
    let mut all_noted = true;
    for task in settings.tasks.iter().filter(|task| task.ping.is_some()) {
        all_noted &= match unheard(post.0, &task.name).await {
            Ok((heartbeats, _)) if heartbeats.is_empty() => true,
            Ok((heartbeats, ended)) => {
                beat(post, &Addressee::monitor_of(&task.name), (heartbeats, Some(ended)), now).await
            }
            Err(error) => {
                report(Err(error));
                false
            }
        };
    }
    all_noted
}

/// Ends of which the monitor of a task has not heard, the oldest first, and the runs that were looked at.
async fn unheard(ledger: &Ledger, task: &Name) -> Result<(Vec<Heartbeat>, BTreeSet<RunId>), LedgerError> {
    let Some(heard) = ledger.heard(&Addressee::monitor_of(task)).await? else { return Ok(Default::default()) };
    let ended = ended_runs(ledger, task).await?;
    let mut new: Vec<&RunSummary> = ended.iter().filter(|run| !heard.contains(&run.run_id)).collect();
    new.sort_by_key(|run| run.finished_at);
    Ok((new.into_iter().filter_map(of_end).collect(), ids(&ended)))
}

async fn ended_runs(ledger: &Ledger, task: &Name) -> Result<Vec<RunSummary>, LedgerError> {
    let filter = RunFilter { task: Some(task.to_string()), ..RunFilter::default() };
    let mut runs = ledger.filtered_runs(&filter, RUNS_SEARCHED).await?;
    runs.retain(|run| run.status.is_some());
    Ok(runs)
}

fn of_end(run: &RunSummary) -> Option<Heartbeat> {
    let status = run.status?;
    let sign = if status == Status::Completed { HeartbeatSign::Success } else { HeartbeatSign::Failure };
    let (rows, files) = (run.totals.rows_deleted + run.totals.rows_updated, run.totals.files_deleted);
    let (rows, files, errors) = (counted(rows, "row"), counted(files, "file"), counted(run.totals.errors, "error"));
    let word = status.word().replace('_', " ");
    Some(Heartbeat { sign, run_id: run.run_id, message: format!("{word}: {rows}, {files}, {errors}") })
}

/// Puts heartbeats into the outbox. True if that could be done.
async fn beat(
    (ledger, outbox): (&Ledger, &Outbox),
    monitor: &str,
    heartbeats: (Vec<Heartbeat>, Option<BTreeSet<RunId>>),
    now: Timestamp,
) -> bool {
    match ledger.beat(monitor, heartbeats, now).await {
        Ok(None) => true,
        Ok(Some(dropped)) => {
            outbox.note_dropped(&[(monitor.to_owned(), dropped)]);
            outbox.wake(&[monitor.to_owned()]);
            true
        }
        Err(error) => {
            report(Err(error));
            false
        }
    }
}

fn report(noted: Result<(), LedgerError>) {
    if let Err(error) = noted {
        let error = chain(&error);
        tracing::warn!(error, "What a monitor is to hear could not be noted in the ledger: {error}");
    }
}
