//! The first page: whether all is well, what goes on, each policy, and the last 90 days.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::control::{LiveStatus, RunsWanted};
use super::super::endpoint::App;
use super::super::problem::Problem;
use super::days::Days;
use super::frame::{Page, Place, order, respond};
use super::health::{Headline, Health};
use super::progress::{self, look_again};
use super::runs::newest;
use super::trouble::{Trouble, or_trouble};
use super::visitor::Visitor;
use super::words::{Tone, amounts, badge, ending, icon, moment, prose, run_link, table};
use super::{calendar, charts};
use crate::outcome::Status;
use crate::policy::{Mode, Settings};
use crate::report::{
    LastPolicyRun, LastRun, Matter, MatterCode, PolicyOverview, RunEntry, Severity, TaskOverview, short_id,
};
use crate::text::human::{count, counted, duration, instant};

/// Runs that the page lists.
const NEWEST: u32 = 8;

/// Everything that changes while the page is looked at. What is not known takes nothing away from the rest.
struct Now {
    live: LiveStatus,
    policies: Result<Vec<PolicyOverview>, Problem>,
    runs: Result<Vec<RunEntry>, Problem>,
    settings: std::sync::Arc<Settings>,
}

impl Now {
    async fn look(app: &App) -> Result<Self, Problem> {
        let wanted = RunsWanted { limit: Some(NEWEST), ..RunsWanted::default() };
        Ok(Self {
            live: app.control.status().await?,
            policies: app.control.policies().await,
            runs: app.control.runs(wanted).await,
            settings: app.control.settings(),
        })
    }
}

pub(super) async fn page(State(app): State<App>, visitor: Visitor) -> Result<Response, Trouble> {
    let now = Now::look(&app).await?;
    let days = Days::until(&app, now.live.overview.at).await;
    let body = html! {
        (region(&now, html! { (headline(&now)) (first(&now)) }))
        (or_trouble(&days, past))
        (rest(&now))
        @if visitor.may_act {
            (order(&visitor, "/runs", "Dry run of all that is scheduled", "", &[("names", "all"), ("mode", "plan")]))
        }
    };
    Ok(Page { title: Headline::of(&now.live).words, place: Place::Overview, body }.show(&visitor))
}

pub(super) async fn live(State(app): State<App>, _: Visitor) -> Result<Response, Trouble> {
    let now = Now::look(&app).await?;
    Ok(respond(StatusCode::OK, region(&now, html! { (headline(&now)) (first(&now)) (rest(&now)) })))
}

fn past(days: &Days) -> Markup {
    html! {
        section {
            h2 { "The last " (days.0.len()) " days" }
            div.past { div { (calendar::draw(days)) } (charts::draw(days)) }
            (days.table())
        }
    }
}

/// The part of the page that is looked at again and again. Each of its children has an id, by which it is put in place.
fn region(now: &Now, parts: Markup) -> Markup {
    let live = &now.live;
    let is_busy = !live.progress.is_empty() || !live.overview.running.is_empty();
    let title = format!("{} · retaind", Headline::of(live).words);
    html! { div data-live="/live/overview" data-every=(look_again(is_busy)) data-title=(title) { (parts) } }
}

/// The line that says whether all is well, and as of when.
fn headline(now: &Now) -> Markup {
    let (overview, headline) = (&now.live.overview, Headline::of(&now.live));
    html! {
        section #headline class={ "headline " (headline.tone.class()) } role="status" {
            (icon(headline.tone))
            div { h1 { (headline.words) } p { (headline.more) } }
        }
        p #asof.faint {
            "As of " time { (instant(overview.at)) } ", by the configuration in force"
            @if overview.mode == Mode::Report { ", in report mode: nothing is deleted" }
            ". " a.reload href="/" { "Look again" }
        }
    }
}

fn first(now: &Now) -> Markup {
    html! {
        div #attention { (attention(now)) }
        div #running { (running(&now.live)) }
        div #policies { h2 { "Policies" } (or_trouble(&now.policies, |all| policies(all, now))) }
    }
}

fn rest(now: &Now) -> Markup {
    let overview = &now.live.overview;
    html! {
        div #tasks { h2 { "Tasks" } (tasks(&overview.tasks, overview.at)) }
        div #newest {
            (newest(&now.runs, "Newest runs", ("/runs", "All runs"), overview.at))
        }
    }
}

fn attention(now: &Now) -> Markup {
    let mut matters: Vec<&Matter> = now.live.overview.attention.iter().collect();
    matters.sort_by_key(|matter| std::cmp::Reverse(matter.level));
    html! {
        @if !matters.is_empty() {
            h2 { "What to look at" }
            ul.matters {
                @for matter in matters {
                    @let (tone, level) = match matter.level {
                        Severity::Critical => (Tone::Bad, "critical"),
                        Severity::Warning => (Tone::Care, "warning"),
                    };
                    li class=(tone.class()) {
                        (badge(tone, level)) " " (prose(&matter.message))
                        @if let Some((path, words)) = place_of(matter, now) { " " a href=(path) { (words) } }
                    }
                }
            }
        }
    }
}

