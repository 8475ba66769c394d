//! Ways by which a message goes: each tries once, and says what came of it.

mod attempt;
mod http;
mod tls;
mod webhook;

use jiff::Timestamp;

pub use attempt::Attempt;

use crate::outcome::Notice;
use crate::policy::{Destination, NotifyWay};

/// Tries to deliver a notice, as the outbox has it.
pub async fn attempt(to: &Destination, payload: &str, now: Timestamp) -> Attempt {
    if to.way.lacks_credential() {
        return Attempt::failed("a credential of it was not passed to this process");
    }
    let notice: Notice = match serde_json::from_str(payload) {
        Ok(notice) => notice,
        Err(error) => return Attempt::Refused(format!("the message in the ledger is not what was written: {error}")),
    };
    match &to.way {
        NotifyWay::Webhook(webhook) => webhook::send(webhook, &notice, now).await,
    }
}
