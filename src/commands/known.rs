//! Configuration by which the state is shown. Looking at what was done needs neither a valid configuration nor a password.

use toml::{Table, Value};

use super::status::open;
use crate::clock::Clock;
use crate::config::{self, Diagnostics, Inputs};
use crate::policy::{Settings, compile};

/// Configuration by which the state is shown.
#[derive(Debug)]
pub struct Known {
    /// The configuration on disk; where that is invalid, the one that was last in force, as far as the ledger has it.
    pub settings: Settings,
    /// Problems of the configuration on disk.
    pub invalid: Option<Diagnostics>,
    is_recalled: bool,
}

/// Loads the configuration, or finds the one that was last in force.
pub async fn known(inputs: &Inputs, clock: &Clock) -> anyhow::Result<Known> {
    let problems = match compile::load(inputs) {
        Ok(settings) => return Ok(Known { settings, invalid: None, is_recalled: false }),
        Err(problems) => problems,
    };
    let bare = state_only(inputs)?;
    let in_force = match open(&bare, clock.now()).await? {
        Some(ledger) => ledger.in_force().await?,
        None => None,
    };
    // Words that this version does not take any more leave the runs to be shown.
    let recalled = in_force.and_then(|written| compile::recompile_all(written, &bare).ok());
    let is_recalled = recalled.is_some();
    Ok(Known { settings: recalled.unwrap_or(bare), invalid: Some(problems), is_recalled })
}

impl Known {
    /// The configuration, where more is known of it than where the state is.
    pub fn policies(&self) -> Option<&Settings> {
        (self.invalid.is_none() || self.is_recalled).then_some(&self.settings)
    }

    /// First problem of the configuration on disk with its place, in one line.
    pub fn objection(&self) -> Option<String> {
        let problems = self.invalid.as_ref()?;
        let first = problems.iter().next()?;
        let shown = match self.is_recalled {
            true => "what is shown is the one that was last in force",
            false => "only what the ledger knows is shown",
        };
        let more = match problems.len() {
            1 => String::new(),
            all => format!(" (and {} more)", all - 1),
        };
        Some(format!("the configuration on disk is invalid, and {shown}: {first}{more}"))
    }
}

/// Settings that say where the state is: of a configuration with errors, as far as it can be read.
fn state_only(inputs: &Inputs) -> anyhow::Result<Settings> {
    let mut tree = config::load(inputs).tree;
    let inputs = Inputs { file: inputs.file.clone(), state_dir: inputs.state_dir.clone(), ..Inputs::default() };
    let compiled = |tree: &Value| compile::compile(config::reload(tree.clone()), &inputs);
    keep(&mut tree, &["daemon", "ledger"]);
    if let Ok(settings) = compiled(&tree) {
        return Ok(settings);
    }
    // An error in one of these sections leaves the two keys that matter.
    for (section, key) in [("daemon", "state_dir"), ("ledger", "url")] {
        if let Some(section) = tree.get_mut(section) {
            keep(section, &[key]);
        }
    }
    compiled(&tree).or_else(|_| compiled(&Value::Table(Table::new()))).map_err(anyhow::Error::from)
}

/// Leaves some keys of a table only.
fn keep(table: &mut Value, keys: &[&str]) {
    if let Some(table) = table.as_table_mut() {
        table.retain(|key, _| keys.contains(&key));
    }
}
