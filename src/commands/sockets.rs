//! Places at which a daemon may answer.

use std::path::PathBuf;

use crate::ledger::StateHolder;
use crate::policy::Settings;

/// Socket of the packaged service, for whoever may not read the configuration.
const PACKAGED_SOCKET: &str = "/run/retaind/retaind.sock";

/// Sockets on which the daemon of a configuration may answer, the likeliest first; without one, that of the package.
pub fn sockets(settings: Option<&Settings>) -> Vec<PathBuf> {
    let Some(settings) = settings else { return vec![PathBuf::from(PACKAGED_SOCKET)] };
    let lock = std::fs::read_to_string(settings.daemon.state_dir.join("daemon.lock"));
    let noted = lock.ok().and_then(|text| StateHolder::read(&text).socket);
    let mut sockets: Vec<PathBuf> = noted.into_iter().chain(settings.serving.socket.clone()).collect();
    sockets.push(PathBuf::from(PACKAGED_SOCKET));
    sockets.dedup();
    sockets
}
