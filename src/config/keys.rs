//! Every key there is, with its type and default: the one list that overrides, documentation and tests go by.

use super::path::{KeyPath, Segment};

/// `[daemon]`
pub const MODE: &str = "enforce";
pub const STATE_DIR: &str = "/var/lib/retaind";
pub const TIMEZONE: &str = "UTC";
pub const SHUTDOWN_GRACE: &str = "20s";
pub const CLOCK: &str = "check";
/// `[sources.NAME]`
pub const LOCK_TIMEOUT: &str = "2s";
pub const STATEMENT_TIMEOUT: &str = "30s";
pub const CONNECT_TIMEOUT: &str = "5s";
pub const MAX_CONNECTIONS: i64 = 4;
/// `[tasks.NAME]`
pub const MISFIRE_GRACE: &str = "5m";
pub const CATCH_UP: bool = true;
/// `tasks.NAME.before` and `after`, and `policies.NAME.alive`, where they are commands.
pub const HOOK_TIMEOUT: &str = "1m";
pub const ALIVE_TIMEOUT: &str = "5s";
/// `[policies.NAME]`; 10,000 is within reach of one statement and still a transaction of some milliseconds.
pub const BATCH: i64 = 10_000;
pub const ACTION: &str = "delete";
pub const EARLIEST: &str = "1980-01-02";
pub const ON_DELETE: &str = "delete";
pub const OUTSIDE: &str = "keep";

/// `[stores.NAME]`
pub const REFERENCE_MATCH: &str = "path";
/// `[policies.NAME]` of kind files.
pub const OPEN: &str = "skip";
/// Times that the age of a file goes by.
pub const AGE_BY: &str = "latest";
/// `[policies.NAME]` of kind orphans: the mode, the grace, and the largest share of a store's files.
pub const ORPHANS_MODE: &str = "report";
pub const ORPHANS_KEEP: &str = "24h";
pub const MAX_GROWTH: i64 = 10;
pub const ORPHANS_MAX_FRACTION: f64 = 0.5;

/// Tasks that exist without being declared, with their schedules.
pub const SHIPPED_TASKS: [(&str, &str); 3] =
    [("retention", "0 3 * * *"), ("log-purge", "30 3 * * *"), ("orphan-scan", "0 4 * * 0")];

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Duration,
    Count,
    Share,
    Flag,
    /// A table with keys of its own, or with names that the operator chooses.
    Table,
    Tables,
    /// Texts, or tables in their place.
    List,
    /// What a column is set to.
    Value,
    /// Bytes with a unit, or, of a file system, a percentage.
    Size,
    /// A text, or a list of them.
    Patterns,
    /// A name in a database, or a list of them.
    Names,
}

impl Kind {
    /// The word that the documentation uses.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Duration => "duration",
            Kind::Count => "whole number",
            Kind::Share => "share",
            Kind::Flag => "true or false",
            Kind::Table => "table",
            Kind::Tables => "list of tables",
            Kind::List => "list",
            Kind::Value => "value",
            Kind::Size => "size",
            Kind::Patterns => "pattern or list",
            Kind::Names => "text or list",
        }
    }
}

/// A key. `*` in its path stands for a name, `[]` for an element of a list.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub path: &'static str,
    pub kind: Kind,
    /// As the documentation shows it; empty where there is none.
    pub default: &'static str,
}

const fn key(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { path, kind, default }
}

