//! The paths, and what each asks of the daemon.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::control::{Caller, LiveStatus, Reloaded, RunDocument, RunUpdate, RunWanted, RunsWanted, SeenProposal};
use super::endpoint::{App, Endpoint, Form, document};
use super::extract::{Asked, Json, PathName, Piece};
use super::pending::{self, ForgetWanted, PendingWanted, RetryWanted};
use super::problem::{Problem, ProblemCode};
use super::{dashboard, events, openapi, orders};
use crate::outcome::{RunId, RunResult, Subject};
use crate::policy::Name;
use crate::report::{
    Forgotten, Paused, PendingFiles, PolicyOverview, Retried, RunEntry, Stats, TestedDestination, ToApprove,
};

/// Longest time that a request waits for its run.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Media type of numbers for Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that can be asked.
fn endpoints() -> Vec<Endpoint> {
    use ProblemCode::*;
    const RUN: &[ProblemCode] = &[UnknownRun, AmbiguousRun];
    vec![
        Endpoint::get("/api/v1/openapi.json", openapi, "This description").answers_as(StatusCode::OK, Form::Foreign),
        Endpoint::get("/api/v1/status", status, "State of everything, by the configuration in force")
            .answers::<LiveStatus>(StatusCode::OK),
        Endpoint::get("/api/v1/policies", policies, "The policies in force").answers::<Policies>(StatusCode::OK),
        Endpoint::get(
            "/api/v1/policies/{policy}/proposal",
            proposal,
            "What a policy would take, to be looked at before it is approved",
        )
        .answers::<ToApprove>(StatusCode::OK)
        .refuses(&[UnknownName, NotHeld]),
        Endpoint::post("/api/v1/policies/{policy}/approve", approve, "Approves a policy, as it was shown")
            .takes::<SeenProposal>()
            .answers::<ToApprove>(StatusCode::OK)
            .refuses(&[UnknownName, NotHeld, Changed, RateLimited]),
        Endpoint::post("/api/v1/policies/{policy}/pause", pause_policy, "Pauses a policy: no run takes anything by it")
            .may_take::<Because>()
            .answers::<Paused>(StatusCode::OK)
            .refuses(&[UnknownName]),
        Endpoint::post("/api/v1/policies/{policy}/resume", resume_policy, "Lets a policy go on")
            .answers::<Resumed>(StatusCode::OK)
            .refuses(&[UnknownName]),
        Endpoint::post("/api/v1/tasks/{task}/pause", pause_task, "Pauses a task: its schedule rests")
            .may_take::<Because>()
            .answers::<Paused>(StatusCode::OK)
            .refuses(&[UnknownName]),
        Endpoint::post("/api/v1/tasks/{task}/resume", resume_task, "Lets a task go on")
            .answers::<Resumed>(StatusCode::OK)
            .refuses(&[UnknownName]),
        Endpoint::get("/api/v1/stats", stats, "Eligible rows of policies, counted within a second each")
            .query::<Names>()
            .answers::<Stats>(StatusCode::OK)
            .refuses(&[UnknownName, InvalidParameter]),
        Endpoint::get("/api/v1/runs", runs, "Past and present runs, the newest first")
            .query::<RunsWanted>()
            .answers::<Runs>(StatusCode::OK)
            .refuses(RUN),
        Endpoint::get("/api/v1/runs/{run_id}", run, "One run").answers::<RunDocument>(StatusCode::OK).refuses(RUN),
        Endpoint::get("/api/v1/runs/{run_id}/events", follow, "A run as server-sent events, to its end")
            .answers_as(StatusCode::OK, Form::Events)
            .refuses(RUN),
        Endpoint::post("/api/v1/runs/{run_id}/cancel", cancel, "Asks a run to stop between two batches")
            .answers::<Begun>(StatusCode::ACCEPTED)
            .refuses(&[UnknownRun, AmbiguousRun, RunEnded]),
        Endpoint::post("/api/v1/run", begin, "Begins a run of tasks or policies")
            .query::<Wait>()
            .takes::<RunWanted>()
            .answers::<RunResult>(StatusCode::OK)
            .answers::<Begun>(StatusCode::ACCEPTED)
            .refuses(&[UnknownName, InvalidParameter, Busy, Changed, Wider, Held, RateLimited]),
        Endpoint::get("/api/v1/pending", pending::list, "Files whose rows are gone and that are still to be removed")
            .query::<PendingWanted>()
            .answers::<PendingFiles>(StatusCode::OK),
        Endpoint::post("/api/v1/pending/retry", pending::retry, "Tries now to remove pending files")
            .may_take::<RetryWanted>()
            .answers::<Retried>(StatusCode::OK)
            .refuses(&[NotPending, Busy, RateLimited]),
        Endpoint::post("/api/v1/pending/forget", pending::forget, "Leaves a pending file alone for good")
            .takes::<ForgetWanted>()
            .answers::<Forgotten>(StatusCode::OK)
            .refuses(&[NotPending, Busy]),
        Endpoint::post("/api/v1/reload", reload, "Loads the configuration anew")
            .answers::<Reloaded>(StatusCode::OK)
            .refuses(&[ConfigurationInvalid]),
        Endpoint::post(
            "/api/v1/notify/{destination}/test",
            test_destination,
            "Sends a test to somebody who is notified",
        )
        .answers::<TestedDestination>(StatusCode::OK)
        .refuses(&[UnknownName]),
        Endpoint::get("/metrics", metrics, "Numbers in the text format of Prometheus")
            .answers_as(StatusCode::OK, Form::Text)
            .refuses(&[UnknownPath]),
        Endpoint::get("/healthz", alive, "Answers while the main loop does").answers_as(StatusCode::OK, Form::Text),
        Endpoint::get("/readyz", alive, "Answers while the main loop does").answers_as(StatusCode::OK, Form::Text),
    ]
}

