//! The signals that the daemon heeds, as one type.

use futures_util::StreamExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Request that a signal makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Load the configuration anew. Several in quick succession may arrive as one.
    Reload,
    /// End; a second one, end at once.
    Shutdown,
}

/// The stream of signals. While it exists, none of them kills the process.
pub struct Signals(signal_hook_tokio::Signals);

impl Signals {
    /// Begins to listen. Must be called within a runtime.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self(signal_hook_tokio::Signals::new([SIGHUP, SIGINT, SIGTERM])?))
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        match self.0.next().await {
            Some(SIGHUP) => Signal::Reload,
            Some(_) => Signal::Shutdown,
            // The stream ends only when its handle is closed, and nobody has one.
            None => std::future::pending().await,
        }
    }
}
