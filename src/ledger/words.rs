//! Encoding of the ledger's columns: writes instants, numbers, names and enums, and reads them back; knows no table.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Fault;
use crate::outcome::RunId;
use crate::policy::Name;

/// An instant with nine decimals: text order is time order.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.9}")
}

pub(super) fn read_instant(text: &str) -> Result<Timestamp, Fault> {
    text.parse().map_err(|error| format!("{text:?} is not an instant: {error}").into())
}

pub(super) fn read_name(text: &str) -> Result<Name, Fault> {
    Name::parse(text).map_err(|why| format!("{text:?} is not a name: {why}").into())
}

pub(super) fn read_run_id(text: &str) -> Result<RunId, Fault> {
    RunId::parse_str(text).map_err(|error| format!("{text:?} is not the id of a run: {error}").into())
}

/// The word that JSON uses for a variant without fields.
pub(super) fn word<T: Serialize>(variant: &T) -> Result<String, Fault> {
    match serde_json::to_value(variant)? {
        serde_json::Value::String(word) => Ok(word),
        other => Err(format!("{other} is not a word").into()),
    }
}

pub(super) fn read_word<T: DeserializeOwned>(word: &str) -> Result<T, Fault> {
    Ok(serde_json::from_value(serde_json::Value::String(word.to_owned()))?)
}

/// SQLite's integers have a sign; no real count reaches the top.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn read_number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