/// All paths.
pub(super) fn router(app: App) -> Router {
    let all = endpoints().into_iter().fold(Router::new(), |router, endpoint| endpoint.route(router));
    all.route_layer(from_fn_with_state(app.clone(), may_change))
        .merge(dashboard::router(&app))
        .fallback(nothing_there)
        .method_not_allowed_fallback(not_that_method)
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}

async fn openapi() -> impl IntoResponse {
    static DESCRIPTION: OnceLock<String> = OnceLock::new();
    let text = DESCRIPTION.get_or_init(|| openapi::describe(&endpoints()).to_string());
    ([(header::CONTENT_TYPE, "application/json")], text.as_str())
}

#[derive(Serialize, JsonSchema)]
struct Policies {
    /// The policies, in declared order.
    policies: Vec<PolicyOverview>,
}

#[derive(Serialize, JsonSchema)]
struct Runs {
    /// The runs, the newest first.
    runs: Vec<RunEntry>,
    /// Value of `before` for the next page. Null where there is none.
    next: Option<RunId>,
}

/// Refuses whatever changes something where nothing may be changed.
async fn may_change(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    match app.control.settings().serving.read_only && !request.method().is_safe() {
        false => Ok(next.run(request).await),
        true => Err(Problem::new(ProblemCode::ReadOnly, "[server] read_only = true: nothing is changed by requests")),
    }
}

async fn nothing_there(uri: Uri, headers: HeaderMap) -> Response {
    let nothing = Problem::new(ProblemCode::UnknownPath, format!("there is nothing at {}", uri.path()));
    let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok()).unwrap_or_default();
    let wants_page = accepts.contains("text/html") && !uri.path().starts_with("/api/");
    let hint = "the paths are in docs/api.md and begin with /api/v1";
    dashboard::not_found(if wants_page { nothing } else { nothing.hint(hint) }, wants_page)
}

async fn not_that_method(method: axum::http::Method, uri: Uri) -> Problem {
    Problem::new(ProblemCode::MethodNotAllowed, format!("{} does not take {method}", uri.path()))
}

/// The last answer of its connection: whoever shows no token keeps no place.
async fn alive(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    app.control.alive().await.map(|()| ([(header::CONNECTION, "close")], "ok\n"))
}

async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    if !app.control.settings().serving.metrics {
        return Err(Problem::new(ProblemCode::UnknownPath, "[server] metrics is false"));
    }
    let page = app.control.metrics().await?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], page).into_response())
}

async fn status(State(app): State<App>) -> Result<Response, Problem> {
    Ok(document(&app.control.status().await?))
}

async fn policies(State(app): State<App>) -> Result<Response, Problem> {
    Ok(document(&Policies { policies: app.control.policies().await? }))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Names {
    /// Separated by commas.
    names: Option<String>,
}

async fn stats(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(Names { names }): Asked<Names>,
) -> Result<Response, Problem> {
    let names = names.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty());
    Ok(document(&app.control.stats(names.map(str::to_owned).collect(), caller).await?))
}

async fn runs(State(app): State<App>, Asked(wanted): Asked<RunsWanted>) -> Result<Response, Problem> {
    let limit = wanted.limit() as usize;
    let runs = app.control.runs(wanted).await?;
    let is_full = runs.len() >= limit;
    let next = runs.last().filter(|_| is_full).map(|run| run.run_id);
    Ok(document(&Runs { runs, next }))
}

async fn run(State(app): State<App>, Piece(id): Piece) -> Result<Response, Problem> {
    Ok(document(&app.control.run(id).await?))
}

async fn follow(State(app): State<App>, Piece(id): Piece) -> Result<Response, Problem> {
    app.control.follow(id).await.map(events::respond)
}

/// Time to wait for the run: `60s`, `5m`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// Longest time to wait for the end of the run, ten minutes at most: `60s`, `5m`. Without it the answer is at once.
    #[schemars(regex(pattern = r"^[0-9]{1,6}(ms|s|m|h)$"))]
    wait: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Begun {
    /// Names the run.
    run_id: RunId,
    /// `running`, or `stopping` after a cancel.
    status: &'static str,
}

