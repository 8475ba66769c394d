//! Orders that count as destructive: given to the daemon by the API and by the dashboard in one way.

use super::control::{Caller, RunWanted, SeenProposal};
use super::endpoint::App;
use super::problem::Problem;
use crate::outcome::{RunId, RunMode};
use crate::policy::{Mode, Name};
use crate::report::ToApprove;

/// Begins a run, and counts it where it may delete something.
pub(super) async fn begin(app: &App, wanted: RunWanted, caller: Caller) -> Result<RunId, Problem> {
    let settings = app.control.settings();
    let is_destructive = wanted.mode.map_or(settings.daemon.mode == Mode::Enforce, |mode| mode == RunMode::Enforce);
    let call = is_destructive.then(|| app.calls.count(&caller, &settings.serving)).transpose()?;
    app.control.begin(wanted, caller).await.inspect_err(|_| app.calls.give_back(call))
}

/// Approves a policy as it was shown, and counts it.
pub(super) async fn approve(app: &App, policy: Name, seen: SeenProposal, caller: Caller) -> Result<ToApprove, Problem> {
    let call = app.calls.count(&caller, &app.control.settings().serving)?;
    app.control.approve(policy, seen, caller).await.inspect_err(|_| app.calls.give_back(Some(call)))
}
