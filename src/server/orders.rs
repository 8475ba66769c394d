//! Orders that count as destructive: given to the daemon by the API and by the dashboard in one way.

use std::sync::Arc;

use super::control::{Caller, RunWanted, SeenProposal};
use super::endpoint::App;
use super::plans::Plan;
use super::problem::Problem;
use crate::outcome::{RunId, RunMode};
use crate::policy::{Mode, Name};
use crate::report::ToApprove;

/// Begins a run, and counts it where it may delete something.
pub(super) async fn begin(app: &App, wanted: RunWanted, caller: Caller) -> Result<RunId, Problem> {
    let settings = app.control.settings();
    let is_destructive = wanted.mode.map_or(settings.daemon.mode == Mode::Enforce, |mode| mode == RunMode::Enforce);
    let call = is_destructive.then(|| app.calls.count(&caller, &settings.serving)).transpose()?;
    let plan = (wanted.mode == Some(RunMode::Plan)).then(|| Plan::of(&wanted, &settings));
    let run_id = app.control.begin(wanted, caller).await.inspect_err(|_| app.calls.give_back(call))?;
    // Of a plan during a reload it is not known by which configuration it was made: no run goes by it.
    if let Some(plan) = plan
        && Arc::ptr_eq(&settings, &app.control.settings())
    {
        app.plans.keep(run_id, plan);
    }
    Ok(run_id)
}

/// Begins the run of a plan, or finds the one that went by it.
pub(super) async fn begin_by(app: &App, plan: &Plan, caller: Caller) -> Result<RunId, Problem> {
    let mut run = plan.run.lock().await;
    if let Some(run_id) = *run {
        return Ok(run_id);
    }
    let wanted = RunWanted { names: plan.names.clone(), base: Some(plan.digest.clone()), ..RunWanted::default() };
    let run_id = begin(app, wanted, caller).await?;
    *run = Some(run_id);
    Ok(run_id)
}

/// Approves a policy as it was shown, and counts it.
pub(super) async fn approve(app: &App, policy: Name, seen: SeenProposal, caller: Caller) -> Result<ToApprove, Problem> {
    let call = app.calls.count(&caller, &app.control.settings().serving)?;
    app.control.approve(policy, seen, caller).await.inspect_err(|_| app.calls.give_back(Some(call)))
}
