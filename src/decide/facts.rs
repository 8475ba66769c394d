//! Data of a reason as JSON has it beside the sentence: numbers, names and paths, by the names of its fields.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use crate::outcome::Facts;

/// Fields of a reason.
pub fn facts_of(reason: &impl Serialize) -> Facts {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::Object(fields)) => fields.into_iter().collect(),
        // A path that is no text, or a reason without any fields.
        Ok(_) | Err(_) => Facts::new(),
    }
}

/// Length of time, of either kind, as whole seconds.
pub fn in_seconds<S: Serializer, D: Seconds>(length: &D, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(length.whole_seconds())
}

/// Length of time.
pub trait Seconds {
    fn whole_seconds(&self) -> i64;
}

impl Seconds for SignedDuration {
    fn whole_seconds(&self) -> i64 {
        self.as_secs()
    }
}

impl Seconds for Duration {
    fn whole_seconds(&self) -> i64 {
        i64::try_from(self.as_secs()).unwrap_or(i64::MAX)
    }
}
