//! Purges rows with their children and files by `retaind run`, and beside it the same by hand: one SQL script and
//! `xargs rm`, on an identical database and file tree. Prints the ratio of the throughputs.

#![allow(clippy::disallowed_methods, reason = "a bench makes and removes its own files, and measures real time")]

// The servers and the client are those of the integration tests: nothing of retaind is in them.
#[path = "../common/engine.rs"]
mod engine;
#[allow(unused, clippy::unwrap_used, clippy::expect_used, reason = "the harness offers more than a bench takes")]
#[path = "../../tests/it/engines/mod.rs"]
mod engines;
#[allow(unused, clippy::expect_used, reason = "shared with the tests")]
#[path = "../../tests/it/needs.rs"]
mod needs;
#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../common/process.rs"]
mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::{Parser, ValueEnum};

use engine::Engine;
use engines::{Database, EngineKind, Server, ServerOptions, scratch_dir};
use process::{Watched, median, retaind};

/// At least this share of the throughput by hand.
const SHARE_LIMIT: f64 = 0.5;
/// Resident memory that a purge may take.
const MEMORY_LIMIT_MIB: f64 = 60.0;
/// Children of each parent, each with a file of its own.
const CHILDREN: u64 = 4;
/// One young parent for so many old ones.
const YOUNG_EVERY: u64 = 10;
const DIRECTORIES: u64 = 1024;
const DAY_SECS: u64 = 86_400;

