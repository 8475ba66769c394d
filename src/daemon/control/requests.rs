//! Runs on request, each in a task of its own, and the memory of their ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::active_runs::ActiveRun;
use super::super::runs::Runs;
use super::looks::{Look, Looks, Sight};
use crate::outcome::{RunId, RunResult};
use crate::run::{Request, RunError, Runner};
use crate::server::{Problem, ProblemCode, RunWanted};
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

    /// Carries a run out in a task of its own.
    pub(super) fn spawn(&self, runs: &Runs, run: ActiveRun, (runner, request): (Runner, Request), by: By) {
        let (runs, requests) = (runs.clone(), self.clone());
        self.tasks.spawn(async move {
            let run_id = run.run_id;
            let carried = {
                let runs = runs.clone();
                tokio::spawn(async move { carry_out(&runs, runner, request, by).await })
            };
            let ended = match carried.await {
                Ok(ended) => ended,
                Err(error) => {
                    runs.lose(run_id, &error.to_string()).await;
                    Err(Problem::new(ProblemCode::Internal, "the run broke off by a bug in retaind"))
                }
            };
            requests.remember(run_id, ended);
            run.ended.cancel();
        });
    }
}

/// Plan that a run on request has to do with.
pub(super) enum By {
    /// None.
    Itself,
    /// It is one, which a later run may go by.
    Looking { looks: Looks, wanted: RunWanted, base: String },
    /// One that was looked at.
    Look(Box<Look>),
}

async fn carry_out(runs: &Runs, runner: Runner, request: Request, by: By) -> Ended {
    let run_id = request.run_id;
    match by {
        By::Itself => {}
        By::Looking { looks, wanted, base } => {
            let seen = Sight::of(&runner, request).await;
            runs.active().leave(run_id);
            let (mut plan, sight) = seen.map_err(|error| not_begun(run_id, &error))?;
            if let Some(look) = sight.and_then(|sight| Look::of(&wanted, base, &plan, sight)) {
                plan.plan_digest = Some(look.digest.clone());
                looks.keep(look);
            }
            return Ok(plan);
        }
        By::Look(look) => {
            if let Err(problem) = look.check_sight(&runner, &request).await {
                runs.active().leave(run_id);
                tracing::warn!(%run_id, error = problem.detail, "Run {run_id} did not begin: {}", problem.detail);
                return Err(Problem { run_id: Some(run_id), ..problem });
            }
        }
    }
    runs.carry_out(runner, request).await.map_err(|error| not_begun(run_id, &error))
}

fn not_begun(run_id: RunId, error: &RunError) -> Problem {
    tracing::error!(%run_id, error = chain(error), "Run {run_id} could not begin: {}", chain(error));
    Problem { run_id: Some(run_id), ..Problem::new(ProblemCode::Internal, chain(error)) }
}
