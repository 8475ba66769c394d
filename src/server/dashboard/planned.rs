//! A dry run that has ended, and the run that may go by it: only what was shown, by the configuration in force, and once.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use jiff::SignedDuration;
use maud::{Markup, html};

use super::super::control::LiveStatus;
use super::super::endpoint::App;
use super::super::plans::Plan;
use super::super::problem::Problem;
use super::frame::{Page, Place, order, respond};
use super::policy::{pause_of, task_paused};
use super::visitor::Visitor;
use super::words::{Tone, notice, run_link};
use crate::outcome::{PolicyResult, RunId, RunMode, RunResult, Status, Subject};
use crate::policy::{Name, Settings};
use crate::text::printable;

/// Age at which a dry run is no longer what somebody has just seen.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A dry run, and what counts now.
pub(super) struct Planned<'a> {
    result: &'a RunResult,
    /// None where no run can go by it, or the daemon remembers it no more.
    plan: Option<Arc<Plan>>,
    begun: Option<RunId>,
    now: LiveStatus,
    settings: Arc<Settings>,
}

impl<'a> Planned<'a> {
    pub(super) async fn look(app: &App, result: &'a RunResult) -> Result<Self, Problem> {
        let plan = app.plans.find(result.run_id);
        let begun = match &plan {
            Some(plan) => plan.begun().await,
            None => None,
        };
        Ok(Self { result, plan, begun, now: app.control.status().await?, settings: app.control.settings() })
    }

    /// The plan of a run that takes what was shown, or why there is none.
    pub(super) fn usable(&self) -> Result<&Plan, String> {
        let plan = self.plan.as_deref();
        let why = if self.result.mode != RunMode::Plan || self.result.status.is_none() {
            "it is not a dry run that has ended"
        } else if plan.is_some_and(Plan::has_values) {
            "it was made with values of its own, and a run goes by the configuration in force"
        } else if let Some(paused) = self.pauses().into_iter().next() {
            return Err(paused);
        } else if self.now.overview.at.duration_since(self.result.started_at).abs() > FRESH_FOR {
            "it is older than an hour"
        } else if !self.is_seen() {
            "not all of it was seen: a policy failed, was cut short or is blocked by what may pass"
        } else if self.is_nothing() {
            "nothing would go by it, as far as it was seen"
        } else {
            match plan {
                None => "the daemon does not remember for what it was made, or was loading its configuration then",
                Some(plan) if plan.digest != self.now.configuration.digest => {
                    "another configuration is in force than the one that it was made by"
                }
                Some(plan) if plan.names.is_empty() => {
                    "it is of all that is scheduled, and each task is run by itself, with its hooks"
                }
                Some(plan) => return Ok(plan),
            }
        };
        Err(why.to_owned())
    }

    /// True if each policy was counted to its end, or is stopped by what would stop it again.
    fn is_seen(&self) -> bool {
        let is_seen = |policy: &PolicyResult| match policy.status {
            Status::Completed | Status::CompletedWithErrors => true,
            Status::Blocked => {
                let is_exceeded = policy.guards.iter().any(|guard| guard.value > guard.limit);
                let subject = Subject::Policy(policy.policy.clone());
                policy.held.is_some() || is_exceeded || pause_of(&self.now.overview, &subject).is_some()
            }
            Status::Failed | Status::Cancelled => false,
        };
        self.result.status.is_some_and(|status| !status.is_cut_short()) && self.result.policies.iter().all(is_seen)
    }

    /// True if nothing was counted that a run would take.
    fn is_nothing(&self) -> bool {
        let totals = &self.result.totals;
        totals.rows_deleted + totals.rows_updated + totals.files_deleted == 0
    }

    /// Pauses of the tasks that it is about, in words.
    fn pauses(&self) -> Vec<String> {
        let policies = self.result.policies.iter().filter_map(|done| self.settings.policy(&done.policy));
        let mut tasks: Vec<&Name> = policies.filter_map(|policy| policy.task.as_ref()).collect();
        tasks.dedup();
        tasks.into_iter().filter_map(|task| task_paused(&self.now.overview, task)).collect()
    }

