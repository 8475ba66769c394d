//! Gathers what `status` and `runs` show, from the configuration and the ledger. Changes nothing but to close runs
//! whose process died.

use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::attention::attention;
use super::held::held_by;
use super::task_times::past;
use crate::clock::Clock;
pub use crate::ledger::RunFilter;
use crate::ledger::{FoundPause, Ledger, LedgerError, Pauses, RunSummary, Sight, StateHolder, TaskState};
use crate::outcome::RunResult;
use crate::policy::{Name, Settings, Task};
use crate::report::{
    DaemonState, HeldPolicy, LastRun, Overview, Paused, Pending, RunEntry, TaskOverview, schedule_words,
};
use crate::run::waits_for;
use crate::schedule::{Past, Timing, next_slot};

/// Everything that `status` shows. `objection`: what is wrong with the configuration on disk.
pub async fn overview(settings: &Settings, objection: Option<String>, clock: &Clock) -> anyhow::Result<Overview> {
    let ledger = open(settings, clock.now()).await?;
    overview_by(settings, ledger.as_ref(), objection, clock).await
}

/// The overview by a ledger that is open; none where it is not known what was done.
pub async fn overview_by(
    settings: &Settings,
    ledger: Option<&Ledger>,
    objection: Option<String>,
    clock: &Clock,
) -> anyhow::Result<Overview> {
    let now = clock.now();
    let names = || settings.tasks.iter().map(|task| task.name.clone()).collect();
    let policies = || settings.policies.iter().map(|policy| policy.name.clone()).collect();
    let Sight { tasks: states, runs, pending, held, endings, backlogs } = match ledger {
        None => Sight::default(),
        Some(ledger) => ledger.sight(names(), policies()).await?,
    };
    let overview_of = |task: &Arc<Task>| {
        let state = states.iter().find(|state| state.task == task.name);
        // The newest first.
        let last_run = runs.iter().find(|run| run.task.as_ref() == Some(&task.name));
        task_overview(settings, task, state, last_run, now)
    };
    let on_request = settings.policies.iter().filter(|policy| policy.enabled && policy.task.is_none());
    let mut overview = Overview {
        at: now,
        mode: settings.daemon.mode,
        state_dir: settings.daemon.state_dir.display().to_string(),
        daemon: daemon_of(settings),
        tasks: settings.tasks.iter().map(overview_of).collect(),
        on_request: on_request.map(|policy| policy.name.clone()).collect(),
        running: runs.iter().filter(|run| run.status.is_none()).map(RunEntry::from).collect(),
        pending: match ledger {
            Some(ledger) => pending_by(settings, ledger, pending).await?,
            None => Vec::new(),
        },
        paused: paused(settings),
        held: held_by(settings, held).into_iter().map(HeldPolicy::from).collect(),
        attention: Vec::new(),
    };
    overview.attention = attention(&overview, objection, (settings, ledger), (endings, backlogs));
    Ok(overview)
}

/// Pauses of the state directory; none where it may not be looked into, as the ledger in it then says.
fn paused(settings: &Settings) -> Vec<Paused> {
    Pauses::of(&settings.daemon.state_dir).all().unwrap_or_default().into_iter().map(pause_shown).collect()
}

fn pause_shown(FoundPause { subject, pause }: FoundPause) -> Paused {
    let error = pause.as_ref().err().cloned();
    Paused { subject, pause: pause.ok(), error }
}

/// Files that are pending for policies, each with what it waits for as far as that shows without its source.
async fn pending_by(settings: &Settings, ledger: &Ledger, pending: Vec<(Name, u64)>) -> anyhow::Result<Vec<Pending>> {
    let mut all = Vec::new();
    // Of a batch whose files were forgotten the sums are left.
    for (policy, files) in pending.into_iter().filter(|(_, files)| *files > 0) {
        let waits_for = waits_for(settings, ledger, &policy).await?.map(|why| why.to_string());
        all.push(Pending { policy, files, waits_for });
    }
    Ok(all)
}

/// The newest runs that a filter lets through, at most `limit`, and when they were looked up.
pub async fn runs(
    settings: &Settings,
    clock: &Clock,
    filter: impl FnOnce(Timestamp) -> RunFilter,
    limit: u32,
) -> anyhow::Result<(Vec<RunEntry>, Timestamp)> {
    let now = clock.now();
    let runs = match open(settings, now).await? {
        Some(ledger) => ledger.filtered_runs(&filter(now), limit).await?,
        None => Vec::new(),
    };
    Ok((runs.iter().map(RunEntry::from).collect(), now))
}

/// The run with that id, or with an id of that beginning or end.
pub async fn run(settings: &Settings, clock: &Clock, id: &str) -> anyhow::Result<Option<RunResult>> {
    match open(settings, clock.now()).await? {
        Some(ledger) => Ok(ledger.run(id).await?),
        None => Ok(None),
    }
}

/// True if several runs have what was given of an id.
pub fn is_ambiguous_run(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LedgerError::Ambiguous { .. }))
}

