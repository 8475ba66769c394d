//! From a slot to a run: implements the schedule's `Runnable` by calling `run`, and tells what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::holds::announce_held;
use super::live::{Live, policies_to_run};
use super::report::{Report, Reports};
use super::status_line::EndedRun;
use crate::clock::{Clock, millis_between};
use crate::ledger::Ledger;
use crate::outcome::{HookPoint, RunId, RunMode, RunResult, RunTrigger, Status, Totals};
use crate::policy::{Mode, Name, Params, Settings, Task};
use crate::run::{Brake, Progress, Request, RunError, Runner};
use crate::schedule::{Activation, Occasion, Runnable};
use crate::telemetry::{Event, RunEvent};
use crate::text::chain;

/// Time for which the ledger remembers a run.
const RUNS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Interval at which the older ones are dropped.
const PRUNE_PERIOD: SignedDuration = SignedDuration::from_hours(24);

/// Runs tasks. Cheap to clone.
#[derive(Clone)]
pub struct TaskRuns(Arc<Inner>);

struct Inner {
    live: Live,
    ledger: Ledger,
    clock: Clock,
    reports: Reports,
    /// The run of each task that runs.
    begun: Mutex<BTreeMap<Name, Begun>>,
    pruned_at: Mutex<Option<Timestamp>>,
}

/// A run that has begun.
struct Begun {
    run_id: RunId,
    /// Under which it runs.
    settings: Arc<Settings>,
    policies: Vec<Name>,
    brake: Brake,
}

impl TaskRuns {
    pub fn new(live: Live, ledger: Ledger, clock: Clock, reports: Reports) -> Self {
        let (begun, pruned_at) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { live, ledger, clock, reports, begun, pruned_at }))
    }

    /// Stops these policies in runs that began under another configuration than this one. Each such run ends as soon as its
    /// other policies have, and its task runs again.
    pub fn hold(&self, policies: &[Name], now: &Arc<Settings>) {
        let begun = lock(&self.0.begun);
        for (task, run) in begun.iter().filter(|(_, run)| !Arc::ptr_eq(&run.settings, now)) {
            for policy in policies.iter().filter(|policy| run.policies.contains(policy)) {
                let run_id = run.run_id;
                tracing::warn!(%policy, %task, %run_id, "The configuration became more careful about policy {policy}: its run \
                    stops after the present batch");
                run.brake.hold(policy);
            }
        }
    }
}

impl Runnable for TaskRuns {
    fn activate(&self, activation: Activation, cancel: CancellationToken) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.activate(activation, cancel).await })
    }

    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.skip(&activation, why).await })
    }

    fn lost(&self, activation: Activation, panic: String) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.lost(&activation.task, &panic).await })
    }
}

impl Inner {
    /// Runs the slot of a task, and the task again for as long as a reload stops policies of it.
    async fn activate(&self, activation: Activation, cancel: CancellationToken) {
        let mut due_at = Some(activation.due_at);
        while let Some((runner, brake)) = self.begin(&activation.task) {
            self.run(&activation, due_at, (runner, &brake), cancel.clone()).await;
            // Its slot is taken: the next run has none.
            due_at = None;
            if !brake.is_pulled() || cancel.is_cancelled() {
                return;
            }
        }
        if due_at.is_some() {
            self.skip(&activation, "the task is no longer in the configuration").await;
        }
    }

    /// Runner of a task that is due; none where it is not to be run. A run holds its configuration to the end; what a reload
    /// makes more careful is stopped, so whoever reloads must find every run of the old configuration here.
    fn begin(&self, task: &Name) -> Option<(Runner, Brake)> {
        let mut begun = lock(&self.begun);
        let runner = self.live.runner();
        let settings = Arc::clone(runner.settings());
        settings.task(task).filter(|task| task.enabled)?;
        let policies = policies_to_run(&settings, task).map(|policy| policy.name.clone()).collect();
        let brake = Brake::default();
        begun.insert(task.clone(), Begun { run_id: RunId::now_v7(), settings, policies, brake: brake.clone() });
        Some((runner, brake))
    }

