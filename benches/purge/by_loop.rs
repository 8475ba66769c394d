//! Half of a table beside the loop that most applications have: `id IN (SELECT … LIMIT n)`, until nothing is left.

use std::time::{Duration, Instant};

use super::{Fixture, Layout, ROWS};
use crate::bench::Bench;
use crate::engines::EngineKind;
use crate::measure::rounds;
use crate::report::{Figure, Goal};

/// Rows of each statement, as most frameworks have it.
const BATCH: u64 = 1000;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Loop,
    Purge,
}

/// Measured with ascending ages alone, where the loop is at its best: with others it goes through all young rows each time.
pub fn beside_loop(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let fixture = bench.fixture(EngineKind::Postgres, Layout::Ascending, bench.scaled(ROWS))?;
    let times = rounds(0..bench.rounds, &[Side::Loop, Side::Purge], |side| match side {
        Side::Loop => delete_in_loop(&fixture),
        Side::Purge => Ok(fixture.purge("")?.duration),
    })?;
    let beside = format!("`id IN (SELECT … LIMIT {BATCH})` in a loop");
    let figure = Figure::ratio("1 M of 2 M rows, PostgreSQL", &beside, times.of(Side::Purge), times.of(Side::Loop));
    Ok(vec![figure.goal(Goal::AtMost(0.1)).remark("ascending")])
}

fn delete_in_loop(fixture: &Fixture) -> anyhow::Result<Duration> {
    fixture.restore()?;
    let delete = format!(
        "DELETE FROM readings WHERE id IN (SELECT id FROM readings WHERE {} LIMIT {BATCH}) RETURNING id",
        fixture.old()
    );
    let statement = format!("WITH gone AS ({delete}) SELECT count(*) FROM gone");
    let mut client = fixture.connect()?;
    let started = Instant::now();
    while client.query(&statement).map_err(anyhow::Error::from_boxed)? != [[Some("0".to_owned())]] {}
    let duration = started.elapsed();
    fixture.ensure_purged()?;
    Ok(duration)
}
