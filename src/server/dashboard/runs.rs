//! List of past and present runs, chosen by a form.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::control::{RunState, RunsWanted};
use super::super::endpoint::App;
use super::super::problem::{Problem, ProblemCode};
use super::frame::{Page, Place};
use super::trouble::{Trouble, or_trouble};
use super::visitor::Visitor;
use super::words::run_table;
use crate::outcome::{RunId, Status};
use crate::policy::{Name, Settings};
use crate::report::{RunEntry, status_words};

/// Runs of a page.
const SHOWN: u32 = 50;
/// Runs that the page of a policy or of a task lists.
pub(super) const NEWEST: u32 = 10;

/// Choice of runs, as the form has it: what is empty chooses nothing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    task: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    before: String,
}

const ENDINGS: [Option<Status>; 6] = [
    Some(Status::Completed),
    Some(Status::CompletedWithErrors),
    Some(Status::Failed),
    Some(Status::Blocked),
    Some(Status::Cancelled),
    None,
];

impl Choice {
    fn wanted(&self) -> Result<RunsWanted, Problem> {
        let name = |text: &str| {
            let malformed = || Problem::new(ProblemCode::UnknownName, format!("{text:?} is not a name"));
            (!text.is_empty()).then(|| Name::parse(text).map_err(|_| malformed())).transpose()
        };
        let status = ENDINGS.into_iter().find(|ending| word(*ending) == self.status).map(RunState);
        let before = RunId::parse_str(&self.before).ok();
        let (task, policy) = (name(&self.task)?, name(&self.policy)?);
        Ok(RunsWanted { task, policy, status, since: None, before, limit: Some(SHOWN) })
    }

    /// Query of the page that follows a run.
    fn after(&self, run: &RunEntry) -> String {
        let Self { task, policy, status, before: _ } = self;
        let before = run.run_id.to_string();
        let fields = [("task", task), ("policy", policy), ("status", status), ("before", &before)];
        serde_urlencoded::to_string(fields).unwrap_or_default()
    }
}

fn word(ending: Option<Status>) -> &'static str {
    ending.map_or("running", Status::word)
}

/// The newest runs on the page of something, and the way to all.
pub(super) fn newest(
    runs: &Result<Vec<RunEntry>, Problem>,
    caption: &str,
    (path, words): (&str, &str),
    now: Timestamp,
) -> Markup {
    html! {
        h2 { "Newest runs" }
        (or_trouble(runs, |runs| run_table(runs, caption, now)))
        p { a href=(path) { (words) } }
    }
}

pub(super) async fn page(
    State(app): State<App>,
    visitor: Visitor,
    choice: Result<Query<Choice>, QueryRejection>,
) -> Result<Response, Trouble> {
    let choice = choice.map(|Query(choice)| choice).unwrap_or_default();
    let runs = app.control.runs(choice.wanted()?).await?;
    let now = app.control.status().await?.overview.at;
    let is_full = runs.len() >= SHOWN as usize;
    let body = html! {
        h1 { "Runs" }
        (form(&choice, &app.control.settings()))
        (run_table(&runs, "Runs, the newest first", now))
        @if let Some(last) = runs.last().filter(|_| is_full) {
            p { a href={ "/runs?" (choice.after(last)) } { "Older runs" } }
        }
    };
    Ok(Page { title: "Runs".to_owned(), place: Place::Runs, body }.show(&visitor))
}

fn form(choice: &Choice, settings: &Settings) -> Markup {
    let tasks = settings.tasks.iter().map(|task| task.name.as_str());
    let policies = settings.policies.iter().map(|policy| policy.name.as_str());
    html! {
        form.choice method="get" action="/runs" {
            (select("task", "Task", &choice.task, tasks.map(|name| (name, name))))
            (select("policy", "Policy", &choice.policy, policies.map(|name| (name, name))))
            (select("status", "Ended", &choice.status, ENDINGS.into_iter().map(|end| (word(end), status_words(end)))))
            button { "Show" }
        }
    }
}

fn select<'a>(name: &str, label: &str, chosen: &str, values: impl Iterator<Item = (&'a str, &'a str)>) -> Markup {
    html! {
        label { (label)
            select name=(name) {
                option value="" { "all" }
                @for (value, words) in values { option value=(value) selected[value == chosen] { (words) } }
            }
        }
    }
}
