//! A daemon that serves a table's configuration, on its socket and over TCP.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::http;
use crate::purge::Fixture;

/// A daemon under measurement.
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    address: SocketAddr,
    token: String,
}

impl Daemon {
    /// Starts, and waits until it answers.
    pub fn start(fixture: &Fixture) -> anyhow::Result<Self> {
        let command = || -> anyhow::Result<Command> {
            let mut command = fixture.retaind("")?;
            command.env("RETAIND__SERVER__LISTEN", "127.0.0.1:0");
            Ok(command)
        };
        let token = token(command)?;
        let mut child = command()?.arg("daemon").stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut log = BufReader::new(child.stderr.take().context("its log")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            ensure!(log.read_line(&mut line)? > 0, "the daemon ended before it answered over TCP");
            if let Some((_, rest)) = line.split_once("://") {
                break rest.split_whitespace().next().context("an address")?.parse()?;
            }
        };
        // Whoever writes to a pipe that nobody reads waits.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let socket = fixture.socket();
        while !socket.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { child, socket, address, token })
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The address of the TCP port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A viewer's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Begins the purge; the id of its run.
    pub fn begin(&self) -> anyhow::Result<String> {
        let begun = http::request(&self.socket, "POST", "/api/v1/run", "{\"names\":[\"readings\"]}");
        ensure!(begun.status == 202, "{}", begun.body);
        Ok(begun.body["run_id"].as_str().context("a run has an id")?.to_owned())
    }

    /// Waits for the end of a run, and says how long it took by its own account, in seconds.
    pub fn ended(&self, run: &str) -> anyhow::Result<f64> {
        loop {
            let run = http::request(&self.socket, "GET", &format!("/api/v1/runs/{run}"), "").body;
            if run["status"] != "running" && !run["status"].is_null() {
                ensure!(run["status"] == "completed", "{run}");
                return Ok(run["duration_ms"].as_f64().context("a run has a duration")? / 1e3);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Purges, and says how long that took, in seconds.
    pub fn purge(&self) -> anyhow::Result<f64> {
        self.ended(&self.begin()?)
    }

    /// Stops it.
    pub fn stop(mut self) -> anyhow::Result<()> {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds a token in place of the one before.
fn token(command: impl Fn() -> anyhow::Result<Command>) -> anyhow::Result<String> {
    command()?.args(["token", "remove", "bench"]).stderr(Stdio::null()).output()?;
    let added = command()?.args(["token", "add", "bench", "--role", "viewer"]).output()?;
    ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    Ok(String::from_utf8(added.stdout)?.trim().to_owned())
}
