//! Admission to pages. A handler that takes a [`Visitor`] answers nobody without a log-in; one that takes an [`Act`] does what
//! nobody but an operator has sent from a page of this daemon.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;

use super::super::control::Caller;
use super::super::door;
use super::super::endpoint::App;
use super::super::extract::read_body;
use super::super::problem::{Problem, ProblemCode};
use super::super::sessions::LoggedIn;
use super::trouble::Trouble;
use super::visitor::Visitor;
use crate::outcome::Role;

impl FromRequestParts<App> for Visitor {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let login = parts.extensions.get::<LoggedIn>();
        let caller = parts.extensions.get::<Caller>().filter(|caller| caller.remote.is_none() || login.is_some());
        let Some(caller) = caller else {
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            return Err(match (door::is_asked_by_script(parts.uri.path()), &parts.method) {
                (false, &Method::GET) if door::is_from_other_site(&parts.headers) => Trouble::FromElsewhere(path),
                (false, &Method::GET) => Trouble::LogIn(path),
                _ => Problem::new(ProblemCode::Unauthorized, "you are not logged in, or not any more").into(),
            });
        };
        let no_number = || Problem::new(ProblemCode::Internal, "there is no random number to be had");
        let form_word = match login {
            Some(login) => login.form_word.clone(),
            None => app.sessions.form_word().ok_or_else(no_number)?,
        };
        let may_act = caller.role == Role::Operator && !app.control.settings().serving.read_only;
        Ok(Self { caller: caller.clone(), token: login.map(|login| login.token.clone()), form_word, may_act })
    }
}

/// Form that an operator has sent.
pub(super) struct Act<T> {
    pub(super) visitor: Visitor,
    pub(super) form: T,
}

impl<T: DeserializeOwned> FromRequest<App> for Act<T> {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        visitor.check_may_act(app)?;
        let form = read_form(Request::from_parts(parts, body), &visitor.form_word).await?;
        Ok(Self { visitor, form })
    }
}

/// End of a log-in, which every visitor may ask for.
pub(super) struct Leaving;

impl FromRequest<App> for Leaving {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        #[derive(Deserialize)]
        struct Nothing {}
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, app).await?;
        let Nothing {} = read_form(Request::from_parts(parts, body), &visitor.form_word).await?;
        Ok(Self)
    }
}

impl Visitor {
    fn check_may_act(&self, app: &App) -> Result<(), Problem> {
        if app.control.settings().serving.read_only {
            return Err(Problem::new(
                ProblemCode::ReadOnly,
                "[server] read_only = true: nothing is changed by requests",
            ));
        }
        if self.may_act {
            return Ok(());
        }
        let detail = "your token is that of a viewer, who changes and starts nothing";
        Err(Problem::new(ProblemCode::Forbidden, detail))
    }
}

/// Reads a form that has the word which only pages of this daemon know.
async fn read_form<T: DeserializeOwned>(request: Request, form_word: &str) -> Result<T, Problem> {
    #[derive(Deserialize)]
    struct Word {
        #[serde(default)]
        form_word: String,
    }
    let (word, form) = read_fields::<Word, T>(request).await?;
    if bool::from(word.form_word.as_bytes().ct_eq(form_word.as_bytes())) {
        return Ok(form);
    }
    let detail = "this form is not of your present log-in";
    Err(Problem::new(ProblemCode::Forbidden, detail).hint("go back, reload the page, and send it again"))
}

/// Reads the fields of a form, which no page of another server may send.
pub(super) async fn read_fields<One, Other>(request: Request) -> Result<(One, Other), Problem>
where
    One: DeserializeOwned,
    Other: DeserializeOwned,
{
    if door::is_from_other_site(request.headers()) {
        return Err(Problem::new(ProblemCode::Forbidden, "a page of another server asks for this"));
    }
    if !is_form(request.headers()) {
        let detail = "the body is not declared as a form";
        return Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let body = read_body(request).await?;
    let malformed =
        |error| Problem::new(ProblemCode::InvalidRequest, format!("the form is not the one that is expected: {error}"));
    let one = serde_urlencoded::from_bytes(&body).map_err(malformed)?;
    Ok((one, serde_urlencoded::from_bytes(&body).map_err(malformed)?))
}

fn is_form(headers: &HeaderMap) -> bool {
    let of_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = of_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
