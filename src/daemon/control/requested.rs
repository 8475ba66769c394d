//! Runs that somebody asks for: begun, followed, cancelled.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use tokio::sync::watch;

use super::super::active_runs::ActiveRun;
use super::super::runs::mode_of;
use super::controller::{Controller, internal, invalid_parameter, stopping, unknown_name, who_asks};
use super::looks::{Look, agreed};
use super::overrides::Temporary;
use super::requests::{By, Ended};
use crate::commands::params::{check_params, masked_params};
use crate::commands::selection::select;
use crate::ledger::AuditAction;
use crate::outcome::{Requested, RunId, RunMode, RunTrigger};
use crate::policy::Settings;
use crate::run::{Progress, Request, Runner};
use crate::server::{Caller, Problem, ProblemCode, RunUpdate, RunWanted};

impl Controller {
    pub(super) async fn begin_run(&self, wanted: RunWanted, caller: Caller) -> Result<RunId, Problem> {
        if self.requests.cancel.is_cancelled() {
            return Err(stopping());
        }
        self.requests.check_room()?;
        let look = wanted.plan_digest.as_deref().map(|digest| self.looks.find(digest)).transpose()?;
        let temporary = self.temporary(&wanted.set).await?;
        let now = self.runs.clock().now();
        let (run, (runner, request)) = self.enter(&wanted, &caller, (temporary.as_ref(), look.as_ref(), now))?;
        if let Err(problem) = self.check_entered(&run, &caller, &wanted).await {
            self.runs.active().leave(run.run_id);
            return Err(problem);
        }
        let (run_id, by) = (run.run_id, who_asks(&caller));
        tracing::info!(%run_id, by = %by, "Run {run_id} is asked for by {by}");
        let by = match (look, temporary) {
            (Some(look), _) => By::Look(Box::new(look)),
            (None, Some(Temporary { base, .. })) if run.mode == RunMode::Plan => {
                By::Looking { looks: self.looks.clone(), wanted, base }
            }
            (None, _) => By::Itself,
        };
        self.requests.spawn(&self.runs, run, (runner, request), by);
        Ok(run_id)
    }

    /// Enters the run that is wanted.
    fn enter(
        &self,
        wanted: &RunWanted,
        caller: &Caller,
        (temporary, look, now): (Option<&Temporary>, Option<&Look>, Timestamp),
    ) -> Result<(ActiveRun, (Runner, Request)), Problem> {
        self.runs.enter_by(&self.requests.cancel, |in_force| {
            let base = in_force.settings().written.fingerprint();
            if wanted.base.as_ref().is_some_and(|wanted| *wanted != base) {
                let detail = "another configuration came into force than the one that was planned with";
                return Err(Problem::new(ProblemCode::Changed, detail).hint("make a new dry run"));
            }
            look.map(|look| look.check(wanted, &base, now)).transpose()?;
            let (runner, request) = match temporary {
                None => request_of(in_force.settings(), wanted, caller).map(|request| (in_force, request))?,
                Some(temporary) => request_under(temporary, &in_force, wanted, caller)?,
            };
            // A plan shows what would go if somebody agreed to it.
            let at = look
                .map(|look| look.at)
                .or_else(|| (temporary.is_some() && request.mode == RunMode::Plan).then_some(now));
            let looked = at.map(|at| agreed(&request.policies, at)).unwrap_or_default();
            Ok((runner, Request { looked, ..request }))
        })
    }

    /// Refuses a run that is entered and must not begin.
    async fn check_entered(&self, run: &ActiveRun, caller: &Caller, wanted: &RunWanted) -> Result<(), Problem> {
        // A command is given the result of a run that was blocked, as one that runs by itself.
        if !caller.is_command {
            self.check_free(run).await?;
        }
        let Some(digest) = &wanted.plan_digest else { return Ok(()) };
        if run.mode == RunMode::Plan {
            let detail = "plan_digest is of a plan, and for a run";
            return Err(
                Problem::new(ProblemCode::InvalidParameter, detail).hint("leave it out, or ask for another mode")
            );
        }
        self.check_agreed(run).await?;
        self.looks.take(digest)
    }

    /// Refuses a run beyond the configuration in force of a policy of which that configuration itself was not agreed to.
    async fn check_agreed(&self, run: &ActiveRun) -> Result<(), Problem> {
        let in_force = self.runs.live().runner();
        if !in_force.settings().daemon.approve_changes {
            return Ok(());
        }
        let agreed = self.runs.ledger().agreed().await.map_err(internal)?;
        for name in &run.policies {
            let Some(policy) = in_force.settings().policy(name) else { continue };
            let standing = in_force.standing(&agreed, policy, true);
            let is_held = self.runs.ledger().held_policy(name).await.map_err(internal)?.is_some();
            let is_other = standing.baseline.is_some_and(|baseline| baseline.fingerprint != standing.fingerprint);
            let (why, hint) = match (is_held || standing.held.is_some(), is_other) {
                (true, _) => ("waits for an approval", format!("retaind approve {name} shows what would go")),
                (false, true) => ("has not run yet as it is configured now", format!("retaind run {name} first")),
                (false, false) => continue,
            };
            return Err(Problem::new(ProblemCode::Held, format!("policy {name} {why}")).hint(hint));
        }
        Ok(())
    }

