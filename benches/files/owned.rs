//! Directories that rows own, beside the same by hand: an index lookup in SQL for each, and `rm -r`.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;

use super::tree::{self, Scratch};
use super::volume::Volume;
use crate::bench::Bench;
use crate::engines::{Database, EngineKind, Server, ServerOptions, scratch_dir};
use crate::measure::{retaind, rounds, run_watched, time};
use crate::report::{Figure, Goal};

const ROWS: u64 = 100_000;
/// Old rows, each with a directory.
const OLD: u64 = 100;
/// Files of each directory.
const FILES: u64 = 3;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    ByHand,
    Purge,
}

/// A hundred directories, of which each of 100,000 rows may name one or something in it.
pub fn owned(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let world = World::new(bench.scaled(ROWS))?;
    let times = rounds(0..bench.rounds, &[Side::ByHand, Side::Purge], |side| {
        world.restore()?;
        let duration = match side {
            Side::ByHand => world.purge_by_hand()?,
            Side::Purge => run_watched(retaind(&world.config).args(["run", "jobs", "--json"]))?.duration,
        };
        let left = world.database.value("SELECT COUNT(*) FROM jobs WHERE finished_at < now() - interval '30 days'");
        let directories = std::fs::read_dir(world.outputs.join("jobs"))?.count();
        ensure!(left.as_deref() == Some("0") && directories == 0, "{left:?} rows, {directories} directories are left");
        Ok(duration)
    })?;
    let work = "100 owned directories, 100,000 rows, PostgreSQL";
    let beside = "an index lookup each in SQL, `rm -r`";
    Ok(vec![Figure::ratio(work, beside, times.of(Side::Purge), times.of(Side::ByHand)).goal(Goal::AtMost(2.0))])
}

struct World {
    outputs: PathBuf,
    config: PathBuf,
    rows: u64,
    database: Database,
    dir: Scratch,
    _volume: Volume,
}

impl World {
    fn new(rows: u64) -> anyhow::Result<Self> {
        let server = Server::start(EngineKind::Postgres, ServerOptions { durable: true, ..ServerOptions::default() });
        let database = Database::on(&server);
        database.execute(
            "CREATE TABLE jobs (id bigint PRIMARY KEY, finished_at timestamptz NOT NULL, output text NOT NULL);
             CREATE INDEX ON jobs (finished_at);
             CREATE INDEX ON jobs (output)",
        );
        let volume = Volume::of(OLD * FILES)?;
        let outputs = volume.root().join("outputs");
        let dir = Scratch(scratch_dir("owned"));
        std::fs::create_dir(dir.0.join("state"))?;
        let config = dir.0.join("retaind.toml");
        let text = format!(
            r#"
[daemon]
state_dir = "{dir}/state"

[sources.bench]
url = "{url}"

[stores.outputs]
path = "{outputs}"

[policies.jobs]
kind = "rows"
source = "bench"
table = "jobs"
age = "finished_at"
keep = "30d"
files = [{{ store = "outputs", column = "output", directory = true }}]
"#,
            dir = dir.0.display(),
            outputs = outputs.display(),
            url = database.url()
        );
        std::fs::write(&config, text)?;
        Ok(Self { outputs, config, rows, database, dir, _volume: volume })
    }

    fn restore(&self) -> anyhow::Result<()> {
        self.database.execute("TRUNCATE jobs");
        let old = format!("now() - CASE WHEN n <= {OLD} THEN interval '60 days' ELSE interval '1 day' END");
        self.database.insert_series("jobs", &format!("n, {old}, 'jobs/' || md5(n::text)"), 1..=self.rows);
        let mut client = self.database.connect_as_superuser();
        for statement in ["VACUUM ANALYZE jobs", "CHECKPOINT"] {
            client.execute(statement).map_err(anyhow::Error::from_boxed)?;
        }
        for directory in self.database.column(&format!("SELECT output FROM jobs WHERE id <= {OLD}")) {
            let directory = self.outputs.join(directory);
            std::fs::create_dir_all(&directory)?;
            for file in 0..FILES {
                std::fs::write(directory.join(file.to_string()), b"output")?;
            }
        }
        tree::sync()
    }

    /// What an operator would write: delete the rows, and of their directories remove those that no other row names.
    fn purge_by_hand(&self) -> anyhow::Result<Duration> {
        let script = format!(
            "set -e -o pipefail; psql '{url}' -qAt -v ON_ERROR_STOP=1 <<'SQL' >'{list}'
CREATE TEMPORARY TABLE gone (output text);
BEGIN;
WITH deleted AS (DELETE FROM jobs WHERE finished_at < now() - interval '30 days' RETURNING output)
INSERT INTO gone SELECT output FROM deleted;
COMMIT;
SELECT output FROM gone WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.output = gone.output)
    AND NOT EXISTS (SELECT FROM jobs WHERE jobs.output >= gone.output || '/' AND jobs.output < gone.output || '0');
SQL
cd '{outputs}'; xargs -P2 -a '{list}' rm -r",
            url = self.database.url(),
            list = self.dir.0.join("list").display(),
            outputs = self.outputs.display(),
        );
        time(Command::new("bash").args(["-c", &script]))
    }
}
