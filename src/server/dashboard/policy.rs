//! A policy: its state, its configuration in force, its runs, and what an operator may do with it.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::control::RunsWanted;
use super::super::endpoint::App;
use super::super::extract::PathName;
use super::super::problem::{Problem, ProblemCode};
use super::frame::{Page, Place, form_word, notice, order};
use super::health::Health;
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::{Tone, badge, instant, run_table};
use crate::outcome::{Pause, Subject};
use crate::policy::{Mode, Settings};
use crate::report::{Overview, Paused, PolicyOverview};
use crate::text::printable;

/// Keys of which the page says more.
const SAID: [&str; 4] = ["enabled", "kind", "mode", "task"];
/// Runs that the page lists.
const NEWEST: u32 = 10;

pub(super) async fn page(
    State(app): State<App>,
    visitor: Visitor,
    name: Result<PathName, Problem>,
) -> Result<Response, Trouble> {
    let PathName(name) = name?;
    let unknown = || Problem::new(ProblemCode::UnknownName, format!("there is no policy {name}"));
    let (live, settings) = (app.control.status().await?, app.control.settings());
    let all = app.control.policies().await?;
    let policy = all.iter().find(|policy| policy.policy == name).ok_or_else(unknown)?;
    let wanted = RunsWanted { policy: Some(name.clone()), limit: Some(NEWEST), ..RunsWanted::default() };
    let runs = app.control.runs(wanted).await?;
    let health = Health::of(policy, &live, &settings);
    let compiled = settings.policies.iter().find(|compiled| compiled.name == name);
    let takes_params = compiled.and_then(|policy| policy.kind.rows()).is_some_and(|rows| !rows.params.is_empty());
    let paused = pause_of(&live.overview, &Subject::Policy(name.clone()));
    let body = html! {
        h1 { "Policy " (name) " " (badge(health.tone(), health.words())) }
        (held(policy))
        (pause_notice(paused))
        @if visitor.may_act { (acts(&visitor, policy, (takes_params, paused.is_some()))) }
        h2 { "Configuration in force" }
        (configuration(policy, &settings))
        h2 { "Newest runs" }
        (run_table(&runs, "Newest runs of this policy", live.overview.at))
        p { a href={ "/runs?policy=" (name) } { "All its runs" } }
    };
    Ok(Page { title: format!("Policy {name}"), place: Place::Elsewhere, body }.show(&visitor))
}

fn held(policy: &PolicyOverview) -> Markup {
    let Some(held) = &policy.held else { return html! {} };
    notice(
        Tone::Care,
        "Held until somebody has looked",
        html! {
            ul { @for reason in &held.reasons { li { (printable(reason)) } } }
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

fn acts(visitor: &Visitor, policy: &PolicyOverview, (takes_params, is_paused): (bool, bool)) -> Markup {
    let name = format!("policy:{}", policy.policy);
    html! {
        div.acts {
            @if takes_params {
                p.faint { "It takes parameters: " code { "retaind run " (policy.policy) " --param NAME=VALUE" } }
            } @else if policy.enabled {
                (run_buttons(visitor, &name))
            }
            (pause_buttons(visitor, &format!("/policies/{}", policy.policy), is_paused))
        }
    }
}

/// Buttons for a dry run, and for a run after one.
pub(super) fn run_buttons(visitor: &Visitor, names: &str) -> Markup {
    html! {
        (order(visitor, "/runs", "Dry run", "primary", &[("names", names), ("mode", "plan")]))
        (order(visitor, "/runs", "Run…", "", &[("names", names), ("mode", "plan"), ("then", "run")]))
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
