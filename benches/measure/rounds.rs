//! Rounds in which several sides do the same work, each on what the others found, and what came of them.

use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use anyhow::Context;

/// Times of several sides, round by round.
pub struct Times<S> {
    sides: Vec<S>,
    /// Seconds, for each side.
    secs: Vec<Vec<f64>>,
}

/// Measures each side once a round, and shows on standard error how long it took. Who goes first changes, in case the
/// machine tires.
pub fn rounds<S: Copy + Debug>(
    numbers: Range<u32>,
    sides: &[S],
    mut measure: impl FnMut(S) -> anyhow::Result<Duration>,
) -> anyhow::Result<Times<S>> {
    let mut secs = vec![Vec::new(); sides.len()];
    for round in numbers {
        for turn in 0..sides.len() {
            let at = (round as usize + turn) % sides.len();
            let took = measure(sides[at])?.as_secs_f64();
            eprint!(" {:?} {took:.3} s", sides[at]);
            secs[at].push(took);
        }
        eprintln!();
    }
    Ok(Times { sides: sides.to_vec(), secs })
}

impl<S: Copy + PartialEq> Times<S> {
    /// Seconds of one side, in the order of the rounds; none of a side that was not measured.
    pub fn of(&self, side: S) -> &[f64] {
        self.sides.iter().position(|it| *it == side).map_or(&[], |at| &self.secs[at])
    }

    /// Appends later rounds of the same sides.
    pub fn append(&mut self, later: Self) {
        self.secs.iter_mut().zip(later.secs).for_each(|(secs, later)| secs.extend(later));
    }

    /// Median of a side, in seconds.
    pub fn median(&self, side: S) -> anyhow::Result<f64> {
        median(self.of(side)).context("no round was measured")
    }
}

/// Middle one of several values; of an even number the mean of the two.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some((lower + upper) / 2.0)
}

/// Value below which that part of the values lies.
pub fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * part).round() as usize).copied()
}
