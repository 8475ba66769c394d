//! A daemon that believes systemd has started it, and has nothing to do.

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::measure::{retaind, status_field};

/// Half of this is how often systemd's documentation wants to hear from the daemon.
const WATCHDOG_USEC: u64 = 20_000_000;

/// Three tasks, none of which is due soon.
pub fn write_config(dir: &Path) -> anyhow::Result<PathBuf> {
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
pub struct Daemon {
    child: Child,
    notifications: UnixDatagram,
    pub ready_after: Duration,
}

impl Daemon {
    pub fn start(dir: &Path, config: &Path) -> anyhow::Result<Self> {
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
    pub fn pings(&self) -> anyhow::Result<u64> {
        self.notifications.set_nonblocking(true)?;
        let mut pings = 0;
        while let Ok(message) = self.receive() {
            pings += u64::from(message.lines().any(|line| line == "WATCHDOG=1"));
        }
        self.notifications.set_nonblocking(false)?;
        Ok(pings)
    }

    /// How often each thread was put to sleep and woken again, since it began.
    pub fn wake_ups(&self) -> anyhow::Result<BTreeMap<String, u64>> {
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

    pub fn proc_path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.child.id()))
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
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
