//! Reasons in the configuration for which runs of a policy take nothing at all.

use std::fmt;

use serde::Serialize;

use crate::policy::{Mode, Name, Policy, Settings};

/// Reason that scheduled runs of a policy take nothing, whatever there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Standstill {
    PolicyOff {
        policy: Name,
    },
    TaskOff {
        task: Name,
    },
    /// The policy only reports, or without a name the whole daemon.
    ReportMode {
        policy: Option<Name>,
    },
}

/// Reasons that scheduled runs of a policy take nothing.
pub fn standstills(settings: &Settings, policy: &Policy) -> Vec<Standstill> {
    let mut reasons = Vec::new();
    if !policy.enabled {
        reasons.push(Standstill::PolicyOff { policy: policy.name.clone() });
    }
    if let Some(task) = policy.task.as_ref().and_then(|task| settings.task(task)).filter(|task| !task.enabled) {
        reasons.push(Standstill::TaskOff { task: task.name.clone() });
    }
    if settings.mode_of(policy) == Mode::Report {
        let of_policy = settings.daemon.mode != Mode::Report;
        reasons.push(Standstill::ReportMode { policy: of_policy.then(|| policy.name.clone()) });
    }
    reasons
}

impl fmt::Display for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standstill::PolicyOff { policy } => write!(f, "policy {policy} is switched off"),
            Standstill::TaskOff { task } => {
                write!(f, "task {task} is switched off, so nothing runs the policy on schedule")
            }
            Standstill::ReportMode { policy: None } => {
                f.write_str("[daemon] mode is \"report\": nothing is ever deleted")
            }
            Standstill::ReportMode { policy: Some(policy) } => {
                write!(f, "policy {policy} only reports: its mode is \"report\"")
            }
        }
    }
}
