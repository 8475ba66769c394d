//! The configuration as commands load it: what is wrong with it is reported once, here.

use std::sync::Arc;

use super::args::Shared;
use super::exit::Exit;
use super::output::{self, Complaint, Output, say};
use super::refusal::Refusal;
use crate::commands::known::{self, Known};
use crate::config::{Diagnostics, Inputs};
use crate::policy::Settings;
use crate::policy::compile;
use crate::text::human::counted;

pub fn inputs(shared: Shared) -> Inputs {
    Inputs::from_process(shared.config, shared.set)
}

/// Output of every command with `--json` when the configuration is bad.
#[derive(serde::Serialize)]
struct Problems<'a> {
    error: Complaint<'a>,
    errors: &'a Diagnostics,
}

/// Loads and compiles the configuration; reports every error in it.
pub fn load(shared: Shared, output: Output) -> Result<Arc<Settings>, Refusal> {
    load_from(&inputs(shared), output)
}

/// Loads and compiles the configuration once more.
pub fn load_from(inputs: &Inputs, output: Output) -> Result<Arc<Settings>, Refusal> {
    match compile::load(inputs) {
        Ok(settings) => Ok(Arc::new(settings)),
        Err(problems) => refuse(&problems, output),
    }
}

/// Loads what shows the state: the configuration on disk, or the one that was last in force. A call that is wrong itself is
/// refused.
pub async fn load_known(inputs: &Inputs, output: Output) -> Result<Known, Refusal> {
    let known = known::known(inputs, &Default::default()).await?;
    match &known.invalid {
        Some(problems) if problems.iter().any(|problem| problem.is_of_the_call()) => refuse(problems, output),
        Some(_) | None => Ok(known),
    }
}

/// Reports what is wrong with the configuration.
pub fn refuse<T>(problems: &Diagnostics, output: Output) -> Result<T, Refusal> {
    let message = format!("{} in the configuration", counted(problems.len() as u64, "error"));
    if output.json {
        let hint = problems.iter().next().and_then(|first| first.advice());
        output.value(&Problems {
            error: Complaint { code: "config_invalid", message: &message, hint },
            errors: problems,
        })?;
    } else {
        say(problems.render(output::stderr_color()).trim_end());
        say(&format!("\n{message}"));
    }
    Err(Refusal::Told(Exit::BadConfiguration))
}
