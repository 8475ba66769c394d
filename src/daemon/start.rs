//! From nothing to ready: the phases of a start, each a type that only the one before it can make.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::answers::{Answers, check_tokens};
use super::clock_watch::look_at_clock;
use super::control::{Controller, Requests, Snapshot};
use super::holds::{self, announce};
use super::jobs;
use super::live::{Live, scheduled_tasks};
use super::metrics::{Metrics, keep_writing};
use super::notices::Notices;
use super::recovery::{Background, recover};
use super::reload::{Loader, Refusal, load};
use super::report::{Report, Reports};
use super::runs::Runs;
use super::source_health::SourceWatch;
use super::state::{Daemon, Options};
use super::status_line::EndedRun;
use super::task_runner::TaskRuns;
use crate::clock::Clock;
use crate::commands::held::held_now;
use crate::commands::task_times::past;
use crate::ledger::{Ledger, LedgerError, StateLock, StateLockError, give_up_reserve, lock_state_dir};
use crate::outcome::{Held, PendingChoice};
use crate::policy::{Name, Settings};
use crate::run::Runner;
use crate::schedule::{Alarm, Schedule, ScheduleError, Scheduled};
use crate::telemetry;

/// Sources are tried while the rest of the start goes on, and are then waited for so long: one that neither answers
/// nor refuses does not hold up the daemon.
const SOURCE_PATIENCE: Duration = Duration::from_secs(1);
/// Number of the newest runs that are searched for the last one of a task.
const RUNS_SEARCHED: u32 = 20;
/// Orders of the server that wait for the main loop.
const ORDERS_AHEAD: usize = 16;

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the configuration cannot be used")]
    Configuration(#[source] Refusal),
    #[error("the daemon cannot have its state directory")]
    StateDir(#[from] StateLockError),
    #[error("the ledger cannot be used")]
    Ledger(#[from] LedgerError),
    #[error("the schedule did not start")]
    Schedule(#[from] ScheduleError),
    #[error("signals cannot be heard")]
    Signals(#[source] std::io::Error),
    #[error("the start was broken off by a signal")]
    Interrupted,
}

/// The configuration is compiled.
pub(super) struct Configured {
    settings: Settings,
}

/// The state directory is ours, and the ledger is at this version's schema.
pub(super) struct Opened {
    settings: Settings,
    lock: StateLock,
    ledger: Ledger,
}

/// Unsettled batches were examined, and sources are being tried.
pub(super) struct Recovered {
    live: Live,
    metrics: Metrics,
    lock: StateLock,
    ledger: Ledger,
    watch: SourceWatch,
    reports: Reports,
    heard: mpsc::UnboundedReceiver<Report>,
    batches_kept: usize,
    held: Vec<(Name, Held)>,
}

/// Goes through all phases. The token breaks it off, between two of them or in the middle of a recovery.
pub(super) async fn start(options: &Options, cancel: &CancellationToken) -> Result<Daemon, StartError> {
    let began = Instant::now();
    let check = || if cancel.is_cancelled() { Err(StartError::Interrupted) } else { Ok(()) };
    let configured = Configured::load(&options.load).await?;
    check()?;
    let opened = configured.open(&options.clock).await?;
    check()?;
    let recovered = opened.recover(&options.clock, cancel).await?;
    check()?;
    recovered.schedule(options, cancel, began).await
}

impl Configured {
    async fn load(loader: &Loader) -> Result<Self, StartError> {
        let settings = load(loader, Vec::new()).await.map_err(StartError::Configuration)?;
        telemetry::configure(settings.daemon.log_format, settings.daemon.log_level);
        check_tokens(&settings).map_err(StartError::Configuration)?;
        Ok(Self { settings })
    }

    async fn open(self, clock: &Clock) -> Result<Opened, StartError> {
        let Self { settings } = self;
        let (state_dir, path) = (&settings.daemon.state_dir, &settings.daemon.ledger_path);
        let lock = match lock_state_dir(state_dir, clock.now()) {
            Err(error) if error.is_full() && give_up_reserve(path) => lock_state_dir(state_dir, clock.now()),
            locked => locked,
        }?;
        let ledger = Ledger::open(path).await?;
        lock.note_ledger(ledger.opened());
        Ok(Opened { settings, lock, ledger })
    }
}

impl Opened {
    async fn recover(self, clock: &Clock, cancel: &CancellationToken) -> Result<Recovered, StartError> {
        let Self { settings, lock, ledger } = self;
        let (reports, heard) = mpsc::unbounded_channel();
        let mut watch = SourceWatch::new(reports.clone(), cancel.clone());
        watch.follow(&settings);
        let abandoned = ledger.close_abandoned(clock.now()).await?;
        for run_id in &abandoned {
            tracing::warn!(%run_id, "Run {run_id} was broken off when its process died");
        }
        let metrics = Metrics::new(&ledger.ended_runs().await?);
        let runner = Runner::new(Arc::new(settings), Some(ledger.clone()), clock.clone());
        let runner = runner.measured_by(metrics.meter());
        let batches_kept = recover(&runner, &PendingChoice::All, cancel).await?.kept.len();
        look_at_clock(&runner).await;
        holds::warn_if_unapproved(runner.settings());
        announce(&runner.review(&ledger).await?);
        ledger.note_in_force(&runner.settings().written).await?;
        let held = held_now(runner.settings(), &ledger).await?;
        Ok(Recovered { live: Live::new(runner), metrics, lock, ledger, watch, reports, heard, batches_kept, held })
    }
}

impl Recovered {
    async fn schedule(
        self,
        options: &Options,
        cancel: &CancellationToken,
        began: Instant,
    ) -> Result<Daemon, StartError> {
        let Self { live, metrics, lock, ledger, mut watch, reports, mut heard, batches_kept, held } = self;
        let settings = live.settings();
        let clock = options.clock.clone();
        let last = last_run(&ledger).await?;
        let tasks = remembered_tasks(&settings, &ledger, clock.now()).await?;
        hear_sources(&mut watch, &mut heard, began).await;
        let runs = Runs::new(live.clone(), ledger.clone(), clock.clone(), (reports.clone(), metrics));
        runs.jobs().follow(settings.publish.as_ref());
        jobs::settle(runs.jobs(), &settings, &ledger, (&clock, RUNS_SEARCHED)).await;
        let zone = settings.daemon.timezone.clone();
        let schedule =
            Schedule::start(zone, &tasks, clock.clone(), Alarm::kernel(), Arc::new(TaskRuns(runs.clone())), cancel)
                .await?;
        let recovery = Background::start(live.clone(), reports, cancel.clone(), batches_kept);
        let notices = Notices::start(&runs, watch.standing(), cancel).await;
        let requests = Requests::new(cancel.child_token());
        let (order, orders) = mpsc::channel(ORDERS_AHEAD);
        let (snapshot, seen) = watch::channel(Snapshot::default());
        let controller = Controller::new((runs.clone(), requests.clone()), Arc::clone(&options.load), order, seen);
        tokio::spawn(keep_writing(controller.clone(), live.changes(), cancel.clone()));
        let answers = Answers::start(&settings, controller, &lock);
        Ok(Daemon {
            load: Arc::clone(&options.load),
            clock,
            live,
            ledger,
            runs,
            schedule,
            recovery,
            watch,
            heard,
            notices,
            requests,
            orders,
            snapshot,
            answers: Some(answers),
            cancel: cancel.clone(),
            batches_kept,
            held,
            last,
            began,
            manager: Default::default(),
            reload: Default::default(),
            _lock: lock,
        })
    }
}

/// The tasks to schedule, each with what the ledger remembers of it. A task that is not scheduled any more is
/// forgotten: when it comes back, the slots in between were not missed.
pub(super) async fn remembered_tasks(
    settings: &Settings,
    ledger: &Ledger,
    now: Timestamp,
) -> Result<Vec<Scheduled>, LedgerError> {
    let names: Vec<Name> = scheduled_tasks(settings).map(|task| task.name.clone()).collect();
    ledger.know_tasks(&names, now).await?;
    let states = ledger.task_states().await?;
    let remember = |task: &Arc<crate::policy::Task>| {
        let state = states.iter().find(|state| state.task == task.name);
        Scheduled { task: Arc::clone(task), past: past(state, now) }
    };
    Ok(scheduled_tasks(settings).map(remember).collect())
}

/// The newest run of a task that has ended.
async fn last_run(ledger: &Ledger) -> Result<Option<EndedRun>, LedgerError> {
    let runs = ledger.runs(RUNS_SEARCHED).await?;
    Ok(runs.into_iter().filter(|run| run.task.is_some()).find_map(|run| {
        let (status, finished_at) = (run.status?, run.finished_at?);
        let rows = run.totals.rows_deleted + run.totals.rows_updated;
        Some(EndedRun { task: run.task, status, finished_at, rows, files_deleted: run.totals.files_deleted })
    }))
}

/// Waits for the first word of every source, within reason.
async fn hear_sources(watch: &mut SourceWatch, heard: &mut mpsc::UnboundedReceiver<Report>, began: Instant) {
    let until = tokio::time::Instant::from_std(began + SOURCE_PATIENCE);
    while watch.is_unsure() {
        match tokio::time::timeout_at(until, heard.recv()).await {
            Ok(Some(Report::Tried { source, generation, outcome })) => {
                watch.note(&source, generation, outcome);
            }
            // Nothing else reports before the schedule runs.
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}
