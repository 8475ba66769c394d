//! Loading a configuration anew: which changes a running daemon can take.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::policy::{Destination, Settings};

/// Loads and compiles the configuration from where the daemon was told that it is, with overrides on top.
pub type Loader = Arc<dyn Fn(Vec<(String, String)>) -> Result<Settings, Refusal> + Send + Sync>;

/// Finds those who are notified, and the state directory, in a configuration that may be wrong elsewhere.
pub type Reach = Arc<dyn Fn() -> (Vec<Arc<Destination>>, Option<PathBuf>) + Send + Sync>;

/// Loads off the loop: files, credentials and zones are read.
pub(super) async fn load(loader: &Loader, set: Vec<(String, String)>) -> Result<Settings, Refusal> {
    let loader = Arc::clone(loader);
    match tokio::task::spawn_blocking(move || loader(set)).await {
        Ok(loaded) => loaded,
        Err(error) => Err(Refusal::because(format!("loading it broke off by a bug in retaind: {error}"))),
    }
}

/// A configuration that was refused, with everything that is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Each with its place; never empty.
    pub errors: Vec<String>,
}

impl Refusal {
    /// A refusal for a single reason.
    pub fn because(error: impl Into<String>) -> Self {
        Self { errors: vec![error.into()] }
    }

    /// The first of the errors.
    pub fn first(&self) -> &str {
        self.errors.first().map_or("no reason was given", String::as_str)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            0 | 1 => write!(f, "the configuration is refused: {}", self.first()),
            many => write!(f, "the configuration is refused, {many} errors: {}", self.errors.join("; ")),
        }
    }
}

impl std::error::Error for Refusal {}

/// True if a running daemon can change from one configuration to the other.
pub fn check_reloadable(old: &Settings, new: &Settings) -> Result<(), Refusal> {
    let path = |path: Option<&Path>| path.map_or("\"\"".to_owned(), |path| path.display().to_string());
    let listen =
        |settings: &Settings| settings.serving.tcp.as_ref().map_or("nothing".to_owned(), |tcp| tcp.listen.to_string());
    let places = |settings: &Settings| {
        [
            ("[daemon] state_dir", path(Some(&settings.daemon.state_dir))),
            ("[ledger] url", path(Some(&settings.daemon.ledger_path))),
            ("[server] socket", path(settings.serving.socket.as_deref())),
            ("[server] listen", listen(settings)),
        ]
    };
    let pairs = places(old).into_iter().zip(places(new));
    let moved = pairs.filter(|(old, new)| old != new).map(|((key, old), (_, new))| {
        format!("{key} changed from {old} to {new}: that needs a restart, systemctl restart retaind")
    });
    match moved.collect::<Vec<_>>() {
        none if none.is_empty() => Ok(()),
        errors => Err(Refusal { errors }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixtures::settings;

    #[test]
    fn a_running_daemon_does_not_move_its_ledger() {
        let (old, new) = (settings(Path::new("/a")), settings(Path::new("/b")));
        assert_eq!(check_reloadable(&old, &old), Ok(()));
        let refusal = check_reloadable(&old, &new).unwrap_err();
        assert_eq!(refusal.errors.len(), 2);
        assert!(refusal.first().contains("[daemon] state_dir changed from /a to /b"), "{refusal}");
    }
}
