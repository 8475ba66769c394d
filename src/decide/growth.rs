//! Growth: whether a scheduled run would take far more than the policy's runs usually do. Pure.
//!
//! A run may take ten times what the largest of the recent ones took (`max_growth`), so many times more as usual intervals have
//! passed since the last one came to its end; 1,000 things always. Recent are the runs of the last 30 days, or the last ten
//! where these are more. Where none of them took anything, it may take a tenth of everything that there is. What is held is
//! measured as on the day on which it was held first, however long it waits.

use jiff::{SignedDuration, Timestamp};

use crate::outcome::{Held, HoldKind};

/// Days back and number of runs, at least, that tell what is usual.
pub const USUAL_DAYS: i64 = 30;
pub const USUAL_RUNS: usize = 10;
/// A run that takes no more than this is never held for its size.
pub const NEVER_HELD: u64 = 1000;
/// Largest share of a table or store that the first run of a policy may take.
const FIRST_SHARE: f64 = 0.1;
/// Time that lies between two runs where no two of the schedule are known.
const ASSUMED_INTERVAL: SignedDuration = SignedDuration::from_hours(24);

/// Amount that an enforcing run took for a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRun {
    pub started_at: Timestamp,
    /// Rows, or files where the policy is about a store.
    pub amount: u64,
    /// The schedule asked for it.
    pub scheduled: bool,
}

/// Size of the runs that a policy usually has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The largest of them; none without a run that took anything.
    largest: Option<u64>,
    /// Number of runs that lie between the last one and now, were they as frequent as usual; at least 1.
    intervals: f64,
}

impl Usual {
    /// Reads what past runs, newest first, tell for a run at `now`.
    pub fn of(past: &[PastRun], now: Timestamp) -> Self {
        let largest = past.iter().map(|run| run.amount).max().filter(|largest| *largest > 0);
        let intervals = match past {
            [] => 1.0,
            [newest, ..] => {
                let elapsed = now.duration_since(newest.started_at).as_secs_f64();
                (elapsed / usual_interval(past).as_secs_f64().max(1.0)).max(1.0)
            }
        };
        Self { largest, intervals }
    }

    /// The most that a run may take without an approval; `of`: everything that there is, asked for where no run tells
    /// what is usual.
    pub fn most(&self, max_growth: u64, of: u64) -> u64 {
        let most = match self.largest {
            Some(largest) => largest as f64 * max_growth as f64 * self.intervals,
            None => of as f64 * FIRST_SHARE,
        };
        // Truncates on purpose; more than fits is the largest that there is.
        (most as u64).max(NEVER_HELD)
    }

    /// True if everything that there is has to be counted.
    pub fn is_first(&self) -> bool {
        self.largest.is_none()
    }

    /// The hold of a run that would take so much; `most` of it, `of` everything that there is.
    pub fn held(&self, since: Timestamp, amount: u64, what: &str, (most, of): (u64, u64)) -> Held {
        let numbers = [("amount", Some(amount)), ("most", Some(most)), ("largest", self.largest)];
        let numbers = numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), number?.into())));
        Held::new(since, HoldKind::Growth, self.reason(amount, what, (most, of)), numbers.collect())
    }

    /// The reason for a hold, in words.
    fn reason(&self, amount: u64, what: &str, (most, of): (u64, u64)) -> String {
        match self.largest {
            Some(largest) => format!(
                "{amount} {what} would go, and the largest of its recent runs took {largest}: more than {most} wait for an \
                 approval"
            ),
            None => format!(
                "{amount} of {of} {what} would go, and no run of the policy has taken any before: more than {most} wait for \
                 an approval"
            ),
        }
    }
}

/// Longest time between two successive runs of the schedule: those on request may follow one another at once.
fn usual_interval(past: &[PastRun]) -> SignedDuration {
    let scheduled: Vec<_> = past.iter().filter(|run| run.scheduled).map(|run| run.started_at).collect();
    let gaps = scheduled.windows(2).map(|pair| pair[0].duration_since(pair[1]));
    gaps.max().unwrap_or(ASSUMED_INTERVAL)
}

#[cfg(test)]
mod year;

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + number * 86_400).unwrap()
    }

    fn past(amounts: &[u64]) -> Vec<PastRun> {
        let nights = amounts.iter().enumerate();
        nights
            .map(|(night, amount)| PastRun { started_at: day(-(night as i64)), amount: *amount, scheduled: true })
            .collect()
    }

    #[test]
    fn ten_times_the_largest_night_is_the_most() {
        let usual = Usual::of(&past(&[500, 700, 300]), day(1));
        assert_eq!(usual.most(10, 1_000_000), 7000);
        assert_eq!(usual.most(2, 1_000_000), 1400);
    }

    #[test]
    fn a_month_without_runs_lets_a_month_go() {
        let usual = Usual::of(&past(&[500, 500]), day(31));
        assert_eq!(usual.most(10, 1_000_000), 155_000);
        // One run alone is taken for one of every day.
        assert_eq!(Usual::of(&past(&[500]), day(10)).most(10, 0), 50_000);
    }

    #[test]
    fn runs_on_request_leave_the_usual_interval_alone() {
        let mut runs = past(&[500, 500]);
        let by_hand = PastRun { started_at: day(0), amount: 500, scheduled: false };
        runs.splice(0..0, [by_hand; 3]);
        assert_eq!(Usual::of(&runs, day(1)).most(10, 0), 5000);
        assert_eq!(Usual::of(&[by_hand; 3], day(1)).most(10, 0), 5000);
    }

    #[test]
    fn a_few_things_are_never_held() {
        assert_eq!(Usual::of(&past(&[1]), day(1)).most(10, 0), NEVER_HELD);
        assert_eq!(Usual::of(&[], day(1)).most(10, 50), NEVER_HELD);
    }

    #[test]
    fn a_first_run_takes_a_tenth() {
        for nothing in [past(&[]), past(&[0, 0, 0])] {
            let usual = Usual::of(&nothing, day(1));
            assert!(usual.is_first());
            assert_eq!(usual.most(10, 50_000), 5000);
        }
    }
}
