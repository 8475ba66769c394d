//! Request of a person for a run: who asked, and under what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Operator;

/// Person who asked for a run, and what was given along. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requested {
    pub by: Operator,
    /// Keys of the configuration that counted for this run alone (`--set`); what may be secret is masked.
    #[serde(default)]
    pub overrides: BTreeMap<String, String>,
    /// Values of parameters; those that are declared as secret are masked.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}
