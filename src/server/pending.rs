//! Requests about pending files: what each asks of the daemon.

use axum::extract::{Extension, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;

use super::control::Caller;
use super::endpoint::{App, document};
use super::extract::{Asked, Json};
use super::problem::{Problem, ProblemCode};
use crate::outcome::{PendingChoice, PendingPath};

/// Choice of pending files to list.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingWanted {
    /// At most so many; 100 if left out, 1000 at most.
    #[schemars(range(max = 4_294_967_295_u32))]
    limit: Option<u32>,
}

/// Choice of pending files to try again.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryWanted {
    /// `STORE` or `STORE/PATH`; without it: all.
    what: Option<String>,
}

/// Pending file to leave alone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForgetWanted {
    /// The file, as `STORE/PATH`.
    file: String,
}

pub(super) async fn list(State(app): State<App>, Asked(wanted): Asked<PendingWanted>) -> Result<Response, Problem> {
    const USUAL: u32 = 100;
    const MOST: u32 = 1000;
    Ok(document(&app.control.pending(wanted.limit.unwrap_or(USUAL).clamp(1, MOST)).await?))
}

pub(super) async fn retry(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(RetryWanted { what }): Json<RetryWanted>,
) -> Result<Response, Problem> {
    let choice = what.as_deref().map(PendingChoice::parse).transpose().map_err(|why| nothing_pending(&what, &why))?;
    let call = app.calls.count(&caller, &app.control.settings().serving)?;
    let retried = app.control.retry(choice.unwrap_or_default(), caller).await;
    Ok(document(&retried.inspect_err(|_| app.calls.give_back(Some(call)))?))
}

pub(super) async fn forget(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Json(wanted): Json<Option<ForgetWanted>>,
) -> Result<Response, Problem> {
    let nothing_said =
        || Problem::new(ProblemCode::InvalidRequest, "the body does not say which file is to be forgotten");
    let ForgetWanted { file } = wanted.ok_or_else(|| nothing_said().hint("send {\"file\": \"STORE/PATH\"}"))?;
    let path = PendingPath::parse(&file).map_err(|why| nothing_pending(&Some(file), &why))?;
    Ok(document(&app.control.forget(path, caller).await?))
}

fn nothing_pending(what: &Option<String>, why: &str) -> Problem {
    let detail = format!("{:?} is no pending file: {why}", what.as_deref().unwrap_or_default());
    Problem::new(ProblemCode::NotPending, detail).hint("GET /api/v1/pending lists them")
}
