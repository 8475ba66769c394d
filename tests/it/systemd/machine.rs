//! A booted machine: commands in it, files in it, and its end.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::image::Image;
use super::root;
use crate::engines::scratch_dir;

/// How long a condition may take that normally holds within a second or two.
pub const SOON: Duration = Duration::from_secs(60);

/// A Debian with systemd as its init, in namespaces of its own and without a network.
pub struct Machine {
    nspawn: Child,
    leader: Pid,
    console: PathBuf,
    root: PathBuf,
    /// Held from boot to halt: machines of one host share the names of their control groups.
    _lock: File,
    directory: PathBuf,
}

/// What a command in the machine said.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    /// Boots a fresh copy of the root and waits until every unit is up.
    pub fn boot() -> Self {
        Self::boot_with(&[])
    }

    /// The same, with directories of the host in it: each path outside, and inside.
    pub fn boot_with(binds: &[(&Path, &str)]) -> Self {
        let lock = root::lock("machine.lock");
        let directory = scratch_dir("machine");
        let root = directory.join("root");
        root::copy_to(&root);
        let binds = binds.iter().map(|(outside, inside)| format!("--bind={}:{inside}", outside.display()));
        let arguments = std::iter::once("--boot".to_owned()).chain(binds).collect();
        let mut machine = Self::start((lock, directory), root, arguments, &[]);
        machine.await_boot();
        machine
    }

    /// Starts a command as the first process of an image, as a runtime of containers does: its root read-only but for the
    /// volumes, without a network, and with directories of the host at their own paths.
    pub fn first_process(image: &Image, environment: &[String], command: &[&str], binds: &[&Path]) -> Self {
        let kept = (root::lock("machine.lock"), scratch_dir("container"));
        let mut arguments = vec![
            "--read-only".to_owned(),
            "--no-new-privileges=yes".to_owned(),
            "--user=retaind".to_owned(),
            format!("--kill-signal={}", image.stop_signal),
            "--tmpfs=/run/retaind:mode=0750,uid=10001,gid=10001".to_owned(),
        ];
        arguments.extend(environment.iter().map(|variable| format!("--setenv={variable}")));
        arguments.extend(binds.iter().map(|bind| format!("--bind={}", bind.display())));
        let mut machine = Self::start(kept, image.root.clone(), arguments, command);
        machine.await_init("retaind");
        machine
    }

    fn start((lock, directory): (File, PathBuf), root: PathBuf, arguments: Vec<String>, command: &[&str]) -> Self {
        let console = directory.join("console.log");
        let output = File::create(&console).expect("a log file");
        let nspawn = Command::new("setpriv")
            // A test binary that is killed takes its machine along.
            .args(["--pdeathsig", "TERM", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit"])
            .args(["--private-network", "--console=pipe"])
            .args(arguments)
            .arg("--directory")
            .arg(&root)
            .args(command)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle on the log"))
            .stderr(output)
            // A Ctrl-C at the terminal is for the test binary; the signal above follows.
            .process_group(0)
            .spawn()
            .expect("setpriv starts");
        Machine { leader: Pid::from_child(&nspawn), nspawn, console, root, _lock: lock, directory }
    }

    /// Sends a signal to the first process and waits for the end; its exit code, and everything that was printed.
    pub fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(self.leader, signal).expect("the first process is ours");
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.nspawn.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(begun.elapsed() < SOON, "no end after {SOON:?}\n{}", self.console());
            std::thread::sleep(Duration::from_millis(20));
        };
        (status.code(), self.console())
    }

    fn await_init(&mut self, named: &str) {
        let id = self.nspawn.id();
        self.leader = self.poll("an init in the machine", SOON, || {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
            let child: i32 = children.split_whitespace().next()?.parse().ok()?;
            let name = fs::read_to_string(format!("/proc/{child}/comm")).ok()?;
            (name.trim() == named).then(|| Pid::from_raw(child))?
        });
    }

    fn await_boot(&mut self) {
        self.await_init("systemd");
        self.poll("a booted machine", SOON, || {
            let state = self.run(&["systemctl", "is-system-running", "--wait"]).stdout;
            assert_ne!(state.trim(), "degraded", "{}", self.run(&["systemctl", "--failed"]).stdout);
            (state.trim() == "running").then_some(())
        });
    }

    /// The pid of its init on the host.
    pub fn init(&self) -> i32 {
        self.leader.as_raw_nonzero().get()
    }

    /// A path of the machine, as the host sees it.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside.trim_start_matches('/'))
    }

    /// Writes a file in the machine, with its directories.
    pub fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("a path in the machine")).expect("mkdir in the machine");
        fs::write(path, text).expect("write in the machine");
    }

    /// Copies a file of the host into the machine.
    pub fn copy_in(&self, from: &Path, inside: &str) {
        fs::copy(from, self.path(inside)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }

    /// Runs a command in the machine as root.
    pub fn run(&self, words: &[&str]) -> Outcome {
        let leader = self.init().to_string();
        let output = Command::new("nsenter")
            .args(["--target", &leader, "--all", "--wd=/", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
            .args([
                "LANG=C.UTF-8",
                "HOME=/root",
                "SYSTEMD_COLORS=0",
                "SYSTEMD_PAGER=cat",
                "DEBIAN_FRONTEND=noninteractive",
            ])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .expect("nsenter runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Runs a command that must succeed; its standard output.
    pub fn ok(&self, words: &[&str]) -> String {
        let outcome = self.run(words);
        assert_eq!(outcome.code, Some(0), "{words:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome.stdout
    }

    /// Runs a shell script that must succeed; its standard output.
    pub fn sh(&self, script: &str) -> String {
        self.ok(&["sh", "-euc", script])
    }

    /// A property of a unit, as `systemctl show` prints it.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.ok(&["systemctl", "show", "--value", "--property", name, unit]).trim().to_owned()
    }

    /// Asks again and again until `found` has something; panics, with the console, after `limit`.
    pub fn poll<T>(&self, what: &str, limit: Duration, mut found: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(begun.elapsed() < limit, "no {what} after {limit:?}\n{}", self.console());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What the machine printed on its console.
    pub fn console(&self) -> String {
        fs::read_to_string(&self.console).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let journal = self.run(&["journalctl", "--no-pager", "--lines=80", "--unit=retaind"]);
            eprintln!("{}{}", journal.stdout, journal.stderr);
        }
        // The first signal asks the machine to halt, the second ends it.
        let id = Pid::from_child(&self.nspawn);
        let _ = kill_process(id, Signal::TERM);
        let _ = kill_process(id, Signal::TERM);
        let begun = Instant::now();
        while matches!(self.nspawn.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(10) {
                let _ = kill_process(self.leader, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}
