//! The configuration with the origin of each key: the page of `config show`.

use schemars::JsonSchema;
use serde::Serialize;

use super::style::{FAINT, STRONG, paint};
use super::table::Layout;
use crate::text::printable;

/// Everything that `config show --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Configuration {
    /// Every key that has a value.
    pub keys: Vec<ConfiguredKey>,
}

/// A key with its value and where that comes from.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConfiguredKey {
    /// Dotted path of the key.
    pub key: String,
    /// Passwords are left out.
    pub value: serde_json::Value,
    /// Layer that the value comes from.
    pub origin: KeyOrigin,
    /// The file and line, where it was written into one.
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<usize>,
    /// The variable, where it comes from the environment.
    pub variable: Option<String>,
}

/// Layer that a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyOrigin {
    Default,
    File,
    Environment,
    Set,
}

/// The configuration as lines of `KEY = VALUE`, each with its origin.
pub fn render_configuration(configuration: &Configuration, _: Layout) -> String {
    let mut page = String::new();
    for key in &configuration.keys {
        let value = key.value.to_string();
        let origin = paint(FAINT, &format!("# {}", origin_words(key)));
        page.push_str(&format!("{} = {}  {origin}\n", paint(STRONG, &key.key), printable(&value)));
    }
    page
}

fn origin_words(key: &ConfiguredKey) -> String {
    match (key.origin, &key.file, key.line, &key.variable) {
        (KeyOrigin::Default, ..) => "default".to_owned(),
        (KeyOrigin::Set, ..) => "--set".to_owned(),
        (KeyOrigin::Environment, _, _, Some(variable)) => format!("${variable}"),
        (KeyOrigin::File, Some(file), Some(line), _) => format!("{}:{line}", printable(file)),
        (KeyOrigin::File, Some(file), None, _) => printable(file).into_owned(),
        (KeyOrigin::Environment | KeyOrigin::File, ..) => "unknown".to_owned(),
    }
}
