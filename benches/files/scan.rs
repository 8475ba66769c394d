//! A store that is scanned for orphans, beside a pipeline of `find`, `psql` and `comm`, and beside the loop that services
//! have in Python.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::tree::{self, DIRECTORIES, Scratch};
use super::volume::Volume;
use crate::bench::Bench;
use crate::engines::{Database, EngineKind, Server, ServerOptions, scratch_dir};
use crate::measure::{retaind, rounds, run_watched};
use crate::report::{Figure, Goal, Unit};

const FILES: u64 = 1_000_000;
/// One file in so many has no row.
const ORPHAN_EVERY: u64 = 100;
/// Resident memory that a scan may take, in MiB, beside what each reference takes.
const MEMORY_LIMIT: f64 = 24.0;
const BYTES_PER_REFERENCE: f64 = 10.0;
/// Part by which the time for each file may grow with their number.
const GROWTH_LIMIT: f64 = 1.15;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Comm,
    Python,
    Fewer,
    Scan,
}

/// A million files and nearly as many rows, beside `comm`.
pub fn scan(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let world = World::fill(bench.scaled(FILES))?;
    // Once before, so that the tree and the table are in memory for everybody.
    let expected = world.by_hand(&world.comm())?.1;
    let mut peaks = Vec::new();
    let times = rounds(0..bench.rounds, &[Side::Comm, Side::Scan], |side| match side {
        Side::Scan => world.scan(&expected, &mut peaks),
        _ => Ok(world.by_hand(&world.comm())?.0),
    })?;
    let work = "orphan scan, 1 M files, 1 M rows";
    let beside = "`comm` of `find` and `psql`";
    let figure = Figure::ratio(work, beside, times.of(Side::Scan), times.of(Side::Comm)).goal(Goal::AtMost(0.7));
    Ok(vec![figure, world.memory("peak memory of that scan", &peaks)])
}

/// A tenth of that, beside Python.
pub fn beside_python(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let world = World::fill(bench.scaled(FILES / 10))?;
    let expected = world.by_hand(&world.comm())?.1;
    let times = rounds(0..bench.rounds, &[Side::Python, Side::Scan], |side| match side {
        Side::Scan => world.scan(&expected, &mut Vec::new()),
        _ => {
            let (took, orphans) = world.by_hand(&world.python())?;
            ensure!(orphans == expected, "Python finds the same orphans");
            Ok(took)
        }
    })?;
    let work = "orphan scan, 100,000 files, 100,000 rows";
    let beside = "the usual loop in Python, with SQLAlchemy";
    Ok(vec![Figure::ratio(work, beside, times.of(Side::Scan), times.of(Side::Python)).goal(Goal::AtMost(0.05))])
}

/// Ten million files beside a tenth of them.
pub fn large_scan(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (fewer, more) = (World::fill(bench.scaled(FILES))?, World::fill(bench.scaled(10 * FILES))?);
    let (few, many) = (fewer.by_hand(&fewer.comm())?.1, more.by_hand(&more.comm())?.1);
    let mut peaks = Vec::new();
    let times = rounds(0..bench.rounds, &[Side::Fewer, Side::Comm, Side::Scan], |side| match side {
        Side::Fewer => fewer.scan(&few, &mut Vec::new()),
        Side::Comm => Ok(more.by_hand(&more.comm())?.0),
        _ => more.scan(&many, &mut peaks),
    })?;
    let each = |side, files: u64| times.of(side).iter().map(|secs| secs / files as f64).collect::<Vec<f64>>();
    let (ours, theirs) = (each(Side::Scan, more.files), each(Side::Fewer, fewer.files));
    let growth = Figure::ratio("orphan scan, time for each of 10 M files", "of 1 M files", &ours, &theirs);
    let growth = Figure { secs: Some((times.median(Side::Fewer)?, times.median(Side::Scan)?)), ..growth };
    let work = "orphan scan, 10 M files, 10 M rows";
    let beside = "`comm` of `find` and `psql`";
    Ok(vec![
        Figure::ratio(work, beside, times.of(Side::Scan), times.of(Side::Comm)).goal(Goal::AtMost(0.7)),
        growth.goal(Goal::AtMost(GROWTH_LIMIT)),
        more.memory("peak memory of that scan", &peaks),
    ])
}

