//! Tasks: when the policies assigned to them run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Hook, Hours, Name, Ping};

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
    /// Runs of the schedule begin within these hours alone, and stop when they end.
    pub window: Option<Hours>,
    pub enabled: bool,
    /// Hears of each run.
    pub ping: Option<Arc<Ping>>,
    /// Run before the first policy; its failure blocks the run.
    pub before: Option<Hook>,
    /// Run after the last policy.
    pub after: Option<Hook>,
}

impl Task {
    /// The first instant from another on at which a run of the schedule may begin.
    pub fn opening(&self, zone: &TimeZone, at: Timestamp) -> Timestamp {
        self.window.map_or(at, |window| window.opening(zone, at))
    }

    /// Instant at which a run of the schedule that begins at another has to stop.
    pub fn closing(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        // One that comes a moment too late stops at once.
        self.window.map(|window| window.closing(zone, at).unwrap_or(at))
    }
}

/// When a task is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// Five-field cron expression, checked at compile time, read in the daemon's time zone.
    Cron(String),
    /// Every so often, counted from the last slot in the ledger.
    Every(Duration),
}
