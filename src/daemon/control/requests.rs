//! Runs on request, each in a task of its own, and the memory of their ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::active_runs::ActiveRun;
use super::super::runs::Runs;
use crate::commands::approve::{self, Shown};
use crate::outcome::{RunId, RunResult};
use crate::policy::Settings;
use crate::run::{Request, RunError, Runner};
use crate::server::{Problem, ProblemCode};
use crate::text::chain;

/// Ended runs whose results are remembered: a plan is in no ledger.
const REMEMBERED: usize = 32;

/// End of a run: its result, or why there is none.
pub(super) type Ended = Result<RunResult, Problem>;

/// Runs on request, to their end. Cheap to clone.
#[derive(Clone)]
pub struct Requests {
    pub(super) cancel: CancellationToken,
    tasks: TaskTracker,
    ended: Arc<Mutex<VecDeque<Remembered>>>,
}

/// A run that ended.
struct Remembered {
    run_id: RunId,
    ended: Ended,
    /// Words of its request, where it has overrides.
    request: Option<String>,
}

/// Companions of a run that has overrides.
#[derive(Default)]
pub(super) struct Overridden {
    pub(super) request: Option<String>,
    /// Approvals that are for this run alone.
    pub(super) approved: Vec<Shown>,
}

impl Requests {
    /// None so far; the token asks all of them to stop.
    pub fn new(cancel: CancellationToken) -> Self {
        Self { cancel, tasks: TaskTracker::new(), ended: Arc::default() }
    }

    /// Waits until all have ended; no more begin.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn remembered(&self, run_id: RunId) -> Option<Ended> {
        self.lock().iter().find(|known| known.run_id == run_id).map(|known| known.ended.clone())
    }

    /// Result of a run with overrides, and the words of its request.
    pub(super) fn planned(&self, run_id: RunId) -> Option<(RunResult, String)> {
        let all = self.lock();
        let Remembered { ended, request, .. } = all.iter().find(|known| known.run_id == run_id)?;
        Some((ended.clone().ok()?, request.clone()?))
    }

    fn remember(&self, of: Remembered) {
        let mut all = self.lock();
        all.truncate(REMEMBERED - 1);
        all.push_front(of);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Remembered>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries a run out in a task of its own.
    pub(super) fn spawn(
        &self,
        runs: &Runs,
        run: ActiveRun,
        (runner, request): (Runner, Request),
        overridden: Overridden,
    ) {
        let Overridden { request: words, approved } = overridden;
        let settings = Arc::clone(runner.settings());
        let (runs, requests) = (runs.clone(), self.clone());
        self.tasks.spawn(async move {
            let carried = {
                let runs = runs.clone();
                tokio::spawn(async move { runs.carry_out(runner, request).await })
            };
            let ended = match carried.await {
                Ok(ended) => ended.map_err(|error| not_begun(run.run_id, &error)),
                Err(error) => {
                    runs.lose(run.run_id, &error.to_string()).await;
                    Err(Problem::new(ProblemCode::Internal, "the run broke off by a bug in retaind"))
                }
            };
            withdraw(&settings, &approved).await;
            requests.remember(Remembered { run_id: run.run_id, ended, request: words });
            run.ended.cancel();
        });
    }
}

/// Withdraws approvals that were for one run alone, where it did not use them up.
pub(super) async fn withdraw(settings: &Settings, approved: &[Shown]) {
    if !approved.is_empty()
        && let Err(error) = approve::withdraw(settings, approved).await
    {
        tracing::error!("The approvals of a run could not be withdrawn after it: {error:#}");
    }
}

fn not_begun(run_id: RunId, error: &RunError) -> Problem {
    tracing::error!(%run_id, error = chain(error), "Run {run_id} could not begin: {}", chain(error));
    Problem { run_id: Some(run_id), ..Problem::new(ProblemCode::Internal, chain(error)) }
}
