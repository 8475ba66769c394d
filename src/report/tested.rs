//! Outcome of a test of somebody who is notified.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Name;

/// Somebody who was sent a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestedDestination {
    /// Name of the destination.
    pub destination: Name,
    /// True if it was taken.
    pub delivered: bool,
    /// Answer, or why there was none, in words.
    pub answer: String,
}
