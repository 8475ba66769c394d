//! Every key there is, with its type and default: the one list that overrides, documentation and tests go by.

use super::path::{KeyPath, KeySegment};

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
pub enum KeyKind {
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

impl KeyKind {
    /// The word that the documentation uses.
    pub fn word(self) -> &'static str {
        match self {
            KeyKind::Text => "text",
            KeyKind::Duration => "duration",
            KeyKind::Count => "whole number",
            KeyKind::Share => "share",
            KeyKind::Flag => "true or false",
            KeyKind::Table => "table",
            KeyKind::Tables => "list of tables",
            KeyKind::List => "list",
            KeyKind::Value => "value",
            KeyKind::Size => "size",
            KeyKind::Patterns => "pattern or list",
            KeyKind::Names => "text or list",
        }
    }
}

/// A key. `*` in its path stands for a name, `[]` for an element of a list.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub path: &'static str,
    pub kind: KeyKind,
    /// As the documentation shows it; empty where there is none.
    pub default: &'static str,
}

const fn key(path: &'static str, kind: KeyKind, default: &'static str) -> Key {
    Key { path, kind, default }
}

/// All keys, section by section.
pub const KEYS: &[Key] = &[
    key("daemon.mode", KeyKind::Text, MODE),
    key("daemon.state_dir", KeyKind::Text, STATE_DIR),
    key("daemon.timezone", KeyKind::Text, TIMEZONE),
    key("daemon.shutdown_grace", KeyKind::Duration, SHUTDOWN_GRACE),
    key("daemon.clock", KeyKind::Text, CLOCK),
    key("daemon.approve_changes", KeyKind::Flag, "true"),
    key("ledger.url", KeyKind::Text, "ledger.db in state_dir"),
    key("sources.*.url", KeyKind::Text, ""),
    key("sources.*.password_credential", KeyKind::Text, ""),
    key("sources.*.password_file", KeyKind::Text, ""),
    key("sources.*.lock_timeout", KeyKind::Duration, LOCK_TIMEOUT),
    key("sources.*.statement_timeout", KeyKind::Duration, STATEMENT_TIMEOUT),
    key("sources.*.connect_timeout", KeyKind::Duration, CONNECT_TIMEOUT),
    key("sources.*.max_connections", KeyKind::Count, "4"),
    key("sources.*.timezone", KeyKind::Text, TIMEZONE),
    key("sources.*.search_path", KeyKind::List, "the login's own"),
    key("stores.*.path", KeyKind::Text, ""),
    key("stores.*.strip_prefix", KeyKind::Text, ""),
    key("stores.*.references", KeyKind::Tables, ""),
    key("stores.*.references[].source", KeyKind::Text, ""),
    key("stores.*.references[].table", KeyKind::Text, ""),
    key("stores.*.references[].column", KeyKind::Text, ""),
    key("stores.*.references[].path", KeyKind::Text, ""),
    key("stores.*.references[].directory", KeyKind::Flag, "false"),
    key("stores.*.references[].match", KeyKind::Text, REFERENCE_MATCH),
    key("stores.*.references[].ignore_prefix", KeyKind::Patterns, ""),
    key("stores.*.references[].may_be_missing", KeyKind::Flag, "false"),
    key("stores.*.references[].may_be_empty", KeyKind::Flag, "false"),
    key("stores.*.trash", KeyKind::Duration, ""),
    key("stores.*.age_by", KeyKind::Text, AGE_BY),
    key("tasks.*.schedule", KeyKind::Text, ""),
    key("tasks.*.every", KeyKind::Duration, ""),
    key("tasks.*.misfire_grace", KeyKind::Duration, MISFIRE_GRACE),
    key("tasks.*.catch_up", KeyKind::Flag, "true"),
    key("tasks.*.timeout", KeyKind::Duration, ""),
    key("tasks.*.enabled", KeyKind::Flag, "true"),
    key("tasks.*.before", KeyKind::Table, ""),
    key("tasks.*.before.command", KeyKind::List, ""),
    key("tasks.*.before.timeout", KeyKind::Duration, HOOK_TIMEOUT),
    key("tasks.*.after", KeyKind::Table, ""),
    key("tasks.*.after.command", KeyKind::List, ""),
    key("tasks.*.after.timeout", KeyKind::Duration, HOOK_TIMEOUT),
    key("policies.*.kind", KeyKind::Text, ""),
    key("policies.*.task", KeyKind::Text, ""),
    key("policies.*.enabled", KeyKind::Flag, "true"),
    key("policies.*.mode", KeyKind::Text, MODE),
    key("policies.*.source", KeyKind::Text, ""),
    key("policies.*.table", KeyKind::Text, ""),
    key("policies.*.age", KeyKind::Text, ""),
    key("policies.*.age_format", KeyKind::Text, ""),
    key("policies.*.earliest", KeyKind::Text, EARLIEST),
    // Or a table; as text it is taken where it does not begin with a brace.
    key("policies.*.keep", KeyKind::Duration, ""),
    key("policies.*.keep.column", KeyKind::Text, ""),
    key("policies.*.keep.values", KeyKind::Table, ""),
    key("policies.*.keep.values.*", KeyKind::Duration, ""),
    key("policies.*.keep.default", KeyKind::Duration, ""),
    key("policies.*.expires", KeyKind::Text, ""),
    key("policies.*.grace", KeyKind::Duration, ""),
    key("policies.*.where", KeyKind::Text, ""),
    key("policies.*.params", KeyKind::List, ""),
    key("policies.*.params[].name", KeyKind::Text, ""),
    key("policies.*.params[].type", KeyKind::Text, ""),
    key("policies.*.protected_by", KeyKind::Tables, ""),
    key("policies.*.protected_by[].table", KeyKind::Text, ""),
    key("policies.*.protected_by[].on", KeyKind::Text, ""),
    key("policies.*.protected_by[].where", KeyKind::Text, ""),
    key("policies.*.alive", KeyKind::Table, ""),
    key("policies.*.alive.sql", KeyKind::Text, ""),
    key("policies.*.alive.command", KeyKind::List, ""),
    key("policies.*.alive.timeout", KeyKind::Duration, ALIVE_TIMEOUT),
    key("policies.*.allow_time_independent", KeyKind::Flag, "false"),
    key("policies.*.action", KeyKind::Text, ACTION),
    key("policies.*.set", KeyKind::Table, ""),
    key("policies.*.set.*", KeyKind::Value, ""),
    key("policies.*.set.*.sql", KeyKind::Text, ""),
    key("policies.*.files", KeyKind::Tables, ""),
    key("policies.*.files[].store", KeyKind::Text, ""),
    key("policies.*.files[].column", KeyKind::Text, ""),
    key("policies.*.files[].path", KeyKind::Text, ""),
    key("policies.*.files[].directory", KeyKind::Flag, "false"),
    key("policies.*.files[].outside", KeyKind::Text, OUTSIDE),
    key("policies.*.files[].may_be_missing", KeyKind::Flag, "false"),
    key("policies.*.files[].enabled", KeyKind::Flag, "true"),
    key("policies.*.children", KeyKind::Tables, ""),
    key("policies.*.children[].table", KeyKind::Text, ""),
    key("policies.*.children[].column", KeyKind::Names, ""),
    key("policies.*.children[].references", KeyKind::Names, ""),
    key("policies.*.children[].on_delete", KeyKind::Text, ON_DELETE),
    key("policies.*.children[].files", KeyKind::Tables, ""),
    key("policies.*.children[].children", KeyKind::Tables, ""),
    key("policies.*.details", KeyKind::List, ""),
    key("policies.*.batch", KeyKind::Count, "10000"),
    key("policies.*.max_rows", KeyKind::Count, ""),
    key("policies.*.max_fraction", KeyKind::Share, ""),
    key("policies.*.max_growth", KeyKind::Count, "10"),
    key("policies.*.store", KeyKind::Text, ""),
    key("policies.*.match", KeyKind::Patterns, ""),
    key("policies.*.exclude", KeyKind::Patterns, ""),
    key("policies.*.keep_last", KeyKind::Count, ""),
    key("policies.*.max_total", KeyKind::Size, ""),
    key("policies.*.max_files", KeyKind::Count, ""),
    key("policies.*.min_free", KeyKind::Size, ""),
    key("policies.*.per", KeyKind::Text, ""),
    key("policies.*.prune_empty", KeyKind::Flag, "false"),
    key("policies.*.open", KeyKind::Text, OPEN),
    key("policies.*.bypass_trash", KeyKind::Flag, "false"),
];

/// Tables whose keys are names that the operator chooses.
const NAMED: [&str; 6] = ["sources", "stores", "tasks", "policies", "policies.*.keep.values", "policies.*.set"];

/// The key at a path, if there is such a key.
pub fn find(path: &KeyPath) -> Option<&'static Key> {
    let mut pattern = String::new();
    for segment in path.segments() {
        match segment {
            KeySegment::Index(_) => pattern.push_str("[]"),
            KeySegment::Key(_) if NAMED.contains(&pattern.as_str()) => pattern.push_str(".*"),
            KeySegment::Key(key) if pattern.is_empty() => pattern.push_str(key),
            KeySegment::Key(key) => {
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
        assert_eq!(find(&KeyPath::of(&["ledger", "url"])).unwrap().kind, KeyKind::Text);
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
