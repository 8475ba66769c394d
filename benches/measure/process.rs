//! A retaind process under measurement: its time, its peak memory, its answer.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Period at which the peak memory is read; it only grows, so that at most the last of these is missed.
const MEMORY_PERIOD: Duration = Duration::from_millis(5);

/// The release binary that belongs to this program, or the one that `RETAIND_BENCH_PROGRAM` names.
pub fn retaind(config: &Path) -> Command {
    let own = || env!("CARGO_BIN_EXE_retaind").into();
    let mut command = Command::new(std::env::var_os("RETAIND_BENCH_PROGRAM").unwrap_or_else(own));
    // Such variables say something to the benches, and the binary would refuse them.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"RETAIND_")) {
        command.env_remove(name);
    }
    command.arg("--config").arg(config).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
    command
}

/// Runs a command of retaind to its end, which has to be a success.
pub fn run_watched(command: &mut Command) -> anyhow::Result<Finished> {
    let finished = Watched::start(command)?.finish()?;
    ensure!(finished.status.success(), "{command:?}: {}\n{}{}", finished.status, finished.stdout, finished.stderr);
    Ok(finished)
}

/// A number of `/proc/PID/status` or one of its threads', in the unit that the kernel uses there.
pub fn status_field(status: &Path, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A process whose peak memory is watched.
pub struct Watched {
    child: Child,
    started: Instant,
    peak_kib: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    watcher: JoinHandle<()>,
}

/// A process that has ended.
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub duration: Duration,
    pub peak_mib: f64,
}

impl Watched {
    /// Starts the command.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let started = Instant::now();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let (peak_kib, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let watcher = std::thread::spawn({
            let (peak_kib, ended) = (peak_kib.clone(), ended.clone());
            move || {
                while !ended.load(Ordering::Relaxed) {
                    if let Some(kib) = status_field(&status, "VmHWM") {
                        peak_kib.fetch_max(kib, Ordering::Relaxed);
                    }
                    std::thread::sleep(MEMORY_PERIOD);
                }
            }
        });
        Ok(Self { child, started, peak_kib, ended, watcher })
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) -> anyhow::Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("sending SIGTERM")
    }

    /// Waits for the end.
    pub fn finish(self) -> anyhow::Result<Finished> {
        let output = self.child.wait_with_output().context("waiting for retaind")?;
        let duration = self.started.elapsed();
        self.ended.store(true, Ordering::Relaxed);
        self.watcher.join().map_err(|_| anyhow::anyhow!("the memory watcher panicked"))?;
        Ok(Finished {
            status: output.status,
            stdout: String::from_utf8(output.stdout).context("retaind's output is text")?,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            duration,
            peak_mib: self.peak_kib.load(Ordering::Relaxed) as f64 / 1024.0,
        })
    }
}

/// Runs a program of the other side to its end, which has to be a success, and says how long it took.
pub fn time(command: &mut Command) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    let duration = started.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(duration)
}
