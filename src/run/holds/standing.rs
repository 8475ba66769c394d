//! State of a policy between what was agreed to and what is configured.

use std::sync::Arc;

use crate::decide::guards::Unused;
use crate::ledger::Baseline;
use crate::outcome::Held;
use crate::policy::{Policy, Wording};

/// State of a policy between what was agreed to and what is configured.
#[derive(Debug, Clone)]
pub struct Standing {
    pub wording: Wording,
    pub fingerprint: String,
    /// The approved configuration; none where the policy has neither run nor been approved.
    pub baseline: Option<Baseline>,
    /// An approval of the present configuration that no run has used.
    pub approval: Option<Unused>,
    /// Reason to wait, before anything is counted.
    pub held: Option<Held>,
    /// The policy with the guards of its approved configuration, where the present ones stop it later.
    pub(in crate::run) guarded: Option<Guarded>,
}

impl Standing {
    /// The standing where somebody has agreed to this one run: nothing is held.
    #[must_use]
    pub(super) fn agreed(self) -> Self {
        Self { held: None, guarded: None, approval: None, ..self }
    }
}

/// Guards that were loosened and not approved.
#[derive(Debug, Clone)]
pub(in crate::run) struct Guarded {
    pub(in crate::run) policy: Arc<Policy>,
    pub(in crate::run) held: Held,
}
