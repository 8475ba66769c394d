//! Scans a store for orphans, walks it, and removes files of it; beside each the same with find, sort, comm and psql on
//! the same tree. Prints ratios.

#![allow(clippy::disallowed_methods, reason = "a bench makes and removes its own files, and measures real time")]

// The servers and the client are those of the integration tests: nothing of retaind is in them.
#[allow(unused, clippy::unwrap_used, clippy::expect_used, reason = "the harness offers more than a bench takes")]
#[path = "../../tests/it/engines/mod.rs"]
mod engines;
#[allow(unused, clippy::expect_used, reason = "shared with the tests")]
#[path = "../../tests/it/needs.rs"]
mod needs;
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
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
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
    let fill = |tree, files| World::fill(Database::on(&server), tree, files);
    let spread = fill(Tree::Spread, options.files)?;
    let mut held = true;
    if wanted(Part::Walk) {
        held &= walk(&spread, options)?;
    }
    if ![Part::Scan, Part::Growth, Part::Flat].into_iter().any(wanted) {
        return Ok(held);
    }
    let fewer = wanted(Part::Growth).then(|| fill(Tree::Spread, options.files / 10)).transpose()?;
    let flat = wanted(Part::Flat).then(|| fill(Tree::Flat, options.files)).transpose()?;
    // Once before, so that all trees and tables are in memory for everybody.
    let expected = by_hand(&spread)?.1;
    for world in [&fewer, &flat].into_iter().flatten() {
        scan(world)?;
    }
    let mut theirs = Vec::new();
    let (mut of_spread, mut of_fewer, mut of_flat) = (Scans::default(), Scans::default(), Scans::default());
    for _ in 0..options.rounds {
        theirs.push(by_hand(&spread)?.0);
        ensure!(of_spread.add(&spread)? == expected, "both find the same orphans");
        if let Some(world) = &fewer {
            of_fewer.add(world)?;
        }
        if let Some(world) = &flat {
            ensure!(of_flat.add(world)?.len() == expected.len(), "as many orphans are in one directory");
        }
    }
    let (their_secs, secs) = (middle(&theirs)?, middle(&of_spread.secs)?);
    held &= line("scan", Some(their_secs), secs, secs / their_secs, SCAN_LIMIT, false);
    held &= of_spread.tell_memory(&spread);
    if fewer.is_some() {
        let fewer_secs = middle(&of_fewer.secs)?;
        held &= line("ten times as many files", Some(fewer_secs), secs, secs / fewer_secs, GROWTH_LIMIT, false);
    }
    if let Some(flat) = &flat {
        let flat_secs = middle(&of_flat.secs)?;
        held &= line("all files in one directory", Some(secs), flat_secs, flat_secs / secs, FLAT_LIMIT, false);
        held &= of_flat.tell_memory(flat);
    }
    Ok(held)
}

/// Scans of one tree.
#[derive(Default)]
struct Scans {
    secs: Vec<f64>,
    peak_kib: u64,
}

impl Scans {
    /// One more; the orphans that it found.
    fn add(&mut self, world: &World) -> anyhow::Result<BTreeSet<String>> {
        let scan = scan(world)?;
        self.secs.push(scan.secs);
        self.peak_kib = self.peak_kib.max(scan.peak_kib);
        Ok(scan.orphans)
    }

    /// A line about their memory; whether the limit held.
    fn tell_memory(&self, world: &World) -> bool {
        let (peak_mib, references) = (self.peak_kib as f64 / 1024.0, world.references as f64);
        let limit_mib = MEMORY_LIMIT_MIB + references * BYTES_PER_REFERENCE / 1024.0 / 1024.0;
        println!("{:<34} {:>10} {:>6.1} MiB {:>7} < {limit_mib:>5.1} MiB", "its peak memory", "", peak_mib, "");
        peak_mib < limit_mib
    }
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

/// The condition of the policy, as find has it.
const OLD: &[&str] = &["-name", "*.log", "-mtime", "+0"];
/// The same without asking any file how old it is.
const ALL: &[&str] = &["-name", "*.log"];

fn removal(options: &Options) -> anyhow::Result<bool> {
    let (mut by_age, mut all, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..options.rounds {
        for turn in 0..3 {
            let world = tree::Logs::fill(options.removed)?;
            match (round + turn) % 3 {
                0 => by_age.push(find_delete(&world.root, OLD)?),
                1 => all.push(find_delete(&world.root, ALL)?),
                _ => {
                    let run = Watched::start(retaind(&world.config).args(["run", "logs", "--json"]))?.finish()?;
                    ensure!(run.status.success(), "retaind run: {}\n{}", run.status, run.stderr);
                    ours.push(run.duration.as_secs_f64());
                }
            }
            ensure!(count(&world.root)? == 0, "all files are gone");
        }
    }
    let (their_secs, aged_secs, secs) = (middle(&all)?, middle(&by_age)?, middle(&ours)?);
    let held = line("removal", Some(their_secs), secs, their_secs / secs, REMOVAL_LIMIT, true);
    // As a comparison: the policy asks for the age of each file, too.
    let by_hand = format!("{aged_secs:.2} s");
    println!("{:<34} {by_hand:>10} {:>10} {:>7.2}", "by hand with -mtime +0", "", aged_secs / secs);
    Ok(held)
}

fn find_delete(root: &Path, condition: &[&str]) -> anyhow::Result<f64> {
    let started = Instant::now();
    let find = Command::new("find").arg(root).args(condition).arg("-delete").status()?;
    ensure!(find.success(), "find -delete: {find}");
    Ok(started.elapsed().as_secs_f64())
}

fn count(root: &Path) -> anyhow::Result<u64> {
    let script = "find \"$0\" -name '*.log' | wc -l";
    let output = Command::new("bash").args(["-c", script]).arg(root).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}
