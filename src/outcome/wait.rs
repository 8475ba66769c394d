//! Waiting of a run between two of its batches.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reason for which a run waits between two batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// `pause`.
    Pause,
    /// `rows_per_second`.
    Rate,
    /// Other sessions of the database are at work.
    Others,
    /// A replica is too far behind, or it is not known how far.
    Replica,
    /// This machine has too much to do.
    Load,
}

impl Wait {
    /// The thing that is waited for, as a sentence ends with it.
    pub fn thing(self) -> &'static str {
        match self {
            Wait::Pause => "its pauses",
            Wait::Rate => "its rate of rows",
            Wait::Others => "other sessions",
            Wait::Replica => "replicas",
            Wait::Load => "the load of this machine",
        }
    }
}
