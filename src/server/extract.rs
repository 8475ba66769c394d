//! Parts of a request that handlers take, with a problem in place of the framework's own refusals.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::problem::{Problem, ProblemCode};
use crate::policy::Name;

/// Largest body of a request, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// Time in which a body has to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// The body, if it is small enough and arrives in time.
pub(super) async fn read_body(request: Request) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), LARGEST_BODY).collect();
    let body = tokio::time::timeout(BODY_PATIENCE, body).await.map_err(|_| {
        let secs = BODY_PATIENCE.as_secs();
        Problem::new(ProblemCode::TimedOut, format!("the body did not arrive within {secs} s"))
    })?;
    let body = body.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => Problem::new(ProblemCode::TooLarge, format!("a body has at most {LARGEST_BODY} bytes")),
        None => Problem::new(ProblemCode::InvalidRequest, format!("the body broke off: {error}")),
    })?;
    Ok(body.to_bytes())
}

/// The body, as JSON; without one, the default.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let body = read_body(request).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            Problem::new(ProblemCode::InvalidRequest, format!("the body is not the JSON that is expected: {error}"))
        })
    }
}

/// The part of the address after `?`.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let malformed = |why| Problem::new(ProblemCode::InvalidRequest, why);
        let query = Query::<T>::try_from_uri(&parts.uri).map_err(|error| malformed(error.body_text()))?;
        Ok(Self(query.0))
    }
}

/// The name in a path.
pub struct PathName(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Piece(text) = Piece::from_request_parts(parts, state).await?;
        Name::parse(&text)
            .map(Self)
            .map_err(|_| Problem::new(ProblemCode::UnknownName, format!("there is no task or policy named {text:?}")))
    }
}

/// The variable piece of a path.
pub struct Piece(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Piece {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let malformed = |error: PathRejection| Problem::new(ProblemCode::InvalidRequest, error.body_text());
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(malformed)?;
        Ok(Self(text))
    }
}
