//! A table of which half the rows are old, on a server of its own, put back before each measurement.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};

use super::layout::Layout;
use super::readings;
use crate::engines::{Client, Database, EngineKind, Server, ServerOptions, scratch_dir};
use crate::measure::{Finished, retaind, run_watched, time};

/// The exit code for a configuration that is not understood.
const BAD_CONFIGURATION: i32 = 78;

/// A database with one table, half of whose rows are older than thirty days.
pub struct Fixture {
    rows: u64,
    /// SQL: what is true of old rows. At least a day lies between the youngest of them and the oldest young one.
    old: String,
    database: Database,
    /// None for SQLite, which has no server.
    server: Option<Server>,
    dir: PathBuf,
    /// Place that a measurement works on: a server's data directory, or SQLite's file.
    live: PathBuf,
    /// The same as it was when it was filled.
    template: PathBuf,
}

impl Fixture {
    /// Fills the table; the servers write through to the disk, as they do in production.
    pub fn fill(kind: EngineKind, layout: Layout, rows: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("purge");
        std::fs::create_dir(dir.join("state"))?;
        let template = dir.join("template");
        let now_secs = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let server = (kind != EngineKind::Sqlite)
            .then(|| Server::start(kind, ServerOptions { durable: true, ..ServerOptions::default() }));
        let database = server.as_ref().map_or_else(|| Database::create(kind), Database::on);
        readings::fill(&database, "readings", layout, rows, rows / 2, now_secs);
        readings::settle(&database, "readings");
        let (live, filled) = match &server {
            None => {
                database.query("PRAGMA wal_checkpoint(TRUNCATE)");
                (dir.join("source.db"), database.path().to_owned())
            }
            Some(server) => {
                server.stop();
                (server.data(), server.data())
            }
        };
        copy(&filled, &template)?;
        Ok(Self { rows, old: readings::old(&database, now_secs), database, server, dir, live, template })
    }

    /// Puts the table back as it was when it was filled, on the disk, with nothing left to write.
    pub fn restore(&self) -> anyhow::Result<()> {
        self.rest();
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.live.clone().into_os_string();
            path.push(suffix);
            time(Command::new("rm").arg("-rf").arg(path))?;
        }
        copy(&self.template, &self.live)?;
        time(&mut Command::new("sync"))?;
        if let Some(server) = &self.server {
            server.restart();
        }
        Ok(())
    }

    /// Stops the server until the table is restored; what it holds is thrown away.
    pub fn rest(&self) {
        if let Some(server) = self.server.as_ref().filter(|server| server.is_running()) {
            server.abandon();
        }
    }

    /// Runs the policy, with more keys than it must have, and fails unless exactly the old rows are gone.
    pub fn purge(&self, keys: &str) -> anyhow::Result<Finished> {
        self.restore()?;
        let finished = run_watched(self.retaind(keys)?.args(["run", "readings", "--json"]))?;
        self.ensure_purged()?;
        Ok(finished)
    }

    /// A `retaind` command for a configuration with nothing in it but what must be there, and these keys of the policy.
    pub fn retaind(&self, keys: &str) -> anyhow::Result<Command> {
        let config = self.dir.join("retaind.toml");
        let text = format!(
            "[daemon]\nstate_dir = \"{}\"\n\n[sources.bench]\nurl = \"{}\"\n{}\n{keys}\n",
            self.dir.join("state").display(),
            self.url(),
            readings::policy("readings"),
        );
        std::fs::write(&config, text)?;
        Ok(retaind(&config))
    }

    /// True if the program knows these keys of a policy.
    pub fn takes(&self, keys: &str) -> anyhow::Result<bool> {
        let shown = self.retaind(keys)?.args(["config", "show"]).output()?;
        match shown.status.code() {
            Some(0) => Ok(true),
            Some(BAD_CONFIGURATION) => Ok(false),
            _ => bail!("{}: {}", shown.status, String::from_utf8_lossy(&shown.stderr)),
        }
    }

    fn url(&self) -> String {
        match &self.server {
            Some(_) => self.database.url(),
            None => format!("sqlite:{}", self.live.display()),
        }
    }

    /// The socket of a daemon for it.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("state/retaind.sock")
    }

    /// The database.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// SQL: what is true of old rows.
    pub fn old(&self) -> &str {
        &self.old
    }

    /// Deletes the old rows with one statement, and says how long it took.
    pub fn delete_at_once(&self) -> anyhow::Result<Duration> {
        self.restore()?;
        let delete = format!("DELETE FROM readings WHERE {}", self.old);
        let mut client = self.connect()?;
        let started = Instant::now();
        client.execute(&delete).map_err(anyhow::Error::from_boxed).with_context(|| delete.clone())?;
        let duration = started.elapsed();
        self.ensure_purged()?;
        Ok(duration)
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

    /// A connection for the other side.
    pub fn connect(&self) -> anyhow::Result<Client> {
        match &self.server {
            Some(_) => Ok(self.database.connect()),
            None => Client::open(&self.live).map_err(anyhow::Error::from_boxed),
        }
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    time(Command::new("cp").args(["-a", "--reflink=auto"]).args([from, to])).map(drop)
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.rest();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
