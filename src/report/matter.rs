//! Matters that a person should look at: a stable code for programs, how much it matters, and a sentence.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::outcome::Status;
use crate::policy::Name;
use crate::text::word_of;

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Matter {
    /// Word of the matter, which stays the same.
    pub code: MatterCode,
    /// Weight of the matter.
    pub level: Severity,
    /// The task that it is about, where it is about one.
    pub task: Option<Name>,
    /// The policy that it is about, where it is about one.
    pub policy: Option<Name>,
    /// Sentence for a person.
    pub message: String,
}

/// Kind of a matter. The words are stable; new ones may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatterCode {
    ConfigInvalid,
    DaemonDown,
    LedgerLost,
    DiskFull,
    Clock,
    Held,
    Overdue,
    NeverRan,
    Failed,
    Blocked,
    Cancelled,
    CompletedWithErrors,
    Pending,
    Paused,
    SourceDown,
    ReloadFailed,
    ConfigDiffers,
    Undelivered,
}

/// Weight of a matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look at it when there is time.
    Warning,
    /// Something does not get done until somebody has looked.
    Critical,
}

impl Matter {
    /// A matter of no task and no policy.
    pub fn new(code: MatterCode, message: impl Into<String>) -> Self {
        Self { code, level: code.level(), task: None, policy: None, message: message.into() }
    }

    /// A matter of a task.
    pub fn of_task(code: MatterCode, task: &Name, message: String) -> Self {
        Self { task: Some(task.clone()), ..Self::new(code, message) }
    }

    /// A matter of a policy.
    pub fn of_policy(code: MatterCode, policy: &Name, message: String) -> Self {
        Self { policy: Some(policy.clone()), ..Self::new(code, message) }
    }
}

impl Severity {
    /// Stable word of the weight.
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl MatterCode {
    /// Stable word of the matter.
    pub fn word(self) -> Option<String> {
        word_of(&self)
    }

    fn level(self) -> Severity {
        use MatterCode::*;
        match self {
            DaemonDown | LedgerLost | DiskFull | Clock | Overdue | NeverRan | Failed | Blocked | SourceDown => {
                Severity::Critical
            }
            ConfigInvalid | ConfigDiffers | ReloadFailed | Held | Paused | Cancelled | CompletedWithErrors
            | Pending | Undelivered => Severity::Warning,
        }
    }

    /// Code of a run or a policy that did not simply complete.
    pub fn of_status(status: Status) -> Option<Self> {
        match status {
            Status::Completed => None,
            Status::CompletedWithErrors => Some(Self::CompletedWithErrors),
            Status::Failed => Some(Self::Failed),
            Status::Cancelled => Some(Self::Cancelled),
            Status::Blocked => Some(Self::Blocked),
        }
    }
}

/// Names under which matters are written.
#[derive(Serialize, JsonSchema)]
pub(super) struct Both<'a> {
    /// Matters that a person should look at, in words; none when all is well.
    attention: Vec<&'a str>,
    /// Those matters with their codes.
    attention_codes: &'a [Matter],
}

/// Writes matters as sentences (`attention`) and, beside them, with their codes (`attention_codes`).
pub(super) fn serialize<S: Serializer>(matters: &[Matter], serializer: S) -> Result<S::Ok, S::Error> {
    let attention = matters.iter().map(|matter| matter.message.as_str()).collect();
    Both { attention, attention_codes: matters }.serialize(serializer)
}

/// Reads them back by their codes.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Matter>, D::Error> {
    #[derive(Deserialize)]
    struct Coded {
        attention_codes: Vec<Matter>,
    }
    Coded::deserialize(deserializer).map(|coded| coded.attention_codes)
}
