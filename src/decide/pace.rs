//! Pure pacing of a run: how many rows its next batch has, and how long it rests before.

use std::time::Duration;

use crate::outcome::Wait;
use crate::policy::{Pace, TARGET};

/// Rows of a first batch, before it is known how long they take.
const FIRST_ROWS: u32 = 2000;
/// Time that a transaction should take while other sessions are at work.
const YIELDING_TARGET: Duration = Duration::from_millis(5);
/// Times as long as its last batch that a run rests while other sessions are at work: a tenth of the time is its own.
const YIELDING_REST: u32 = 9;
/// Time for which others count as being at work after they were seen.
const REMEMBERED: Duration = Duration::from_secs(1);
/// A batch with few of the rows that it might have had lets the next one have more where it took so many times less than it might.
const CLEARLY_LESS: u32 = 8;
/// No batch is made smaller than this to take less time, while others are at work and else: a commit costs as much as some rows.
const LEAST_YIELDING: u32 = 100;
const LEAST_ROWS: u32 = 10;

/// A batch that was taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Its rows, those of other tables included.
    pub rows: u64,
    /// Time from the begin of its transaction to the end of its commit.
    pub transaction: Duration,
    /// Time since the batch before it, or the rest after that, had ended.
    pub since_last: Duration,
}

/// Speed of a run from one batch to the next.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    most: u32,
    rows: u32,
    /// Time since others were seen at work; none where they never were.
    unseen_for: Option<Duration>,
}

impl Pacer {
    /// Speed of a run whose batches have at most `most` rows.
    pub fn new(pace: Pace, most: u32) -> Self {
        let in_a_second = pace.rows_per_second.map_or(u32::MAX, |rows| u32::try_from(rows.get()).unwrap_or(u32::MAX));
        let most = most.min(in_a_second).max(1);
        Self { rows: most.min(FIRST_ROWS), pace, most, unseen_for: None }
    }

    /// Rows of the next batch.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// True if it matters whether other sessions are at work.
    pub fn yields(&self) -> bool {
        self.pace.yields.unwrap_or(true)
    }

    /// True while the run gives way to other sessions.
    pub fn is_yielding(&self) -> bool {
        self.unseen_for.is_some_and(|time| time < REMEMBERED)
    }

    /// Hears whether others were at work when a batch had been taken: the next ones are as large as fits the target.
    pub fn took(&mut self, batch: Taken, others_at_work: bool) {
        self.unseen_for = match others_at_work {
            true => Some(Duration::ZERO),
            false => self.unseen_for.map(|time| time.saturating_add(batch.since_last)),
        };
        let target = self.pace.target.unwrap_or(TARGET);
        let target = if self.is_yielding() { target.min(YIELDING_TARGET) } else { target };
        let least = if self.is_yielding() { LEAST_YIELDING } else { LEAST_ROWS };
        let (least, most) = (least.min(self.most), self.most);
        let took = batch.transaction.max(Duration::from_micros(1));
        // Among the rows that a batch might have had most may have had to stay: they took time, too.
        let is_full = batch.rows >= u64::from(self.rows / 2);
        let rows = if is_full { batch.rows } else { self.rows.into() };
        let fitting = rows as f64 * (target.as_secs_f64() / took.as_secs_f64());
        let may_grow = is_full || (!self.is_yielding() && took.saturating_mul(CLEARLY_LESS) < target);
        let growing = if may_grow { self.rows.saturating_mul(2) } else { self.rows };
        self.rows = (fitting.round() as u32).clamp(self.rows / 2, growing).clamp(least, most);
    }

    /// Hears that a batch failed because a lock or a statement took too long: the next one is half as large.
    pub fn timed_out(&mut self) {
        self.rows = (self.rows / 2).max(1);
    }

    /// Rest after a batch, and for what; none where the next may come at once.
    pub fn rest(&self, batch: Taken) -> Option<(Wait, Duration)> {
        // What was done beside the database, such as the removal of files, was a rest for it.
        let rested = batch.since_last.saturating_sub(batch.transaction);
        // One that takes longer waited for somebody itself, or cannot be made any shorter.
        let due = batch.transaction.min(YIELDING_TARGET).saturating_mul(YIELDING_REST).saturating_sub(rested);
        let yielding = if self.is_yielding() { due } else { Duration::ZERO };
        let at_rate = self.pace.rows_per_second.map(|rate| {
            let due = Duration::try_from_secs_f64(batch.rows as f64 / rate.get() as f64).unwrap_or(Duration::MAX);
            due.saturating_sub(batch.since_last)
        });
        let rests = [
            (Wait::Pause, self.pace.pause.unwrap_or_default()),
            (Wait::Rate, at_rate.unwrap_or_default()),
            (Wait::Others, yielding),
        ];
        rests.into_iter().max_by_key(|(_, rest)| *rest).filter(|(_, rest)| !rest.is_zero())
    }

    /// Distance of a replica beyond which the run waits.
    pub fn max_replica_lag(&self) -> Option<Duration> {
        self.pace.max_replica_lag
    }

