//! The test binary's own temporary directory and its watcher, which outlives the binary just long enough to kill the
//! servers and remove the directory, however the binary ended.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Waits until its standard input closes, which happens when the test binary is gone.
const WATCHER: &str = r#"
cat >/dev/null
for round in $(seq 100); do
    for file in "$1"/pids/*; do
        [ -f "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null
    done
    sleep 0.1
    rm -rf -- "$1" 2>/dev/null
    [ -e "$1" ] || exit 0
done
"#;

struct Scratch {
    root: PathBuf,
    /// Holds the write end of its standard input; never read, only dropped by the end of the process.
    _watcher: Child,
}

fn scratch() -> &'static Scratch {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let root = tempfile::Builder::new().prefix("retaind-it-").tempdir().expect("a temporary directory").keep();
        // The servers run as their own users and must get through.
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).expect("chmod of our own directory");
        std::fs::create_dir(root.join("pids")).expect("mkdir in our own directory");
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh"])
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: a Ctrl-C at the terminal must not take the watcher with it.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Scratch { root, _watcher: watcher }
    })
}

/// A fresh directory that is gone when the test binary is.
pub fn scratch_dir(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let dir = scratch().root.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&dir).expect("mkdir in our own directory");
    dir
}

/// The user that a server runs as: its own where we are root (PostgreSQL refuses root), else ours.
pub struct RunAs(Option<&'static str>);

impl RunAs {
    pub fn server(user: &'static str) -> Self {
        Self(rustix::process::geteuid().is_root().then_some(user))
    }

    /// A command that runs `program` as that user.
    pub fn command(&self, program: &Path) -> Command {
        match self.0 {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups"]).arg(program);
                command
            }
        }
    }

    /// Gives that user a directory or file.
    pub fn own(&self, path: &Path) {
        if let Some(user) = self.0 {
            run(Command::new("chown").arg("-R").arg(format!("{user}:")).arg(path));
        }
    }
}

/// Runs a command to its end; panics with its output where it fails.
pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A process that the watcher kills when the test binary is gone.
pub struct Supervised {
    child: Child,
    pid_file: PathBuf,
}

impl Supervised {
    /// Starts `command` with its output in `log`. The pid is on file before the program runs, so that no instant is
    /// left in which the server could be leaked.
    pub fn start(command: &Command, log: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let pid_file = scratch().root.join("pids").join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        let output = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log file");
        let child = Command::new("sh")
            .args(["-c", "echo $$ >\"$1\" && shift && exec \"$@\"", "sh"])
            .arg(&pid_file)
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle on the log"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self { child, pid_file }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Its direct children, as /proc lists them.
    pub fn children(&self) -> Vec<rustix::process::Pid> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|pid| rustix::process::Pid::from_raw(pid.parse().ok()?)).collect()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it has ended.
    pub fn wait(mut self) {
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.pid_file);
    }
}