/// Opens the ledger if there is one: looking must not create it.
pub(crate) async fn open(settings: &Settings, now: Timestamp) -> anyhow::Result<Option<Ledger>> {
    let path = &settings.daemon.ledger_path;
    let unreadable = format!("the ledger {} cannot be read", path.display());
    if !path.try_exists().map_err(|error| with_advice(error, &unreadable))? {
        return Ok(None);
    }
    let ledger = Ledger::open(path).await.map_err(|error| with_advice(error, &unreadable))?;
    ledger.close_abandoned(now).await?;
    Ok(Some(ledger))
}

/// The error of the ledger, with advice where the cause is one that a person can remove.
pub(crate) fn with_advice(error: impl Into<anyhow::Error>, what: &str) -> anyhow::Error {
    let error = error.into();
    let cause = format!("{error:#}");
    let is_one_of = |phrases: &[&str]| phrases.iter().any(|phrase| cause.contains(phrase));
    let is_root = rustix::process::geteuid().is_root();
    let advice = if is_one_of(&["is full", "No space left", "quota exceeded"]) {
        ": its disk is full, free some space"
    } else if is_one_of(&["Read-only file system"]) {
        ": its file system is read-only"
    } else if !is_root && is_one_of(&["Permission denied", "readonly database", "unable to open database file"]) {
        " by this user: try sudo -u retaind"
    } else {
        ""
    };
    error.context(format!("{what}{advice}"))
}

fn task_overview(
    settings: &Settings,
    task: &Task,
    state: Option<&TaskState>,
    last_run: Option<&RunSummary>,
    now: Timestamp,
) -> TaskOverview {
    let policies: Vec<_> =
        settings.policies_of(&task.name).filter(|policy| policy.enabled).map(|policy| policy.name.clone()).collect();
    let is_due = task.enabled && !policies.is_empty();
    let past = past(state, now);
    let next_due_at = if is_due { next_slot(task, &settings.daemon.timezone, &past, now) } else { None };
    let is_running = last_run.is_some_and(|run| run.status.is_none());
    TaskOverview {
        task: task.name.clone(),
        enabled: task.enabled,
        schedule: schedule_words(&task.trigger),
        policies,
        next_due_at,
        retry_at: if is_due { past.retry_at(task, &settings.daemon.timezone, next_due_at) } else { None },
        last_run: last_run.map(|run| LastRun {
            reported: run.reported.clone(),
            run_id: run.run_id,
            status: run.status,
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_ms: run.finished_at.map(|_| run.duration_ms),
            totals: run.totals.clone(),
        }),
        overdue_since: if is_due && !is_running { overdue_since(settings, task, &past, now) } else { None },
    }
}

/// The first slot that should have been run by now, later than its grace allows, and was neither run nor skipped.
fn overdue_since(settings: &Settings, task: &Task, past: &Past, now: Timestamp) -> Option<Timestamp> {
    let (slot, latest_start) = first_open(settings, task, past)?;
    (latest_start < now).then_some(slot)
}

/// The first slot that was neither run nor skipped, and the latest start that its grace allows.
fn first_open(settings: &Settings, task: &Task, past: &Past) -> Option<(Timestamp, Timestamp)> {
    let timing = Timing::compile(&task.trigger, &settings.daemon.timezone, past.anchor()).ok()?;
    let slot = timing.next_after(past.floor())?;
    let opens = task.opening(&settings.daemon.timezone, slot);
    Some((opens, opens.checked_add(task.misfire_grace).ok()?))
}

/// The next instant after which a task is overdue that is not now.
pub async fn next_overdue(
    settings: &Settings,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let states = ledger.task_states().await?;
    let latest_start = |task: &Arc<Task>| {
        let state = states.iter().find(|state| state.task == task.name);
        let has_policy = settings.policies_of(&task.name).any(|policy| policy.enabled);
        if task.enabled && has_policy { Some(first_open(settings, task, &past(state, now))?.1) } else { None }
    };
    Ok(settings.tasks.iter().filter_map(latest_start).filter(|at| *at > now).min())
}

/// State of the daemon that holds the state directory. Asks for the daemon's lock without waiting, as a reader, and
/// gives it back at once; the file names its holder.
fn daemon_of(settings: &Settings) -> DaemonState {
    const NONE: DaemonState = DaemonState { running: false, pid: None, ledger_lost: false };
    let path = settings.daemon.state_dir.join("daemon.lock");
    let Ok(file) = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()) else {
        return NONE;
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => {
            let holder = StateHolder::read(&std::fs::read_to_string(&path).unwrap_or_default());
            let here = rustix::fs::stat(&settings.daemon.ledger_path).map(|stat| (stat.st_dev, stat.st_ino)).ok();
            let ledger_lost = holder.ledger.is_some_and(|opened| here != Some(opened));
            DaemonState { running: true, pid: holder.pid, ledger_lost }
        }
        Ok(()) | Err(_) => NONE,
    }
}
