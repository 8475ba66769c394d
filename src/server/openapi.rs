//! Description of the API as OpenAPI 3.1 has it, from the endpoints and the types of what they take and answer.
//!
//! Source: OpenAPI Specification 3.1.1, <https://spec.openapis.org/oas/v3.1.1.html>.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::endpoint::{Endpoint, Form};
use super::gate::OPEN;
use super::problem::{MEDIA_TYPE, Problem, ProblemCode};
use crate::outcome::FORMAT_VERSION;
use crate::policy::Name;

/// Problems that every endpoint may answer with; some of them over TCP only.
const ALWAYS: [ProblemCode; 6] = [
    ProblemCode::InvalidRequest,
    ProblemCode::Unauthorized,
    ProblemCode::Forbidden,
    ProblemCode::Misdirected,
    ProblemCode::Internal,
    ProblemCode::Stopping,
];
/// Problems of whatever changes something.
const OF_CHANGES: [ProblemCode; 4] =
    [ProblemCode::ReadOnly, ProblemCode::TooLarge, ProblemCode::TimedOut, ProblemCode::UnsupportedMediaType];

/// The description of endpoints.
pub(super) fn describe(endpoints: &[Endpoint]) -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    let mut answers = settings.clone().into_generator();
    settings.contract = schemars::generate::Contract::Deserialize;
    let mut requests = settings.into_generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for endpoint in endpoints {
        let operation = operation(endpoint, &mut answers, &mut requests);
        let method = endpoint.method.as_str().to_lowercase();
        paths.entry(endpoint.path).or_default().insert(method, operation);
    }
    let problem = answers.subschema_for::<Problem>();
    // What is asked and what is answered share types of one form only: names, ids, words.
    let mut schemas = requests.take_definitions(true);
    schemas.append(&mut answers.take_definitions(true));
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "retaind",
            "description": "Status, runs, pauses and approvals of a data-retention daemon.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Over TCP; the socket needs none." },
            },
            "responses": { "Problem": { "description": "Why not.", "content": { MEDIA_TYPE: { "schema": problem } } } },
        },
    })
}

fn operation(endpoint: &Endpoint, answers: &mut SchemaGenerator, requests: &mut SchemaGenerator) -> Value {
    let changes = endpoint.method != Method::GET;
    let mut responses: Map<String, Value> = endpoint
        .answers
        .iter()
        .map(|(status, form)| (status.as_u16().to_string(), answer(*status, *form, answers)))
        .collect();
    let of_changes = changes.then_some(OF_CHANGES).into_iter().flatten();
    for problem in endpoint.problems.iter().copied().chain(ALWAYS).chain(of_changes) {
        let status = problem.status().as_u16().to_string();
        responses.insert(status, json!({ "$ref": "#/components/responses/Problem" }));
    }
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "summary": endpoint.about,
        "parameters": parameters(endpoint, requests),
        "responses": responses,
    });
    operation["security"] = if OPEN.contains(&endpoint.path) { json!([]) } else { json!([{ "token": [] }]) };
    if let Some(body) = endpoint.body {
        let content = json!({ "application/json": { "schema": (body.shape)(requests) } });
        operation["requestBody"] = json!({ "required": body.is_required, "content": content });
    }
    operation
}

/// `get-runs-id-events`.
fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/api/v1");
    let words = path.split(['/', '{', '}', '.']).filter(|word| !word.is_empty());
    std::iter::once(endpoint.method.as_str().to_lowercase())
        .chain(words.map(str::to_owned))
        .collect::<Vec<_>>()
        .join("-")
}

fn answer(status: StatusCode, form: Form, answers: &mut SchemaGenerator) -> Value {
    let (media, schema) = match form {
        Form::Document(shape) => ("application/json", document(shape(answers).to_value())),
        Form::Foreign => ("application/json", json!({ "type": "object" })),
        Form::Text => ("text/plain", json!({ "type": "string" })),
        Form::Events => ("text/event-stream", events()),
    };
    let description = status.canonical_reason().unwrap_or_default();
    json!({ "description": description, "content": { media: { "schema": schema } } })
}

/// An event of a run: its name, and JSON as text.
fn events() -> Value {
    let data = json!({ "type": "string", "contentMediaType": "application/json" });
    json!({
        "type": "object",
        "required": ["event", "data"],
        "properties": { "event": { "enum": ["progress", "end", "error"] }, "data": data },
    })
}

/// An object with the version of its format.
fn document(of: Value) -> Value {
    let version = json!({ "type": "integer", "const": FORMAT_VERSION });
    json!({
        "allOf": [of, { "type": "object", "required": ["format_version"], "properties": { "format_version": version } }],
    })
}

/// Schema of an optional value where it is left out and not null: an address cannot say null.
fn not_null(mut schema: Value) -> Value {
    if let Some(types) = schema["type"].as_array()
        && let [single, _null] = types.as_slice()
    {
        schema["type"] = single.clone();
    }
    if let Some([mut present, _null]) =
        schema["anyOf"].as_array().and_then(|of| <[Value; 2]>::try_from(of.clone()).ok())
    {
        present["description"] = schema["description"].take();
        return present;
    }
    schema
}

fn parameters(endpoint: &Endpoint, requests: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = endpoint.path.split(['{', '}']).skip(1).step_by(2).map(|name| {
        let schema = match name {
            "run_id" => json!({ "type": "string", "description": "Id of a run, or a beginning or end of it." }),
            _ => requests.subschema_for::<Name>().to_value(),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let mut all: Vec<Value> = in_path.collect();
    let query = endpoint.query.map(|shape| shape(requests).to_value());
    let fields = query.as_ref().and_then(|schema| schema["properties"].as_object()).into_iter().flatten();
    all.extend(fields.map(|(name, schema)| {
        let mut schema = not_null(schema.clone());
        let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        json!({ "name": name, "in": "query", "description": about, "schema": schema })
    }));
    all
}
