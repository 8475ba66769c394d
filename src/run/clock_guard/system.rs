//! The system's word on whether its clock is synchronised: systemd-timedated knows, and sees it at once when somebody
//! sets the clock by hand. It is asked by its own program, which needs no more than a unix socket.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

const PROGRAM: &str = "timedatectl";
/// The bus starts the service that answers.
const TIMEOUT: Duration = Duration::from_secs(5);

/// True if the system says so, in time. No answer is no.
pub(super) async fn is_synchronised() -> bool {
    let mut command = Command::new(PROGRAM);
    command.args(["show", "--property=NTPSynchronized", "--value"]);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).env("LANG", "C.UTF-8");
    command.current_dir("/").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(TIMEOUT, command.output()).await {
        Ok(Ok(output)) => output.status.success() && output.stdout.trim_ascii() == b"yes",
        Ok(Err(error)) => {
            tracing::debug!(%error, "{PROGRAM} cannot be asked whether the clock is synchronised: {error}");
            false
        }
        Err(_) => {
            tracing::debug!("{PROGRAM} did not answer within {TIMEOUT:?}");
            false
        }
    }
}
