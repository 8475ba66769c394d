//! Refusals of the command line, with what to do instead.

use super::exit::Exit;
use crate::commands::params::ParamError;
use crate::commands::selection::SelectError;

/// Why a command did not do what it was asked to; told once, where commands are carried out.
pub(super) enum Refusal {
    /// The command line asks for something that there is not; with a hint.
    Usage(anyhow::Error, String),
    Failed(anyhow::Error),
    /// Told already.
    Told(Exit),
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Refusal::Failed(error)
    }
}

impl From<SelectError> for Refusal {
    fn from(error: SelectError) -> Self {
        let hint = error.hint();
        Refusal::Usage(error.into(), hint)
    }
}

impl From<ParamError> for Refusal {
    fn from(error: ParamError) -> Self {
        let hint = error.hint();
        Refusal::Usage(error.into(), hint)
    }
}
