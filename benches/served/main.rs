//! Measures a daemon that is asked while it purges: how soon it answers `GET /api/v1/status` on the socket, and how much longer
//! the purge takes while somebody abuses its TCP port.

#![allow(clippy::disallowed_methods, reason = "a bench makes and removes its own files, and measures real time")]

mod abuse;
mod daemon;
#[path = "../common/engine.rs"]
mod engine;
// The servers and the client are those of the integration tests: nothing of retaind is in them.
#[allow(unused, clippy::unwrap_used, clippy::expect_used, reason = "the harness offers more than a bench takes")]
#[path = "../../tests/it/engines/mod.rs"]
mod engines;
#[allow(dead_code, reason = "shared with the bench of purges")]
#[path = "../purge/fixture.rs"]
mod fixture;
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests")]
#[path = "../../tests/it/http.rs"]
mod http;
#[allow(unused, clippy::expect_used, reason = "shared with the tests")]
#[path = "../../tests/it/needs.rs"]
mod needs;
#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../common/process.rs"]
mod process;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;

use abuse::Abuse;
use daemon::Daemon;
use engine::Engine;
use fixture::Fixture;
use process::median;

/// Time within which 99 of 100 answers have to come.
const LATENCY_LIMIT: Duration = Duration::from_millis(5);
/// Part of its speed that a purge has to keep.
const SPEED_LIMIT: f64 = 0.95;
/// Interval of the requests: fifty in a second.
const PERIOD: Duration = Duration::from_millis(20);

/// Measures a daemon that is asked, and abused, while it purges half a table.
#[derive(Parser)]
#[command(name = "served")]
struct Options {
    /// Engines to measure; SQLite and PostgreSQL when none is named.
    engines: Vec<Engine>,
    /// Rows in the table; half of them are old.
    #[arg(long, default_value_t = 3_000_000)]
    rows: u64,
    /// Times that each side is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// End with an error when a limit is missed.
    #[arg(long)]
    check: bool,
    /// What cargo adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let engines = match options.engines.as_slice() {
        [] => &[Engine::Sqlite, Engine::Postgres],
        engines => engines,
    };
    let mut held = true;
    for engine in engines {
        let fixture = Fixture::fill(engine.kind(), options.rows)?;
        held &= latency(&fixture, engine.name(), options.rounds)?;
        held &= speed(&fixture, engine.name(), options.rounds)?;
    }
    if options.check && !held {
        eprintln!("A limit was missed.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints how soon a status is answered during a purge, and says whether the limit held.
fn latency(fixture: &Fixture, engine: &str, rounds: u32) -> anyhow::Result<bool> {
    let mut answers = Vec::new();
    for _ in 0..rounds {
        fixture.restore()?;
        let daemon = Daemon::start(fixture)?;
        let run = daemon.begin()?;
        loop {
            let began = Instant::now();
            let status = http::request(daemon.socket(), "GET", "/api/v1/status", "");
            answers.push(began.elapsed());
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
    }
    answers.sort_unstable();
    let of = |hundredths: usize| answers[(answers.len() - 1) * hundredths / 100];
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{engine:<11} status during a purge: {} answers, half within {:.1} ms, 99 of 100 within {:.1} ms (limit {} ms), all within {:.1} ms",
        answers.len(),
        millis(of(50)),
        millis(of(99)),
        LATENCY_LIMIT.as_millis(),
        millis(of(100)),
    );
    Ok(of(99) < LATENCY_LIMIT)
}

/// Prints how fast a purge is during abuse, beside one that is left alone, and says whether the limit held.
fn speed(fixture: &Fixture, engine: &str, rounds: u32) -> anyhow::Result<bool> {
    let (mut alone, mut abused, mut thrown) = (Vec::new(), Vec::new(), 0.0);
    for round in 0..rounds {
        // Who goes first changes, in case the machine tires.
        for turn in 0..2 {
            fixture.restore()?;
            let daemon = Daemon::start(fixture)?;
            if (round + turn) % 2 == 0 {
                alone.push(daemon.purge()?);
            } else {
                let abuse = Abuse::begin(daemon.address(), daemon.token());
                let began = Instant::now();
                abused.push(daemon.purge()?);
                thrown += abuse.end() as f64 / began.elapsed().as_secs_f64();
            }
            daemon.stop()?;
            fixture.ensure_purged()?;
        }
    }
    let (Some(alone_secs), Some(abused_secs)) = (median(&alone), median(&abused)) else {
        anyhow::bail!("no round was measured");
    };
    let kept = alone_secs / abused_secs;
    let pairs: Vec<String> =
        alone.iter().zip(&abused).map(|(alone, abused)| format!("{alone:.2}/{abused:.2}")).collect();
    println!(
        "{engine:<11} purge alone {alone_secs:.2} s, abused {abused_secs:.2} s: {:.0} % of its speed (limit {:.0} %); {}, {:.0} \
         malformed requests each second; each round, in seconds: alone/abused {}",
        kept * 100.0,
        SPEED_LIMIT * 100.0,
        abuse::WORDS,
        thrown / f64::from(rounds),
        pairs.join(" ")
    );
    Ok(kept >= SPEED_LIMIT)
}