/// All keys, section by section.
pub const KEYS: &[Key] = &[
    key("daemon.mode", Kind::Text, MODE),
    key("daemon.state_dir", Kind::Text, STATE_DIR),
    key("daemon.timezone", Kind::Text, TIMEZONE),
    key("daemon.shutdown_grace", Kind::Duration, SHUTDOWN_GRACE),
    key("daemon.clock", Kind::Text, CLOCK),
    key("daemon.approve_changes", Kind::Flag, "true"),
    key("ledger.url", Kind::Text, "ledger.db in state_dir"),
    key("sources.*.url", Kind::Text, ""),
    key("sources.*.password_credential", Kind::Text, ""),
    key("sources.*.password_file", Kind::Text, ""),
    key("sources.*.lock_timeout", Kind::Duration, LOCK_TIMEOUT),
    key("sources.*.statement_timeout", Kind::Duration, STATEMENT_TIMEOUT),
    key("sources.*.connect_timeout", Kind::Duration, CONNECT_TIMEOUT),
    key("sources.*.max_connections", Kind::Count, "4"),
    key("sources.*.timezone", Kind::Text, TIMEZONE),
    key("sources.*.search_path", Kind::List, "the login's own"),
    key("stores.*.path", Kind::Text, ""),
    key("stores.*.strip_prefix", Kind::Text, ""),
    key("stores.*.references", Kind::Tables, ""),
    key("stores.*.references[].source", Kind::Text, ""),
    key("stores.*.references[].table", Kind::Text, ""),
    key("stores.*.references[].column", Kind::Text, ""),
    key("stores.*.references[].path", Kind::Text, ""),
    key("stores.*.references[].directory", Kind::Flag, "false"),
    key("stores.*.references[].match", Kind::Text, REFERENCE_MATCH),
    key("stores.*.references[].ignore_prefix", Kind::Patterns, ""),
    key("stores.*.references[].may_be_missing", Kind::Flag, "false"),
    key("stores.*.references[].may_be_empty", Kind::Flag, "false"),
    key("stores.*.trash", Kind::Duration, ""),
    key("stores.*.age_by", Kind::Text, AGE_BY),
    key("tasks.*.schedule", Kind::Text, ""),
    key("tasks.*.every", Kind::Duration, ""),
    key("tasks.*.misfire_grace", Kind::Duration, MISFIRE_GRACE),
    key("tasks.*.catch_up", Kind::Flag, "true"),
    key("tasks.*.timeout", Kind::Duration, ""),
    key("tasks.*.enabled", Kind::Flag, "true"),
    key("tasks.*.before", Kind::Table, ""),
    key("tasks.*.before.command", Kind::List, ""),
    key("tasks.*.before.timeout", Kind::Duration, HOOK_TIMEOUT),
    key("tasks.*.after", Kind::Table, ""),
    key("tasks.*.after.command", Kind::List, ""),
    key("tasks.*.after.timeout", Kind::Duration, HOOK_TIMEOUT),
    key("policies.*.kind", Kind::Text, ""),
    key("policies.*.task", Kind::Text, ""),
    key("policies.*.enabled", Kind::Flag, "true"),
    key("policies.*.mode", Kind::Text, MODE),
    key("policies.*.source", Kind::Text, ""),
    key("policies.*.table", Kind::Text, ""),
    key("policies.*.age", Kind::Text, ""),
    key("policies.*.age_format", Kind::Text, ""),
    key("policies.*.earliest", Kind::Text, EARLIEST),
    // Or a table; as text it is taken where it does not begin with a brace.
    key("policies.*.keep", Kind::Duration, ""),
    key("policies.*.keep.column", Kind::Text, ""),
    key("policies.*.keep.values", Kind::Table, ""),
    key("policies.*.keep.values.*", Kind::Duration, ""),
    key("policies.*.keep.default", Kind::Duration, ""),
    key("policies.*.expires", Kind::Text, ""),
    key("policies.*.grace", Kind::Duration, ""),
    key("policies.*.where", Kind::Text, ""),
    key("policies.*.params", Kind::List, ""),
    key("policies.*.params[].name", Kind::Text, ""),
    key("policies.*.params[].type", Kind::Text, ""),
    key("policies.*.protected_by", Kind::Tables, ""),
    key("policies.*.protected_by[].table", Kind::Text, ""),
    key("policies.*.protected_by[].on", Kind::Text, ""),
    key("policies.*.protected_by[].where", Kind::Text, ""),
    key("policies.*.alive", Kind::Table, ""),
    key("policies.*.alive.sql", Kind::Text, ""),
    key("policies.*.alive.command", Kind::List, ""),
    key("policies.*.alive.timeout", Kind::Duration, ALIVE_TIMEOUT),
    key("policies.*.allow_time_independent", Kind::Flag, "false"),
    key("policies.*.action", Kind::Text, ACTION),
    key("policies.*.set", Kind::Table, ""),
    key("policies.*.set.*", Kind::Value, ""),
    key("policies.*.set.*.sql", Kind::Text, ""),
    key("policies.*.files", Kind::Tables, ""),
    key("policies.*.files[].store", Kind::Text, ""),
    key("policies.*.files[].column", Kind::Text, ""),
    key("policies.*.files[].path", Kind::Text, ""),
    key("policies.*.files[].directory", Kind::Flag, "false"),
    key("policies.*.files[].outside", Kind::Text, OUTSIDE),
    key("policies.*.files[].may_be_missing", Kind::Flag, "false"),
    key("policies.*.files[].enabled", Kind::Flag, "true"),
    key("policies.*.children", Kind::Tables, ""),
    key("policies.*.children[].table", Kind::Text, ""),
    key("policies.*.children[].column", Kind::Names, ""),
    key("policies.*.children[].references", Kind::Names, ""),
    key("policies.*.children[].on_delete", Kind::Text, ON_DELETE),
    key("policies.*.children[].files", Kind::Tables, ""),
    key("policies.*.children[].children", Kind::Tables, ""),
    key("policies.*.details", Kind::List, ""),
    key("policies.*.batch", Kind::Count, "10000"),
    key("policies.*.max_rows", Kind::Count, ""),
    key("policies.*.max_fraction", Kind::Share, ""),
    key("policies.*.max_growth", Kind::Count, "10"),
    key("policies.*.store", Kind::Text, ""),
    key("policies.*.match", Kind::Patterns, ""),
    key("policies.*.exclude", Kind::Patterns, ""),
    key("policies.*.keep_last", Kind::Count, ""),
    key("policies.*.max_total", Kind::Size, ""),
    key("policies.*.max_files", Kind::Count, ""),
    key("policies.*.min_free", Kind::Size, ""),
    key("policies.*.per", Kind::Text, ""),
    key("policies.*.prune_empty", Kind::Flag, "false"),
    key("policies.*.open", Kind::Text, OPEN),
    key("policies.*.bypass_trash", Kind::Flag, "false"),
];

