//! Policies that are configured to take more than was agreed to: what differs, and how many rows that is.

use std::sync::Arc;

use crate::clock::Clock;
use crate::ledger::{Agreed, Ledger};
use crate::policy::compile::recompile;
use crate::policy::{Params, Policy, Settings, Wider, Wording, wider_than};
use crate::report::{Findings, PolicyStats, Precision};
use crate::text::chain;
use crate::text::human::count;

use crate::commands::stats::stats;

/// Compares every policy that deletes with what was agreed to.
pub(super) async fn check(settings: &Settings, ledger: &Ledger, clock: &Clock, findings: &mut Findings) {
    if !settings.daemon.approve_changes {
        let message = "approve_changes is false: what makes a policy delete more is not held";
        return findings.ok("configuration", message);
    }
    let agreed = match ledger.agreed().await {
        Ok(agreed) => agreed,
        Err(error) => return findings.warn("ledger", chain(&error), ""),
    };
    for policy in settings.policies.iter().filter(|policy| settings.may_take(policy)) {
        compare(settings, policy, (&agreed, clock), findings).await;
    }
}

async fn compare(
    settings: &Settings,
    policy: &Arc<Policy>,
    (agreed, clock): (&Agreed, &Clock),
    findings: &mut Findings,
) {
    let Some(baseline) = agreed.baseline(&policy.name) else { return };
    let fingerprint = Wording::of(settings, policy).fingerprint();
    if baseline.fingerprint == fingerprint || agreed.approval(&policy.name, &fingerprint).is_some() {
        return;
    }
    let (subject, fix) = (format!("policy {}", policy.name), format!("retaind approve {}", policy.name));
    let before = match recompile(&baseline.wording, settings) {
        Ok(before) => before,
        Err(why) => {
            let message = format!("it was changed, and cannot be compared with what was approved: {why}");
            findings.warn(subject, message, fix);
            return;
        }
    };
    // Loosened guards hold only what exceeds the old ones.
    let Wider { scope, guards: _ } = wider_than(&before, settings, &policy.name);
    if scope.is_empty() {
        return;
    }
    let rows = match before.policy(&policy.name) {
        Some(approved) => rows((settings, policy), (&before, approved), clock).await,
        None => None,
    };
    let rows = rows.map(|rows| format!(": {rows}")).unwrap_or_default();
    findings.warn(subject, format!("held until somebody has looked: {}{rows}", scope.join(", ")), fix);
}

/// "26,762 rows instead of 0", of policies of rows whose tables could be counted in time.
async fn rows(
    (settings, policy): (&Settings, &Arc<Policy>),
    (before, approved): (&Settings, &Arc<Policy>),
    clock: &Clock,
) -> Option<String> {
    if policy.kind.rows().is_none_or(|rows| !rows.params.is_empty()) {
        return None;
    }
    let (policy, approved, none) = (std::slice::from_ref(policy), std::slice::from_ref(approved), Params::new());
    let (new, old) = tokio::join!(stats(settings, policy, &none, clock), stats(before, approved, &none, clock));
    let (new, old) = (new.policies.first()?, old.policies.first()?);
    let noun = if new.rows_eligible? == 1 { "row" } else { "rows" };
    Some(format!("{} {noun} instead of {}", number(new)?, number(old)?))
}

fn number(stats: &PolicyStats) -> Option<String> {
    let rows = count(stats.rows_eligible?);
    Some(match stats.precision? {
        Precision::Exact => rows,
        Precision::Estimate => format!("about {rows}"),
        Precision::AtLeast => format!("at least {rows}"),
    })
}
