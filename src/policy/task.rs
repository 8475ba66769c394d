//! Tasks: when the policies assigned to them run.

use std::sync::Arc;
use std::time::Duration;

use super::{Hook, Name, Ping};

/// A schedule that runs the policies assigned to it, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub name: Name,
    pub trigger: Trigger,
    /// A start this late still counts as on time.
    pub misfire_grace: Duration,
    /// True if a slot missed while the daemon was down is run once after start.
    pub catch_up: bool,
    /// Time after which a slot that failed or was cancelled is tried again.
    pub retry: Option<Duration>,
    pub timeout: Option<Duration>,
    pub enabled: bool,
    /// Hears of each run.
    pub ping: Option<Arc<Ping>>,
    /// Run before the first policy; its failure blocks the run.
    pub before: Option<Hook>,
    /// Run after the last policy.
    pub after: Option<Hook>,
}

/// When a task is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Five-field cron expression, checked at compile time, read in the daemon's time zone.
    Cron(String),
    /// Every so often, counted from the last slot in the ledger.
    Every(Duration),
}