    /// True if this machine is so loaded that the run waits; also where the load is not known.
    pub fn is_overloaded(&self, load: impl FnOnce() -> Option<f64>) -> bool {
        self.pace.max_load.is_some_and(|most| load().is_none_or(|load| load > most))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pacer(pace: Pace) -> Pacer {
        Pacer::new(pace, 10_000)
    }

    fn taken(rows: u64, transaction: Duration) -> Taken {
        Taken { rows, transaction, since_last: transaction }
    }

    /// Rows of the batches of a run whose rows take so long each.
    fn settled(mut pacer: Pacer, row: Duration, others: bool) -> u32 {
        for _ in 0..50 {
            let rows = pacer.rows();
            pacer.took(taken(rows.into(), row * rows), others);
        }
        pacer.rows()
    }

    #[test]
    fn batches_fit_the_target() {
        let micros = Duration::from_micros;
        assert_eq!(settled(pacer(Pace::default()), micros(1), false), 10_000);
        assert_eq!(settled(pacer(Pace::default()), micros(100), false), 1000);
        let pace = Pace { target: Some(20 * MS), ..Pace::default() };
        assert_eq!(settled(pacer(pace), micros(100), false), 200);
        // One commit costs more than a few rows.
        assert_eq!(settled(pacer(Pace::default()), 50 * MS, false), LEAST_ROWS);
        assert_eq!(settled(pacer(Pace::default()), 50 * MS, true), LEAST_YIELDING);
        assert_eq!(settled(Pacer::new(Pace::default(), 7), 10 * MS, false), 7);
    }

    #[test]
    fn batches_of_few_rows_stay_large() {
        let mut run = pacer(Pace::default());
        for rows in [0, 3, 0, 40, 0] {
            run.took(taken(rows, MS), false);
        }
        assert_eq!(run.rows(), 10_000, "what stays is passed over in large steps");
        for _ in 0..5 {
            run.took(taken(3, 20 * MS), false);
        }
        assert_eq!(run.rows(), 10_000);
        run.took(taken(3, 200 * MS), false);
        assert_eq!(run.rows(), 5000);
        for _ in 0..5 {
            run.took(taken(3, MS), true);
        }
        assert_eq!(run.rows(), 5000, "it does not become larger while others are at work");
    }

    #[test]
    fn yields_while_others_are_at_work() {
        let mut run = pacer(Pace::default());
        assert_eq!(run.rest(taken(2000, 2 * MS)), None);
        run.took(taken(2000, 20 * MS), true);
        assert_eq!(run.rows(), 1000);
        assert_eq!(run.rest(taken(1000, 2 * MS)), Some((Wait::Others, 18 * MS)));
        assert_eq!(run.rest(taken(1000, 900 * MS)), Some((Wait::Others, 45 * MS)));
        let with_files = Taken { rows: 1000, transaction: 2 * MS, since_last: 12 * MS };
        assert_eq!(run.rest(with_files), Some((Wait::Others, 8 * MS)));
        for _ in 0..9 {
            run.took(Taken { rows: 1000, transaction: 5 * MS, since_last: 110 * MS }, false);
            assert!(run.is_yielding());
        }
        run.took(Taken { rows: 1000, transaction: 5 * MS, since_last: 110 * MS }, false);
        assert!(!run.is_yielding());
        assert_eq!(run.rest(taken(1000, 2 * MS)), None);
    }

    #[test]
    fn rests_as_long_as_the_slowest_rule_says() {
        let per_second = |rows| Pace { rows_per_second: std::num::NonZeroU64::new(rows), ..Pace::default() };
        let run = pacer(per_second(1000));
        assert_eq!(run.rows(), 1000);
        assert_eq!(run.rest(taken(1000, 300 * MS)), Some((Wait::Rate, 700 * MS)));
        assert_eq!(run.rest(taken(1000, 1300 * MS)), None);
        let run = pacer(Pace { pause: Some(800 * MS), ..per_second(1000) });
        assert_eq!(run.rest(taken(1000, 300 * MS)), Some((Wait::Pause, 800 * MS)));
    }

    #[test]
    fn f16_halves_what_timed_out() {
        let mut run = pacer(Pace::default());
        for rows in [1000, 500, 250] {
            run.timed_out();
            assert_eq!(run.rows(), rows);
        }
        (0..20).for_each(|_| run.timed_out());
        assert_eq!(run.rows(), 1);
    }

    #[test]
    fn an_unknown_load_is_too_much() {
        let run = pacer(Pace { max_load: Some(2.0), ..Pace::default() });
        assert!(run.is_overloaded(|| None) && run.is_overloaded(|| Some(2.1)) && !run.is_overloaded(|| Some(2.0)));
        assert!(!pacer(Pace::default()).is_overloaded(|| None));
    }

    proptest! {
        /// A batch never has no rows, nor more than it may, and never more than twice as many as the one before.
        #[test]
        fn batches_stay_within_bounds(
            most in 1u32..100_000,
            rate in proptest::option::of(1u64..50_000),
            batches in proptest::collection::vec((0u64..100_000, 0u64..10_000_000, any::<bool>(), any::<bool>()), 0..40),
        ) {
            let pace = Pace { rows_per_second: rate.and_then(std::num::NonZeroU64::new), ..Pace::default() };
            let mut run = Pacer::new(pace, most);
            for (rows, micros, others, timed_out) in batches {
                let before = run.rows();
                let batch = taken(rows, Duration::from_micros(micros));
                match timed_out {
                    true => run.timed_out(),
                    false => run.took(batch, others),
                }
                prop_assert!(run.rows() >= 1 && run.rows() <= most);
                prop_assert!(rate.is_none_or(|rate| u64::from(run.rows()) <= rate));
                prop_assert!(run.rows() <= before.saturating_mul(2).max(LEAST_YIELDING));
                let _ = run.rest(batch);
            }
        }
    }
}
