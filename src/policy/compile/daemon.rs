//! `[daemon]` and `[ledger]`.

use std::path::{Path, PathBuf};

use crate::config::raw::Raw;
use crate::config::{Diagnostic, KeyPath, Origin, keys};

use super::super::{Daemon, Endpoint, Mode};
use super::value::{parse_absolute, parse_clock, parse_mode, parse_zone};
use super::{Fault, Gather, url};

impl Gather<'_> {
    pub(super) fn daemon(&mut self, raw: &Raw) -> Option<Daemon> {
        let table = KeyPath::of(&["daemon"]);
        let daemon = raw.daemon.as_deref();
        let mode = self.mode(&table, daemon.and_then(|daemon| daemon.mode.as_deref()), keys::MODE);
        let zone = daemon.and_then(|daemon| daemon.timezone.as_deref()).unwrap_or(keys::TIMEZONE);
        let timezone = self.check(&table.key("timezone"), parse_zone(zone));
        let grace = daemon.and_then(|daemon| daemon.shutdown_grace.as_ref());
        let shutdown_grace = self.duration_or(&table.key("shutdown_grace"), grace, keys::SHUTDOWN_GRACE);
        let clock = daemon.and_then(|daemon| daemon.clock.as_deref()).unwrap_or(keys::CLOCK);
        let clock = self.check(&table.key("clock"), parse_clock(clock));
        let state_dir = self.state_dir(&table, daemon.and_then(|daemon| daemon.state_dir.as_deref()));
        let ledger_url = raw.ledger.as_deref().and_then(|ledger| ledger.url.as_ref());
        let ledger_path = match (ledger_url, &state_dir) {
            (Some(url), _) => self.check(&KeyPath::of(&["ledger", "url"]), parse_ledger_url(&url.0)),
            (None, Some(state_dir)) => Some(state_dir.join("ledger.db")),
            (None, None) => None,
        };
        Some(Daemon {
            mode: mode?,
            state_dir: state_dir?,
            ledger_path: ledger_path?,
            timezone: timezone?,
            shutdown_grace: shutdown_grace?,
            clock: clock?,
            approve_changes: daemon.and_then(|daemon| daemon.approve_changes).unwrap_or(true),
        })
    }

    /// The `mode` of a table.
    pub(super) fn mode(&mut self, table: &KeyPath, written: Option<&str>, default: &str) -> Option<Mode> {
        self.check(&table.key("mode"), parse_mode(written.unwrap_or(default)))
    }

    fn state_dir(&mut self, table: &KeyPath, written: Option<&str>) -> Option<PathBuf> {
        let path = table.key("state_dir");
        match (written, &self.inputs.state_dir) {
            (Some(written), _) => self.check(&path, parse_absolute(written)),
            (None, Some(given)) if given.is_absolute() => Some(given.clone()),
            (None, Some(_)) => {
                let origin = Origin::Env("STATE_DIRECTORY".to_owned());
                self.found.push(Diagnostic::new(origin, path, "the path is not absolute"));
                None
            }
            (None, None) => Some(Path::new(keys::STATE_DIR).to_owned()),
        }
    }
}

fn parse_ledger_url(text: &str) -> Result<PathBuf, Fault> {
    match url::parse(text)? {
        Endpoint::Sqlite { path } => Ok(path),
        Endpoint::Postgres(_) | Endpoint::MySql(_) => {
            let hint = "write \"sqlite:/PATH\", or leave the key out";
            Err(Fault::new("a ledger on a server is not supported yet").hint(hint))
        }
    }
}
