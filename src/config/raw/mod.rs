//! The shape of the file: every key optional, nothing judged.

mod forms;
mod policy;

use serde::Deserialize;

pub(super) use forms::{DURATION, NAMES, SIZE, TEXTS};
pub use forms::{DurationText, Hidden, Named, Names, OnlyTable, SizeText, Texts};
pub use policy::{
    RawAlive, RawChild, RawFile, RawKeep, RawKeepByValue, RawParam, RawParamTable, RawPolicy, RawProtection, RawSetSql,
    RawSetValue,
};

/// The whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    pub daemon: Option<OnlyTable<RawDaemon>>,
    pub ledger: Option<OnlyTable<RawLedger>>,
    pub sources: Option<Named<OnlyTable<RawSource>>>,
    pub stores: Option<Named<OnlyTable<RawStore>>>,
    pub tasks: Option<Named<OnlyTable<RawTask>>>,
    pub policies: Option<Named<OnlyTable<RawPolicy>>>,
}

/// `[daemon]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDaemon {
    pub mode: Option<String>,
    pub state_dir: Option<String>,
    pub timezone: Option<String>,
    pub shutdown_grace: Option<DurationText>,
    pub clock: Option<String>,
    pub approve_changes: Option<bool>,
}

/// `[ledger]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawLedger {
    pub url: Option<Hidden>,
}

/// `[sources.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSource {
    pub url: Option<Hidden>,
    pub password_credential: Option<Hidden>,
    pub password_file: Option<Hidden>,
    pub lock_timeout: Option<DurationText>,
    pub statement_timeout: Option<DurationText>,
    pub connect_timeout: Option<DurationText>,
    pub max_connections: Option<i64>,
    pub timezone: Option<String>,
    pub search_path: Option<Vec<String>>,
}

/// `[stores.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    pub path: Option<String>,
    pub strip_prefix: Option<String>,
    pub references: Option<Vec<OnlyTable<RawReference>>>,
    pub trash: Option<DurationText>,
    pub age_by: Option<String>,
}

/// An entry of `references`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawReference {
    pub source: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub path: Option<String>,
    pub directory: Option<bool>,
    pub r#match: Option<String>,
    pub ignore_prefix: Option<Texts>,
    pub may_be_missing: Option<bool>,
    pub may_be_empty: Option<bool>,
}

/// `[tasks.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawTask {
    pub schedule: Option<String>,
    pub every: Option<DurationText>,
    pub misfire_grace: Option<DurationText>,
    pub catch_up: Option<bool>,
    pub timeout: Option<DurationText>,
    pub enabled: Option<bool>,
    pub before: Option<OnlyTable<RawHook>>,
    pub after: Option<OnlyTable<RawHook>>,
}

/// `before` and `after`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawHook {
    pub command: Option<Vec<String>>,
    pub timeout: Option<DurationText>,
}
