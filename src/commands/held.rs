//! Policies that wait for an approval now.

use crate::ledger::{Ledger, LedgerError};
use crate::outcome::{Held, HoldKind};
use crate::policy::{Name, Settings};

/// Holds of the ledger that keep a policy of this configuration from deleting: what deletes nothing waits for nothing.
pub(crate) async fn held_now(settings: &Settings, ledger: &Ledger) -> Result<Vec<(Name, Held)>, LedgerError> {
    Ok(held_by(settings, ledger.held_policies().await?))
}

/// Those of these holds that keep a policy of this configuration from deleting.
pub(super) fn held_by(settings: &Settings, mut held: Vec<(Name, Held)>) -> Vec<(Name, Held)> {
    held.retain(|(name, held)| {
        let may_take = settings.policy(name).is_some_and(|policy| settings.may_take(policy));
        may_take && (settings.daemon.approve_changes || held.kind == HoldKind::Clock)
    });
    held
}
