//! Measures a daemon that has nothing to do: time from start to READY, resident memory, wake-ups.

#![allow(clippy::disallowed_methods, reason = "a bench makes its own files, and measures real time")]

#[allow(dead_code, reason = "shared with the other benches")]
#[path = "../common/process.rs"]
mod process;

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;

use process::{median, retaind, status_field};

const READY_LIMIT: Duration = Duration::from_millis(150);
const MEMORY_LIMIT_MIB: f64 = 20.0;
/// What one ping of the watchdog may cost: its timer, the loop that answers, a worker that is woken to look for more.
const WAKE_UPS_PER_PING: u64 = 8;
/// Half of this is how often systemd's documentation wants to hear from the daemon.
const WATCHDOG_USEC: u64 = 20_000_000;
const STARTS: usize = 9;

/// Measures an idle daemon with three tasks.
#[derive(Parser)]
#[command(name = "idle")]
struct Options {
    /// Seconds over which wake-ups are counted.
    #[arg(long, default_value_t = 30)]
    secs: u64,
    /// End with an error when a limit is missed.
    #[arg(long)]
    check: bool,
    /// What cargo adds by itself.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let dir = tempfile::tempdir()?;
    let config = write_config(dir.path())?;

    // The first start makes the ledger and is not counted.
    Daemon::start(dir.path(), &config)?.stop()?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let daemon = Daemon::start(dir.path(), &config)?;
        starts.push(daemon.ready_after);
        daemon.stop()?;
    }
    let ready = median(&starts).context("the daemon was started")?;

    let daemon = Daemon::start(dir.path(), &config)?;
    // What belongs to the start is over by then.
    std::thread::sleep(Duration::from_secs(2));
    daemon.pings()?;
    let before = daemon.wake_ups()?;
    std::thread::sleep(Duration::from_secs(options.secs));
    let (after, pings) = (daemon.wake_ups()?, daemon.pings()?);
    let resident_mib = status_field(&daemon.proc_path("status"), "VmRSS").context("VmRSS")? as f64 / 1024.0;
    daemon.stop()?;

    let woken: BTreeMap<&String, u64> = after
        .iter()
        .map(|(thread, count)| (thread, count - before.get(thread).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let wake_ups: u64 = woken.values().sum();
    let wake_up_limit = pings * WAKE_UPS_PER_PING;
    println!("start to READY   {:>8.1} ms    limit {} ms", ready.as_secs_f64() * 1e3, READY_LIMIT.as_millis());
    println!("resident memory  {resident_mib:>8.1} MiB   limit {MEMORY_LIMIT_MIB} MiB");
    println!("wake-ups         {wake_ups:>8} in {} s, {pings} watchdog pings   limit {wake_up_limit}", options.secs);
    for (thread, count) in woken {
        println!("                 {count:>8} {thread}");
    }
    let held = ready < READY_LIMIT && resident_mib < MEMORY_LIMIT_MIB && wake_ups <= wake_up_limit;
    if options.check && !held {
        eprintln!("A limit was missed.");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Three tasks, none of which is due soon.
fn write_config(dir: &Path) -> anyhow::Result<PathBuf> {
    let database = dir.join("source.db");
    engine_file(&database)?;
    let state = dir.join("state");
    std::fs::create_dir(&state)?;
    let mut text =
        format!("[daemon]\nstate_dir = {state:?}\n\n[sources.app]\nurl = \"sqlite:{}\"\n", database.display());
    for task in ["nightly", "weekly", "yearly"] {
        let schedule = match task {
            "nightly" => "every = \"24h\"",
            "weekly" => "every = \"168h\"",
            _ => "schedule = \"0 0 29 2 *\"",
        };
        text.push_str(&format!(
            "\n[tasks.{task}]\n{schedule}\n\n[policies.{task}-rows]\nkind = \"rows\"\ntask = \"{task}\"\n\
             source = \"app\"\ntable = \"readings\"\nage = \"recorded_at\"\nkeep = \"30d\"\n"
        ));
    }
    let config = dir.join("retaind.toml");
    std::fs::write(&config, text)?;
    Ok(config)
}

/// A SQLite file with an empty table.
fn engine_file(path: &Path) -> anyhow::Result<()> {
    use diesel::Connection;
    use diesel::connection::SimpleConnection;
    let mut connection = diesel::SqliteConnection::establish(&path.display().to_string())?;
    connection.batch_execute(
        "CREATE TABLE readings (id INTEGER PRIMARY KEY, recorded_at TIMESTAMP NOT NULL);
         CREATE INDEX readings_recorded_at ON readings (recorded_at)",
    )?;
    Ok(())
}

/// A running daemon that believes systemd has started it.
struct Daemon {
    child: Child,
    notifications: UnixDatagram,
    ready_after: Duration,
}

impl Daemon {
    fn start(dir: &Path, config: &Path) -> anyhow::Result<Self> {
        let socket = dir.join("notify");
        let _ = std::fs::remove_file(&socket);
        let notifications = UnixDatagram::bind(&socket)?;
        let mut command: Command = retaind(config);
        command
            .arg("daemon")
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", WATCHDOG_USEC.to_string())
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null());
        if std::env::var_os("RETAIND_BENCH_VERBOSE").is_none() {
            command.stderr(Stdio::null());
        }
        let started = Instant::now();
        let child = command.spawn().context("starting the daemon")?;
        let mut daemon = Self { child, notifications, ready_after: Duration::ZERO };
        daemon.notifications.set_read_timeout(Some(Duration::from_secs(10)))?;
        loop {
            let message = daemon.receive().context("the daemon never became ready")?;
            if message.lines().any(|line| line == "READY=1") {
                daemon.ready_after = started.elapsed();
                return Ok(daemon);
            }
        }
    }

    fn receive(&self) -> anyhow::Result<String> {
        let mut buffer = [0; 4096];
        let length = self.notifications.recv(&mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    /// How often the watchdog was answered since this was last asked.
    fn pings(&self) -> anyhow::Result<u64> {
        self.notifications.set_nonblocking(true)?;
        let mut pings = 0;
        while let Ok(message) = self.receive() {
            pings += u64::from(message.lines().any(|line| line == "WATCHDOG=1"));
        }
        self.notifications.set_nonblocking(false)?;
        Ok(pings)
    }

    /// How often each thread was put to sleep and woken again, since it began.
    fn wake_ups(&self) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for entry in std::fs::read_dir(self.proc_path("task"))? {
            let thread = entry?.path();
            let name = std::fs::read_to_string(thread.join("comm"))?;
            let id = thread.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let count = status_field(&thread.join("status"), "voluntary_ctxt_switches").context("a thread's status")?;
            counts.insert(format!("{} ({id})", name.trim()), count);
        }
        Ok(counts)
    }

    fn proc_path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).context("a pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the daemon ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the daemon did not end after SIGTERM")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
