//! The table that is purged, filled once and put back as it was before each measurement.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::engines::{Client, Database, EngineKind, Server, ServerOptions, scratch_dir};
use crate::process::retaind;

const DAY_SECS: u64 = 86_400;

/// A database with one table, half of whose rows are older than thirty days.
pub struct Fixture {
    rows: u64,
    /// SQL: what is true of old rows. At least a day lies between the youngest of them and the oldest young one.
    old: String,
    /// None for SQLite, which has no server.
    server: Option<(Server, Database)>,
    /// What a measurement works on: a server's data directory, or SQLite's file.
    live: PathBuf,
    /// The same as it was when it was filled.
    template: PathBuf,
    config: PathBuf,
}

impl Fixture {
    /// Fills the table; the servers write through to the disk, as they do in production.
    pub fn fill(kind: EngineKind, rows: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("purge");
        let now_secs = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let template = dir.join("template");
        let old = |database: &Database| {
            format!("recorded_at < {}", database.instant(&(now_secs - 30 * DAY_SECS).to_string()))
        };
        if kind == EngineKind::Sqlite {
            let database = Database::create(kind);
            fill_table(&database, rows, now_secs);
            database.query("PRAGMA wal_checkpoint(TRUNCATE)");
            copy(database.path(), &template)?;
            let live = dir.join("source.db");
            let config = write_config(&dir, &format!("sqlite:{}", live.display()))?;
            return Ok(Self { rows, old: old(&database), server: None, live, template, config });
        }
        let server = Server::start(kind, ServerOptions { durable: true, ..ServerOptions::default() });
        let database = Database::on(&server);
        fill_table(&database, rows, now_secs);
        let socket = server.socket();
        let home = if kind == EngineKind::Postgres { Some(socket.as_path()) } else { socket.parent() };
        let live = home.context("the server has a directory")?.join("data");
        server.stop();
        copy(&live, &template)?;
        server.restart();
        let config = write_config(&dir, &database.url())?;
        Ok(Self { rows, old: old(&database), server: Some((server, database)), live, template, config })
    }

    /// Puts the table back as it was when it was filled, on the disk, with nothing left to write.
    pub fn restore(&self) -> anyhow::Result<()> {
        if let Some((server, _)) = &self.server {
            server.stop();
        }
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.live.clone().into_os_string();
            path.push(suffix);
            run(Command::new("rm").arg("-rf").arg(path))?;
        }
        copy(&self.template, &self.live)?;
        if let Some((server, _)) = &self.server {
            server.restart();
        }
        ensure!(self.count("")? == self.rows, "the table is as it was");
        Ok(())
    }

    /// A `retaind` command for this table's configuration: nothing in it but what must be there.
    pub fn retaind(&self) -> Command {
        retaind(&self.config)
    }

    /// The socket of a daemon for it.
    pub fn socket(&self) -> PathBuf {
        self.config.with_file_name("state").join("retaind.sock")
    }

    /// Deletes the old rows with one statement, and says how long it took.
    pub fn delete_at_once(&self) -> anyhow::Result<Duration> {
        let delete = format!("DELETE FROM readings WHERE {}", self.old);
        let mut client = self.connect()?;
        let started = Instant::now();
        client.execute(&delete).map_err(anyhow::Error::from_boxed).with_context(|| delete.clone())?;
        Ok(started.elapsed())
    }

    /// Fails unless exactly the old rows are gone.
    pub fn ensure_purged(&self) -> anyhow::Result<()> {
        let old = self.count(&format!("WHERE {}", self.old))?;
        let left = self.count("")?;
        ensure!(old == 0 && left == self.rows - self.rows / 2, "{old} old rows of {left} are left");
        Ok(())
    }

    /// How many rows the table had when it was filled.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many rows there are now.
    pub fn count(&self, filter: &str) -> anyhow::Result<u64> {
        let count = format!("SELECT COUNT(*) FROM readings {filter}");
        let rows = self.connect()?.query(&count).map_err(anyhow::Error::from_boxed).with_context(|| count.clone())?;
        rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok()).context("COUNT(*) is a number")
    }

    fn connect(&self) -> anyhow::Result<Client> {
        match &self.server {
            Some((_, database)) => Ok(database.connect()),
            None => Client::open(&self.live).map_err(anyhow::Error::from_boxed),
        }
    }
}

/// The older half lies between 60 and 31 days back, the younger between 29 days and now, both evenly.
fn fill_table(database: &Database, rows: u64, now_secs: u64) {
    let kind = database.kind();
    let (id, age, payload) = match kind {
        EngineKind::Postgres => ("bigserial PRIMARY KEY", "timestamptz", "repeat(md5(n::text), 3)"),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => {
            ("BIGINT AUTO_INCREMENT PRIMARY KEY", "DATETIME", "REPEAT(MD5(n), 3)")
        }
        EngineKind::Sqlite => ("INTEGER PRIMARY KEY", "TIMESTAMP", "hex(randomblob(48))"),
    };
    database.execute(&format!(
        "CREATE TABLE readings (id {id}, recorded_at {age} NOT NULL, payload VARCHAR(200) NOT NULL)"
    ));
    let (half, span_secs) = (rows / 2, 29 * DAY_SECS);
    let divide = if kind.is_mysql() { "DIV" } else { "/" };
    for (first, last, start_secs) in [(1, half, now_secs - 60 * DAY_SECS), (half + 1, rows, now_secs - span_secs)] {
        let at = database.instant(&format!("{start_secs} + (n - {first}) * {span_secs} {divide} {}", last - first + 1));
        database.insert_series("readings (recorded_at, payload)", &format!("{at}, {payload}"), first..=last);
    }
    database.execute("CREATE INDEX readings_recorded_at ON readings (recorded_at)");
    let mut settle = match kind {
        EngineKind::Postgres => database.connect_as_superuser(),
        _ => database.connect(),
    };
    let statements: &[&str] = match kind {
        EngineKind::Postgres => &["VACUUM ANALYZE readings", "CHECKPOINT"],
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => &["ANALYZE TABLE readings"],
        EngineKind::Sqlite => &["ANALYZE"],
    };
    for statement in statements {
        // ANALYZE TABLE answers with rows: `query` takes any statement.
        settle.query(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

fn write_config(dir: &Path, url: &str) -> anyhow::Result<PathBuf> {
    let state = dir.join("state");
    std::fs::create_dir(&state)?;
    let config = dir.join("retaind.toml");
    let text = format!(
        r#"
[daemon]
state_dir = "{}"

[sources.bench]
url = "{url}"

[policies.readings]
kind = "rows"
source = "bench"
table = "readings"
age = "recorded_at"
keep = "30d"
"#,
        state.display()
    );
    std::fs::write(&config, text)?;
    Ok(config)
}

/// Copies a file or directory and waits until it is on the disk, so that nobody measures the copying.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    run(Command::new("cp").arg("-a").arg(from).arg(to))?;
    run(&mut Command::new("sync"))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
