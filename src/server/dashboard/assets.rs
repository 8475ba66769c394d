//! Style, script and icon of the pages, as they are in the program.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::problem::{Problem, ProblemCode};
use super::frame::guard;
use super::trouble::Trouble;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const ICON: &str = include_str!("icon.svg");

/// Word of what is in this program: another program has others.
const ETAG: HeaderValue = HeaderValue::from_static(concat!("\"", env!("CARGO_PKG_VERSION"), "\""));

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Trouble> {
    let (of_type, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "script.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Problem::new(ProblemCode::UnknownPath, "there is no such asset").into()),
    };
    let mut response = match headers.get(header::IF_NONE_MATCH) {
        Some(known) if known == ETAG => StatusCode::NOT_MODIFIED.into_response(),
        _ => text.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(of_type));
    headers.insert(header::ETAG, ETAG);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    guard(&mut response);
    Ok(response)
}
