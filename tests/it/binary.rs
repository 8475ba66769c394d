//! The binary under test, and how it is started: without the variables that are meant for the tests.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

pub const RETAIND: &str = env!("CARGO_BIN_EXE_retaind");

/// A program that is the binary or starts it. What begins with `RETAIND_` in the environment of the tests says something to
/// them, and the binary would refuse it.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"RETAIND_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command that is killed at its Nth call of some kinds. False if it lived to its end.
pub fn killed_at((call, nth): (&str, usize), arguments: &[&str], config: &Path) -> bool {
    let status = command("strace")
        .args(["-f", "-qqq", "-o", "/dev/null", "-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={nth}")])
        .arg(RETAIND)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("strace runs");
    !status.success()
}
