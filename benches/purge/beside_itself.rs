//! A purge beside another of its kind: its plan, one of fewer rows, the very same.

use super::{Layout, ROWS};
use crate::bench::Bench;
use crate::engines::EngineKind;
use crate::measure::{rounds, run_watched};
use crate::report::{Figure, Goal};

/// Part by which time and memory may grow with the table.
const GROWTH_LIMIT: f64 = 1.15;
/// Part by which a binary may differ from itself.
const NOISE_LIMIT: f64 = 0.03;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Other,
    Purge,
}

/// The plan of a policy beside its run.
pub fn plan(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let fixture = bench.fixture(EngineKind::Postgres, Layout::Ascending, bench.scaled(ROWS))?;
    let times = rounds(0..bench.rounds, &[Side::Other, Side::Purge], |side| match side {
        Side::Purge => Ok(fixture.purge("")?.duration),
        Side::Other => {
            fixture.restore()?;
            Ok(run_watched(fixture.retaind("")?.args(["plan", "readings", "--json"]))?.duration)
        }
    })?;
    let work = "plan of 1 M of 2 M rows, PostgreSQL";
    Ok(vec![Figure::ratio(work, "its run", times.of(Side::Other), times.of(Side::Purge)).goal(Goal::AtMost(0.15))])
}

/// The same purge twice: what the bench itself adds.
pub fn noise(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let fixture = bench.fixture(EngineKind::Postgres, Layout::Ascending, bench.scaled(ROWS))?;
    let sides = [Side::Other, Side::Purge];
    // Twice as many pairs: it is this one that says how much a ratio is worth.
    let times = rounds(0..2 * bench.rounds, &sides, |_| Ok(fixture.purge("")?.duration))?;
    let figure =
        Figure::ratio("1 M of 2 M rows, PostgreSQL", "the same again", times.of(Side::Purge), times.of(Side::Other));
    Ok(vec![figure.goal(Goal::Near(NOISE_LIMIT))])
}

/// A table twice as large.
pub fn growth(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    grown(bench, ROWS / 2, ROWS)
}

/// A large table, and one five times as large.
pub fn growth_of_large(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    grown(bench, 10_000_000, 50_000_000)
}

fn grown(bench: &Bench, fewer: u64, more: u64) -> anyhow::Result<Vec<Figure>> {
    let count = |rows| bench.scaled(rows);
    let fixture = |rows| bench.fixture(EngineKind::Postgres, Layout::Ascending, count(rows));
    let (small, large) = (fixture(fewer)?, fixture(more)?);
    let (mut small_peaks, mut large_peaks) = (Vec::new(), Vec::new());
    let times = rounds(0..bench.rounds, &[Side::Other, Side::Purge], |side| {
        let (fixture, peaks) = match side {
            Side::Other => (&small, &mut small_peaks),
            Side::Purge => (&large, &mut large_peaks),
        };
        let run = fixture.purge("")?;
        fixture.rest();
        peaks.push(run.peak_mib);
        Ok(run.duration)
    })?;
    let each = |side, rows: u64| times.of(side).iter().map(|secs| secs / count(rows) as f64).collect::<Vec<f64>>();
    let millions = |rows: u64| format!("{} M", rows / 1_000_000);
    let work = |what: &str| format!("{what}, half of {} rows, PostgreSQL", millions(more));
    let beside = format!("half of {}", millions(fewer));
    let time = Figure::ratio(&work("time for each row"), &beside, &each(Side::Purge, more), &each(Side::Other, fewer));
    let time = Figure { secs: Some((times.median(Side::Other)?, times.median(Side::Purge)?)), ..time };
    let memory = Figure::ratio(&work("peak memory"), &beside, &large_peaks, &small_peaks);
    let memory = Figure { secs: None, ..memory };
    let most = large_peaks.iter().copied().fold(0.0, f64::max);
    Ok(vec![
        time.goal(Goal::AtMost(GROWTH_LIMIT)),
        memory.goal(Goal::AtMost(GROWTH_LIMIT)).remark(format!("at most {most:.1} MiB")),
    ])
}
