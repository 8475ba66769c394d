//! Orders of operators: each is given by the way of the API, and leads to the page that shows what came of it.

use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::control::{RunWanted, SeenProposal};
use super::super::endpoint::App;
use super::super::extract::PathName;
use super::super::orders;
use super::super::problem::{Problem, ProblemCode};
use super::admission::Act;
use super::planned::Planned;
use super::trouble::Trouble;
use crate::outcome::{RunId, RunMode, Subject};
use crate::policy::Name;

type Done = Result<Response, Trouble>;

/// Dry run that is asked for.
#[derive(Deserialize)]
pub(super) struct RunForm {
    /// Names between spaces, or `all` that is scheduled.
    names: String,
    /// `plan`: a run goes by a dry run that somebody has looked at.
    mode: String,
    /// `run`: the dry run leads to the question whether to do it.
    #[serde(default)]
    then: String,
}

#[derive(Deserialize)]
pub(super) struct PauseForm {
    #[serde(default)]
    reason: String,
}

/// A form of which nothing is needed.
#[derive(Deserialize)]
pub(super) struct Empty {}

fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

pub(super) async fn begin(State(app): State<App>, act: Act<RunForm>) -> Done {
    let Act { visitor, form } = act;
    let malformed = |why: String| Problem::new(ProblemCode::InvalidRequest, why);
    if form.mode != "plan" {
        return Err(malformed(format!("the mode is plan, and not {:?}: a run goes by a dry run", form.mode)).into());
    }
    let names: Vec<String> = match form.names.trim() {
        "" => return Err(malformed("there is no name".to_owned()).into()),
        "all" => Vec::new(),
        names => names.split_whitespace().map(str::to_owned).collect(),
    };
    let wanted = RunWanted { names, mode: Some(RunMode::Plan), ..RunWanted::default() };
    let run_id = orders::begin(&app, wanted, visitor.caller).await?;
    let then = if form.then == "run" { "?then=run" } else { "" };
    Ok(to(&format!("/runs/{run_id}{then}")))
}

/// Begins the run of a dry run, once: who asks again is led to the same run.
pub(super) async fn run_planned(State(app): State<App>, Path(id): Path<String>, act: Act<Empty>) -> Done {
    let visitor = act.visitor;
    // Also where the dry run itself is forgotten.
    if let Some(plan) = RunId::parse_str(&id).ok().and_then(|id| app.plans.find(id))
        && let Some(begun) = plan.begun().await
    {
        return Ok(to(&format!("/runs/{begun}")));
    }
    let document = app.control.run(id).await?;
    let planned = Planned::look(&app, &document.result).await?;
    match planned.usable() {
        Ok(plan) => {
            let run_id = orders::begin_by(&app, plan, visitor.caller).await?;
            Ok(to(&format!("/runs/{run_id}")))
        }
        Err(why) => Ok(planned.refuse(&visitor, &why)),
    }
}

pub(super) async fn cancel(State(app): State<App>, Path(id): Path<String>, act: Act<Empty>) -> Done {
    let run_id = app.control.cancel(id, act.visitor.caller).await?;
    Ok(to(&format!("/runs/{run_id}")))
}

pub(super) async fn approve(State(app): State<App>, name: Result<PathName, Problem>, act: Act<SeenForm>) -> Done {
    let (PathName(name), Act { visitor, form }) = (name?, act);
    let seen = SeenProposal { fingerprint: form.fingerprint, amount: form.amount };
    orders::approve(&app, name.clone(), seen, visitor.caller).await?;
    Ok(to(&format!("/policies/{name}")))
}

/// Proposal that the page has shown.
#[derive(Deserialize)]
pub(super) struct SeenForm {
    fingerprint: String,
    amount: u64,
}

pub(super) async fn pause_policy(app: State<App>, name: Result<PathName, Problem>, request: Request) -> Done {
    pause(app, Subject::Policy, name?.0, request).await
}

pub(super) async fn pause_task(app: State<App>, name: Result<PathName, Problem>, request: Request) -> Done {
    pause(app, Subject::Task, name?.0, request).await
}

pub(super) async fn resume_policy(app: State<App>, name: Result<PathName, Problem>, request: Request) -> Done {
    resume(app, Subject::Policy, name?.0, request).await
}

pub(super) async fn resume_task(app: State<App>, name: Result<PathName, Problem>, request: Request) -> Done {
    resume(app, Subject::Task, name?.0, request).await
}

async fn pause(State(app): State<App>, of: fn(Name) -> Subject, name: Name, request: Request) -> Done {
    let Act { visitor, form: PauseForm { reason } } = Act::from_request(request, &app).await?;
    let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let subject = of(name);
    app.control.pause(subject.clone(), reason, visitor.caller).await?;
    Ok(to(&page_of(&subject)))
}

async fn resume(State(app): State<App>, of: fn(Name) -> Subject, name: Name, request: Request) -> Done {
    let Act { visitor, form: Empty {} } = Act::from_request(request, &app).await?;
    let subject = of(name);
    app.control.resume(subject.clone(), visitor.caller).await?;
    Ok(to(&page_of(&subject)))
}

fn page_of(subject: &Subject) -> String {
    match subject {
        Subject::Task(name) => format!("/tasks/{name}"),
        Subject::Policy(name) => format!("/policies/{name}"),
    }
}
