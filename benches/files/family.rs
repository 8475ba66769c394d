//! Rows that go with their children and their files, beside the same by hand: one SQL script and `xargs rm`.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};

use super::tree::{self, DIRECTORIES, Scratch};
use super::volume::Volume;
use crate::bench::Bench;
use crate::engines::{Database, EngineKind, Server, ServerOptions, scratch_dir};
use crate::measure::{retaind, rounds, run_watched, time};
use crate::report::{Figure, Goal, Unit};

/// Rows that go, parents and children together.
const ROWS: u64 = 500_000;
/// Children of each parent, each with a file of its own.
const CHILDREN: u64 = 4;
/// One young parent for so many old ones.
const YOUNG_EVERY: u64 = 10;
const DAY_SECS: u64 = 86_400;
/// Resident memory that such a purge may take, in MiB.
const MEMORY_LIMIT: f64 = 60.0;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    ByHand,
    Purge,
}

/// A hundred thousand events, each with four detections, each of these with a file.
pub fn family(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let world = World::new(bench.scaled(ROWS))?;
    let mut peaks = Vec::new();
    let times = rounds(0..bench.rounds, &[Side::ByHand, Side::Purge], |side| {
        world.restore()?;
        let duration = match side {
            Side::ByHand => world.purge_by_hand()?,
            Side::Purge => {
                let run = run_watched(retaind(&world.config).args(["run", "events", "--json"]))?;
                peaks.push(run.peak_mib);
                run.duration
            }
        };
        world.ensure_purged()?;
        Ok(duration)
    })?;
    let work = "500,000 rows with children and files, PostgreSQL";
    let beside = "SQL with `RETURNING`, `xargs -P2 rm`";
    Ok(vec![
        Figure::ratio(work, beside, times.of(Side::Purge), times.of(Side::ByHand)).goal(Goal::AtMost(1.0)),
        Figure::greatest("peak memory of that purge", Unit::Mib, &peaks).goal(Goal::AtMost(MEMORY_LIMIT)),
    ])
}

/// A database with events, their detections, and a thumbnail for each of these.
struct World {
    thumbs: PathBuf,
    config: PathBuf,
    old_events: u64,
    events: u64,
    /// Seconds since 1970.
    now: u64,
    database: Database,
    dir: Scratch,
    _volume: Volume,
}

impl World {
    fn new(rows: u64) -> anyhow::Result<Self> {
        let server = Server::start(EngineKind::Postgres, ServerOptions { durable: true, ..ServerOptions::default() });
        let database = Database::on(&server);
        database.execute(
            "CREATE TABLE events (id bigint PRIMARY KEY, started_at timestamptz NOT NULL);
             CREATE TABLE detections (id bigint PRIMARY KEY, event_id bigint NOT NULL REFERENCES events (id), \
                 thumbnail_path varchar(100) NOT NULL);
             CREATE INDEX ON events (started_at);
             CREATE INDEX ON detections (event_id);
             CREATE INDEX ON detections (thumbnail_path)",
        );
        let old_events = rows / (1 + CHILDREN);
        let events = old_events + old_events / YOUNG_EVERY;
        let volume = Volume::of(events * CHILDREN)?;
        let thumbs = volume.root().join("thumbs");
        let dir = Scratch(scratch_dir("family"));
        std::fs::create_dir(dir.0.join("state"))?;
        let config = dir.0.join("retaind.toml");
        let text = format!(
            r#"
[daemon]
state_dir = "{dir}/state"

[sources.bench]
url = "{url}"

[stores.thumbs]
path = "{thumbs}"
references = [{{ source = "bench", table = "detections", column = "thumbnail_path" }}]

[policies.events]
kind = "rows"
source = "bench"
table = "events"
age = "started_at"
keep = "30d"
children = [{{ table = "detections", column = "event_id", files = [{{ store = "thumbs", column = "thumbnail_path" }}] }}]
"#,
            dir = dir.0.display(),
            thumbs = thumbs.display(),
            url = database.url()
        );
        std::fs::write(&config, text)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        Ok(Self { thumbs, config, old_events, events, now, database, dir, _volume: volume })
    }

    /// Puts back all rows and files, on the disk, with nothing left to write.
    fn restore(&self) -> anyhow::Result<()> {
        std::thread::scope(|scope| {
            let rows = scope.spawn(|| self.restore_rows());
            self.restore_files()?;
            rows.join().map_err(|_| anyhow!("the database was not filled"))?
        })?;
        tree::sync()
    }

    fn restore_files(&self) -> anyhow::Result<()> {
        let path = |number| format!("d{}/{number}.jpg", number % DIRECTORIES);
        tree::make(&self.thumbs, self.events * CHILDREN, b"thumbnail", path)
    }

    fn restore_rows(&self) -> anyhow::Result<()> {
        let Self { old_events, events, now, database, .. } = self;
        database.execute("TRUNCATE events, detections");
        let at = format!(
            "to_timestamp(CASE WHEN n <= {old_events} THEN {} + (n * {}) / {old_events} ELSE {} END)",
            now - 60 * DAY_SECS,
            29 * DAY_SECS,
            now - DAY_SECS
        );
        database.insert_series("events (id, started_at)", &format!("n, {at}"), 1..=*events);
        let values = format!("n, (n - 1) / {CHILDREN} + 1, 'd' || (n % {DIRECTORIES}) || '/' || n || '.jpg'");
        database.insert_series("detections (id, event_id, thumbnail_path)", &values, 1..=events * CHILDREN);
        let mut client = database.connect_as_superuser();
        for statement in ["VACUUM ANALYZE events", "VACUUM ANALYZE detections", "CHECKPOINT"] {
            client.execute(statement).map_err(anyhow::Error::from_boxed)?;
        }
        Ok(())
    }

    /// What an operator would write: delete the rows, which say what files they had, and then remove these.
    fn purge_by_hand(&self) -> anyhow::Result<Duration> {
        let old = format!("started_at < to_timestamp({})", self.now - 30 * DAY_SECS);
        let script = format!(
            "set -e; psql '{url}' -qAt -v ON_ERROR_STOP=1 >'{list}' <<SQL
BEGIN;
DELETE FROM detections USING events WHERE event_id = events.id AND {old} RETURNING thumbnail_path;
DELETE FROM events WHERE {old};
COMMIT;
SQL
cd '{thumbs}'; xargs -P2 -a '{list}' rm -f",
            url = self.database.url(),
            list = self.dir.0.join("list").display(),
            thumbs = self.thumbs.display(),
        );
        time(Command::new("bash").args(["-c", &script]))
    }

    /// Fails unless exactly the old events are gone, with their detections and thumbnails.
    fn ensure_purged(&self) -> anyhow::Result<()> {
        let count = |table: &str| -> anyhow::Result<u64> {
            let counted = self.database.column(&format!("SELECT COUNT(*) FROM {table}"));
            Ok(counted.first().context("a count")?.parse()?)
        };
        let left = (count("events")?, count("detections")?);
        let young = self.events - self.old_events;
        ensure!(left == (young, young * CHILDREN), "{left:?} are left, {young} events are young");
        tree::ensure_files(&self.thumbs, young * CHILDREN)
    }
}
