//! Dashboard: pages for a browser, made of what the daemon answers. Each shows what `retaind status` and its kin say at that
//! moment, and gives orders by the ways of the API. Nothing is kept here but log-ins.

mod actions;
mod admission;
mod approve;
mod assets;
mod audit;
mod calendar;
mod charts;
mod days;
mod eligible;
mod frame;
mod health;
mod login;
mod overview;
mod planned;
mod policy;
mod progress;
mod run;
mod run_policy;
mod runs;
mod stores;
mod task;
mod trouble;
mod visitor;
mod words;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use super::endpoint::App;
use super::problem::{Problem, ProblemCode};
pub(super) use trouble::not_found;

/// Paths of the dashboard.
pub(super) fn router(app: &App) -> Router<App> {
    let pages = Router::new()
        .route("/", get(overview::page))
        .route("/live/overview", get(overview::live))
        .route("/live/runs/{run_id}", get(run::live))
        .route("/runs", get(runs::page).post(actions::begin))
        .route("/runs/{run_id}", get(run::page))
        .route("/runs/{run_id}/run", post(actions::run_planned))
        .route("/runs/{run_id}/cancel", post(actions::cancel))
        .route("/policies/{policy}", get(policy::page))
        .route("/policies/{policy}/approve", get(approve::page).post(actions::approve))
        .route("/policies/{policy}/pause", post(actions::pause_policy))
        .route("/policies/{policy}/resume", post(actions::resume_policy))
        .route("/tasks/{task}", get(task::page))
        .route("/tasks/{task}/pause", post(actions::pause_task))
        .route("/tasks/{task}/resume", post(actions::resume_task))
        .route("/eligible", get(eligible::page))
        .route("/stores", get(stores::page))
        .route("/audit", get(audit::page))
        .route("/login", get(login::page).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/assets/{asset}", get(assets::asset));
    pages.route_layer(from_fn_with_state(app.clone(), is_on))
}

/// Refuses everything where there is to be no dashboard.
async fn is_on(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    match app.control.settings().serving.dashboard {
        true => Ok(next.run(request).await),
        false => Err(Problem::new(ProblemCode::UnknownPath, "[server] dashboard is false")),
    }
}
