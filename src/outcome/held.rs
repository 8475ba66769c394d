//! Holds: why a policy waits for an approval, as results and the ledger have it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Facts;
use crate::policy::Name;

/// Reasons that a line with little room has.
const BRIEFLY: usize = 3;

/// Why a policy waits for an approval, and what would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// First time that a run was held for this.
    pub since: Timestamp,
    /// Subject of the hold.
    pub kind: HoldKind,
    /// In words: "keep 30d → 3d".
    pub reasons: Vec<String>,
    /// Keys of the approved configuration that differ, as that has them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<BTreeMap<String, String>>,
    /// Words of the present configuration for them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<BTreeMap<String, String>>,
    /// The numbers and names of reasons that are no difference of configurations: the guard that says no, how much would go.
    #[serde(skip_serializing_if = "Facts::is_empty", default)]
    pub facts: Facts,
}

/// Subject of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The configuration takes more than the approved one.
    Changed,
    /// A guard of the approved configuration would have stopped it.
    Guard,
    /// Far more would go than usual, or at a first run.
    Growth,
    /// The ledger is new, and a store is not.
    NewLedger,
    /// The machine's clock cannot be trusted.
    Clock,
}

impl Held {
    /// A hold for one reason that is no difference of configurations.
    pub fn new(since: Timestamp, kind: HoldKind, reason: String, facts: Facts) -> Self {
        Self { since, kind, reasons: vec![reason], old: None, new: None, facts }
    }

    /// The sentence that `blocked_by` has.
    pub fn sentence(&self) -> String {
        format!("held: {}", self.reasons.join(", "))
    }

    /// Reasons in few words, for a line that holds several policies.
    pub fn brief(&self) -> String {
        match self.kind {
            HoldKind::NewLedger => "the ledger is new".to_owned(),
            HoldKind::Clock => "the clock cannot be trusted".to_owned(),
            HoldKind::Changed | HoldKind::Guard | HoldKind::Growth => {
                // What follows a colon explains.
                let short = |reason: &String| reason.split(": ").next().unwrap_or_default().to_owned();
                let shown = if self.kind == HoldKind::Changed { BRIEFLY } else { 1 };
                let mut text = self.reasons.iter().take(shown).map(short).collect::<Vec<_>>().join(", ");
                if self.kind == HoldKind::Changed && self.reasons.len() > shown {
                    text.push_str(&format!(" and {} more", self.reasons.len() - shown));
                }
                text
            }
        }
    }

    /// Command line by which a policy that is held like this goes on.
    pub fn command(&self, policy: &Name) -> String {
        match self.kind {
            HoldKind::Clock => "retaind approve --clock".to_owned(),
            HoldKind::Changed | HoldKind::Guard | HoldKind::Growth | HoldKind::NewLedger => {
                format!("retaind approve {policy}")
            }
        }
    }

    /// True if both wait for the same answer: counts differ from run to run.
    pub fn is_about_same(&self, other: &Self) -> bool {
        match self.kind {
            HoldKind::Changed => (&self.reasons, &self.new) == (&other.reasons, &other.new),
            HoldKind::Guard | HoldKind::Growth | HoldKind::NewLedger | HoldKind::Clock => self.kind == other.kind,
        }
    }
}
