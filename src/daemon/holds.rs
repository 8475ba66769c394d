//! Policies that are held, as the daemon reports them: one that is new is an event, one that was known a line.

use jiff::Timestamp;

use crate::ledger::{AuditAction, AuditNote, Ledger};
use crate::outcome::{Held, RunResult};
use crate::policy::{Name, Settings, Widening, widened};
use crate::run::Reviewed;
use crate::telemetry::Event;
use crate::text::chain;

/// Reports what a configuration that comes into force holds.
pub(super) fn announce(reviewed: &[Reviewed]) {
    for Reviewed { policy, held, is_new } in reviewed {
        report_held(policy, held, *is_new);
    }
}

/// Reports that a policy of a run was held.
pub(super) fn announce_held(result: &RunResult, policy: &Name, held: &Held) {
    report_held(policy, held, held.since >= result.started_at);
}

fn report_held(policy: &Name, held: &Held, is_new: bool) {
    let (reasons, command) = (held.reasons.join(", "), held.command(policy));
    if is_new {
        Event::PolicyHeld { policy, reasons: &reasons, command: &command }.emit();
    } else {
        let since = held.since;
        tracing::info!(%policy, %since, "Policy {policy} is still held, since {since:.0}: it goes on with '{command}'");
    }
}

/// Reports what was held and is no more.
pub(super) fn report_released(before: &[(Name, Held)], now: &[(Name, Held)]) {
    for (policy, _) in before.iter().filter(|(policy, _)| now.iter().all(|(other, _)| other != policy)) {
        tracing::info!(%policy, "Policy {policy} is no longer held");
    }
}

/// Names each policy that may delete more than before and is not held for it, because that was agreed to.
pub(super) fn report_widened((old, new): (&Settings, &Settings), held: &[(Name, Held)]) {
    for Widening { policy, reasons } in widened(old, new) {
        if held.iter().all(|(other, _)| *other != policy) {
            let why = reasons.join(", ");
            tracing::info!(%policy, why, "Policy {policy} may delete more than before: {why}");
        }
    }
}

/// Remembers the configuration that a reload has put in force. It is in force also where that fails.
pub(super) async fn note_in_force(ledger: &Ledger, settings: &Settings, changes: &str, now: Timestamp) {
    let detail = serde_json::json!({ "fingerprint": settings.written.fingerprint(), "changes": changes });
    let (action, subject) = (AuditAction::Reload, "configuration".to_owned());
    let noted = async {
        ledger.note_in_force(&settings.written).await?;
        ledger.note(&AuditNote { at: now, by: None, action, subject, detail }).await
    };
    if let Err(error) = noted.await {
        let error = chain(&error);
        tracing::warn!(error, "The configuration in force could not be noted in the ledger: {error}");
    }
}

/// Says that nothing waits for an approval, where the configuration wants that.
pub(super) fn warn_if_unapproved(settings: &Settings) {
    if !settings.daemon.approve_changes {
        tracing::warn!(
            "[daemon] approve_changes is false: what makes a policy delete more than before is carried out before anybody has \
             looked at it"
        );
    }
}
