//! Heartbeats of tasks: their monitors hear when a run begins and how each ended, also of one that ended while no daemon ran.

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
    if ledger.last_beat(monitor).await?.is_some() {
        return Ok(());
    }
    let ended = ended_runs(ledger, task).await?.into_iter().map(|run| run.run_id).max();
    ledger.begin_beats(monitor, ended.unwrap_or(RunId::nil())).await
}

/// The monitor of a task hears that a run begins.
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
    beat(post, &Addressee::monitor_of(task), vec![heartbeat], now).await;
}

/// Monitors hear of the runs that have ended since they heard of one.
pub(super) async fn of_ends(post: (&Ledger, &Outbox), settings: &Settings, now: Timestamp) {
    for task in settings.tasks.iter().filter(|task| task.ping.is_some()) {
        match unheard(post.0, &task.name).await {
            Ok(heartbeats) if heartbeats.is_empty() => {}
            Ok(heartbeats) => beat(post, &Addressee::monitor_of(&task.name), heartbeats, now).await,
            Err(error) => report(Err(error)),
        }
    }
}

/// Ends of which the monitor of a task has not heard, the oldest first.
async fn unheard(ledger: &Ledger, task: &Name) -> Result<Vec<Heartbeat>, LedgerError> {
    let Some(last) = ledger.last_beat(&Addressee::monitor_of(task)).await? else { return Ok(Vec::new()) };
    let mut new: Vec<RunSummary> =
        ended_runs(ledger, task).await?.into_iter().filter(|run| run.run_id > last).collect();
    new.sort_unstable_by_key(|run| run.run_id);
    Ok(new.iter().filter_map(of_end).collect())
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

async fn beat((ledger, outbox): (&Ledger, &Outbox), monitor: &str, heartbeats: Vec<Heartbeat>, now: Timestamp) {
    match ledger.beat(monitor, heartbeats, now).await {
        Ok(None) => {}
        Ok(Some(dropped)) => {
            outbox.note_dropped(&[(monitor.to_owned(), dropped)]);
            outbox.wake(&[monitor.to_owned()]);
        }
        Err(error) => report(Err(error)),
    }
}

fn report(noted: Result<(), LedgerError>) {
    if let Err(error) = noted {
        let error = chain(&error);
        tracing::warn!(error, "What a monitor is to hear could not be noted in the ledger: {error}");
    }
}
