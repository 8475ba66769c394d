//! The status of a run in JSON: `None` is the word "running".

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::result::Status;

/// Ending of a run, or that it goes on.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RunState")]
pub(super) enum Word {
    Ended(Status),
    Running(Running),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Running {
    Running,
}

pub(super) fn serialize<S: Serializer>(status: &Option<Status>, serializer: S) -> Result<S::Ok, S::Error> {
    match status {
        Some(status) => status.serialize(serializer),
        None => Running::Running.serialize(serializer),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    Ok(match Word::deserialize(deserializer)? {
        Word::Ended(status) => Some(status),
        Word::Running(Running::Running) => None,
    })
}