    /// Markup after the numbers of a dry run: the question whether to do it, or why it cannot be done by this one.
    pub(super) fn question(&self, visitor: &Visitor, wants_to_run: bool) -> Markup {
        let is_done = |status: Status| status == Status::Completed;
        let is_counted =
            self.result.status.is_some_and(is_done) && self.result.policies.iter().all(|policy| is_done(policy.status));
        html! {
            (self.values())
            @for task in self.hooks_left_out() {
                p { "The hooks of task " a href={ "/tasks/" (task) } { (task) } " do not run: they go with a run of the task as a whole and with its schedule." }
            }
            @if let Some(run) = &self.begun {
                p { "A run went by this dry run: " (run_link(run)) }
            } @else if self.is_nothing() && is_counted {
                p { "There is nothing that a run would do now." }
            } @else {
                @match self.usable() {
                    Err(why) => { p { "No run goes by this dry run: " (why) "." } (self.again(visitor)) },
                    Ok(_) if visitor.may_act => (self.confirm(visitor, wants_to_run)),
                    Ok(_) => {},
                }
            }
        }
    }

    fn confirm(&self, visitor: &Visitor, wants_to_run: bool) -> Markup {
        html! {
            section.confirm #run aria-label="Run it" {
                @if wants_to_run { h2 { "Run it?" } }
                p { "A run looks at everything again, and takes what is eligible then. What went does not come back, but for a store with a trash." }
                (order(visitor, &format!("/runs/{}/run", self.result.run_id), "Run it now", "danger", &[]))
            }
        }
    }

    /// Values that counted for it alone.
    fn values(&self) -> Markup {
        let Some(plan) = self.plan.as_ref().filter(|plan| plan.has_values()) else { return html! {} };
        let values = html! {
            ul {
                @for (key, value) in &plan.set { li { "set " code { (printable(key)) " = " (printable(value)) } } }
                @for param in &plan.params { li { "parameter " code { (printable(param)) } } }
            }
        };
        notice(Tone::Care, "Made with values that are not of the configuration in force", values)
    }

    fn hooks_left_out(&self) -> Vec<&Name> {
        let policies: Vec<&Name> = self.result.policies.iter().map(|policy| &policy.policy).collect();
        self.settings.hooks_left_out(&policies, self.result.task.as_ref())
    }

    /// The ways to a run from here: a new dry run, or the tasks where it was of everything.
    fn again(&self, visitor: &Visitor) -> Markup {
        if self.plan.as_ref().is_some_and(|plan| plan.names.is_empty()) {
            let tasks = self.settings.tasks.iter().filter(|task| task.enabled);
            return html! {
                ul.plain { @for task in tasks { li { a href={ "/tasks/" (task.name) } { "Task " (task.name) } } } }
            };
        }
        let names = match (&self.plan, &self.result.task) {
            (Some(plan), _) => plan.names.join(" "),
            (None, Some(task)) => format!("task:{task}"),
            (None, None) => {
                let names = self.result.policies.iter().map(|policy| format!("policy:{}", policy.policy));
                names.collect::<Vec<_>>().join(" ")
            }
        };
        html! {
            @if visitor.may_act && !names.is_empty() {
                (order(visitor, "/runs", "New dry run", "primary", &[("names", &names), ("mode", "plan")]))
            }
        }
    }

    /// Answer to an order for a run that would not take what was shown.
    pub(super) fn refuse(&self, visitor: &Visitor, why: &str) -> Response {
        let run_id = &self.result.run_id;
        let body = html! {
            h1 { "Look again" }
            p.bad { "No run began by dry run " (run_link(run_id)) ": " (why) "." }
            (self.again(visitor))
        };
        let page = Page { title: "Look again".to_owned(), place: Place::Runs, body };
        respond(StatusCode::CONFLICT, page.document(Some(visitor)))
    }
}
