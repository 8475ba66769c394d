//! Pauses without a daemon, and the way to the daemon where one runs.

use std::path::PathBuf;

use super::audit;
use super::execute::open_ledger;
use super::operator::operator;
use crate::clock::Clock;
use crate::ledger::{AuditAction, Pauses, StateHolder};
use crate::outcome::{Pause, Subject};
use crate::policy::Settings;

/// Socket of the packaged service, for whoever may not read the configuration.
const PACKAGED_SOCKET: &str = "/run/retaind/retaind.sock";

/// Sockets on which the daemon of a configuration may answer, the likeliest first; without one, that of the package.
pub fn sockets(settings: Option<&Settings>) -> Vec<PathBuf> {
    let Some(settings) = settings else { return vec![PathBuf::from(PACKAGED_SOCKET)] };
    let lock = std::fs::read_to_string(settings.daemon.state_dir.join("daemon.lock"));
    let noted = lock.ok().and_then(|text| StateHolder::read(&text).socket);
    let mut sockets: Vec<PathBuf> = noted.into_iter().chain(settings.serving.socket.clone()).collect();
    sockets.push(PathBuf::from(PACKAGED_SOCKET));
    sockets.dedup();
    sockets
}

/// Pauses something where no daemon runs.
pub async fn pause(settings: &Settings, subject: &Subject, reason: Option<String>) -> anyhow::Result<Pause> {
    let pause = Pause { since: Clock::default().now(), by: operator(), reason };
    Pauses::of(&settings.daemon.state_dir).set(subject, &pause)?;
    let detail = serde_json::json!({ "reason": pause.reason });
    if let Err(error) = note(settings, (AuditAction::Pause, subject), detail).await {
        tracing::warn!("The pause counts, and could not be recorded in the audit: {error:#}");
    }
    Ok(pause)
}

/// Lets something go on where no daemon runs; false where it was not paused.
pub async fn resume(settings: &Settings, subject: &Subject) -> anyhow::Result<bool> {
    let pauses = Pauses::of(&settings.daemon.state_dir);
    if pauses.find(subject)?.is_none() {
        return Ok(false);
    }
    note(settings, (AuditAction::Resume, subject), serde_json::json!({})).await?;
    Ok(pauses.lift(subject)?)
}

async fn note(
    settings: &Settings,
    (action, subject): (AuditAction, &Subject),
    detail: serde_json::Value,
) -> anyhow::Result<()> {
    let ledger = open_ledger(settings).await?;
    Ok(audit::note(&ledger, &Clock::default(), (action, subject.to_string()), detail).await?)
}
