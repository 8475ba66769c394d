//! A run: how far it is, or what it came to, and why. Of a dry run: what would go, and the way to do it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::control::RunDocument;
use super::super::endpoint::App;
use super::frame::{Page, Place, order, respond};
use super::planned::Planned;
use super::progress::{self, look_again};
use super::run_policy;
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::{Tone, badge, ending, instant, notice, prose};
use crate::outcome::{HookPoint, RunMode, RunResult};
use crate::report::{plain, plan_summary, short_id, status_words, summary};
use crate::text::human::duration;
use crate::text::printable;

/// Purpose of a look at a run.
#[derive(Default, Deserialize)]
pub(super) struct Purpose {
    /// `run`: somebody wants to do what the dry run shows.
    #[serde(default)]
    then: String,
}

pub(super) async fn page(
    State(app): State<App>,
    visitor: Visitor,
    Path(id): Path<String>,
    purpose: Result<Query<Purpose>, QueryRejection>,
) -> Result<Response, Trouble> {
    let document = app.control.run(id).await?;
    let RunDocument { result, live } = &document;
    let wants_to_run = purpose.is_ok_and(|Query(purpose)| purpose.then == "run");
    let path = format!("/runs/{}", result.run_id);
    let question = match (result.mode, result.status) {
        (RunMode::Plan, Some(_)) => Planned::look(&app, result).await?.question(&visitor, wants_to_run),
        _ => html! {},
    };
    let body = html! {
        h1 { (kind(result)) " " (short_id(&result.run_id)) " " (ended(result)) }
        (region(&document))
        @if result.status.is_none() {
            p {
                a.reload href={ (path) @if wants_to_run { "?then=run" } } { "Look again" }
                @if visitor.may_act && live.is_some() { (order(&visitor, &format!("{path}/cancel"), "Cancel", "danger", &[])) }
            }
        } @else {
            (came_to(result, &question))
        }
        (facts(result))
    };
    let title = format!("{} {}: {}", kind(result), short_id(&result.run_id), status_words(result.status));
    Ok(Page { title, place: Place::Runs, body }.show(&visitor))
}

pub(super) async fn live(State(app): State<App>, _: Visitor, Path(id): Path<String>) -> Result<Response, Trouble> {
    Ok(respond(StatusCode::OK, region(&app.control.run(id).await?)))
}

fn kind(result: &RunResult) -> &'static str {
    if result.mode == RunMode::Plan { "Dry run" } else { "Run" }
}

fn ended(result: &RunResult) -> Markup {
    match (result.mode, result.status) {
        (RunMode::Plan, Some(_)) => badge(Tone::Calm, "nothing was deleted"),
        (_, status) => ending(status),
    }
}

/// The part of the page that is looked at again until the run has ended; then the page is loaded anew.
fn region(RunDocument { result, live }: &RunDocument) -> Markup {
    let has_ended = result.status.is_some();
    html! {
        @if has_ended {
            div data-ended {}
        } @else {
            div data-live={ "/live/runs/" (result.run_id) } data-every=(look_again(true)) {
                div #progress {
                    @match live {
                        Some(live) => (progress::bar(live)),
                        None => p { "Another process runs it." },
                    }
                }
            }
        }
    }
}

/// Result of a run: its sums, and each of its policies; `question`: what follows a dry run.
fn came_to(result: &RunResult, question: &Markup) -> Markup {
    let is_plan = result.mode == RunMode::Plan;
    let sums = if is_plan { plain(&plan_summary(result)) } else { plain(&summary(result)) };
    let tone = if is_plan { Tone::Calm } else { Tone::of(result.status) };
    html! {
        p class={ "sums " (tone.class()) } { (sums.trim()) }
        (question)
        @for failure in &result.hook_errors {
            @let hook = if failure.hook == HookPoint::Before { "The hook before the run failed" } else { "The hook after the run failed" };
            (notice(Tone::Bad, hook, html! { p { (printable(&failure.error)) } }))
        }
        @for policy in run_policy::worst_first(&result.policies) { (run_policy::show(policy, is_plan)) }
    }
}

fn facts(result: &RunResult) -> Markup {
    html! {
        dl.facts {
            dt { "Id" } dd { code { (result.run_id) } }
            @if let Some(task) = &result.task { dt { "Task" } dd { a href={ "/tasks/" (task) } { (task) } } }
            dt { "Mode" } dd { (result.mode.word()) }
            dt { "Began" } dd { (instant(result.started_at)) " by " (result.trigger.word().replace('_', "-")) }
            @if let Some(end) = result.finished_at {
                dt { "Ended" } dd { (instant(end)) ", took " (duration(result.duration_ms)) }
            }
            @if let Some(requested) = &result.requested {
                dt { "Asked for by" } dd { (prose(&printable(&requested.to_string()))) }
            }
        }
    }
}
