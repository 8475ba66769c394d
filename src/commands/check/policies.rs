//! Policies that a check is about.

use crate::policy::{Mode, Policy, RowsPolicy, Settings};

/// The rows policies that are switched on.
pub(super) fn rows_policies(settings: &Settings) -> impl Iterator<Item = (&Policy, &RowsPolicy)> {
    let enabled = settings.policies.iter().filter(|policy| policy.enabled);
    enabled.filter_map(|policy| policy.kind.rows().map(|rows| (policy.as_ref(), rows)))
}

/// True if a run of the policy deletes anything.
pub(super) fn enforces(settings: &Settings, policy: &Policy) -> bool {
    settings.mode_of(policy) == Mode::Enforce
}
