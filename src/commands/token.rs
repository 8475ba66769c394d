//! Tokens: made, listed and removed. Files of the state directory, which a daemon reads anew for each request.

use super::audit;
use super::execute::open_ledger;
use super::operator::operator;
use crate::clock::Clock;
use crate::ledger::{AuditAction, Tokens};
use crate::outcome::{Role, Token};
use crate::policy::{Name, Settings};
use crate::report::TokenEntry;

/// Makes a token, and returns its secret; none where there is one of that name.
pub async fn add(settings: &Settings, name: &Name, role: Role) -> anyhow::Result<Option<String>> {
    let tokens = Tokens::of(&settings.daemon.state_dir);
    if tokens.all()?.iter().any(|found| found.name == *name) {
        return Ok(None);
    }
    note(settings, (AuditAction::TokenAdd, name), serde_json::json!({ "role": role })).await?;
    let token = Token { role, since: Clock::default().now(), by: operator() };
    Ok(tokens.add(name, token)?)
}

/// All tokens.
pub fn all(settings: &Settings) -> anyhow::Result<Vec<TokenEntry>> {
    Ok(Tokens::of(&settings.daemon.state_dir).all()?.into_iter().map(TokenEntry::from).collect())
}

/// Removes a token, whether that can be recorded or not; false where there is none of that name.
pub async fn remove(settings: &Settings, name: &Name) -> anyhow::Result<bool> {
    let was_there = Tokens::of(&settings.daemon.state_dir).remove(name)?;
    if was_there && let Err(error) = note(settings, (AuditAction::TokenRemove, name), serde_json::json!({})).await {
        tracing::warn!("The token is removed, and that could not be recorded in the audit: {error:#}");
    }
    Ok(was_there)
}

async fn note(
    settings: &Settings,
    (action, name): (AuditAction, &Name),
    detail: serde_json::Value,
) -> anyhow::Result<()> {
    let ledger = open_ledger(settings).await?;
    Ok(audit::note(&ledger, &Clock::default(), (action, format!("token {name}")), detail).await?)
}
