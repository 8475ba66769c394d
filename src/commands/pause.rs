//! Pauses without a daemon.

use super::audit;
use super::execute::open_ledger;
use super::operator::operator;
use crate::clock::Clock;
use crate::ledger::{AuditAction, Pauses};
use crate::outcome::{Pause, Subject};
use crate::policy::Settings;

/// Pauses something where no daemon runs.
pub async fn pause(settings: &Settings, subject: &Subject, reason: Option<String>) -> anyhow::Result<Pause> {
    let pause = Pause { since: Clock::default().now(), by: operator(), reason };
    Pauses::of(&settings.daemon.state_dir).set(subject, pause.clone())?;
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
