//! The daemon of an application, and what the ledger says of its runs.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Application;

pub const PATIENCE: Duration = Duration::from_secs(30);

/// A process of retaind that goes on until it is told to stop.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(application: &Application) -> Self {
        Self::of(application.command(&["daemon"]))
    }

    /// From a command of one's own.
    pub fn of(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("retaind starts"))
    }

    /// Asks it to stop, and waits until it has; its exit code.
    pub fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).expect("it runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.0.try_wait().expect("a status") {
                Some(status) => return status.code(),
                None => assert!(Instant::now() < deadline, "retaind does not stop"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the ledger has a run of each task that ended; every run that ended so far, as `runs ID --json` tells it.
pub fn await_runs(application: &Application, tasks: &[&str]) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    let runs = loop {
        let runs = application.json(&["runs", "--json"]);
        let runs = runs.as_array().expect("a list").clone();
        let ended = |task: &&str| runs.iter().any(|run| run["task"] == **task && run["finished_at"].is_string());
        if tasks.iter().all(ended) {
            break runs;
        }
        assert!(Instant::now() < deadline, "{runs:#?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let ended = runs.iter().filter(|run| run["finished_at"].is_string());
    ended
        .map(|run| {
            assert_eq!(run["trigger"], "schedule", "{run:#}");
            application.json(&["runs", run["run_id"].as_str().expect("an id"), "--json"])
        })
        .collect()
}
