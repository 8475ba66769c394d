//! A policy: its state, its configuration in force, its runs, and what an operator may do with it.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::control::RunsWanted;
use super::super::endpoint::App;
use super::super::extract::PathName;
use super::super::problem::{Problem, ProblemCode};
use super::frame::{Page, Place, form_word, order};
use super::health::Health;
use super::runs::{NEWEST, newest};
use super::trouble::{Trouble, or_trouble};
use super::visitor::Visitor;
use super::words::{Tone, badge, held_notice, instant, notice};
use crate::outcome::{Pause, Subject};
use crate::policy::{Mode, Name, Policy, Settings};
use crate::report::{Overview, Paused, PolicyOverview};
use crate::text::printable;

/// Keys of which the page says more.
const SAID: [&str; 4] = ["enabled", "kind", "mode", "task"];
pub(super) async fn page(
    State(app): State<App>,
    visitor: Visitor,
    name: Result<PathName, Problem>,
) -> Result<Response, Trouble> {
    let PathName(name) = name?;
    let unknown = || Problem::new(ProblemCode::UnknownName, format!("there is no policy {name}"));
    let (live, settings) = (app.control.status().await?, app.control.settings());
    let compiled = settings.policy(&name).ok_or_else(unknown)?;
    let all = app.control.policies().await;
    let policy = all.as_ref().ok().and_then(|all| all.iter().find(|policy| policy.policy == name));
    let wanted = RunsWanted { policy: Some(name.clone()), limit: Some(NEWEST), ..RunsWanted::default() };
    let runs = app.control.runs(wanted).await;
    let health = policy.map(|policy| Health::of(policy, &live, &settings));
    let paused = pause_of(&live.overview, &Subject::Policy(name.clone()));
    let task_paused = compiled.task.as_ref().and_then(|task| task_paused(&live.overview, task));
    let body = html! {
        h1 { "Policy " (name) @if let Some(health) = health { " " (badge(health.tone(), health.words())) } }
        @if let Some(policy) = policy { (held(policy)) }
        (pause_notice(paused))
        @if let Some(words) = &task_paused { p.bad { (words) } }
        @if visitor.may_act { (acts(&visitor, compiled, (paused.is_some(), task_paused.is_some()))) }
        h2 { "Configuration in force" }
        (or_trouble(&all, |_| html! { @if let Some(policy) = policy { (configuration(policy, &settings)) } }))
        (newest(&runs, "Newest runs of this policy", (&format!("/runs?policy={name}"), "All its runs"), live.overview.at))
    };
    Ok(Page { title: format!("Policy {name}"), place: Place::Elsewhere, body }.show(&visitor))
}

fn held(policy: &PolicyOverview) -> Markup {
    let Some(held) = &policy.held else { return html! {} };
    held_notice(
        held,
        html! {
            p { "Since " (instant(held.since)) ". It takes nothing until it is approved." }
            p { a.button href={ "/policies/" (policy.policy) "/approve" } { "Look at what it would take" } }
        },
    )
}

/// Pause of a subject.
pub(super) fn pause_of<'a>(overview: &'a Overview, subject: &Subject) -> Option<&'a Paused> {
    overview.paused.iter().find(|paused| paused.subject == *subject)
}

/// Pause, by whom and why.
pub(super) fn pause_notice(paused: Option<&Paused>) -> Markup {
    let Some(Paused { pause, error, .. }) = paused else { return html! {} };
    let rest = html! {
        @if let Some(Pause { since, by, reason }) = pause {
            p { "Since " (instant(*since)) " by " (printable(&by.to_string())) @if let Some(reason) = reason { ": " (printable(reason)) } }
        }
        @if let Some(error) = error { p { (printable(error)) } }
    };
    notice(Tone::Care, "Paused: nothing is taken by it", rest)
}

fn acts(visitor: &Visitor, policy: &Policy, (is_paused, is_task_paused): (bool, bool)) -> Markup {
    let takes_params = policy.kind.rows().is_some_and(|rows| !rows.params.is_empty());
    html! {
        div.acts {
            @if takes_params {
                p.faint { "It takes parameters: " code { "retaind run " (policy.name) " --param NAME=VALUE" } }
            } @else if policy.enabled {
                (run_buttons(visitor, &format!("policy:{}", policy.name), !is_paused && !is_task_paused))
            }
            (pause_buttons(visitor, &format!("/policies/{}", policy.name), is_paused))
        }
    }
}

/// Pause of a task, in words for what is of it.
pub(super) fn task_paused(overview: &Overview, task: &Name) -> Option<String> {
    let paused = pause_of(overview, &Subject::Task(task.clone()))?;
    let why = paused.pause.as_ref().and_then(|pause| pause.reason.as_ref()).or(paused.error.as_ref());
    Some(match why {
        Some(why) => format!("its task {task} is paused: {}", printable(why)),
        None => format!("its task {task} is paused"),
    })
}

/// Buttons for a dry run, and for a run after one.
pub(super) fn run_buttons(visitor: &Visitor, names: &str, may_run: bool) -> Markup {
    html! {
        (order(visitor, "/runs", "Dry run", "primary", &[("names", names), ("mode", "plan")]))
        @if may_run {
            (order(visitor, "/runs", "Run…", "", &[("names", names), ("mode", "plan"), ("then", "run")]))
        }
    }
}

/// Button to pause something, with a reason, or to let it go on.
pub(super) fn pause_buttons(visitor: &Visitor, path: &str, is_paused: bool) -> Markup {
    html! {
        @if is_paused {
            (order(visitor, &format!("{path}/resume"), "Resume", "", &[]))
        } @else {
            form.order method="post" action={ (path) "/pause" } {
                (form_word(visitor))
                label { span.unseen { "Reason of the pause" } input name="reason" maxlength="500" placeholder="Reason"; }
                button { "Pause" }
            }
        }
    }
}

fn configuration(policy: &PolicyOverview, settings: &Settings) -> Markup {
    html! {
        dl.facts {
            dt { "Kind" } dd { (policy.kind) }
            dt { "Task" } dd {
                @match &policy.task {
                    Some(task) => a href={ "/tasks/" (task) } { (task) },
                    None => "none: it runs on request",
                }
            }
            dt { "Mode" } dd {
                @match (policy.mode, settings.daemon.mode) {
                    (Mode::Enforce, _) => "enforce",
                    (Mode::Report, Mode::Report) => "report, because the daemon's is: nothing is deleted",
                    (Mode::Report, Mode::Enforce) => "report: nothing is deleted",
                }
            }
            @for (key, words) in policy.configuration.iter().filter(|(key, _)| !SAID.contains(&key.as_str())) {
                dt { code { (key) } } dd { (printable(words)) }
            }
            dt { "Fingerprint" } dd { code.path { (policy.fingerprint) } }
        }
    }
}
