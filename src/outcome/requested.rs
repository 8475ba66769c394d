//! Request of a person for a run: who asked, and under what.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Operator;

/// Person who asked for a run, and what was given along. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// Person who asked for the run.
    pub by: Operator,
    /// Keys of the configuration that counted for this run alone (`--set`); what may be secret is masked.
    #[serde(default)]
    pub overrides: BTreeMap<String, String>,
    /// Values of parameters; those that are declared as secret are masked.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
}

impl fmt::Display for Requested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = [("--set", &self.overrides), ("--param", &self.params)];
        let given = given.into_iter().flat_map(|(flag, values)| values.iter().map(move |value| (flag, value)));
        self.by.fmt(f)?;
        for (index, (flag, (key, value))) in given.enumerate() {
            write!(f, "{} {flag} {key}={value}", if index == 0 { ", with" } else { "" })?;
        }
        Ok(())
    }
}
