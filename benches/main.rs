//! The bench: every row of `docs/performance.md`, measured one after the other, each beside what an operator would use
//! instead. A row that misses its goal, or fails, keeps no other from being measured.

#![allow(clippy::disallowed_methods, reason = "a bench makes and removes its own files, and measures real time")]

mod application;
mod bench;
mod daemon;
// The servers and the client are those of the integration tests: nothing of retaind is in them.
#[allow(unused, clippy::unwrap_used, clippy::expect_used, reason = "the harness offers more than a bench takes")]
#[path = "../tests/it/engines/mod.rs"]
mod engines;
mod files;
#[allow(dead_code, clippy::unwrap_used, reason = "shared with the tests")]
#[path = "../tests/it/http.rs"]
mod http;
mod measure;
#[allow(unused, clippy::expect_used, reason = "shared with the tests")]
#[path = "../tests/it/needs.rs"]
mod needs;
mod purge;
mod report;
mod rows;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Parser;

use bench::Bench;
use engines::Product;
use report::{Figure, Line};
use rows::{ROWS, Row};

/// Rounds below which a figure is a try, and belongs into no documentation.
const ROUNDS_AT_LEAST: u32 = 5;

/// Measures what retaind does beside what an operator would use instead.
#[derive(Parser)]
#[command(name = "all")]
struct Options {
    /// Rows to measure; all of them when none is named.
    rows: Vec<String>,
    /// List the rows.
    #[arg(long)]
    list: bool,
    /// Measure the large ones: up to 50 million rows, 10 million files.
    #[arg(long)]
    large: bool,
    /// Times that each side is measured.
    #[arg(long, default_value_t = ROUNDS_AT_LEAST, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Part of the usual numbers of rows and files.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Write the figures into docs/performance.md.
    #[arg(long)]
    write: bool,
    /// What cargo adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    files::mount_apart()?;
    let rows = chosen(&options)?;
    if options.list {
        rows.iter().for_each(|row| println!("{:<24} {}", row.name, row.about));
        return Ok(ExitCode::SUCCESS);
    }
    let is_try = options.rounds < ROUNDS_AT_LEAST || options.scale < 1.0;
    ensure!(!(options.write && is_try), "what is written has at least {ROUNDS_AT_LEAST} rounds of the usual numbers");
    let bench = Bench::new(options.rounds, options.scale);
    let (mut lines, mut took) = (Vec::new(), Vec::new());
    for row in &rows {
        let started = Instant::now();
        let measured: Vec<Line> =
            measure(row, &bench).into_iter().map(|figure| Line { row: row.name, figure }).collect();
        bench.rest();
        report::print(&measured);
        println!();
        lines.extend(measured);
        took.push((row.name, started.elapsed()));
    }
    summarize(&lines, &took);
    if options.write {
        let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
        for (name, large) in [("bench", false), ("bench-large", true)] {
            let order: Vec<&str> = ROWS.iter().filter(|row| row.large == large).map(|row| row.name).collect();
            if lines.iter().any(|line| order.contains(&line.row)) {
                report::write(&page, name, &machine()?, &order, &lines)?;
            }
        }
    }
    Ok(if lines.iter().all(|line| line.figure.is_met()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(options: &Options) -> anyhow::Result<Vec<&'static Row>> {
    if let Some(unknown) = options.rows.iter().find(|name| ROWS.iter().all(|row| row.name != name.as_str())) {
        bail!("no row is named {unknown}: --list shows them");
    }
    let is_chosen = |row: &&Row| match options.rows.as_slice() {
        [] => options.list || row.large == options.large,
        names => names.iter().any(|name| name == row.name),
    };
    Ok(ROWS.iter().filter(is_chosen).collect())
}

/// Figures of a row. One that fails has a line that says so.
fn measure(row: &Row, bench: &Bench) -> Vec<Figure> {
    eprintln!("{}: {} …", row.name, row.about);
    let failed = |why: String| {
        eprintln!("{}: {why}", row.name);
        vec![Figure::missing(row.about, "", "**failed**")]
    };
    // The harness of the tests panics where something is amiss with a server.
    match std::panic::catch_unwind(AssertUnwindSafe(|| (row.measure)(bench))) {
        Ok(Ok(figures)) => figures,
        Ok(Err(error)) => failed(format!("{error:#}")),
        Err(_) => failed("it panicked".to_owned()),
    }
}

/// A sentence about where all this was measured.
fn machine() -> anyhow::Result<String> {
    let cores = std::thread::available_parallelism()?;
    let kernel = rustix::system::uname();
    let version = |product: Product| -> anyhow::Result<String> {
        let said = Command::new(product.server()).arg("--version").output()?.stdout;
        let said = String::from_utf8(said)?;
        Ok(said
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
            .map_or_else(String::new, str::to_owned))
    };
    Ok(format!(
        "Measured on {cores} cores with Linux {}, PostgreSQL {} and MariaDB {}.",
        kernel.release().to_string_lossy(),
        version(Product::Postgres)?,
        version(Product::MariaDb)?
    ))
}

/// Prints the whole table, and where the time went.
fn summarize(lines: &[Line], took: &[(&str, Duration)]) {
    report::print(lines);
    println!();
    for (row, time) in took {
        println!("{row:<24} {:>6.0} s", time.as_secs_f64());
    }
    println!("{:<24} {:>6.0} s", "all", took.iter().map(|(_, time)| time.as_secs_f64()).sum::<f64>());
    let missed = lines.iter().filter(|line| !line.figure.is_met()).count();
    println!("{missed} of {} figures missed their goal or could not be measured.", lines.len());
}
