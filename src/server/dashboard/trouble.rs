//! Problems as pages: what went wrong, what to do, and the way back; or the way to the log-in.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::super::problem::{Problem, ProblemCode};
use super::frame::{Page, Place, respond};
use super::words::{Tone, icon, prose};
use crate::text::printable;

/// Reason that a page is not shown.
pub(super) enum Trouble {
    Problem(Box<Problem>),
    /// Somebody has to log in first, to be led to this path and query.
    LogIn(String),
    /// Somebody comes by a link of another site, with which a browser sends no cookie: they ask once more from here.
    FromElsewhere(String),
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        match self {
            Trouble::Problem(problem) => show(&problem),
            Trouble::LogIn(next) => {
                let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
                // Whoever is not known keeps no connection.
                ([(header::CONNECTION, "close")], Redirect::to(&format!("/login?{query}"))).into_response()
            }
            Trouble::FromElsewhere(path) => {
                let body = html! { p { a href=(path) { "Go on to " (path) } } };
                let page = Page { title: "Go on".to_owned(), place: Place::Elsewhere, body };
                let mut response = respond(StatusCode::OK, page.document(None));
                response.headers_mut().insert("refresh", HeaderValue::from_static("0"));
                response
            }
        }
    }
}

/// A part of a page, or why there is none.
pub(super) fn or_trouble<T>(known: &Result<T, Problem>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match known {
        Ok(known) => show(known),
        Err(problem) => html! { p.bad { (icon(Tone::Bad)) " " (printable(&problem.detail)) } },
    }
}

/// Answer where there is nothing: a page for whoever looks at pages.
pub(in crate::server) fn not_found(problem: Problem, wants_page: bool) -> Response {
    if wants_page { show(&problem) } else { problem.into_response() }
}

fn show(problem: &Problem) -> Response {
    let is_unknown = problem.code == ProblemCode::Unauthorized;
    let body = html! {
        section class="notice bad" {
            h1 { (problem.title()) }
            p { (prose(&problem.detail)) }
            @if let Some(hint) = &problem.hint { p { (prose(hint)) } }
            @if !problem.errors.is_empty() { ul { @for error in &problem.errors { li { (error) } } } }
            @if let Some(run_id) = &problem.run_id { p { a href={ "/runs/" (run_id) } { "See that run" } } }
        }
        p {
            @if is_unknown { a href="/login" { "Log in" } } @else { a href="/" { "Back to the overview" } }
        }
    };
    let page = Page { title: problem.title().to_owned(), place: Place::Elsewhere, body };
    let mut response = respond(problem.status(), page.document(None));
    let headers = response.headers_mut();
    if let Some(secs) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, secs.into());
    }
    if is_unknown || problem.status() == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
