//! Waits between the tries of something that fails.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits that double from the first to the longest, each shortened by up to a quarter at random, so that what failed
/// together is not tried together.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
}

/// From one second to a minute.
impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(60))
    }
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0 }
    }

    /// One after which so many waits are over.
    #[must_use]
    pub fn after(self, attempts: u64) -> Self {
        Self { attempts: u32::try_from(attempts).unwrap_or(u32::MAX), ..self }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = 1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(doubled).min(self.longest);
        self.attempts = self.attempts.saturating_add(1);
        wait - (wait / 4).mul_f64(random_share())
    }

    /// Number of waits so far.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

/// A number from 0 to 1. The seed of a hash map is random enough to spread retries.
fn random_share() -> f64 {
    let bits = u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(0);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_minute_and_are_spread() {
        let mut backoff = Backoff::default();
        for full in [1_u64, 2, 4, 8, 16, 32, 60, 60, 60] {
            let (wait, full) = (backoff.next_wait(), Duration::from_secs(full));
            assert!(wait <= full && wait >= full.mul_f64(0.75), "{wait:?} of {full:?}");
        }
        let many: std::collections::HashSet<Duration> = (0..20).map(|_| Backoff::default().next_wait()).collect();
        assert!(many.len() > 1);
    }
}
