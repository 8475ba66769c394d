//! The daemon as a process: what it tells the service manager from start to end, and how it takes signals.

mod api;
mod audit;
mod brake;
mod clock;
mod commands;
mod health;
mod held;
mod hooks;
mod journal;
mod ledger;
mod life;
mod notified;
mod overrides;
mod pending;
mod published;
mod reload;
mod slots;
mod tcp;

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::{self, RETAIND};
use crate::engines::{Client, Database, EngineKind, scratch_dir};
use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon with a service manager that writes down what it is told.
struct Daemon {
    child: Child,
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Daemon {
    fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    /// Starts with the configuration as it is, and waits for READY.
    fn ready_without_config(world: &World) -> Self {
        let mut daemon = Self::start_as_configured(world, &[]);
        daemon.await_message("READY=1", |message| message.contains("READY=1"));
        daemon
    }

    fn start_with(world: &World, environment: &[(&str, &str)]) -> Self {
        world.config_file();
        Self::start_as_configured(world, environment)
    }

    fn start_as_configured(world: &World, environment: &[(&str, &str)]) -> Self {
        let path = scratch_dir("notify").join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let child = binary::command(RETAIND)
            .arg("daemon")
            .arg("--config")
            .arg(world.dir.join("retaind.toml"))
            .env("NOTIFY_SOCKET", &path)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(world.dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, socket, told: Vec::new() }
    }

    /// Starts, and waits for READY.
    fn ready(world: &World) -> Self {
        let mut daemon = Self::start(world);
        daemon.await_message("READY=1", |message| message.contains("READY=1"));
        daemon
    }

    /// Waits for a message from now on; it comes with all its lines.
    fn await_message(&mut self, what: &str, matches: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        while let Some(message) = self.next_message(deadline) {
            if matches(&message) {
                return message;
            }
        }
        panic!("never told: {what}; told was {:#?}", self.told);
    }

    fn next_message(&mut self, deadline: Instant) -> Option<String> {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.socket.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        self.told.push(message.clone());
        Some(message)
    }

    fn await_status(&mut self, part: &str) -> String {
        self.await_message(part, |message| status_of(message).is_some_and(|status| status.contains(part)))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn reload(&mut self) -> String {
        self.signal(Signal::HUP);
        let reloading = self.await_message("RELOADING=1", |message| message.contains("RELOADING=1"));
        assert!(reloading.contains("MONOTONIC_USEC="), "both belong into one message: {reloading}");
        self.await_message("READY=1", |message| message.contains("READY=1"))
    }

    /// Waits for the end, at most so long.
    fn end_within(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still alive; told was {:#?}", self.told);
            // The service manager reads what it is told: whoever tells more than its queue holds waits.
            self.next_message(Instant::now() + Duration::from_millis(5));
        }
    }

    fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.end_within(Duration::from_secs(10)).code(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status_of(message: &str) -> Option<&str> {
    message.lines().find_map(|line| line.strip_prefix("STATUS="))
}

fn log(world: &World) -> String {
    std::fs::read_to_string(world.dir.join("log")).unwrap()
}

/// A world on SQLite with an `item` table and a task `sweep` of the given keys that deletes what is older than 30 days.
fn world(task: &str) -> World {
    world_on(EngineKind::Sqlite, task)
}

fn world_on(kind: EngineKind, task: &str) -> World {
    let mut world = World::new(Database::create(kind));
    world.create_items();
    // Its first run is meant to take everything.
    world.daemon("approve_changes = false");
    declare(&mut world, task);
    world
}

fn declare(world: &mut World, task: &str) {
    world.declare(&format!(
        "[tasks.sweep]\n{task}\n[policies.items]\nkind = \"rows\"\ntask = \"sweep\"\nsource = \"app\"\n\
         table = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 100\n"
    ));
}

/// Replaces text in the configuration file.
fn edit(world: &World, from: &str, to: &str) {
    let path = world.dir.join("retaind.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn ledger(world: &World) -> Client {
    Client::open(&world.dir.join("state/ledger.db")).unwrap()
}

/// Waits until the ledger has this many runs that ended.
fn await_runs(world: &World, count: usize) -> Vec<Vec<Option<String>>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sql = "SELECT \"trigger\", status FROM runs WHERE finished_at IS NOT NULL ORDER BY started_at";
        let runs = ledger(world).query(sql).unwrap();
        if runs.len() >= count {
            return runs;
        }
        assert!(Instant::now() < deadline, "only {} runs: {}", runs.len(), log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(cell: &Option<String>) -> &str {
    cell.as_deref().unwrap_or("NULL")
}

/// Enough old rows that a purge in batches of 100 takes a good while.
fn fill(world: &World, rows: u64) {
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=rows);
}

/// Rows 1 and 2 are old, 3 is young; a daemon that has nothing to do by itself.
fn three_items_served() -> (World, Daemon) {
    let world = world("every = \"20d\"");
    fill(&world, 2);
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(4.0)), 3..=3);
    let daemon = Daemon::ready(&world);
    (world, daemon)
}

fn await_purge(world: &World, rows: u64) {
    let deadline = Instant::now() + PATIENCE;
    let left = || world.db.value("SELECT COUNT(*) FROM item").unwrap().parse::<u64>().unwrap();
    while left() == rows {
        assert!(Instant::now() < deadline, "{}", log(world));
        std::thread::sleep(Duration::from_millis(5));
    }
}
