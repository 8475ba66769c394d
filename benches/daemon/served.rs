//! A daemon that is asked while it purges: how soon it answers, and how much longer the purge takes while somebody abuses
//! its TCP port.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::abuse::{self, Abuse};
use super::serving::Daemon;
use crate::bench::{Bench, engine_name};
use crate::engines::EngineKind;
use crate::http;
use crate::measure::{quantile, rounds};
use crate::purge::{Fixture, Layout, ROWS};
use crate::report::{Figure, Goal, Unit};

/// Milliseconds within which 99 of 100 answers have to come.
const LATENCY_LIMIT: f64 = 5.0;
/// Part by which abuse may make a purge take longer.
const ABUSE_LIMIT: f64 = 1.05;
/// Interval of the requests: fifty in a second.
const PERIOD: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Alone,
    Abused,
}

/// Both on SQLite and on PostgreSQL.
pub fn served(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for kind in [EngineKind::Postgres, EngineKind::Sqlite] {
        let fixture = bench.fixture(kind, Layout::Ascending, bench.scaled(ROWS))?;
        figures.push(latency(bench, &fixture, engine_name(kind))?);
        figures.push(speed(bench, &fixture, engine_name(kind))?);
        fixture.rest();
    }
    Ok(figures)
}

/// How soon a status is answered during a purge.
fn latency(bench: &Bench, fixture: &Fixture, engine: &str) -> anyhow::Result<Figure> {
    let (mut p99, mut count) = (Vec::new(), 0);
    for _ in 0..bench.rounds {
        fixture.restore()?;
        let daemon = Daemon::start(fixture)?;
        let run = daemon.begin()?;
        let mut answers = Vec::new();
        loop {
            let began = Instant::now();
            let status = http::request(daemon.socket(), "GET", "/api/v1/status", "");
            answers.push(began.elapsed().as_secs_f64() * 1e3);
            ensure!(status.status == 200, "{}", status.body);
            let under_way = status.body["progress"].as_array().context("progress is a list")?;
            if under_way.is_empty() {
                break;
            }
            std::thread::sleep(PERIOD.saturating_sub(began.elapsed()));
        }
        daemon.ended(&run)?;
        daemon.stop()?;
        fixture.ensure_purged()?;
        count += answers.len();
        p99.extend(quantile(&answers, 0.99));
    }
    let figure = Figure::value(&format!("p99 of a status during a purge, {engine}"), "", Unit::Millis, &p99);
    Ok(figure.goal(Goal::AtMost(LATENCY_LIMIT)).remark(format!("{count} answers")))
}

/// How long a purge takes during abuse, beside one that is left alone.
fn speed(bench: &Bench, fixture: &Fixture, engine: &str) -> anyhow::Result<Figure> {
    let mut thrown = 0;
    let times = rounds(0..bench.rounds, &[Side::Alone, Side::Abused], |side| {
        fixture.restore()?;
        let daemon = Daemon::start(fixture)?;
        let secs = match side {
            Side::Alone => daemon.purge()?,
            Side::Abused => {
                let abuse = Abuse::begin(daemon.address(), daemon.token());
                let secs = daemon.purge()?;
                thrown += abuse.end();
                secs
            }
        };
        daemon.stop()?;
        fixture.ensure_purged()?;
        Ok(Duration::from_secs_f64(secs))
    })?;
    let work = format!("purge by a daemon that is abused, {engine}");
    let figure = Figure::ratio(&work, "left alone", times.of(Side::Abused), times.of(Side::Alone));
    let remark = format!("{}, {thrown} malformed requests", abuse::WORDS);
    Ok(figure.goal(Goal::AtMost(ABUSE_LIMIT)).remark(remark))
}
