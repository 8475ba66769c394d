//! Person who asks for something that is remembered.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Person who asks for a run, agrees to something, or pauses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// User id; 65534 where a sandbox hides it.
    pub uid: u32,
    /// The name behind it, where it is known.
    pub user: Option<String>,
    /// Who became that user by sudo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
}

impl Operator {
    /// User that stands for all whom a sandbox with users of its own hides.
    pub const NOBODY: u32 = 65534;
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.sudo_user, &self.user) {
            (Some(person), Some(user)) => write!(f, "{person} as {user}"),
            (None, Some(user)) => f.write_str(user),
            (Some(person), None) => write!(f, "{person} as user {}", self.uid),
            (None, None) => write!(f, "user {}", self.uid),
        }
    }
}