/// Page that says more of a matter: the run, the proposal, the policy or the task.
fn place_of(matter: &Matter, now: &Now) -> Option<(String, String)> {
    let is_of_run = [Status::Failed, Status::Blocked, Status::Cancelled, Status::CompletedWithErrors]
        .iter()
        .any(|status| MatterCode::of_status(*status) == Some(matter.code));
    let run = match (&matter.policy, &matter.task) {
        _ if !is_of_run => None,
        (Some(name), _) => {
            let policy = now.policies.iter().flatten().find(|policy| policy.policy == *name);
            policy.and_then(|policy| policy.last_run.as_ref()).map(|run| run.run_id)
        }
        (None, Some(name)) => {
            let task = now.live.overview.tasks.iter().find(|task| task.task == *name);
            task.and_then(|task| task.last_run.as_ref()).map(|run| run.run_id)
        }
        (None, None) => None,
    };
    match (run, &matter.policy, &matter.task) {
        (Some(run), ..) => Some((format!("/runs/{run}"), format!("See run {}", short_id(&run)))),
        (None, Some(policy), _) if matter.code == MatterCode::Held => {
            Some((format!("/policies/{policy}/approve"), format!("Look at {policy}, and approve it")))
        }
        (None, Some(policy), _) => Some((format!("/policies/{policy}"), format!("See policy {policy}"))),
        (None, None, Some(task)) => Some((format!("/tasks/{task}"), format!("See task {task}"))),
        (None, None, None) => None,
    }
}

/// Runs of this daemon with their progress, and those of other processes without.
fn running(live: &LiveStatus) -> Markup {
    let overview = &live.overview;
    let is_ours = |run: &&RunEntry| live.progress.iter().any(|ours| ours.run_id == run.run_id);
    let others: Vec<&RunEntry> = overview.running.iter().filter(|run| !is_ours(run)).collect();
    html! {
        @if !live.progress.is_empty() || !others.is_empty() {
            h2 { "Under way" }
            ul.plain {
                @for run in &live.progress { (progress::entry(run, overview.at)) }
                @for run in others {
                    li { "Run " (run_link(&run.run_id)) " of another process, since " (moment(run.started_at, overview.at)) }
                }
            }
        }
    }
}

fn policies(all: &[PolicyOverview], now: &Now) -> Markup {
    let (live, at) = (&now.live, now.live.overview.at);
    let rows = html! {
        @for policy in all {
            @let health = Health::of(policy, live, &now.settings);
            @let runs_now = live.progress.iter().any(|run| run.policy.as_ref() == Some(&policy.policy));
            tr {
                th scope="row" data-label="Policy" { a href={ "/policies/" (policy.policy) } { (policy.policy) } }
                td data-label="State" {
                    (badge(health.tone(), health.words()))
                    @if runs_now { " " (badge(Tone::Busy, "running")) }
                }
                td data-label="Next" { (next_of(policy, &live.overview.tasks, at)) }
                td data-label="Last run" { (last_of(policy.last_run.as_ref(), at)) }
                td data-label="Deleted then" { (taken(policy.last_run.as_ref())) }
            }
        }
    };
    table("wide", "Policies and their states", &["Policy", "State", "Next", "Last run", "Deleted then"], rows)
}

fn next_of(policy: &PolicyOverview, tasks: &[TaskOverview], now: Timestamp) -> Markup {
    let task = policy.task.as_ref().and_then(|name| tasks.iter().find(|task| task.task == *name));
    match task {
        Some(task) if policy.enabled => next(task, now),
        Some(_) => html! { "–" },
        None => html! { "on request" },
    }
}

pub(super) fn last_of(run: Option<&LastPolicyRun>, now: Timestamp) -> Markup {
    html! {
        @match run {
            Some(run) => a href={ "/runs/" (run.run_id) } { (moment(run.started_at, now)) },
            None => "never",
        }
    }
}

fn taken(run: Option<&LastPolicyRun>) -> String {
    let Some(run) = run else { return "–".to_owned() };
    let rows = run.rows_deleted + run.rows_updated;
    match (rows, run.files_deleted) {
        (0, 0) => "nothing".to_owned(),
        (rows, 0) => counted(rows, "row"),
        (0, files) => counted(files, "file"),
        (rows, files) => format!("{}, {}", counted(rows, "row"), counted(files, "file")),
    }
}

fn tasks(tasks: &[TaskOverview], now: Timestamp) -> Markup {
    let rows = html! {
        @for task in tasks {
            tr {
                th scope="row" data-label="Task" { a href={ "/tasks/" (task.task) } { (task.task) } }
                td data-label="Schedule" { code { (task.schedule) } }
                td data-label="Policies" { (count(task.policies.len() as u64)) }
                td data-label="Next" { (next(task, now)) }
                td data-label="Last run" { (last(task.last_run.as_ref(), now)) }
            }
        }
    };
    table("wide", "Tasks with their next and last runs", &["Task", "Schedule", "Policies", "Next", "Last run"], rows)
}

/// When a task is due.
pub(super) fn next(task: &TaskOverview, now: Timestamp) -> Markup {
    html! {
        @match (task.enabled, task.overdue_since, task.retry_at, task.next_due_at) {
            (false, ..) => "switched off",
            (true, Some(since), ..) => { (badge(Tone::Bad, "overdue")) " since " (moment(since, now)) },
            (true, None, Some(at), _) => { "retry " (moment(at, now)) },
            (true, None, None, Some(at)) => (moment(at, now)),
            (true, None, None, None) => "–",
        }
    }
}

/// The last run of a task.
pub(super) fn last(run: Option<&LastRun>, now: Timestamp) -> Markup {
    let Some(run) = run else { return html! { "never" } };
    html! {
        (ending(run.status)) " " a href={ "/runs/" (run.run_id) } { (moment(run.started_at, now)) }
        @if let Some(duration_ms) = run.duration_ms { ", took " (duration(duration_ms)) }
        ", " (amounts(&run.totals, run.reported.as_ref()))
    }
}