    /// Refuses a run of which another run has a policy.
    async fn check_free(&self, run: &ActiveRun) -> Result<(), Problem> {
        if run.mode != RunMode::Enforce {
            return Ok(());
        }
        for policy in &run.policies {
            if let Some(holder) = self.runs.ledger().holder(policy).await.map_err(internal)? {
                let busy = Problem::new(ProblemCode::Busy, format!("policy {policy} is being run by run {holder}"));
                return Err(Problem { run_id: Some(holder), ..busy });
            }
        }
        Ok(())
    }

    pub(super) async fn cancel_run(&self, id: String, caller: Caller) -> Result<RunId, Problem> {
        let run = self.active(&id).await?;
        let what = (AuditAction::Cancel, format!("run {}", run.run_id));
        let by = self.note_stop(&caller, what, serde_json::json!({})).await;
        tracing::info!(run_id = %run.run_id, by = %by, "Run {} is cancelled by {by}", run.run_id);
        run.stop_on_request();
        Ok(run.run_id)
    }

    /// The run under way of an id or a piece of it.
    async fn active(&self, id: &str) -> Result<ActiveRun, Problem> {
        let exact = RunId::parse_str(id).ok().and_then(|id| self.runs.active().get(id));
        if let Some(run) = exact {
            return Ok(run);
        }
        let recorded = self.recorded(id).await?;
        self.runs.active().get(recorded.run_id).ok_or_else(|| {
            let ended = recorded.status.is_some();
            let detail = if ended { "it has ended" } else { "another process runs it" };
            let problem = Problem::new(ProblemCode::RunEnded, format!("run {}: {detail}", recorded.run_id));
            Problem { run_id: Some(recorded.run_id), ..problem }
        })
    }

    pub(super) async fn follow_run(&self, id: String) -> Result<BoxStream<'static, RunUpdate>, Problem> {
        if let Some(ended) = RunId::parse_str(&id).ok().and_then(|id| self.requests.remembered(id)) {
            return Ok(stream::iter([end_event(ended)]).boxed());
        }
        let run = match self.active(&id).await {
            Ok(run) => run,
            Err(problem) => match problem.run_id {
                Some(run_id) if problem.code == ProblemCode::RunEnded => {
                    return Ok(stream::iter([self.end_of(run_id).await]).boxed());
                }
                _ => return Err(problem),
            },
        };
        let first = RunUpdate::Progress(Box::new(run.progress()));
        let rest = stream::unfold(Some((self.clone(), run)), |state| async move {
            let (controller, mut run) = state?;
            tokio::select! {
                biased;
                () = run.ended.cancelled() => {
                    let end = controller.end_of(run.run_id).await;
                    Some((end, None))
                }
                () = next_progress(&mut run.progress) => {
                    let progress = RunUpdate::Progress(Box::new(run.progress()));
                    Some((progress, Some((controller, run))))
                }
            }
        });
        Ok(stream::iter([first]).chain(rest).boxed())
    }

    async fn end_of(&self, run_id: RunId) -> RunUpdate {
        match self.requests.remembered(run_id) {
            Some(ended) => end_event(ended),
            None => end_event(self.recorded(&run_id.to_string()).await),
        }
    }
}

/// Interval at which progress is sent at most.
const PROGRESS_PERIOD: std::time::Duration = std::time::Duration::from_millis(200);

/// Waits for progress, and then a little for more of it. Where its sender is gone, the end is near.
async fn next_progress(progress: &mut watch::Receiver<Progress>) {
    tokio::time::sleep(PROGRESS_PERIOD).await;
    if progress.changed().await.is_err() {
        std::future::pending().await
    }
}

fn end_event(ended: Ended) -> RunUpdate {
    match ended {
        Ok(result) => RunUpdate::End(Box::new(result)),
        Err(problem) => RunUpdate::Failed(problem),
    }
}

/// The runner and the request of a run with overrides, if the configuration that these lie on is still in force.
fn request_under(
    temporary: &Temporary,
    in_force: &Runner,
    wanted: &RunWanted,
    caller: &Caller,
) -> Result<(Runner, Request), Problem> {
    temporary.check_base(in_force.settings())?;
    let request = request_of(&temporary.settings, wanted, caller)?;
    if request.mode == RunMode::Enforce && wanted.plan_digest.is_none() {
        temporary.check_not_wider(in_force.settings(), &request.policies)?;
    }
    Ok((in_force.under(Arc::clone(&temporary.settings)), Request { is_temporary: true, ..request }))
}

fn request_of(settings: &Settings, wanted: &RunWanted, caller: &Caller) -> Result<Request, Problem> {
    let selection = select(settings, &wanted.names).map_err(unknown_name)?;
    let given: Vec<(String, String)> = wanted.params.clone().into_iter().collect();
    let params = check_params(&selection, &given).map_err(invalid_parameter)?;
    let mode = wanted.mode.unwrap_or_else(|| mode_of(settings));
    let trigger = if caller.is_command { RunTrigger::Cli } else { RunTrigger::Api };
    Ok(Request {
        task: selection.task.as_ref().map(|task| task.name.clone()),
        requested: Some(Requested {
            by: who_asks(caller),
            overrides: wanted.set.clone(),
            params: masked_params(&selection.policies, &params),
        }),
        params,
        timeout: selection.task.and_then(|task| task.timeout),
        count_first: true,
        ..Request::new(mode, trigger, selection.policies)
    })
}
