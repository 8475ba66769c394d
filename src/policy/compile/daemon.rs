//! `[daemon]` and `[ledger]`.

use std::path::{Path, PathBuf};

use crate::config::raw::Raw;
use crate::config::{Diagnostic, Fault, KeyPath, Origin};

use super::super::Daemon;
use super::value::parse_absolute;
use super::{Gather, url};

/// Directory of the ledger where neither the configuration nor systemd names one.
const STATE_DIR: &str = "/var/lib/retaind";

impl Gather<'_> {
    pub(super) fn daemon(&mut self, raw: &Raw) -> Option<Daemon> {
        let state_dir = self.state_dir(&KeyPath::of(&["daemon"]), raw.daemon.state_dir.as_deref());
        let ledger_path = match (&raw.ledger.url, &state_dir) {
            (Some(url), _) => self.check(&KeyPath::of(&["ledger", "url"]), parse_ledger_url(url)),
            (None, Some(state_dir)) => Some(state_dir.join("ledger.db")),
            (None, None) => None,
        };
        Some(Daemon {
            mode: raw.daemon.mode,
            state_dir: state_dir?,
            ledger_path: ledger_path?,
            timezone: raw.daemon.timezone.0.clone(),
            shutdown_grace: raw.daemon.shutdown_grace.0,
            clock: raw.daemon.clock,
            keep_runs: raw.ledger.keep_runs.0,
            keep_audit: raw.ledger.keep_audit.0,
            log_format: raw.daemon.log_format,
            log_level: raw.daemon.log_level,
            approve_changes: raw.daemon.approve_changes,
        })
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
            (None, None) => Some(Path::new(STATE_DIR).to_owned()),
        }
    }
}

fn parse_ledger_url(text: &str) -> Result<PathBuf, Fault> {
    url::parse(text)?.path().map(Path::to_owned).ok_or_else(|| {
        let hint = "write \"sqlite:/PATH\", or leave the key out";
        Fault::new("a ledger on a server is not supported yet").hint(hint)
    })
}
