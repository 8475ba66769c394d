//! Purges half of a table with `retaind run` and with one raw `DELETE`, on identical copies, and prints the ratio;
//! with `--sigterm`, stops the purge in the middle and compares the ledger with what is gone.

#![allow(clippy::disallowed_methods, reason = "a bench makes and removes its own files, and measures real time")]

// The servers and the client are those of the integration tests: nothing of retaind is in them.
#[path = "../common/engine.rs"]
mod engine;
#[allow(unused, clippy::unwrap_used, clippy::expect_used, reason = "the harness offers more than a bench takes")]
#[path = "../../tests/it/engines/mod.rs"]
mod engines;
#[allow(dead_code, reason = "shared with the bench of a served daemon")]
mod fixture;
#[allow(unused, clippy::expect_used, reason = "shared with the tests")]
#[path = "../../tests/it/needs.rs"]
mod needs;
#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../common/process.rs"]
mod process;
mod ratio;
mod sigterm;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use engine::Engine;
use fixture::Fixture;

/// Measures a purge of half a table beside one raw DELETE.
#[derive(Parser)]
#[command(name = "purge")]
struct Options {
    /// Engines to measure; all of them when none is named.
    engines: Vec<Engine>,
    /// Rows in the table; half of them are old.
    #[arg(long, default_value_t = 2_000_000)]
    rows: u64,
    /// Times that each side is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Stop the purge with SIGTERM at several moments instead of timing it.
    #[arg(long)]
    sigterm: bool,
    /// End with an error when a limit is missed.
    #[arg(long)]
    check: bool,
    /// What cargo adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How many times longer than one raw DELETE a purge may take.
fn ratio_limit(engine: Engine) -> f64 {
    match engine {
        Engine::Postgres | Engine::Mariadb => 1.5,
        Engine::Sqlite => 2.0,
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let engines = if options.engines.is_empty() { Engine::value_variants() } else { &options.engines };
    if options.sigterm {
        println!("{:<11} {:>9} {:>9} {:>13} {:>13}  status", "engine", "SIGTERM", "exit", "gone", "in ledger");
    } else {
        println!(
            "{:<11} {:>11} {:>11} {:>6} {:>6} {:>12}  each round, in seconds: DELETE/retaind",
            "engine", "one DELETE", "retaind", "ratio", "limit", "peak memory"
        );
    }
    let mut held = true;
    for engine in engines {
        let fixture = Fixture::fill(engine.kind(), options.rows)?;
        held &= if options.sigterm {
            sigterm::measure(&fixture, engine.name())?
        } else {
            ratio::measure(&fixture, engine.name(), ratio_limit(*engine), options.rounds)?
        };
    }
    if options.check && !held {
        eprintln!("A limit was missed.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
