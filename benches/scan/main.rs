//! Scans a store for orphans, walks it, and removes files of it; beside each the same with find, sort, comm and psql on
//! the same tree. Prints ratios.

#![allow(clippy::disallowed_methods, reason = "a bench makes and removes its own files, and measures real time")]

// The servers and the client are those of the integration tests: nothing of retaind is in them.
#[allow(unused, clippy::unwrap_used, clippy::expect_used, reason = "the harness offers more than a bench takes")]
#[path = "../../tests/it/engines/mod.rs"]
mod engines;
#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../common/process.rs"]
mod process;
mod tree;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};

use engines::{Database, EngineKind, Server, ServerOptions};
use process::{Watched, median, retaind};
use tree::{Tree, World};

/// Time of a scan over that of the same by hand.
const SCAN_LIMIT: f64 = 0.8;
/// Resident memory that a scan may take, beside what each reference takes.
const MEMORY_LIMIT_MIB: f64 = 24.0;
const BYTES_PER_REFERENCE: f64 = 10.0;
/// Time of a scan of ten times as many files over that of the fewer.
const GROWTH_LIMIT: f64 = 11.0;
/// Time of a walk over that of `find -type f`.
const WALK_LIMIT: f64 = 1.0;
/// Rate of removals over that of `find -delete`.
const REMOVAL_LIMIT: f64 = 1.5;
/// Time for a file of one directory that has all, over that for a file of many directories.
const FLAT_LIMIT: f64 = 1.0;

