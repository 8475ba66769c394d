//! A run as server-sent events: `progress` while it goes on, then `end` with its result, or `error`.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::Serialize;

use super::control::RunUpdate;

/// Interval of the comments that keep an idle connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The answer that goes on until the run has ended.
pub(super) fn respond(events: BoxStream<'static, RunUpdate>) -> Response {
    let events = events.map(|event| {
        Ok::<_, Infallible>(match event {
            RunUpdate::Progress(progress) => named("progress", &progress),
            RunUpdate::End(result) => named("end", &result),
            RunUpdate::Failed(problem) => named("error", &problem),
        })
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

fn named(name: &str, data: &impl Serialize) -> Event {
    // Plain data with text for keys: it always is JSON.
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
