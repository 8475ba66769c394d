//! Carries runs out, for the schedule and for whoever asks: enters them, reports them, and ends those that broke off.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::active_runs::{ActiveRun, ActiveRuns};
use super::beats;
use super::jobs;
use super::live::Live;
use super::metrics::Metrics;
use super::report::{Report, Reports};
use super::run_ends::{emit_goes_on, emit_result, last_run, suspects};
use crate::clock::{Clock, millis_between};
use crate::ledger::{Ledger, LedgerError};
use crate::notify::{JobStates, Outbox};
use crate::outcome::{RunId, RunMode, RunResult, Status};
use crate::policy::{Mode, Settings};
use crate::run::{Progress, Request, RunError, Runner};
use crate::text::chain;

/// Interval at which the journal hears that a run goes on.
const GOES_ON_PERIOD: Duration = Duration::from_secs(60);
/// Interval at which what is old is dropped from the ledger.
const PRUNE_PERIOD: SignedDuration = SignedDuration::from_hours(24);

/// The daemon's runs. Cheap to clone.
#[derive(Clone)]
pub struct Runs(Arc<Inner>);

struct Inner {
    live: Live,
    ledger: Ledger,
    clock: Clock,
    reports: Reports,
    active: ActiveRuns,
    metrics: Metrics,
    jobs: JobStates,
    outbox: Outbox,
    pruned_at: Mutex<Option<Timestamp>>,
}

impl Runs {
    pub fn new(live: Live, ledger: Ledger, clock: Clock, (reports, metrics): (Reports, Metrics)) -> Self {
        let (active, jobs, pruned_at) = (ActiveRuns::default(), JobStates::default(), Mutex::default());
        let outbox = Outbox::new(ledger.clone(), clock.clone());
        Self(Arc::new(Inner { live, ledger, clock, reports, active, metrics, jobs, outbox, pruned_at }))
    }

    pub fn active(&self) -> &ActiveRuns {
        &self.0.active
    }

    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The runs as jobs that others read of.
    pub fn jobs(&self) -> &JobStates {
        &self.0.jobs
    }

    /// Messages to those who are notified.
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    pub fn live(&self) -> &Live {
        &self.0.live
    }

    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Enters a run of what `choose` makes of the configuration in force, with the runner of that configuration.
    pub fn enter<E>(
        &self,
        cancel: &CancellationToken,
        choose: impl FnOnce(&Arc<Settings>) -> Result<Request, E>,
    ) -> Result<(ActiveRun, (Runner, Request)), E> {
        self.enter_by(cancel, |runner| choose(runner.settings()).map(|request| (runner, request)))
    }

    /// Enters a run of what `choose` makes of the runner in force, which may be another runner.
    pub fn enter_by<E>(
        &self,
        cancel: &CancellationToken,
        choose: impl FnOnce(Runner) -> Result<(Runner, Request), E>,
    ) -> Result<(ActiveRun, (Runner, Request)), E> {
        self.0.active.enter(|| {
            let (runner, request) = choose(self.0.live.runner())?;
            let (sender, progress) = watch::channel(Progress::default());
            let request = Request { progress: Some(sender), cancel: cancel.child_token(), ..request };
            let run = ActiveRun::of(&request, runner.settings(), progress, self.0.clock.now());
            Ok((run, (runner, request)))
        })
    }

    /// Executes a run that was entered, to its end.
    pub async fn carry_out(&self, runner: Runner, request: Request) -> Result<RunResult, RunError> {
        let (run_id, task, mode) = (request.run_id, request.task.clone(), request.mode);
        self.report(Report::Begun);
        if mode != RunMode::Plan {
            let post = (&self.0.ledger, &self.0.outbox);
            beats::of_start(post, runner.settings(), (task.as_ref(), run_id), self.0.clock.now()).await;
        }
        let progress = request.progress.as_ref().filter(|_| mode != RunMode::Plan).map(watch::Sender::subscribe);
        let run = Box::pin(runner.run(request));
        let result = match progress {
            None => run.await,
            Some(progress) => {
                let goes_on = || emit_goes_on(run_id, task.as_ref(), &progress.borrow());
                self.as_job(run_id, Box::pin(with_ticks(GOES_ON_PERIOD, goes_on, run))).await
            }
        };
        self.0.active.leave(run_id);
        let (mut last, mut suspected) = (None, Vec::new());
        if let (Ok(result), true) = (&result, mode != RunMode::Plan) {
            emit_result(result);
            self.0.metrics.observe_run(result);
            (last, suspected) = (Some(last_run(result, self.0.clock.now())), suspects(runner.settings(), result));
        }
        if mode != RunMode::Plan {
            self.prune().await;
        }
        // A run on request does not take the place of a task's last run in the status line.
        self.report(Report::Ended { last: last.filter(|_| task.is_some()), suspects: suspected });
        result
    }

