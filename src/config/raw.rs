//! The shape of the file: every key optional, nothing judged. What a later version fills is recognised, not read.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// The whole configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    pub daemon: Option<Table<RawDaemon>>,
    pub ledger: Option<Table<RawLedger>>,
    pub sources: Option<Named<RawSource>>,
    pub stores: Option<Named<RawStore>>,
    pub tasks: Option<Named<RawTask>>,
    pub policies: Option<Named<RawPolicy>>,
}

/// `[daemon]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDaemon {
    pub mode: Option<String>,
    pub state_dir: Option<String>,
    pub timezone: Option<String>,
    pub shutdown_grace: Option<DurationText>,
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
}

/// `[stores.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawStore {
    pub path: Option<String>,
    pub strip_prefix: Option<String>,
    pub references: Option<Vec<Table<RawReference>>>,
    pub trash: Option<Later>,
}

/// An entry of `references`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawReference {
    pub source: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub r#match: Option<Later>,
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
    pub before: Option<Later>,
    pub after: Option<Later>,
}

/// `[policies.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawPolicy {
    pub kind: Option<String>,
    pub task: Option<String>,
    pub enabled: Option<bool>,
    pub mode: Option<String>,
    pub source: Option<String>,
    pub table: Option<String>,
    pub age: Option<String>,
    pub keep: Option<RawKeep>,
    pub r#where: Option<String>,
    pub files: Option<Vec<Table<RawFileColumn>>>,
    pub batch: Option<i64>,
    pub max_rows: Option<i64>,
    pub max_fraction: Option<f64>,
    pub age_format: Option<Later>,
    pub expires: Option<Later>,
    pub grace: Option<Later>,
    pub action: Option<Later>,
    pub set: Option<Later>,
    pub children: Option<Later>,
    pub protected_by: Option<Later>,
    pub params: Option<Later>,
    pub alive: Option<Later>,
    pub details: Option<Later>,
    pub store: Option<Later>,
    pub r#match: Option<Later>,
    pub exclude: Option<Later>,
    pub keep_last: Option<Later>,
    pub max_total: Option<Later>,
    pub max_files: Option<Later>,
    pub min_free: Option<Later>,
    pub prune_empty: Option<Later>,
    pub open: Option<Later>,
}

/// An entry of `files`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFileColumn {
    pub store: Option<String>,
    pub column: Option<String>,
    pub enabled: Option<bool>,
    pub path: Option<Later>,
    pub directory: Option<Later>,
}

/// A text that may hold a password, or may have been put where one belongs; `Debug` leaves it out.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// A key that a later version fills; its value is not looked at.
#[derive(Debug)]
pub struct Later;

impl<'de> Deserialize<'de> for Later {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// A duration as it was written, not parsed.
#[derive(Debug)]
pub struct DurationText(pub String);

/// What [`DurationText`] expects, as its errors say it.
pub(super) const DURATION: &str = "a duration such as \"30d\"";

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = DurationText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DURATION)
            }
            fn visit_str<E>(self, text: &str) -> Result<DurationText, E> {
                Ok(DurationText(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// `keep`: one duration, or a table that picks one for each value of a column.
#[derive(Debug)]
pub enum RawKeep {
    For(DurationText),
    ByColumn(Later),
}

impl<'de> Deserialize<'de> for RawKeep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keep;
        impl<'de> Visitor<'de> for Keep {
            type Value = RawKeep;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(DURATION)
            }
            fn visit_str<E>(self, text: &str) -> Result<RawKeep, E> {
                Ok(RawKeep::For(DurationText(text.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawKeep, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(RawKeep::ByColumn(Later))
            }
        }
        deserializer.deserialize_any(Keep)
    }
}

/// A table, and not, as serde would have it, a list of the values in order.
#[derive(Debug, Default)]
pub struct Table<T>(pub T);

impl<T> Deref for Table<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = Table<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Table<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Table)
            }
        }
        deserializer.deserialize_map(OnlyMap(PhantomData))
    }
}

/// Tables by name, in the order in which they were declared.
#[derive(Debug)]
pub struct Named<T>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of named tables")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, Table(value))) = map.next_entry::<String, Table<T>>()? {
                    entries.push((name, value));
                }
                Ok(Named(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}
