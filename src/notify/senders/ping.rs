//! Pings of a monitor, as healthchecks.io and its kin take them.

use jiff::Timestamp;

use super::attempt::Attempt;
use super::http::{Content, post};
use crate::outcome::{Heartbeat, HeartbeatSign};
use crate::policy::Ping;

/// Tries to ping. The run's id lets the monitor tell runs apart.
pub(super) async fn send(to: &Ping, heartbeat: &Heartbeat, now: Timestamp) -> Attempt {
    if to.lacks {
        return Attempt::lacking();
    }
    let url = match heartbeat.sign {
        HeartbeatSign::Start => &to.start,
        HeartbeatSign::Success => &to.success,
        HeartbeatSign::Failure => &to.failure,
    };
    let Some(url) = url else { return Attempt::delivered("nobody wants to hear of it") };
    let url = url.with_parameter("rid", &heartbeat.run_id.to_string());
    let body = heartbeat.message.clone().into_bytes();
    post(&url, None, Content { content_type: "text/plain; charset=utf-8", headers: Vec::new(), body }, now).await
}
