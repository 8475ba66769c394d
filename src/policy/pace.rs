//! Speed at which runs take rows.

use std::num::NonZeroU64;
use std::time::Duration;

/// Time that a transaction should take where nothing else is said.
pub const TARGET: Duration = Duration::from_millis(100);

/// Speed of a source or of a policy as it was declared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pace {
    /// Time that a transaction should take.
    pub target: Option<Duration>,
    /// Rest after each batch.
    pub pause: Option<Duration>,
    /// The most rows in a second, those of other tables included.
    pub rows_per_second: Option<NonZeroU64>,
    /// False if a run goes on as fast as it can also while other sessions are at work.
    pub yields: Option<bool>,
    /// Distance of a replica beyond which a run waits.
    pub max_replica_lag: Option<Duration>,
    /// Load of this machine beyond which a run waits.
    pub max_load: Option<f64>,
}

impl Pace {
    /// This one, and where it says nothing the other.
    pub fn over(&self, other: &Self) -> Self {
        Self {
            target: self.target.or(other.target),
            pause: self.pause.or(other.pause),
            rows_per_second: self.rows_per_second.or(other.rows_per_second),
            yields: self.yields.or(other.yields),
            max_replica_lag: self.max_replica_lag.or(other.max_replica_lag),
            max_load: self.max_load.or(other.max_load),
        }
    }
}
