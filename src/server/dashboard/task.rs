//! A task: when it is due, its policies, its runs, and what an operator may do with it.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::super::control::RunsWanted;
use super::super::endpoint::App;
use super::super::extract::PathName;
use super::super::problem::{Problem, ProblemCode};
use super::frame::{Page, Place};
use super::overview::{last, next};
use super::policy::{pause_buttons, pause_notice, pause_of, run_buttons};
use super::runs::{NEWEST, newest};
use super::trouble::Trouble;
use super::visitor::Visitor;
use crate::outcome::Subject;

pub(super) async fn page(
    State(app): State<App>,
    visitor: Visitor,
    name: Result<PathName, Problem>,
) -> Result<Response, Trouble> {
    let PathName(name) = name?;
    let unknown = || Problem::new(ProblemCode::UnknownName, format!("there is no task {name}"));
    let overview = app.control.status().await?.overview;
    let task = overview.tasks.iter().find(|task| task.task == name).ok_or_else(unknown)?;
    let wanted = RunsWanted { task: Some(name.clone()), limit: Some(NEWEST), ..RunsWanted::default() };
    let runs = app.control.runs(wanted).await;
    let paused = pause_of(&overview, &Subject::Task(name.clone()));
    let body = html! {
        h1 { "Task " (name) }
        (pause_notice(paused))
        @if visitor.may_act {
            div.acts {
                @if task.enabled && !task.policies.is_empty() { (run_buttons(&visitor, &format!("task:{name}"), paused.is_none())) }
                (pause_buttons(&visitor, &format!("/tasks/{name}"), paused.is_some()))
            }
        }
        dl.facts {
            dt { "Schedule" } dd { code { (task.schedule) } }
            dt { "Next" } dd { (next(task, overview.at)) }
            dt { "Last run" } dd { (last(task.last_run.as_ref(), overview.at)) }
            dt { "Policies, in order" } dd {
                @if task.policies.is_empty() { "none" }
                ul.plain { @for policy in &task.policies { li { a href={ "/policies/" (policy) } { (policy) } } } }
            }
        }
        (newest(&runs, "Newest runs of this task", (&format!("/runs?task={name}"), "All its runs"), overview.at))
    };
    Ok(Page { title: format!("Task {name}"), place: Place::Elsewhere, body }.show(&visitor))
}
