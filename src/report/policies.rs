//! The policies in force, as programs read them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::stats::LastPolicyRun;
use crate::outcome::Held;
use crate::policy::{Mode, Name};

/// A policy in force.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PolicyOverview {
    /// Name of the policy.
    pub policy: Name,
    /// Kind of the policy: rows, files or orphans.
    pub kind: &'static str,
    /// The task that runs it; null where it runs on request only.
    pub task: Option<Name>,
    /// False where the policy, or its task, is switched off.
    pub enabled: bool,
    /// The mode of its runs; with `report` they delete nothing.
    pub mode: Mode,
    /// Each key that decides what it may take, in words; what may be secret is left out.
    pub configuration: BTreeMap<String, String>,
    /// Of its configuration, as an approval names it.
    pub fingerprint: String,
    /// Why it waits for an approval.
    pub held: Option<Held>,
    /// True if it, or its task, is paused.
    pub is_paused: bool,
    /// The newest run in which it came to its end; null where there was none.
    pub last_run: Option<LastPolicyRun>,
}