/// Tables whose keys are names that the operator chooses.
const NAMED: [&str; 6] = ["sources", "stores", "tasks", "policies", "policies.*.keep.values", "policies.*.set"];

/// The key at a path, if there is such a key.
pub fn find(path: &KeyPath) -> Option<&'static Key> {
    let mut pattern = String::new();
    for segment in path.segments() {
        match segment {
            Segment::Index(_) => pattern.push_str("[]"),
            Segment::Key(_) if NAMED.contains(&pattern.as_str()) => pattern.push_str(".*"),
            Segment::Key(key) if pattern.is_empty() => pattern.push_str(key),
            Segment::Key(key) => {
                pattern.push('.');
                pattern.push_str(key);
            }
        }
        // What is in a child is written as it is in the policy, however deep the child.
        for inner in ["children[]", "files[]"] {
            if let Some(above) = pattern.strip_suffix(&format!("children[].{inner}")) {
                pattern = format!("{above}{inner}");
            }
        }
    }
    KEYS.iter().find(|key| key.path == pattern)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::super::raw::*;
    use super::*;

    /// The fields of a raw struct, as serde lists them when it meets an unknown one.
    fn fields<T: for<'de> Deserialize<'de>>(prefix: &str) -> Vec<String> {
        let table: toml::Table = [("?".to_owned(), toml::Value::Boolean(true))].into_iter().collect();
        let message = match T::deserialize(toml::Value::Table(table)) {
            Ok(_) => panic!("an unknown key was accepted"),
            Err(error) => error.to_string(),
        };
        let listed = message.split("expected ").nth(1).unwrap();
        listed.split('`').skip(1).step_by(2).map(|field| format!("{prefix}{field}")).collect()
    }

    #[test]
    fn the_list_and_the_shape_are_the_same() {
        let mut shape = fields::<RawDaemon>("daemon.");
        // serde names a single field without a list.
        shape.extend(fields::<RawLedger>("ledger."));
        shape.extend(fields::<RawSource>("sources.*."));
        shape.extend(fields::<RawStore>("stores.*."));
        shape.extend(fields::<RawReference>("stores.*.references[]."));
        shape.extend(fields::<RawTask>("tasks.*."));
        shape.extend(fields::<RawHook>("tasks.*.before."));
        shape.extend(fields::<RawHook>("tasks.*.after."));
        shape.extend(fields::<RawPolicy>("policies.*."));
        shape.extend(fields::<RawKeepByValue>("policies.*.keep."));
        shape.extend(fields::<RawParamTable>("policies.*.params[]."));
        shape.extend(fields::<RawProtection>("policies.*.protected_by[]."));
        shape.extend(fields::<RawAlive>("policies.*.alive."));
        shape.extend(fields::<RawSetSql>("policies.*.set.*."));
        shape.extend(fields::<RawFile>("policies.*.files[]."));
        shape.extend(fields::<RawChild>("policies.*.children[]."));
        // Names that the operator chooses.
        shape.extend(["policies.*.keep.values.*", "policies.*.set.*"].map(str::to_owned));
        let shape: BTreeSet<String> = shape.into_iter().collect();
        let listed: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(shape, listed);
        assert_eq!(KEYS.len(), listed.len());
    }

    #[test]
    fn finds_a_key_whatever_the_name_is() {
        let path = KeyPath::of(&["policies", "daemon", "files"]).index(3).key("store");
        assert_eq!(find(&path).unwrap().path, "policies.*.files[].store");
        assert!(find(&KeyPath::of(&["policies", "x"])).is_none());
        let path = KeyPath::of(&["policies", "set", "set", "keep", "sql"]);
        assert_eq!(find(&path).unwrap().path, "policies.*.set.*.sql");
        let path = KeyPath::of(&["policies", "x", "keep", "values", "default"]);
        assert_eq!(find(&path).unwrap().path, "policies.*.keep.values.*");
        assert_eq!(find(&KeyPath::of(&["ledger", "url"])).unwrap().kind, Kind::Text);
    }

    #[test]
    fn finds_the_keys_of_a_child_at_any_depth() {
        let child = KeyPath::of(&["policies", "x", "children"]).index(0).key("children").index(1);
        for (path, wanted) in [
            (child.key("on_delete"), "policies.*.children[].on_delete"),
            (child.key("children"), "policies.*.children[].children"),
            (child.key("children").index(0).key("files"), "policies.*.children[].files"),
            (child.key("files").index(0).key("path"), "policies.*.files[].path"),
        ] {
            assert_eq!(find(&path).unwrap().path, wanted);
        }
        assert!(find(&child.key("batch")).is_none());
    }
}
