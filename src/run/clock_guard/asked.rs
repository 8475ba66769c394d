//! Memory of what was asked about the clock lately, so that it is not asked for every policy again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Time for which it is remembered that nobody vouched for the clock: the policies of a run do not each wait for it.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Memory of what was asked about the clock. Cheap to clone; all clones know the same.
#[derive(Clone, Default)]
pub(in crate::run) struct ClockGuard(pub(super) Arc<Mutex<LastAsked>>);

/// Instants at which the system, and the sources elsewhere, last did not vouch for the clock.
#[derive(Default)]
pub(in crate::run) struct LastAsked {
    pub(super) system: Option<Instant>,
    pub(super) sources: Option<Instant>,
}

/// True if something was asked in vain just now.
pub(super) fn is_recent(asked: Option<Instant>) -> bool {
    asked.is_some_and(|at| at.elapsed() < REMEMBERED)
}
