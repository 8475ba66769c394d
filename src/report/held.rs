//! Policies that are held: as pages show them, and as `--json` has them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::{Held, HoldKind};
use crate::policy::Name;
use crate::text::human::instant;
use crate::text::printable;

/// A policy that waits until somebody has looked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldPolicy {
    /// Name of the policy.
    pub policy: Name,
    #[serde(flatten)]
    pub held: Held,
    /// Command line by which it goes on.
    pub command: String,
}

impl From<(Name, Held)> for HeldPolicy {
    fn from((policy, held): (Name, Held)) -> Self {
        let command = held.command(&policy);
        Self { policy, held, command }
    }
}

/// Since when a policy is held and why, and the command by which it goes on.
pub fn held_words(policy: &Name, held: &Held) -> String {
    let (since, reasons) = (instant(held.since), held.reasons.join(", "));
    let reasons = printable(&reasons);
    match held.kind {
        // Its reason names the command, and what else may vouch for the clock.
        HoldKind::Clock => format!("held since {since}: {reasons}"),
        HoldKind::Changed | HoldKind::Guard | HoldKind::Growth | HoldKind::NewLedger => {
            format!("held since {since}: {reasons}; it goes on with `{}`", held.command(policy))
        }
    }
}
