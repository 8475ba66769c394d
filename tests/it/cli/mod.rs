//! The binary as a person or a program calls it: what it prints where, and how it ends.

mod adopt;
mod approve;
mod asked;
mod audit;
mod check;
mod check_families;
mod check_files;
mod check_parts;
mod check_script;
mod check_service;
mod check_trees;
mod completion;
mod contract;
mod golden;
mod held;
mod hooks;
mod known;
mod monitor;
mod pending;
mod restore;
mod runs;
mod screens;
mod spelled;
mod stats;
mod times;
mod usage;
mod variables;
mod why;
mod why_file;
mod work;

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::world::World;

/// Puts rows 1 and 2, which are old, and 3, which is young, into a world; 1 and 3 have files.
fn put_items(world: &World) {
    world.put("thumbs", "1.jpg", 1000);
    world.put("thumbs", "3.jpg", 1000);
    world.item(1, 40.0, Some("data/thumbs/1.jpg"), None);
    world.item(2, 35.0, None, None);
    world.item(3, 1.0, Some("data/thumbs/3.jpg"), None);
}

/// A world on SQLite of these policies, with those rows and files.
fn world_with_items(policies: &str) -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(policies);
    put_items(&world);
    world
}

/// The binary, in an environment that decides nothing.
fn retaind(arguments: &[&str]) -> Command {
    let mut command = binary::command(RETAIND);
    command.args(arguments).stdin(Stdio::null());
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "RUST_LOG", "STATE_DIRECTORY", "NOTIFY_SOCKET"] {
        command.env_remove(variable);
    }
    command
}

/// How a call ended: its exit code and what it wrote.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    stderr: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts the exit code.
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

fn call(arguments: &[&str]) -> Ended {
    Ended::of(retaind(arguments).output().expect("retaind starts"))
}

/// Calls it with the configuration of a world.
pub fn call_in(world: &World, arguments: &[&str]) -> Ended {
    let config = world.config_file();
    Ended::of(retaind(arguments).arg("--config").arg(config).output().expect("retaind starts"))
}

/// Calls it with the configuration of a world as it lies on the disk.
pub fn call_as_written(world: &World, arguments: &[&str]) -> Ended {
    let config = world.dir.join("retaind.toml");
    Ended::of(retaind(arguments).arg("--config").arg(config).output().expect("retaind starts"))
}

/// A call under way.
pub struct Running(std::process::Child);

impl Running {
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.0.id() as i32).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Waits for its end.
    pub fn ended(self) -> Ended {
        Ended::of(self.0.wait_with_output().expect("retaind ends"))
    }
}

/// Starts it with the configuration of a world.
pub fn spawn_in(world: &World, arguments: &[&str]) -> Running {
    let config = world.config_file();
    let mut command = retaind(arguments);
    command.arg("--config").arg(config).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running(command.spawn().expect("retaind starts"))
}