/// Measures scans, walks and removals beside find, sort and comm.
#[derive(Parser)]
#[command(name = "scan")]
struct Options {
    /// What to measure; all of it when nothing is named.
    parts: Vec<Part>,
    /// Files in the tree that is scanned.
    #[arg(long, default_value_t = 1_000_000)]
    files: u64,
    /// Files that are removed.
    #[arg(long, default_value_t = 200_000)]
    removed: u64,
    /// Times that each side is measured; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// End with an error when a limit is missed.
    #[arg(long)]
    check: bool,
    /// What cargo adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An orphan scan, beside comm of find and COPY.
    Scan,
    /// A tenth of the files.
    Growth,
    /// All files in one directory.
    Flat,
    /// A walk alone, beside find.
    Walk,
    /// Removing files, beside find -delete.
    Removal,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let wanted = |part: Part| options.parts.is_empty() || options.parts.contains(&part);
    println!("{:<34} {:>10} {:>10} {:>7} {:>7}", "what", "by hand", "retaind", "ratio", "limit");
    let mut held = true;
    if [Part::Scan, Part::Growth, Part::Flat, Part::Walk].into_iter().any(wanted) {
        held &= scans(&options, &wanted)?;
    }
    if wanted(Part::Removal) {
        held &= removal(&options)?;
    }
    if options.check && !held {
        eprintln!("A limit was missed.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A line of figures; whether the limit held.
fn line(what: &str, theirs: Option<f64>, ours: f64, ratio: f64, limit: f64, at_least: bool) -> bool {
    let theirs = theirs.map_or_else(String::new, |secs| format!("{secs:.2} s"));
    let sign = if at_least { "≥" } else { "≤" };
    println!("{what:<34} {theirs:>10} {:>10} {ratio:>7.2} {sign} {limit:>5.2}", format!("{ours:.2} s"));
    if at_least { ratio >= limit } else { ratio <= limit }
}

fn scans(options: &Options, wanted: &impl Fn(Part) -> bool) -> anyhow::Result<bool> {
    let server = Server::start(EngineKind::Postgres, ServerOptions::default());
    let world = World::fill(Database::on(&server), Tree::Spread, options.files)?;
    let mut held = true;
    if wanted(Part::Walk) {
        held &= walk(&world, options)?;
    }
    let mut many = None;
    if [Part::Scan, Part::Growth, Part::Flat].into_iter().any(wanted) {
        let (mut theirs, mut ours, mut peak_kib) = (Vec::new(), Vec::new(), 0);
        // Once before, so that all of the tree and of the table is in memory for both.
        let expected = by_hand(&world)?.1;
        for _ in 0..options.rounds {
            theirs.push(by_hand(&world)?.0);
            let scan = scan(&world)?;
            ensure!(scan.orphans == expected, "both find the same orphans");
            ours.push(scan.secs);
            peak_kib = peak_kib.max(scan.peak_kib);
        }
        let (their_secs, our_secs) = (middle(&theirs)?, middle(&ours)?);
        held &= line("scan", Some(their_secs), our_secs, our_secs / their_secs, SCAN_LIMIT, false);
        let (peak_mib, references) = (peak_kib as f64 / 1024.0, world.references as f64);
        let limit_mib = MEMORY_LIMIT_MIB + references * BYTES_PER_REFERENCE / 1024.0 / 1024.0;
        println!("{:<34} {:>10} {:>6.1} MiB {:>7} < {limit_mib:>5.1} MiB", "its peak memory", "", peak_mib, "");
        held &= peak_mib < limit_mib;
        many = Some(our_secs);
    }
    drop(world);
    for (part, tree, files) in
        [(Part::Growth, Tree::Spread, options.files / 10), (Part::Flat, Tree::Flat, options.files)]
    {
        let (true, Some(many)) = (wanted(part), many) else { continue };
        let world = World::fill(Database::on(&server), tree, files)?;
        scan(&world)?;
        let secs = (0..options.rounds).map(|_| Ok(scan(&world)?.secs)).collect::<anyhow::Result<Vec<_>>>()?;
        let secs = middle(&secs)?;
        held &= match part {
            Part::Growth => line("ten times as many files", Some(secs), many, many / secs, GROWTH_LIMIT, false),
            _ => line("all files in one directory", Some(many), secs, secs / many, FLAT_LIMIT, false),
        };
    }
    Ok(held)
}

fn middle(secs: &[f64]) -> anyhow::Result<f64> {
    median(secs).context("no round was measured")
}

struct Scan {
    secs: f64,
    peak_kib: u64,
    orphans: BTreeSet<String>,
}

/// A plan that lists every orphan.
fn scan(world: &World) -> anyhow::Result<Scan> {
    let list = world.dir.join("ours");
    let mut command = retaind(&world.config);
    command.args(["plan", "orphans", "--list"]);
    let run = Watched::start(&mut command)?.finish()?;
    ensure!(run.status.success(), "retaind plan: {}\n{}", run.status, run.stderr);
    std::fs::write(&list, &run.stdout)?;
    let path = |line: &str| -> anyhow::Result<String> {
        let listed: serde_json::Value = serde_json::from_str(line)?;
        Ok(listed["path"].as_str().context("a listed file has a path")?.to_owned())
    };
    let orphans = run.stdout.lines().map(path).collect::<anyhow::Result<_>>()?;
    Ok(Scan { secs: run.duration.as_secs_f64(), peak_kib: run.peak_kib, orphans })
}

/// What an operator would write: the files, the references, and what is only among the former.
fn by_hand(world: &World) -> anyhow::Result<(f64, BTreeSet<String>)> {
    let script = format!(
        "set -o pipefail; comm -23 <(find '{}' -type f -printf '%P\\n' | sort) \
         <({} -qAt -c 'COPY (SELECT path FROM files) TO STDOUT' | sort)",
        world.root.display(),
        world.psql()
    );
    let started = Instant::now();
    let output = Command::new("bash").args(["-c", &script]).env("LC_ALL", "C").stdin(Stdio::null()).output()?;
    let secs = started.elapsed().as_secs_f64();
    ensure!(output.status.success(), "comm: {}", String::from_utf8_lossy(&output.stderr));
    Ok((secs, String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect()))
}

fn walk(world: &World, options: &Options) -> anyhow::Result<bool> {
    let find = || -> anyhow::Result<f64> {
        let started = Instant::now();
        let find = Command::new("find").arg(&world.root).args(["-type", "f"]).stdout(Stdio::null()).status()?;
        ensure!(find.success(), "find: {find}");
        Ok(started.elapsed().as_secs_f64())
    };
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    find()?;
    for _ in 0..options.rounds {
        theirs.push(find()?);
        ours.push(tree::walk(&world.root, options.files)?.as_secs_f64());
    }
    let (their_secs, our_secs) = (middle(&theirs)?, middle(&ours)?);
    Ok(line("walk", Some(their_secs), our_secs, our_secs / their_secs, WALK_LIMIT, false))
}

fn removal(options: &Options) -> anyhow::Result<bool> {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        for turn in 0..2 {
            let world = tree::Logs::fill(options.removed)?;
            let started = Instant::now();
            if (round + turn) % 2 == 0 {
                let find = Command::new("find").arg(&world.root).args(["-name", "*.log", "-delete"]).status()?;
                ensure!(find.success(), "find -delete: {find}");
                theirs.push(started.elapsed().as_secs_f64());
            } else {
                let run = Watched::start(retaind(&world.config).args(["run", "logs", "--json"]))?.finish()?;
                ensure!(run.status.success(), "retaind run: {}\n{}", run.status, run.stderr);
                ours.push(run.duration.as_secs_f64());
            }
            ensure!(count(&world.root)? == 0, "all files are gone");
        }
    }
    let (their_secs, our_secs) = (middle(&theirs)?, middle(&ours)?);
    Ok(line("removal", Some(their_secs), our_secs, their_secs / our_secs, REMOVAL_LIMIT, true))
}

fn count(root: &Path) -> anyhow::Result<u64> {
    let script = "find \"$0\" -name '*.log' | wc -l";
    let output = Command::new("bash").args(["-c", script]).arg(root).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
