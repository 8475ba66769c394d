//! Half of a table beside one raw `DELETE`, and on MariaDB beside `pt-archiver`, with its ages in each order.

use std::process::Command;
use std::time::Duration;

use crate::bench::{Bench, engine_name};
use crate::engines::EngineKind;
use crate::measure::{Times, rounds, time};
use crate::report::{Figure, Goal, Unit};

use super::{Fixture, Layout, ROWS};

/// So many times its goal, and nothing is gained by more than one round.
const FAR: f64 = 5.0;
/// Resident memory that a purge may take, in MiB.
const MEMORY_LIMIT: f64 = 24.0;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Delete,
    Archiver,
    Purge,
    Parallel,
}

/// PostgreSQL, over one connection and over two.
pub fn postgres(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let goals = [(Side::Purge, Side::Delete, 1.1), (Side::Parallel, Side::Delete, 0.8)];
    measure(bench, EngineKind::Postgres, &goals)
}

/// MariaDB.
pub fn mariadb(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let goals = [(Side::Purge, Side::Delete, 1.15), (Side::Purge, Side::Archiver, 0.4)];
    measure(bench, EngineKind::MariaDb, &goals)
}

/// SQLite, in WAL mode.
pub fn sqlite(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    measure(bench, EngineKind::Sqlite, &[(Side::Purge, Side::Delete, 1.2)])
}

/// Figures for such pairs of sides, each with its goal, and the memory that a purge took.
fn measure(bench: &Bench, kind: EngineKind, goals: &[(Side, Side, f64)]) -> anyhow::Result<Vec<Figure>> {
    let rows = bench.scaled(ROWS);
    let mut layouts: Vec<Vec<(String, Figure)>> = vec![Vec::new(); goals.len()];
    let mut peaks = Vec::new();
    for layout in Layout::ALL {
        let fixture = bench.fixture(kind, layout, rows)?;
        let sides = sides(goals, fixture.takes("parallel = 2")?);
        let mut measure = |side: Side| side.measure(&fixture, &mut peaks);
        let mut times = rounds(0..1, &sides, &mut measure)?;
        let name = if goals.iter().any(|goal| is_far(&times, goal)) {
            format!("{} (one round)", layout.name())
        } else {
            times.append(rounds(1..bench.rounds, &sides, &mut measure)?);
            layout.name().to_owned()
        };
        for (figures, (ours, theirs, limit)) in layouts.iter_mut().zip(goals) {
            let work = format!("1 M of 2 M rows, {}{}", engine_name(kind), ours.suffix());
            let figure = match times.of(*ours) {
                [] => Figure::missing(&work, theirs.name(), "not there"),
                secs => Figure::ratio(&work, theirs.name(), secs, times.of(*theirs)),
            };
            figures.push((name.clone(), figure.goal(Goal::AtMost(*limit))));
        }
    }
    let mut figures: Vec<Figure> = layouts.into_iter().filter_map(Figure::worst).collect();
    let work = format!("peak memory of that purge, {}", engine_name(kind));
    figures.push(Figure::greatest(&work, Unit::Mib, &peaks).goal(Goal::AtMost(MEMORY_LIMIT)));
    Ok(figures)
}

/// Each side of these pairs once, the other ones first.
fn sides(goals: &[(Side, Side, f64)], has_parallel: bool) -> Vec<Side> {
    let mut sides = Vec::new();
    for side in goals.iter().flat_map(|(ours, theirs, _)| [*theirs, *ours]) {
        if !sides.contains(&side) && (side != Side::Parallel || has_parallel) {
            sides.push(side);
        }
    }
    sides
}

fn is_far(times: &Times<Side>, (ours, theirs, limit): &(Side, Side, f64)) -> bool {
    let mut pairs = times.of(*ours).iter().zip(times.of(*theirs));
    pairs.any(|(ours, theirs)| ours / theirs > FAR * limit)
}

impl Side {
    fn measure(self, fixture: &Fixture, peaks: &mut Vec<f64>) -> anyhow::Result<Duration> {
        match self {
            Side::Delete => fixture.delete_at_once(),
            Side::Archiver => archiver(fixture),
            Side::Purge => {
                let run = fixture.purge("")?;
                peaks.push(run.peak_mib);
                Ok(run.duration)
            }
            Side::Parallel => Ok(fixture.purge("parallel = 2")?.duration),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Side::Delete => "one raw `DELETE`",
            Side::Archiver => "`pt-archiver --bulk-delete --limit 5000 --commit-each`",
            Side::Purge | Side::Parallel => "",
        }
    }

    fn suffix(self) -> &'static str {
        if self == Side::Parallel { ", `parallel = 2`" } else { "" }
    }
}

fn archiver(fixture: &Fixture) -> anyhow::Result<Duration> {
    fixture.restore()?;
    let (server, database) = (fixture.database().server(), fixture.database().name());
    let source = format!("S={},D={database},t=readings,u=retaind", server.socket().display());
    let mut archiver = Command::new("pt-archiver");
    archiver.args(["--source", &source, "--purge", "--where", fixture.old()]);
    archiver.args(["--bulk-delete", "--limit", "5000", "--commit-each", "--no-check-charset"]);
    // Or else the row with the greatest key stays.
    archiver.arg("--no-safe-auto-increment");
    let duration = time(&mut archiver)?;
    fixture.ensure_purged()?;
    Ok(duration)
}
