//! Runs on request, each in a task of its own, and the memory of their ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::active_runs::ActiveRun;
use super::super::runs::Runs;
use crate::outcome::{RunId, RunResult};
use crate::run::{Request, RunError, Runner};
use crate::server::{Problem, ProblemCode};
use crate::text::chain;

/// Runs on request at once.
const AT_ONCE: usize = 32;
/// Ended runs whose results are remembered: a plan is in no ledger.
const REMEMBERED: usize = 32;

/// End of a run: its result, or why there is none.
pub(super) type Ended = Result<RunResult, Problem>;

/// Runs on request, to their end. Cheap to clone.
#[derive(Clone)]
pub struct Requests {
    pub(super) cancel: CancellationToken,
    tasks: TaskTracker,
    ended: Arc<Mutex<VecDeque<(RunId, Ended)>>>,
}

impl Requests {
    /// None so far; the token asks all of them to stop.
    pub fn new(cancel: CancellationToken) -> Self {
        Self { cancel, tasks: TaskTracker::new(), ended: Arc::default() }
    }

    /// Refuses one more where many are under way: each holds memory, and waits for connections.
    pub(super) fn check_room(&self) -> Result<(), Problem> {
        if self.tasks.len() < AT_ONCE {
            return Ok(());
        }
        let detail = format!("{AT_ONCE} runs on request are under way");
        Err(Problem::new(ProblemCode::Busy, detail).hint("ask again when one has ended: GET /api/v1/status lists them"))
    }

    /// Waits until all have ended; no more begin.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn remembered(&self, run_id: RunId) -> Option<Ended> {
        self.lock().iter().find(|(known, _)| *known == run_id).map(|(_, ended)| ended.clone())
    }

    fn remember(&self, run_id: RunId, ended: Ended) {
        let mut all = self.lock();
        all.truncate(REMEMBERED - 1);
        all.push_front((run_id, ended));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(RunId, Ended)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does other work in a task of its own, which goes on to its end where nobody waits for it any more.
    pub(super) fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn(work)
    }

    /// Carries a run out in a task of its own; `on_end` is given its result before anybody else is.
    pub(super) fn spawn(
        &self,
        runs: &Runs,
        run: ActiveRun,
        (runner, request): (Runner, Request),
        on_end: impl FnOnce(&mut RunResult) + Send + 'static,
    ) {
        let (runs, requests) = (runs.clone(), self.clone());
        self.tasks.spawn(async move {
            let carried = {
                let runs = runs.clone();
                tokio::spawn(async move { runs.carry_out(runner, request).await })
            };
            let ended = match carried.await {
                Ok(Ok(mut result)) => {
                    on_end(&mut result);
                    Ok(result)
                }
                Ok(Err(error)) => Err(not_begun(run.run_id, &error)),
                Err(error) => {
                    runs.lose(run.run_id, &error.to_string()).await;
                    Err(Problem::new(ProblemCode::Internal, "the run broke off by a bug in retaind"))
                }
            };
            requests.remember(run.run_id, ended);
            run.ended.cancel();
        });
    }
}

fn not_begun(run_id: RunId, error: &RunError) -> Problem {
    tracing::error!(%run_id, error = chain(error), "Run {run_id} could not begin: {}", chain(error));
    Problem { run_id: Some(run_id), ..Problem::new(ProblemCode::Internal, chain(error)) }
}