async fn begin(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Asked(Wait { wait }): Asked<Wait>,
    Json(wanted): Json<Option<RunWanted>>,
) -> Result<Response, Problem> {
    let wait = wait.as_deref().map(parse_wait).transpose()?;
    let wanted = wanted.ok_or_else(nothing_named)?;
    let gone = caller.gone.clone();
    let run_id = orders::begin(&app, wanted, caller).await?;
    if let Some(wait) = wait
        && let Some(Ok(end)) = gone.run_until_cancelled(tokio::time::timeout(wait, ended(&app, run_id))).await
    {
        return end;
    }
    let place = format!("/api/v1/runs/{run_id}");
    let mut response = (StatusCode::ACCEPTED, document(&Begun { run_id, status: "running" })).into_response();
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// Waits for the end of a run, and answers its result.
async fn ended(app: &App, run_id: RunId) -> Result<Response, Problem> {
    let mut events = app.control.follow(run_id.to_string()).await?;
    while let Some(event) = events.next().await {
        match event {
            RunUpdate::Progress(_) => {}
            RunUpdate::End(result) => return Ok(document(&*result)),
            RunUpdate::Failed(problem) => return Err(problem),
        }
    }
    Err(Problem::new(ProblemCode::Internal, format!("run {run_id} ended without a result")))
}

fn nothing_named() -> Problem {
    Problem::new(ProblemCode::InvalidRequest, "the body does not say what is to be run")
        .hint("send {\"names\": [\"NAME\"]}; an empty list means all that is scheduled")
}

fn parse_wait(text: &str) -> Result<Duration, Problem> {
    let wait = text.parse::<jiff::SignedDuration>().ok().and_then(|wait| Duration::try_from(wait).ok());
    let malformed = || Problem::new(ProblemCode::InvalidRequest, format!("wait={text} is not a duration"));
    Ok(wait.ok_or_else(|| malformed().hint("write it as wait=60s"))?.min(LONGEST_WAIT))
}

async fn cancel(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Piece(id): Piece,
) -> Result<Response, Problem> {
    let run_id = app.control.cancel(id, caller).await?;
    Ok((StatusCode::ACCEPTED, document(&Begun { run_id, status: "stopping" })).into_response())
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Because {
    /// Why, in one line.
    #[schemars(length(max = 500), regex(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$"))]
    reason: Option<String>,
}

async fn pause_task(
    state: State<App>,
    caller: Extension<Caller>,
    PathName(name): PathName,
    reason: Json<Because>,
) -> Result<Response, Problem> {
    pause(state, caller, Subject::Task(name), reason).await
}

async fn pause_policy(
    state: State<App>,
    caller: Extension<Caller>,
    PathName(name): PathName,
    reason: Json<Because>,
) -> Result<Response, Problem> {
    pause(state, caller, Subject::Policy(name), reason).await
}

async fn pause(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    subject: Subject,
    Json(Because { reason }): Json<Because>,
) -> Result<Response, Problem> {
    Ok(document(&app.control.pause(subject, reason, caller).await?))
}

#[derive(Serialize, JsonSchema)]
struct Resumed {
    #[serde(flatten)]
    subject: Subject,
    /// False where there was nothing to resume.
    was_paused: bool,
}

async fn resume_task(
    state: State<App>,
    caller: Extension<Caller>,
    PathName(name): PathName,
) -> Result<Response, Problem> {
    resume(state, caller, Subject::Task(name)).await
}

async fn resume_policy(
    state: State<App>,
    caller: Extension<Caller>,
    PathName(name): PathName,
) -> Result<Response, Problem> {
    resume(state, caller, Subject::Policy(name)).await
}

async fn resume(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    subject: Subject,
) -> Result<Response, Problem> {
    let was_paused = app.control.resume(subject.clone(), caller).await?;
    Ok(document(&Resumed { subject, was_paused }))
}

async fn proposal(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathName(name): PathName,
) -> Result<Response, Problem> {
    Ok(document(&app.control.proposal(name, caller).await?))
}

async fn approve(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathName(name): PathName,
    Json(seen): Json<Option<SeenProposal>>,
) -> Result<Response, Problem> {
    let seen = seen.ok_or_else(|| nothing_seen(&name))?;
    Ok(document(&orders::approve(&app, name, seen, caller).await?))
}

fn nothing_seen(name: &Name) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, "the body does not say what is approved")
        .hint(format!("look at GET /api/v1/policies/{name}/proposal, and send its fingerprint and amount"))
}

async fn reload(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    Ok(document(&app.control.reload(caller).await?))
}

async fn test_destination(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    PathName(name): PathName,
) -> Result<Response, Problem> {
    Ok(document(&app.control.test_destination(name, caller).await?))
}
