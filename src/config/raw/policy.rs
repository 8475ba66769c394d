//! `[policies.NAME]` and what is in it, as it is written.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::forms::{DURATION, DurationText, Named, Names, OnlyTable, SizeText, Texts};

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
    pub age_format: Option<String>,
    pub earliest: Option<String>,
    pub keep: Option<RawKeep>,
    pub expires: Option<String>,
    pub grace: Option<DurationText>,
    pub r#where: Option<String>,
    pub params: Option<Vec<RawParam>>,
    pub protected_by: Option<Vec<OnlyTable<RawProtection>>>,
    pub alive: Option<OnlyTable<RawAlive>>,
    pub allow_time_independent: Option<bool>,
    pub action: Option<String>,
    pub set: Option<Named<RawSetValue>>,
    pub files: Option<Vec<OnlyTable<RawFile>>>,
    pub children: Option<Vec<OnlyTable<RawChild>>>,
    pub details: Option<Vec<String>>,
    pub batch: Option<i64>,
    pub max_rows: Option<i64>,
    pub max_fraction: Option<f64>,
    pub max_growth: Option<i64>,
    pub store: Option<String>,
    pub r#match: Option<Texts>,
    pub exclude: Option<Texts>,
    pub keep_last: Option<i64>,
    pub max_total: Option<SizeText>,
    pub max_files: Option<i64>,
    pub min_free: Option<SizeText>,
    pub per: Option<String>,
    pub prune_empty: Option<bool>,
    pub open: Option<String>,
    pub bypass_trash: Option<bool>,
}

/// An entry of `files`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFile {
    pub store: Option<String>,
    pub column: Option<String>,
    pub path: Option<String>,
    pub directory: Option<bool>,
    pub outside: Option<String>,
    pub may_be_missing: Option<bool>,
    pub enabled: Option<bool>,
}

/// An entry of `children`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawChild {
    pub table: Option<String>,
    pub column: Option<Names>,
    pub references: Option<Names>,
    pub on_delete: Option<String>,
    pub files: Option<Vec<OnlyTable<RawFile>>>,
    pub children: Option<Vec<OnlyTable<RawChild>>>,
}

/// An entry of `protected_by`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawProtection {
    pub table: Option<String>,
    pub on: Option<String>,
    pub r#where: Option<String>,
}

/// `alive`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAlive {
    pub sql: Option<String>,
    pub command: Option<Vec<String>>,
    pub timeout: Option<DurationText>,
}

/// `keep`: one duration, or a table that picks one for each value of a column.
#[derive(Debug)]
pub enum RawKeep {
    For(DurationText),
    ByValue(RawKeepByValue),
}

/// `keep` as a table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawKeepByValue {
    pub column: Option<String>,
    pub values: Option<Named<DurationText>>,
    pub default: Option<DurationText>,
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
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawKeep, A::Error> {
                RawKeepByValue::deserialize(MapAccessDeserializer::new(map)).map(RawKeep::ByValue)
            }
        }
        deserializer.deserialize_any(Keep)
    }
}

/// An entry of `set`.
#[derive(Debug)]
pub enum RawSetValue {
    Text(String),
    Whole(i64),
    Decimal(f64),
    Flag(bool),
    Sql(RawSetSql),
}

/// `{ sql = "…" }`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSetSql {
    pub sql: Option<String>,
}

impl<'de> Deserialize<'de> for RawSetValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Set;
        impl<'de> Visitor<'de> for Set {
            type Value = RawSetValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true or false, or { sql = \"…\" }")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawSetValue, E> {
                Ok(RawSetValue::Text(text.to_owned()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<RawSetValue, E> {
                Ok(RawSetValue::Whole(number))
            }
            fn visit_f64<E>(self, number: f64) -> Result<RawSetValue, E> {
                Ok(RawSetValue::Decimal(number))
            }
            fn visit_bool<E>(self, flag: bool) -> Result<RawSetValue, E> {
                Ok(RawSetValue::Flag(flag))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawSetValue, A::Error> {
                RawSetSql::deserialize(MapAccessDeserializer::new(map)).map(RawSetValue::Sql)
            }
        }
        deserializer.deserialize_any(Set)
    }
}

/// An entry of `params`: a name, or a table with its type.
#[derive(Debug)]
pub enum RawParam {
    Name(String),
    Table(RawParamTable),
}

/// `{ name = "…", type = "…" }`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawParamTable {
    pub name: Option<String>,
    pub r#type: Option<String>,
}

impl<'de> Deserialize<'de> for RawParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Param;
        impl<'de> Visitor<'de> for Param {
            type Value = RawParam;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name in quotes, or { name = \"…\", type = \"…\" }")
            }
            fn visit_str<E>(self, text: &str) -> Result<RawParam, E> {
                Ok(RawParam::Name(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawParam, A::Error> {
                RawParamTable::deserialize(MapAccessDeserializer::new(map)).map(RawParam::Table)
            }
        }
        deserializer.deserialize_any(Param)
    }
}
