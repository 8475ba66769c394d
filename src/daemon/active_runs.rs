//! Runs under way in this daemon, whoever asked for them, and the ways to stop them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::status_line::Running;
use crate::outcome::{Requested, RunId, RunMode, RunResult, RunTrigger};
use crate::policy::{Name, Settings};
use crate::run::{Brake, HoldReason, Progress, Request};

/// A run under way.
#[derive(Clone)]
pub struct ActiveRun {
    pub run_id: RunId,
    /// The task that is run as a whole.
    pub task: Option<Name>,
    pub policies: Vec<Name>,
    pub mode: RunMode,
    pub trigger: RunTrigger,
    /// Who asked for it; none where the schedule did.
    pub requested: Option<Requested>,
    pub since: Timestamp,
    /// Under which it runs.
    pub settings: Arc<Settings>,
    pub brake: Brake,
    pub cancel: CancellationToken,
    pub progress: watch::Receiver<Progress>,
    /// Cancelled once its result can be had.
    pub ended: CancellationToken,
    furthest: Arc<AtomicU8>,
}

/// The runs under way. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct ActiveRuns(Arc<Mutex<BTreeMap<RunId, ActiveRun>>>);

impl ActiveRuns {
    /// Enters a run that is made while nothing else is entered: whoever puts another configuration in force and then asks for
    /// the runs of the old one finds them all.
    pub fn enter<T, E>(&self, make: impl FnOnce() -> Result<(ActiveRun, T), E>) -> Result<(ActiveRun, T), E> {
        let mut runs = self.lock();
        let (run, with) = make()?;
        runs.insert(run.run_id, run.clone());
        Ok((run, with))
    }

    /// Takes out a run that has ended.
    pub fn leave(&self, run_id: RunId) -> Option<ActiveRun> {
        self.lock().remove(&run_id)
    }

    /// The run of that id, if it is under way.
    pub fn get(&self, run_id: RunId) -> Option<ActiveRun> {
        self.lock().get(&run_id).cloned()
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Vec<ActiveRun> {
        self.lock().values().cloned().collect()
    }

    /// The scheduled run of a task.
    pub fn of_slot(&self, task: &Name) -> Option<RunId> {
        let is_its = |run: &&ActiveRun| run.task.as_ref() == Some(task) && run.trigger.is_schedule();
        self.lock().values().find(is_its).map(|run| run.run_id)
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Stops these policies in runs that began under another configuration than this one. Each such run ends as soon as its
    /// other policies have, and a task runs again.
    pub fn hold(&self, policies: &[Name], now: &Arc<Settings>) {
        let runs = self.lock();
        for run in runs.values().filter(|run| !Arc::ptr_eq(&run.settings, now)) {
            for policy in policies.iter().filter(|policy| run.policies.contains(policy)) {
                let run_id = run.run_id;
                tracing::warn!(%policy, %run_id, "The configuration became more careful about policy {policy}: run {run_id} \
                    stops it after the present batch");
                run.brake.hold(policy, HoldReason::Reload);
            }
        }
    }

    /// All of them, as the status line shows them.
    pub fn shown(&self) -> Vec<Running> {
        self.lock().values().map(ActiveRun::shown).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, ActiveRun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveRun {
    /// Enters the run of a request.
    pub fn of(
        request: &Request,
        settings: &Arc<Settings>,
        progress: watch::Receiver<Progress>,
        now: Timestamp,
    ) -> Self {
        Self {
            run_id: request.run_id,
            task: request.task.clone(),
            policies: request.policies.iter().map(|policy| policy.name.clone()).collect(),
            mode: request.mode,
            trigger: request.trigger,
            requested: request.requested.clone(),
            since: now,
            settings: Arc::clone(settings),
            brake: request.brake.clone(),
            cancel: request.cancel.clone(),
            progress,
            ended: CancellationToken::new(),
            furthest: Arc::default(),
        }
    }

    /// The most of the work that was ever reported as done, in hundredths, this report included.
    pub fn furthest(&self, done: u8) -> u8 {
        self.furthest.fetch_max(done, Ordering::Relaxed).max(done)
    }

    /// Its result before it has one.
    pub fn begun(&self) -> RunResult {
        let who = (self.run_id, self.mode, self.trigger);
        RunResult::begun(who, self.task.clone(), self.requested.clone(), self.since)
    }

    /// Asks it to stop between two batches.
    pub fn stop_on_request(&self) {
        self.brake.note_request();
        self.cancel.cancel();
    }

    fn shown(&self) -> Running {
        let (policies, task) = (self.policies.iter().map(Name::as_str).collect::<Vec<_>>(), self.task.clone());
        let subject = task.as_ref().map_or_else(|| policies.join(", "), Name::to_string);
        Running { task, subject, since: self.since, progress: self.progress.borrow().clone() }
    }
}
