//! `[server]`: where the daemon answers, and to whom.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The unix socket; none where the daemon answers on none.
    pub socket: Option<PathBuf>,
    /// Nothing can be started, stopped or changed through it.
    pub read_only: bool,
    /// It shows numbers for Prometheus.
    pub metrics: bool,
    /// It has pages for a browser.
    pub dashboard: bool,
    /// File that these numbers are written into.
    pub metrics_file: Option<PathBuf>,
    /// None where it does not answer over TCP.
    pub tcp: Option<ServingTcp>,
}

/// Answers over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingTcp {
    pub listen: SocketAddr,
    /// Names by which requests may ask for it, beside its addresses; in small letters.
    pub hosts: Vec<String>,
    /// None: in the clear.
    pub certificate: Option<Certificate>,
    /// Destructive requests that a token may make; none where they are not counted.
    pub rate_limit: Option<RateLimit>,
}

/// Most of something in any stretch of time of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub most: u32,
    pub per: Duration,
}

/// Certificate by which the daemon shows who it is, with its key.
#[derive(Clone)]
pub struct Certificate {
    pub path: PathBuf,
    pub key_path: PathBuf,
    /// SHA-256 of it and what follows it in its file, in hexadecimal.
    pub digest: String,
    pub tls: Arc<rustls::ServerConfig>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.key_path, &self.digest) == (&other.path, &other.key_path, &other.digest)
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("path", &self.path).field("digest", &self.digest).finish_non_exhaustive()
    }
}
