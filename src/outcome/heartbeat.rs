//! Heartbeats: what the monitor of a task hears of each run.

use serde::{Deserialize, Serialize};

use super::RunId;

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub sign: HeartbeatSign,
    pub run_id: RunId,
    /// Line for a person.
    pub message: String,
}

/// Occasion of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeartbeatSign {
    /// A run begins.
    Start,
    /// It completed.
    Success,
    /// It ended otherwise.
    Failure,
}
