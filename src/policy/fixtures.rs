//! Configurations for tests of other rooms: valid, with nothing in them but what must be there.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Action, ClockTrust, Condition, Daemon, Mode, Name, RowsPolicy, Settings, TableName};

/// A configuration that declares nothing.
pub(crate) fn settings(state_dir: &Path) -> Settings {
    Settings {
        daemon: Daemon {
            mode: Mode::Enforce,
            state_dir: state_dir.to_owned(),
            ledger_path: state_dir.join("ledger.db"),
            timezone: TimeZone::UTC,
            shutdown_grace: Duration::from_secs(20),
            clock: ClockTrust::Check,
            approve_changes: true,
        },
        sources: Vec::new(),
        stores: Vec::new(),
        tasks: Vec::new(),
        policies: Vec::new(),
        written: Default::default(),
    }
}

/// A policy that deletes the rows of a table that a condition includes.
pub(crate) fn rows_policy(source: &str, table: &str, condition: &str) -> RowsPolicy {
    RowsPolicy {
        source: Name::parse(source).unwrap(),
        table: TableName::parse(table).unwrap(),
        age: None,
        keep: None,
        condition: Some(Condition::parse(condition).unwrap()),
        params: Vec::new(),
        protections: Vec::new(),
        alive: None,
        allow_time_independent: false,
        action: Action::Delete,
        files: Vec::new(),
        files_off: Vec::new(),
        children: Vec::new(),
        details: Vec::new(),
        batch: NonZeroU32::MIN,
        max_rows: None,
        max_fraction: None,
    }
}
