//! Changes through the server: pauses, approvals, reloads.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::controller::{Controller, Order, internal, stopping, unknown_name, unwanted, who_asks};
use crate::commands::approve::{self, Shown};
use crate::commands::notify;
use crate::commands::selection::{Selection, select};
use crate::ledger::{AuditAction, Pauses};
use crate::outcome::{Pause, Role, Subject};
use crate::policy::{Name, Params, Settings};
use crate::report::{Paused, TestedDestination, ToApprove};
use crate::run::HoldReason;
use crate::server::{Caller, Problem, ProblemCode, Reloaded, SeenProposal};

/// Longest reason of a pause, in characters.
const LONGEST_REASON: usize = 500;

impl Controller {
    pub(super) async fn pause_subject(
        &self,
        subject: Subject,
        reason: Option<String>,
        caller: Caller,
    ) -> Result<Paused, Problem> {
        let settings = self.settings();
        if !subject.is_in(&settings) {
            return Err(Problem::new(ProblemCode::UnknownName, format!("there is no {subject}")));
        }
        let is_line =
            |reason: &String| reason.chars().count() <= LONGEST_REASON && !reason.chars().any(char::is_control);
        if !reason.as_ref().is_none_or(is_line) {
            let detail = format!("a reason is one line of at most {LONGEST_REASON} characters");
            return Err(Problem::new(ProblemCode::InvalidRequest, detail));
        }
        let detail = serde_json::json!({ "reason": reason });
        let by = self.note_stop(&caller, (AuditAction::Pause, subject.to_string()), detail).await;
        tracing::info!(%subject, by = %by, "Paused {subject}, by {by}");
        let pause = Pause { since: self.runs.clock().now(), by, reason };
        let pause = Pauses::of(&settings.daemon.state_dir).set(&subject, pause).map_err(internal)?;
        for run in self.runs.active().all() {
            match &subject {
                Subject::Policy(policy) => run.brake.hold(policy, HoldReason::Pause),
                Subject::Task(task) if run.task.as_ref() == Some(task) => {
                    run.policies.iter().for_each(|policy| run.brake.hold(policy, HoldReason::Pause));
                }
                Subject::Task(_) => {}
            }
        }
        Ok(Paused { subject, pause: Some(pause), error: None })
    }

    pub(super) async fn resume_subject(&self, subject: Subject, caller: Caller) -> Result<bool, Problem> {
        let pauses = Pauses::of(&self.settings().daemon.state_dir);
        if pauses.find(&subject).map_err(internal)?.is_none() {
            return Ok(false);
        }
        let by = self.note(&caller, (AuditAction::Resume, subject.to_string()), serde_json::json!({})).await?;
        let was_paused = pauses.lift(&subject).map_err(internal)?;
        tracing::info!(%subject, by = %by, "Resumed {subject}, by {by}");
        Ok(was_paused)
    }

    pub(super) async fn propose(&self, policy: Name, caller: Caller) -> Result<ToApprove, Problem> {
        let settings = self.settings();
        let looking = self.look(&settings, &policy, caller.role);
        Ok(caller.gone.run_until_cancelled(looking).await.ok_or_else(unwanted)??.page)
    }

    pub(super) async fn approve_policy(
        &self,
        policy: Name,
        seen: SeenProposal,
        caller: Caller,
    ) -> Result<ToApprove, Problem> {
        let settings = self.settings();
        let shown = self.look(&settings, &policy, caller.role).await?;
        let page = &shown.page;
        let changed = |detail: String| {
            Problem::new(ProblemCode::Changed, detail)
                .hint(format!("look again: GET /api/v1/policies/{policy}/proposal"))
        };
        if page.fingerprint != seen.fingerprint {
            return Err(changed(format!(
                "another configuration of policy {policy} is in force than the one that was shown"
            )));
        }
        if page.amount > seen.amount {
            let detail = format!("{} would go by policy {policy} now, and {} were shown", page.amount, seen.amount);
            return Err(changed(detail));
        }
        if !page.can_be_approved() {
            let nothing = || format!("there is nothing about policy {policy} to approve");
            return Err(Problem::new(ProblemCode::NotHeld, page.obstacle.clone().unwrap_or_else(nothing)));
        }
        let by = who_asks(&caller);
        let mut shown = [shown];
        let approved = approve::approve(&settings, &mut shown, &self.settings(), &by).await.map_err(internal)?;
        approved.map_err(|error| changed(error.to_string()))?;
        tracing::info!(%policy, by = %by, "Approved policy {policy}, by {by}");
        // The main loop is gone only when the daemon ends.
        let _ = self.orders.send(Order::LookAtHolds).await;
        let [Shown { page, .. }] = shown;
        Ok(page)
    }

    async fn look(&self, settings: &Arc<Settings>, policy: &Name, role: Role) -> Result<Shown, Problem> {
        self.check_ledger()?;
        let _place = self.asking.place(role).await.map_err(|_| stopping())?;
        let selection = select(settings, &[format!("policy:{policy}")]).map_err(unknown_name)?;
        let selection = Selection { task: None, ..selection };
        let shown = approve::look(settings, &selection, &Params::new()).await.map_err(internal)?;
        shown.and_then(|mut shown| shown.pop()).ok_or_else(stopping)
    }

    /// Sends a test to somebody who is notified.
    pub(super) async fn send_test(&self, name: Name, caller: Caller) -> Result<TestedDestination, Problem> {
        let settings = self.settings();
        if settings.notify.iter().all(|destination| destination.name != name) {
            let nobody = Problem::new(ProblemCode::UnknownName, format!("nobody named {name} is notified"));
            return Err(nobody.hint("[notify.NAME] of the configuration declares them"));
        }
        let by = self.note(&caller, (AuditAction::TestNotify, name.to_string()), serde_json::json!({})).await?;
        tracing::info!(by = %by, destination = %name, "A test is sent to {name}, by {by}");
        let clock = self.runs.clock().clone();
        let work = self.requests.work(async move { notify::test(&settings, &name, &clock).await });
        work.await.map_err(internal)?.ok_or_else(stopping)
    }

    pub(super) async fn reload_configuration(&self, caller: Caller) -> Result<Reloaded, Problem> {
        let what = (AuditAction::Reload, "configuration".to_owned());
        let by = self.note(&caller, what, serde_json::json!({})).await?;
        tracing::info!(by = %by, "A reload is asked for by {by}");
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Reload(answer)).await.map_err(|_| stopping())?;
        let done = answered.await.map_err(|_| stopping())?;
        self.on_disk.forget().await;
        match done {
            Ok(changes) => Ok(Reloaded { changes, digest: self.settings().written.fingerprint() }),
            Err(refusal) => {
                let problem = Problem::new(ProblemCode::ConfigurationInvalid, refusal.to_string());
                Err(Problem { errors: refusal.errors, ..problem }.hint("the configuration before it is still in force"))
            }
        }
    }
}
