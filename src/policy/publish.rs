//! `[publish.redis]`: where others read how runs go.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Host, Secret};

/// Everything that means something in a url.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A Redis that has the state of each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishRedis {
    pub host: Host,
    pub database: i64,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// The password is a credential that was not passed to this process.
    pub lacks_password: bool,
    /// With `{id}` in it.
    pub key: String,
    /// Empty: none.
    pub channel: String,
    pub expire: Duration,
    /// The `type` of each state.
    pub job_type: String,
}

impl PublishRedis {
    /// The url without a password.
    pub fn url(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let (user, database) = (self.user.as_deref().map(encode), self.database);
        match &self.host {
            Host::Tcp { name, port } => {
                let user = user.map(|user| format!("{user}@")).unwrap_or_default();
                let name = if name.contains(':') { format!("[{name}]") } else { name.clone() };
                format!("redis://{user}{name}:{port}/{database}")
            }
            Host::Unix { path, port: _ } => {
                let user = user.map(|user| format!("&user={user}")).unwrap_or_default();
                format!("unix://{}?db={database}{user}", encode(&path.to_string_lossy()))
            }
        }
    }

    /// The socket; none where it is reached by TCP.
    pub fn socket(&self) -> Option<&PathBuf> {
        match &self.host {
            Host::Unix { path, .. } => Some(path),
            Host::Tcp { .. } => None,
        }
    }

    /// The key of a job's state.
    pub fn key_of(&self, id: &str) -> String {
        self.key.replace("{id}", id)
    }
}
