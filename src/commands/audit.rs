//! Gathers what `audit` shows: what was asked for and by whom, and whether the record of it is as it was written.

use super::operator::operator;
use super::status::open;
use crate::clock::Clock;
use crate::ledger::{AuditAction, AuditNote, Ledger, LedgerError};
use crate::policy::Settings;
use crate::report::{AuditEntry, VerifiedAudit};

/// The newest entries first, at most `limit`.
pub async fn entries(settings: &Settings, clock: &Clock, limit: u32) -> anyhow::Result<Vec<AuditEntry>> {
    match open(settings, clock.now()).await? {
        Some(ledger) => Ok(ledger.audit(limit).await?),
        None => Ok(Vec::new()),
    }
}

/// Goes through all entries.
pub async fn verify(settings: &Settings, clock: &Clock) -> anyhow::Result<VerifiedAudit> {
    match open(settings, clock.now()).await? {
        Some(ledger) => Ok(ledger.verify_audit().await?),
        None => Ok(VerifiedAudit::default()),
    }
}

/// Records that whoever runs this process does something.
pub async fn note(
    ledger: &Ledger,
    clock: &Clock,
    (action, subject): (AuditAction, String),
    detail: serde_json::Value,
) -> Result<(), LedgerError> {
    ledger.note(&AuditNote { at: clock.now(), by: Some(operator()), action, subject, detail }).await
}
