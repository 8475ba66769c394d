//! Errors as RFC 9457 describes them, each with a code that stays the same.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::outcome::RunId;
use crate::text::word_of;

/// Media type of a problem.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";
/// Kind of proof that is asked for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"retaind\"");

/// Kind of a problem: what a program decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The request is malformed.
    InvalidRequest,
    /// No token was shown, or one that there is not.
    Unauthorized,
    /// The caller may not do this here.
    Forbidden,
    /// Nothing is changed through this server.
    ReadOnly,
    UnknownPath,
    UnknownRun,
    /// No task or policy has that name, or it is switched off; nobody of that name is notified.
    UnknownName,
    /// An id could be that of several runs.
    AmbiguousRun,
    /// A parameter is missing, unknown or malformed.
    InvalidParameter,
    MethodNotAllowed,
    /// Another run has the policy.
    Busy,
    /// The run has ended.
    RunEnded,
    /// Another configuration is in force than the one that was shown.
    Changed,
    /// The run would take more than the configuration in force allows.
    Wider,
    /// The policy waits for an approval.
    Held,
    /// There is nothing to approve, or an approval would not do.
    NotHeld,
    /// No such file is pending.
    NotPending,
    /// The configuration on disk cannot be used.
    ConfigurationInvalid,
    TooLarge,
    TimedOut,
    /// The request is for another server, by its own words.
    Misdirected,
    UnsupportedMediaType,
    /// The token has made as many destructive requests as it may.
    RateLimited,
    Internal,
    /// The daemon is stopping.
    Stopping,
}

impl ProblemCode {
    /// Stable word of the problem.
    pub fn word(self) -> Option<String> {
        word_of(&self)
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            ProblemCode::InvalidRequest => StatusCode::BAD_REQUEST,
            ProblemCode::Unauthorized => StatusCode::UNAUTHORIZED,
            ProblemCode::Forbidden | ProblemCode::ReadOnly => StatusCode::FORBIDDEN,
            ProblemCode::UnknownPath | ProblemCode::UnknownRun | ProblemCode::UnknownName => StatusCode::NOT_FOUND,
            ProblemCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ProblemCode::AmbiguousRun
            | ProblemCode::Busy
            | ProblemCode::RunEnded
            | ProblemCode::Changed
            | ProblemCode::Wider
            | ProblemCode::Held
            | ProblemCode::NotHeld
            | ProblemCode::NotPending => StatusCode::CONFLICT,
            ProblemCode::InvalidParameter | ProblemCode::ConfigurationInvalid => StatusCode::UNPROCESSABLE_ENTITY,
            ProblemCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ProblemCode::TimedOut => StatusCode::REQUEST_TIMEOUT,
            ProblemCode::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            ProblemCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ProblemCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ProblemCode::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn title(self) -> &'static str {
        match self {
            ProblemCode::InvalidRequest => "The request is malformed",
            ProblemCode::Unauthorized => "A token is needed",
            ProblemCode::Forbidden => "The caller may not do this",
            ProblemCode::ReadOnly => "The server is read-only",
            ProblemCode::UnknownPath => "There is nothing at this path",
            ProblemCode::UnknownRun => "There is no such run",
            ProblemCode::UnknownName => "There is no such task, policy or destination",
            ProblemCode::AmbiguousRun => "The id could be that of several runs",
            ProblemCode::InvalidParameter => "A parameter does not fit the policies",
            ProblemCode::MethodNotAllowed => "The path does not take this method",
            ProblemCode::Busy => "Another run has the policy",
            ProblemCode::RunEnded => "The run has ended",
            ProblemCode::Changed => "Another configuration is in force",
            ProblemCode::Wider => "More would go than the configuration in force allows",
            ProblemCode::Held => "The policy waits for an approval",
            ProblemCode::NotHeld => "There is nothing that can be approved",
            ProblemCode::NotPending => "No such file is pending",
            ProblemCode::ConfigurationInvalid => "The configuration cannot be used",
            ProblemCode::TooLarge => "The request is too large",
            ProblemCode::TimedOut => "The request took too long to arrive",
            ProblemCode::Misdirected => "The request is for another server",
            ProblemCode::UnsupportedMediaType => "The body is of another type",
            ProblemCode::RateLimited => "The token has used up its requests",
            ProblemCode::Internal => "The daemon failed to answer",
            ProblemCode::Stopping => "The daemon is stopping",
        }
    }
}

/// A problem: what kind, and what went wrong here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// Word of the problem, which stays the same.
    pub code: ProblemCode,
    /// In words.
    pub detail: String,
    /// Advice on what to do.
    #[serde(default)]
    pub hint: Option<String>,
    /// The run that it is about.
    #[serde(default)]
    pub run_id: Option<RunId>,
    /// All errors, where there are several.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Seconds until the same may be asked for again.
    #[serde(default)]
    pub retry_after: Option<u64>,
}

/// A problem as it is sent.
#[derive(Serialize, JsonSchema)]
struct ProblemDocument<'a> {
    /// `urn:retaind:problem:` and the code.
    r#type: String,
    /// The kind of problem, in words.
    title: &'static str,
    /// Status of the answer.
    status: u16,
    /// Word of the problem, which stays the same.
    code: ProblemCode,
    /// Words for this one problem.
    detail: &'a str,
    /// Advice on what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    /// The run that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    /// All errors, where there are several.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [String],
    /// Seconds until the same may be asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// It is written as the document of a problem.
impl JsonSchema for Problem {
    fn schema_name() -> Cow<'static, str> {
        "Problem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ProblemDocument::json_schema(generator)
    }
}

impl Serialize for Problem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { code, detail, hint, run_id, errors, retry_after } = self;
        // The word of the code is the one that JSON has.
        let word = code.word().unwrap_or_default();
        ProblemDocument {
            r#type: format!("urn:retaind:problem:{word}"),
            title: code.title(),
            status: code.status().as_u16(),
            code: *code,
            detail,
            hint: hint.as_deref(),
            run_id: *run_id,
            errors,
            retry_after: *retry_after,
        }
        .serialize(serializer)
    }
}

impl Problem {
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, run_id: None, errors: Vec::new(), retry_after: None }
    }

    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Kind of the problem, in words.
    pub(super) fn title(&self) -> &'static str {
        self.code.title()
    }

    /// Status of an answer that has it.
    pub(super) fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// Problem of something that failed in the daemon itself, with its causes.
    pub fn internal(error: &anyhow::Error) -> Self {
        Self::new(ProblemCode::Internal, format!("{error:#}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry_after) = (self.code, self.retry_after);
        let mut response = (code.status(), axum::Json(self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if code == ProblemCode::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(secs) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, secs.into());
        }
        response
    }
}
