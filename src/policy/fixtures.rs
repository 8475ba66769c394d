//! Configurations for tests of other rooms: valid, with nothing in them but what must be there.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{
    Action, ClockTrust, Condition, Daemon, LogFormat, LogLevel, Mode, Name, Pace, RowsPolicy, Serving, Settings,
    TableName, Task, Trigger,
};

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
            log_format: LogFormat::Text,
            log_level: LogLevel::Info,
            keep_runs: Duration::from_secs(90 * 86_400),
            keep_audit: Duration::from_secs(400 * 86_400),
        },
        serving: Serving {
            socket: None,
            read_only: false,
            metrics: true,
            dashboard: true,
            metrics_file: None,
            tcp: None,
        },
        publish: None,
        notify: Vec::new(),
        sources: Vec::new(),
        stores: Vec::new(),
        tasks: Vec::new(),
        policies: Vec::new(),
        written: Default::default(),
        overrides: Default::default(),
    }
}

/// A task that is due each minute.
pub(crate) fn task(name: &str) -> Task {
    Task {
        name: Name::parse(name).unwrap(),
        trigger: Trigger::Every(Duration::from_secs(60)),
        misfire_grace: Duration::from_secs(60),
        catch_up: true,
        retry: None,
        timeout: None,
        window: None,
        enabled: true,
        ping: None,
        before: None,
        after: None,
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
        pace: Pace::default(),
        parallel: NonZeroU32::MIN,
        at_most: None,
        max_rows: None,
        max_fraction: None,
    }
}
