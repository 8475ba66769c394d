//! The machine's clock, noted while the daemon runs, so that a start after a long time is known by it.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::run::Runner;
use crate::text::chain;

/// Interval at which the clock is noted: the question is only whether days are missing.
const PERIOD: Duration = Duration::from_secs(3600);

/// The times at which a daemon looks, the first of them after the one at its start.
pub(super) fn ticks() -> Interval {
    let mut ticks = interval_at(Instant::now() + PERIOD, PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Notes the clock where it can be trusted, and says so where it cannot.
pub(super) async fn look_at_clock(runner: &Runner) {
    match runner.note_clock().await {
        Ok(None) => {}
        Ok(Some(why)) => tracing::warn!(why, "The clock cannot be trusted; {why}"),
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(error, "The clock could not be noted in the ledger: {error}");
        }
    }
}
