//! Ways by which a message goes: each tries once, and says what came of it.

mod attempt;
mod command;
mod dial;
mod email;
mod headline;
mod http;
mod ping;
mod smtp;
mod tls;
mod webhook;

use jiff::Timestamp;

pub use attempt::Attempt;

use crate::outcome::Notice;
use crate::policy::{Addressee, Destination, NotifyWay};

/// Tries to deliver a message, as the outbox has it.
pub async fn attempt(to: &Addressee, payload: &str, now: Timestamp) -> Attempt {
    match to {
        Addressee::Destination(destination) => match serde_json::from_str(payload) {
            Ok(notice) => send(destination, &notice, now).await,
            Err(error) => unreadable(&error),
        },
        Addressee::Ping(_, ping) => match serde_json::from_str(payload) {
            Ok(heartbeat) => ping::send(ping, &heartbeat, now).await,
            Err(error) => unreadable(&error),
        },
    }
}

/// Tries to tell a destination.
pub async fn send(to: &Destination, notice: &Notice, now: Timestamp) -> Attempt {
    if to.way.lacks_credential() {
        return Attempt::lacking();
    }
    match &to.way {
        NotifyWay::Webhook(webhook) => {
            let sending = webhook::send(webhook, notice, now);
            tokio::time::timeout(to.timeout, sending).await.unwrap_or_else(|_| Attempt::timed_out(to.timeout))
        }
        // These end by their own time, with all that they started.
        NotifyWay::Email(email) => email::send(email, notice, to.timeout).await,
        NotifyWay::Command(hook) => command::send(hook, notice).await,
    }
}

fn unreadable(error: &serde_json::Error) -> Attempt {
    Attempt::refused(format!("the message in the ledger is not what was written: {error}"))
}