    async fn run(
        &self,
        activation: &Activation,
        due_at: Option<Timestamp>,
        (runner, brake): (Runner, &Brake),
        cancel: CancellationToken,
    ) {
        let settings = runner.settings();
        let run_id = lock(&self.begun).get(&activation.task).map(|begun| begun.run_id);
        let (Some(task), Some(run_id)) = (settings.task(&activation.task), run_id) else { return };
        let (progress, seen) = watch::channel(Progress::default());
        self.report(Report::Begun { task: activation.task.clone(), progress: seen });
        let request = request_of(settings, task, activation, run_id, progress, cancel);
        let result = runner.run(Request { due_at, brake: brake.clone(), ..request }).await;
        lock(&self.begun).remove(&activation.task);
        let (last, suspects) = match &result {
            Ok(result) => {
                emit_result(result);
                (Some(last_run(result, self.clock.now())), suspects(settings, result))
            }
            Err(error) => {
                emit_refused(error, activation, run_id);
                (None, Vec::new())
            }
        };
        self.prune().await;
        self.report(Report::Ended { task: activation.task.clone(), last, suspects });
    }

    async fn skip(&self, activation: &Activation, why: &str) {
        let Activation { task, due_at, occasion: _ } = activation;
        Event::SlotSkipped { task, due_at: *due_at, why }.emit();
        if let Err(error) = self.ledger.skip_slot(task, *due_at).await {
            tracing::error!(%task, error = chain(&error), "The skipped slot of task {task} could not be recorded");
        }
    }

    /// A panic is a bug of ours: the run is ended in the ledger with what it did so far, and the daemon goes on.
    async fn lost(&self, task: &Name, panic: &str) {
        let run_id = lock(&self.begun).remove(task).map(|begun| begun.run_id);
        tracing::error!(%task, error = panic, "The run of task {task} broke off by a bug in retaind: {panic}");
        let Some(run_id) = run_id else { return };
        let last = match self.end_lost(run_id).await {
            Ok(result) => result.map(|result| {
                emit_result(&result);
                last_run(&result, self.clock.now())
            }),
            Err(error) => {
                tracing::error!(%task, %run_id, error = chain(&error), "The end of run {run_id} could not be recorded");
                None
            }
        };
        self.report(Report::Ended { task: task.clone(), last, suspects: Vec::new() });
    }

    async fn end_lost(&self, run_id: RunId) -> Result<Option<RunResult>, crate::ledger::LedgerError> {
        let Some(mut result) = self.ledger.run(&run_id.to_string()).await? else { return Ok(None) };
        if result.status.is_none() {
            let now = self.clock.now();
            result.status = Some(Status::Failed);
            result.finished_at = Some(now);
            result.duration_ms = millis_between(result.started_at, now);
            self.ledger.finish_run(&result).await?;
        }
        Ok(Some(result))
    }

    /// Drops old runs, once a day, after a run: an idle daemon is not woken for it.
    async fn prune(&self) {
        // By a clock that leapt every run is old.
        if !matches!(self.live.runner().note_clock().await, Ok(None)) {
            return;
        }
        let now = self.clock.now();
        {
            let mut pruned_at = lock(&self.pruned_at);
            if pruned_at.is_some_and(|at| now.duration_since(at) < PRUNE_PERIOD) {
                return;
            }
            *pruned_at = Some(now);
        }
        match self.ledger.prune(now, RUNS_KEPT).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "Dropped {forgotten} old runs from the ledger"),
            Err(error) => tracing::warn!(error = chain(&error), "Old runs could not be dropped from the ledger"),
        }
    }

    fn report(&self, report: Report) {
        // The main loop is gone only when the daemon ends.
        let _ = self.reports.send(report);
    }
}

fn request_of(
    settings: &Settings,
    task: &Task,
    activation: &Activation,
    run_id: RunId,
    progress: watch::Sender<Progress>,
    cancel: CancellationToken,
) -> Request {
    Request {
        run_id,
        policies: policies_to_run(settings, &task.name).cloned().collect(),
        task: Some(task.name.clone()),
        due_at: Some(activation.due_at),
        trigger: match activation.occasion {
            Occasion::Due => RunTrigger::Schedule,
            Occasion::CatchUp => RunTrigger::CatchUp,
        },
        mode: match settings.daemon.mode {
            Mode::Enforce => RunMode::Enforce,
            Mode::Report => RunMode::Report,
        },
        // What has a task has no parameters.
        params: Params::new(),
        timeout: task.timeout,
        cancel,
        brake: Brake::default(),
        is_temporary: false,
        count_first: false,
        progress: Some(progress),
        list: None,
    }
}