/// Measures a purge of rows with children and files beside a script.
#[derive(Parser)]
#[command(name = "family")]
struct Options {
    /// Engines to measure; all of them when none is named.
    engines: Vec<Engine>,
    /// Rows that go, parents and children together.
    #[arg(long, default_value_t = 500_000)]
    rows: u64,
    /// Times that each side is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
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
    let engines = if options.engines.is_empty() { Engine::value_variants() } else { &options.engines };
    println!(
        "{:<11} {:>9} {:>9} {:>11} {:>6} {:>12}",
        "engine", "by hand", "retaind", "throughput", "limit", "peak memory"
    );
    let mut held = true;
    for engine in engines {
        held &= measure(*engine, &options)?;
    }
    if options.check && !held {
        eprintln!("A limit was missed.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a line of figures, and says whether the limits held.
fn measure(engine: Engine, options: &Options) -> anyhow::Result<bool> {
    let (kind, name) = (engine.kind(), engine.name());
    let server = (kind != EngineKind::Sqlite)
        .then(|| Server::start(kind, ServerOptions { durable: true, ..ServerOptions::default() }));
    let (mut ours, mut theirs, mut peak_kib) = (Vec::new(), Vec::new(), 0);
    for round in 0..options.rounds {
        for turn in 0..2 {
            let world = World::fill(kind, server.as_ref(), options.rows)?;
            if (round + turn) % 2 == 0 {
                theirs.push(world.purge_by_hand()?.as_secs_f64());
            } else {
                let run = Watched::start(retaind(&world.config).args(["run", "events", "--json"]))?.finish()?;
                ensure!(run.status.success(), "retaind run: {}\n{}", run.status, run.stderr);
                ours.push(run.duration.as_secs_f64());
                peak_kib = peak_kib.max(run.peak_kib);
            }
            world.ensure_purged()?;
        }
    }
    let (Some(our_secs), Some(their_secs)) = (median(&ours), median(&theirs)) else {
        anyhow::bail!("no round was measured");
    };
    let (share, peak_mib) = (their_secs / our_secs, peak_kib as f64 / 1024.0);
    println!("{name:<11} {their_secs:>7.2} s {our_secs:>7.2} s {share:>11.2} {SHARE_LIMIT:>6.2} {peak_mib:>8.1} MiB");
    Ok(share >= SHARE_LIMIT && peak_mib < MEMORY_LIMIT_MIB)
}

/// A database with events, their detections, and a thumbnail for each of these.
struct World {
    dir: PathBuf,
    database: Database,
    config: PathBuf,
    /// SQL: what is true of old events.
    old: String,
    young_events: u64,
}

impl World {
    fn fill(kind: EngineKind, server: Option<&Server>, rows: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("family");
        let database = server.map_or_else(|| Database::create(kind), Database::on);
        let now_secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let old_events = rows / (1 + CHILDREN);
        let events = old_events + old_events / YOUNG_EVERY;
        create_tables(&database);
        let spread = format!("{} + (n * {}) / {old_events}", now_secs - 60 * DAY_SECS, 29 * DAY_SECS);
        let spread = if kind.is_mysql() { spread.replace(" / ", " DIV ") } else { spread };
        let at =
            database.instant(&format!("CASE WHEN n <= {old_events} THEN {spread} ELSE {} END", now_secs - DAY_SECS));
        database.insert_series("events (id, started_at)", &format!("n, {at}"), 1..=events);
        let divide = if kind.is_mysql() { "DIV" } else { "/" };
        let named = match kind.is_mysql() {
            true => format!("CONCAT('d', n % {DIRECTORIES}, '/', n, '.jpg')"),
            false => format!("'d' || (n % {DIRECTORIES}) || '/' || n || '.jpg'"),
        };
        let values = format!("n, (n - 1) {divide} {CHILDREN} + 1, {named}");
        database.insert_series("detections (id, event_id, thumbnail_path)", &values, 1..=events * CHILDREN);
        settle(&database, kind);
        fill_tree(&dir.join("thumbs"), events * CHILDREN)?;
        let config = write_config(&dir, &database.url())?;
        ensure!(Command::new("sync").status()?.success(), "sync");
        let old = format!("started_at < {}", database.instant(&(now_secs - 30 * DAY_SECS).to_string()));
        Ok(Self { dir, database, config, old, young_events: events - old_events })
    }

    /// What an operator would write: list the files, delete the rows, remove the files.
    fn purge_by_hand(&self) -> anyhow::Result<Duration> {
        let (old, list) = (&self.old, self.dir.join("list"));
        let started = Instant::now();
        let of_old = format!("event_id IN (SELECT id FROM events WHERE {old})");
        let paths = self.database.column(&format!("SELECT thumbnail_path FROM detections WHERE {of_old}"));
        std::fs::write(&list, paths.join("\n"))?;
        self.database.execute("BEGIN");
        self.database.execute(&format!("DELETE FROM detections WHERE {of_old}"));
        self.database.execute(&format!("DELETE FROM events WHERE {old}"));
        self.database.execute("COMMIT");
        let mut rm = Command::new("xargs");
        rm.arg("-a").arg(&list).args(["rm", "-f"]).current_dir(self.dir.join("thumbs")).stdin(Stdio::null());
        ensure!(rm.status()?.success(), "xargs rm");
        Ok(started.elapsed())
    }

    /// Fails unless exactly the old events are gone, with their detections and thumbnails.
    fn ensure_purged(&self) -> anyhow::Result<()> {
        let count = |table: &str| -> anyhow::Result<u64> {
            let counted = self.database.column(&format!("SELECT COUNT(*) FROM {table}"));
            Ok(counted.first().context("a count")?.parse()?)
        };
        let mut files = 0;
        for directory in std::fs::read_dir(self.dir.join("thumbs"))? {
            files += std::fs::read_dir(directory?.path())?.count() as u64;
        }
        let left = (count("events")?, count("detections")?, files);
        let young = self.young_events;
        ensure!(left == (young, young * CHILDREN, young * CHILDREN), "{left:?} are left, {young} events are young");
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn create_tables(database: &Database) {
    let at = database.timestamp_type();
    database.execute(&format!("CREATE TABLE events (id BIGINT PRIMARY KEY, started_at {at} NOT NULL)"));
    database.execute(
        "CREATE TABLE detections (id BIGINT PRIMARY KEY, event_id BIGINT NOT NULL, thumbnail_path VARCHAR(100) NOT NULL, \
         FOREIGN KEY (event_id) REFERENCES events (id))",
    );
    database.execute("CREATE INDEX events_started_at ON events (started_at)");
    database.execute("CREATE INDEX detections_event_id ON detections (event_id)");
    database.execute("CREATE INDEX detections_thumbnail_path ON detections (thumbnail_path)");
}

fn settle(database: &Database, kind: EngineKind) {
    let statements: &[&str] = match kind {
        EngineKind::Postgres => &["VACUUM ANALYZE events", "VACUUM ANALYZE detections"],
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => &["ANALYZE TABLE events", "ANALYZE TABLE detections"],
        EngineKind::Sqlite => &["ANALYZE"],
    };
    for statement in statements {
        database.query(statement);
    }
}

fn fill_tree(root: &Path, files: u64) -> anyhow::Result<()> {
    for directory in 0..DIRECTORIES {
        std::fs::create_dir_all(root.join(format!("d{directory}")))?;
    }
    for file in 1..=files {
        std::fs::write(root.join(format!("d{}/{file}.jpg", file % DIRECTORIES)), b"thumbnail")?;
    }
    Ok(())
}

fn write_config(dir: &Path, url: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir(dir.join("state"))?;
    let config = dir.join("retaind.toml");
    let text = format!(
        r#"
[daemon]
state_dir = "{dir}/state"

[sources.bench]
url = "{url}"

[stores.thumbs]
path = "{dir}/thumbs"
references = [{{ source = "bench", table = "detections", column = "thumbnail_path" }}]

[policies.events]
kind = "rows"
source = "bench"
table = "events"
age = "started_at"
keep = "30d"
children = [{{ table = "detections", column = "event_id", files = [{{ store = "thumbs", column = "thumbnail_path" }}] }}]
"#,
        dir = dir.display()
    );
    std::fs::write(&config, text)?;
    Ok(config)
}
