//! Reasons for which a run is cut short.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a run was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Signal,
    /// A person asked for it.
    Request,
    Timeout,
    /// The hours ended in which its task may run.
    Window,
    /// The configuration became more careful about a policy while it ran.
    Reload,
    /// The process died; found at the next start.
    Interrupted,
}

impl Cause {
    /// The word that JSON uses.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Signal => "signal",
            Cause::Request => "request",
            Cause::Timeout => "timeout",
            Cause::Window => "window",
            Cause::Reload => "reload",
            Cause::Interrupted => "interrupted",
        }
    }

    /// The cause in words, as they follow "cancelled".
    pub fn words(self) -> &'static str {
        match self {
            Cause::Signal => " by a signal",
            Cause::Request => " on request",
            Cause::Timeout => " by its timeout",
            Cause::Window => " at the end of its window",
            Cause::Reload => ", because the configuration became more careful",
            Cause::Interrupted => " (its process died)",
        }
    }
}