    /// Awaits a run, and has others read of it meanwhile.
    async fn as_job(
        &self,
        run_id: RunId,
        run: impl Future<Output = Result<RunResult, RunError>> + Unpin,
    ) -> Result<RunResult, RunError> {
        let Inner { active, jobs, clock, .. } = &*self.0;
        let Some(begun) = active.get(run_id).filter(|_| jobs.are_wanted()) else { return run.await };
        jobs::begin(jobs, &begun);
        let result = with_ticks(jobs::UPDATE_PERIOD, || jobs::update(jobs, &begun, clock), run).await;
        let error = result.as_ref().map_or_else(|error| Some(chain(error)), jobs::error_of);
        jobs.end(run_id, result.as_ref().ok(), error, clock.now());
        result
    }

    /// Ends a run that a panic broke off, in the ledger, with what it did so far. A panic is a bug of ours, and the daemon
    /// goes on.
    pub async fn lose(&self, run_id: RunId, panic: &str) {
        let left = self.0.active.leave(run_id);
        tracing::error!(%run_id, error = panic, "Run {run_id} broke off by a bug in retaind: {panic}");
        let ended = self.end_lost(run_id).await;
        let of_job = ended.as_ref().ok().and_then(Option::as_ref);
        self.0.jobs.end(run_id, of_job, Some(format!("a bug in retaind: {panic}")), self.0.clock.now());
        let last = match ended {
            Ok(result) => result.map(|result| {
                emit_result(&result);
                self.0.metrics.observe_run(&result);
                last_run(&result, self.0.clock.now())
            }),
            Err(error) => {
                tracing::error!(%run_id, error = chain(&error), "The end of run {run_id} could not be recorded");
                None
            }
        };
        self.report(Report::Ended { last, suspects: Vec::new() });
        if let Some(run) = left {
            run.ended.cancel();
        }
    }

    async fn end_lost(&self, run_id: RunId) -> Result<Option<RunResult>, LedgerError> {
        let Some(mut result) = self.0.ledger.run(&run_id.to_string()).await? else { return Ok(None) };
        if result.status.is_none() {
            let now = self.0.clock.now();
            result.status = Some(Status::Failed);
            result.finished_at = Some(now);
            result.duration_ms = millis_between(result.started_at, now);
            self.0.ledger.finish_run(&result).await?;
        }
        Ok(Some(result))
    }

    /// Drops old runs, once a day, after a run: an idle daemon is not woken for it.
    async fn prune(&self) {
        // By a clock that leapt every run is old.
        if !matches!(self.0.live.runner().note_clock().await, Ok(None)) {
            return;
        }
        let now = self.0.clock.now();
        {
            let mut pruned_at = self.0.pruned_at.lock().unwrap_or_else(PoisonError::into_inner);
            if pruned_at.is_some_and(|at| now.duration_since(at) < PRUNE_PERIOD) {
                return;
            }
            *pruned_at = Some(now);
        }
        let settings = self.0.live.settings();
        match self.0.ledger.prune(now, settings.daemon.keep_runs).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "Dropped {forgotten} old runs from the ledger"),
            Err(error) => tracing::warn!(error = chain(&error), "Old runs could not be dropped from the ledger"),
        }
        match self.0.ledger.prune_audit(now, settings.daemon.keep_audit).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "Dropped {forgotten} old entries of the audit from the ledger"),
            Err(error) => {
                tracing::warn!(error = chain(&error), "Old entries of the audit could not be dropped from the ledger");
            }
        }
    }

    /// Has the status line say so where nothing is pending any more.
    pub async fn look_at_pending(&self) {
        if self.0.ledger.owed().await.is_ok_and(|pending| pending.is_empty()) {
            self.report(Report::Recovered { kept: 0 });
        }
    }

    fn report(&self, report: Report) {
        // The main loop is gone only when the daemon ends.
        let _ = self.0.reports.send(report);
    }
}

/// Awaits work, and does something each time that a period of it is over.
async fn with_ticks<T>(period: Duration, mut tick: impl FnMut(), mut work: impl Future<Output = T> + Unpin) -> T {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => tick(),
        }
    }
}

/// The mode of a run that is to do what the configuration says.
pub(super) fn mode_of(settings: &Settings) -> RunMode {
    match settings.daemon.mode {
        Mode::Enforce => RunMode::Enforce,
        Mode::Report => RunMode::Report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_long_is_said_again() {
        let mut said = 0;
        let work = Box::pin(async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            "done"
        });
        assert_eq!(with_ticks(Duration::from_millis(50), || said += 1, work).await, "done");
        assert!((2..=5).contains(&said), "{said}");
        let short = Box::pin(std::future::ready(()));
        with_ticks(Duration::from_secs(60), || panic!("it is over"), short).await;
    }
}