/// A store and a table that names all but a hundredth of its files.
struct World {
    root: PathBuf,
    config: PathBuf,
    files: u64,
    database: Database,
    _dir: Scratch,
    _volume: Volume,
}

impl World {
    fn fill(files: u64) -> anyhow::Result<Self> {
        let server = Server::start(EngineKind::Postgres, ServerOptions::default());
        let database = Database::on(&server);
        let dir = Scratch(scratch_dir("scan"));
        let volume = Volume::of(files)?;
        let root = volume.root().join("store");
        tree::make(&root, files, b"", |number| format!("d{}/{number:012}.jpg", number % DIRECTORIES))?;
        database.execute("CREATE TABLE files (id BIGINT PRIMARY KEY, path TEXT NOT NULL)");
        database.execute(&format!(
            "INSERT INTO files (id, path) SELECT n, 'd' || (n % {DIRECTORIES}) || '/' || lpad(n::text, 12, '0') || '.jpg' \
             FROM generate_series(1, {files}) n WHERE n % {ORPHAN_EVERY} <> 0"
        ));
        database.execute("CREATE INDEX files_path ON files (path)");
        database.query("VACUUM ANALYZE files");
        let config = dir.0.join("retaind.toml");
        let text = format!(
            r#"
[daemon]
state_dir = "{dir}/state"

[sources.bench]
url = "{url}"

[stores.files]
path = "{root}"
# The files are made for the bench, and their times of writing set.
age_by = "mtime"
references = [{{ source = "bench", table = "files", column = "path" }}]

[policies.orphans]
kind = "orphans"
store = "files"
keep = "1d"
"#,
            dir = dir.0.display(),
            root = root.display(),
            url = database.url()
        );
        std::fs::write(&config, text)?;
        Ok(Self { root, config, files, database, _dir: dir, _volume: volume })
    }

    /// A plan that lists every orphan, which have to be these.
    fn scan(&self, expected: &BTreeSet<String>, peaks: &mut Vec<f64>) -> anyhow::Result<Duration> {
        let run = run_watched(retaind(&self.config).args(["plan", "orphans", "--list"]))?;
        let path = |line: &str| -> anyhow::Result<String> {
            let listed: serde_json::Value = serde_json::from_str(line)?;
            Ok(listed["path"].as_str().context("a listed file has a path")?.to_owned())
        };
        let orphans: BTreeSet<String> = run.stdout.lines().map(path).collect::<anyhow::Result<_>>()?;
        ensure!(orphans == *expected, "both find the same orphans");
        peaks.push(run.peak_mib);
        Ok(run.duration)
    }

    /// The orphans that a shell command prints.
    fn by_hand(&self, script: &str) -> anyhow::Result<(Duration, BTreeSet<String>)> {
        let started = Instant::now();
        let output = Command::new("bash").args(["-c", script]).env("LC_ALL", "C").stdin(Stdio::null()).output()?;
        let duration = started.elapsed();
        ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        Ok((duration, String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect()))
    }

    /// What an operator would write: the files, the references, and what is only among the former.
    fn comm(&self) -> String {
        format!(
            "set -o pipefail; comm -23 <(find '{}' -type f -printf '%P\\n' | sort) \
             <(psql '{}' -qAt -c 'COPY (SELECT path FROM files) TO STDOUT' | sort)",
            self.root.display(),
            self.database.url()
        )
    }

    fn python(&self) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/files/orphans.py");
        format!("LC_ALL=C.UTF-8 /usr/bin/python3 '{script}' '{}' '{}'", self.root.display(), self.database.url())
    }

    fn memory(&self, work: &str, peaks: &[f64]) -> Figure {
        let references = (self.files - self.files / ORPHAN_EVERY) as f64;
        let limit = MEMORY_LIMIT + references * BYTES_PER_REFERENCE / 1024.0 / 1024.0;
        let figure = Figure::greatest(work, Unit::Mib, peaks).goal(Goal::AtMost(limit));
        figure.remark(format!("{MEMORY_LIMIT} MiB and {BYTES_PER_REFERENCE} bytes for each reference"))
    }
}
