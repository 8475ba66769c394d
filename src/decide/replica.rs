//! Pure judgement of how far replicas are behind.
//!
//! What a server says of it may be old: a replica that no longer takes anything keeps its last delay. So a run remembers
//! itself up to where the log was written when, and a replica is behind by the time of the first of these places that it
//! has not come to.

use std::collections::VecDeque;
use std::time::Duration;

/// Places that are remembered; each check adds one.
const KEPT: usize = 4096;

/// A replica, as the server that feeds it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// Place in the log up to which it has taken what was written.
    pub place: Option<u64>,
    /// Delay that the server says.
    pub delay: Option<Duration>,
}

/// Places of the log, and when it had been written up to them.
#[derive(Debug, Default)]
pub struct LogPlaces(VecDeque<(u64, Duration)>);

impl LogPlaces {
    /// Time by which the slowest replica is behind; none where that is not known, or where there is no replica.
    ///
    /// `now` is any time that only grows; `place` is the end of the log by then.
    pub fn lag(&mut self, now: Duration, place: u64, replicas: &[Replica]) -> Option<Duration> {
        if self.0.back().is_none_or(|(last, _)| place > *last) {
            self.0.push_back((place, now));
        }
        let lags: Option<Vec<Duration>> = replicas.iter().map(|replica| self.lag_of(now, replica)).collect();
        let slowest = replicas.iter().map(|replica| replica.place.unwrap_or(0)).min();
        while self.0.len() > KEPT || self.0.front().is_some_and(|(place, _)| slowest.is_some_and(|at| *place <= at)) {
            self.0.pop_front();
        }
        lags?.into_iter().max()
    }

    fn lag_of(&self, now: Duration, replica: &Replica) -> Option<Duration> {
        let place = replica.place?;
        let missing = self.0.iter().find(|(written, _)| *written > place);
        let Some((_, since)) = missing else { return Some(Duration::ZERO) };
        Some(now.saturating_sub(*since).max(replica.delay.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(place: u64) -> Replica {
        Replica { place: Some(place), delay: None }
    }

    #[test]
    fn a_replica_that_keeps_up_is_not_behind() {
        let mut places = LogPlaces::default();
        for second in 0..10 {
            assert_eq!(places.lag(SECOND * second, 100 * u64::from(second), &[at(1000)]), Some(Duration::ZERO));
        }
    }

    #[test]
    fn one_that_stands_still_falls_behind() {
        let mut places = LogPlaces::default();
        let lags: Vec<_> =
            (1..5).map(|second| places.lag(SECOND * second, 100 * u64::from(second), &[at(100)])).collect();
        assert_eq!(lags, [0, 0, 1, 2].map(|secs| Some(SECOND * secs)));
        // Nothing more is written, and it still stands still.
        assert_eq!(places.lag(SECOND * 60, 400, &[at(100)]), Some(SECOND * 58));
        assert_eq!(places.lag(SECOND * 61, 400, &[at(400)]), Some(Duration::ZERO));
    }

    #[test]
    fn the_slowest_counts() {
        let mut places = LogPlaces::default();
        places.lag(SECOND, 100, &[at(100), at(100)]);
        places.lag(SECOND * 2, 200, &[at(200), at(100)]);
        assert_eq!(places.lag(SECOND * 5, 300, &[at(300), at(100)]), Some(SECOND * 3));
        let slow = Replica { place: Some(250), delay: Some(SECOND * 9) };
        assert_eq!(places.lag(SECOND * 6, 300, &[at(300), slow]), Some(SECOND * 9));
    }

    #[test]
    fn unknown_or_no_replicas_have_no_lag() {
        let mut places = LogPlaces::default();
        assert_eq!(places.lag(SECOND, 100, &[]), None);
        assert_eq!(places.lag(SECOND, 100, &[at(100), Replica { place: None, delay: None }]), None);
    }
}
