//! Log-in by a token, and the way out.

use std::time::Instant;

use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::super::door::{self, Door};
use super::super::endpoint::App;
use super::super::problem::{Problem, ProblemCode};
use super::admission::{Leaving, read_fields};
use super::frame::{Page, Place, respond};
use super::trouble::Trouble;
use super::visitor::Visitor;

/// Longest path to which a log-in leads.
const LONGEST_NEXT: usize = 512;

/// Path that somebody wanted to see.
#[derive(Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Shown {
    #[serde(default)]
    token: String,
}

impl Wanted {
    /// Only to pages of this daemon, by their paths.
    fn place(&self) -> &str {
        let path = self.next.split('?').next().unwrap_or_default();
        let is_ours = door::is_page(path) && !path.starts_with("/log") && !door::is_asked_by_script(path);
        let is_plain = self.next.len() <= LONGEST_NEXT && !self.next.contains(|c: char| c == '\\' || c.is_control());
        if is_ours && is_plain { &self.next } else { "/" }
    }
}

/// Form for a token.
pub(super) async fn page(State(app): State<App>, request: Request) -> Response {
    let wanted = Query::<Wanted>::try_from_uri(request.uri()).map(|query| query.0).unwrap_or_default();
    let (mut parts, _) = request.into_parts();
    match Visitor::from_request_parts(&mut parts, &app).await {
        Ok(_) => Redirect::to(wanted.place()).into_response(),
        Err(_) => form(StatusCode::OK, &wanted, None),
    }
}

fn form(status: StatusCode, wanted: &Wanted, trouble: Option<&str>) -> Response {
    let body = html! {
        section.login {
            h1 { "Log in" }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(wanted.place());
                label for="token" { "Token" }
                input #token type="password" name="token" autocomplete="current-password" required autofocus
                    aria-describedby="help" aria-invalid=[trouble.map(|_| "true")];
                @if let Some(trouble) = trouble { p.trouble role="alert" { (trouble) } }
                button.primary { "Log in" }
            }
            p #help.faint {
                "A token is made on the machine of the daemon, with " code { "retaind token add NAME --role viewer" }
                " or " code { "--role operator" } ", and is shown once."
            }
        }
    };
    let page = Page { title: "Log in".to_owned(), place: Place::Elsewhere, body };
    let mut response = respond(status, page.document(None));
    // Whoever is not known keeps no connection.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Begins a log-in, always under an id that nobody has seen before.
pub(super) async fn enter(State(app): State<App>, request: Request) -> Result<Response, Trouble> {
    let Some(door) = request.extensions().get::<Door>().copied() else {
        return Ok(Redirect::to("/").into_response());
    };
    let origin = request.headers().get(header::ORIGIN).cloned();
    let before = door.log_ins_of(request.headers());
    let (wanted, Shown { token: secret }) = read_fields::<Wanted, Shown>(request).await?;
    let now = Instant::now();
    let secret = secret.trim().to_owned();
    // Whoever has a token gets in, whoever else is behind the same address.
    let Some((token, _)) = app.control.token(&secret) else {
        app.sessions.check_attempts(door.address, now).map_err(|wait| {
            let problem = Problem::new(ProblemCode::RateLimited, "too many wrong tokens were shown from your address");
            Problem { retry_after: Some(wait.as_secs() + 1), ..problem }.hint("try again in a minute")
        })?;
        app.sessions.note_attempt(door.address, now);
        return Ok(form(StatusCode::UNAUTHORIZED, &wanted, Some("This daemon knows no such token.")));
    };
    before.iter().for_each(|before| app.sessions.end(before));
    let id = app.sessions.begin(token.clone(), secret, now);
    let cookie = id.and_then(|id| door.keep(&id, origin.as_ref()));
    let cookie = cookie.ok_or_else(|| Problem::new(ProblemCode::Internal, "no log-in could be made"))?;
    let address = door.address;
    tracing::info!(%token, %address, "Token {token} has logged in to the dashboard from {address}");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(wanted.place())).into_response())
}

/// Ends the log-in.
pub(super) async fn leave(State(app): State<App>, request: Request) -> Result<Response, Trouble> {
    use axum::extract::FromRequest;
    let door = request.extensions().get::<Door>().copied();
    let shown = door.map(|door| door.log_ins_of(request.headers())).unwrap_or_default();
    let Leaving = Leaving::from_request(request, &app).await?;
    shown.iter().for_each(|id| app.sessions.end(id));
    let mut response = Redirect::to("/login").into_response();
    for cookie in door.iter().flat_map(Door::forget) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_leads_to_own_pages_only() {
        let place = |next: &str| Wanted { next: next.to_owned() }.place().to_owned();
        for next in ["/", "/runs", "/runs?task=a&status=failed", "/policies/items"] {
            assert_eq!(place(next), next);
        }
        for next in [
            "",
            "//evil.example",
            "https://evil.example/",
            "/\\evil.example",
            "/runs?a\u{1}b",
            "/login",
            "/logout",
            "/live/overview",
            "/api",
        ] {
            assert_eq!(place(next), "/", "{next}");
        }
    }
}
