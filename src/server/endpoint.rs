//! An endpoint: its path and method, who answers, and what a client has to know of it. The router and the description of the
//! API are made of the same endpoints.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use axum::{Json, Router};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use super::control::Control;
use super::plans::Plans;
use super::problem::ProblemCode;
use super::rate::Calls;
use super::sessions::Sessions;
use crate::outcome::Document;

/// Parts that every handler works with.
#[derive(Clone)]
pub(super) struct App {
    pub(super) control: Arc<dyn Control>,
    /// Destructive calls over TCP.
    pub(super) calls: Calls,
    /// Log-ins of browsers.
    pub(super) sessions: Sessions,
    /// Dry runs that a run may go by.
    pub(super) plans: Plans,
}

impl App {
    pub(super) fn new(control: Arc<dyn Control>) -> Self {
        Self { control, calls: Calls::default(), sessions: Sessions::default(), plans: Plans::default() }
    }
}

/// Schema of a type.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// Form of an answer's body.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A JSON object, with the version of its format.
    Document(Shape),
    /// JSON that is of a format of its own.
    Foreign,
    Text,
    /// Server-sent events.
    Events,
}

/// Body of a request.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) shape: Shape,
    pub(super) is_required: bool,
}

/// An endpoint of the API.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    pub(super) method: Method,
    pub(super) about: &'static str,
    /// Fields of what follows the `?`.
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<(StatusCode, Form)>,
    /// Problems beside those that every endpoint has.
    pub(super) problems: &'static [ProblemCode],
    add: Box<dyn FnOnce(Router<App>) -> Router<App>>,
}

impl Endpoint {
    /// An endpoint that changes nothing.
    pub(super) fn get<T: 'static>(path: &'static str, handler: impl Handler<T, App>, about: &'static str) -> Self {
        Self::new(path, Method::GET, MethodFilter::GET, handler, about)
    }

    /// An endpoint that changes or begins something.
    pub(super) fn post<T: 'static>(path: &'static str, handler: impl Handler<T, App>, about: &'static str) -> Self {
        Self::new(path, Method::POST, MethodFilter::POST, handler, about)
    }

    fn new<T: 'static>(
        path: &'static str,
        method: Method,
        filter: MethodFilter,
        handler: impl Handler<T, App>,
        about: &'static str,
    ) -> Self {
        let add = Box::new(move |router: Router<App>| router.route(path, on(filter, handler)));
        Self { path, method, about, query: None, body: None, answers: Vec::new(), problems: &[], add }
    }

    /// Fields of what may follow the `?`.
    pub(super) fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(T::json_schema), ..self }
    }

    /// The body that it needs.
    pub(super) fn takes<T: JsonSchema>(self) -> Self {
        Self { body: Some(Body { shape: schema_of::<T>, is_required: true }), ..self }
    }

    /// The body that it takes, if there is one.
    pub(super) fn may_take<T: JsonSchema>(self) -> Self {
        Self { body: Some(Body { shape: schema_of::<T>, is_required: false }), ..self }
    }

    /// A document that it answers with.
    pub(super) fn answers<T: JsonSchema>(self, status: StatusCode) -> Self {
        self.answers_as(status, Form::Document(schema_of::<T>))
    }

    /// Something else that it answers with.
    pub(super) fn answers_as(mut self, status: StatusCode, form: Form) -> Self {
        self.answers.push((status, form));
        self
    }

    /// Problems that are its own.
    pub(super) fn refuses(self, problems: &'static [ProblemCode]) -> Self {
        Self { problems, ..self }
    }

    /// Adds it to a router.
    pub(super) fn route(self, router: Router<App>) -> Router<App> {
        (self.add)(router)
    }
}

/// A document of the version that this program writes.
pub(super) fn document<T: Serialize>(of: &T) -> Response {
    Json(Document::new(of)).into_response()
}

/// Schema of a type, by reference where it has a name.
fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