fn emit_result(result: &RunResult) {
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
    let status = result.status.unwrap_or(Status::Failed);
    let RunResult { run_id, task, totals, duration_ms, .. } = result;
    let (run_id, task, duration_ms) = (*run_id, task.as_ref(), *duration_ms);
    Event::RunEnded(RunEvent { run_id, task, status, totals, duration_ms }).emit();
}

/// Tells of a run that did not begin.
fn emit_refused(error: &RunError, activation: &Activation, run_id: RunId) {
    let Activation { task, due_at, occasion: _ } = activation;
    match error {
        RunError::SlotTaken { .. } => {
            Event::SlotSkipped { task, due_at: *due_at, why: "this slot was run before" }.emit();
        }
        other => {
            tracing::error!(%task, error = chain(other), "Task {task} could not run: {}", chain(other));
            let totals = Totals { errors: 1, ..Totals::default() };
            let (task, status, totals) = (Some(task), Status::Failed, &totals);
            Event::RunEnded(RunEvent { run_id, task, status, totals, duration_ms: 0 }).emit();
        }
    }
}

fn last_run(result: &RunResult, now: Timestamp) -> EndedRun {
    EndedRun {
        task: result.task.clone(),
        status: result.status.unwrap_or(Status::Failed),
        finished_at: result.finished_at.unwrap_or(now),
        rows: result.totals.rows_deleted + result.totals.rows_updated,
        files_deleted: result.totals.files_deleted,
    }
}

/// The sources of the policies that failed.
fn suspects(settings: &Settings, result: &RunResult) -> Vec<Name> {
    let failed = result.policies.iter().filter(|policy| policy.status == Status::Failed);
    let policies = failed.filter_map(|failed| settings.policy(&failed.policy));
    let mut sources: Vec<Name> = policies.flat_map(|policy| settings.sources_of(policy)).cloned().collect();
    sources.sort();
    sources.dedup();
    sources
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::ledger::RunStart;
    use crate::policy::fixtures::settings;

    async fn task_runs(directory: &std::path::Path) -> (TaskRuns, Ledger, mpsc::UnboundedReceiver<Report>) {
        let ledger = Ledger::open(&directory.join("ledger.db")).await.unwrap();
        let (reports, heard) = mpsc::unbounded_channel();
        let runner = Runner::new(Arc::new(settings(directory)), Some(ledger.clone()), Clock::system());
        (TaskRuns::new(Live::new(runner), ledger.clone(), Clock::system(), reports), ledger, heard)
    }

    fn activation() -> Activation {
        let due_at = "2026-01-01T03:00:00Z".parse().unwrap();
        Activation { task: Name::parse("retention").unwrap(), due_at, occasion: Occasion::Due }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_run_that_panicked_is_ended_in_the_ledger() {
        let directory = tempfile::tempdir().unwrap();
        let (runs, ledger, mut heard) = task_runs(directory.path()).await;
        let run_id = RunId::now_v7();
        let start = RunStart {
            run_id,
            mode: RunMode::Enforce,
            trigger: RunTrigger::Schedule,
            task: Some(activation().task),
            due_at: Some(activation().due_at),
            started_at: Clock::system().now(),
        };
        ledger.begin_run(&start).await.unwrap();
        let (settings, policies, brake) = (runs.0.live.settings(), Vec::new(), Brake::default());
        lock(&runs.0.begun).insert(activation().task, Begun { run_id, settings, policies, brake });
        runs.lost(activation(), "broken on purpose".to_owned()).await;
        let result = ledger.run(&run_id.to_string()).await.unwrap().unwrap();
        assert_eq!(result.status, Some(Status::Failed));
        assert!(result.finished_at.is_some());
        let Some(Report::Ended { task, last: Some(last), .. }) = heard.recv().await else { panic!("no report") };
        assert_eq!((task, last.status), (activation().task, Status::Failed));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_slot_of_a_task_that_is_gone_is_noted_and_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let (runs, ledger, mut heard) = task_runs(directory.path()).await;
        let now = Clock::system().now();
        ledger.know_tasks(&[activation().task], now).await.unwrap();
        runs.activate(activation(), CancellationToken::new()).await;
        let states = ledger.task_states().await.unwrap();
        assert_eq!(states[0].last_due_at, Some(activation().due_at));
        assert!(ledger.runs(10).await.unwrap().is_empty());
        assert!(heard.try_recv().is_err());
    }
}
