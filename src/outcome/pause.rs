//! Pauses: what an operator has set aside for a time.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Operator;
use crate::policy::{Name, Settings};

/// Thing that can be paused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Its schedule rests, and it is not run as a whole.
    Task(Name),
    /// No run takes anything by it.
    Policy(Name),
}

impl Subject {
    pub fn name(&self) -> &Name {
        match self {
            Subject::Task(name) | Subject::Policy(name) => name,
        }
    }

    /// True if the configuration has it.
    pub fn is_in(&self, settings: &Settings) -> bool {
        match self {
            Subject::Task(name) => settings.task(name).is_some(),
            Subject::Policy(name) => settings.policy(name).is_some(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Task(name) => write!(f, "task {name}"),
            Subject::Policy(name) => write!(f, "policy {name}"),
        }
    }
}

/// Since when something is paused, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// When it was paused.
    pub since: Timestamp,
    /// Person who paused it.
    pub by: Operator,
    /// Reason that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
