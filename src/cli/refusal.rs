//! Refusals of the command line, with what to do instead.

use std::borrow::Cow;

use super::exit::Exit;
use super::output::Output;
use crate::commands::adopt::UnknownStore;
use crate::commands::explain::{FileWhyError, WhyError};
use crate::commands::params::ParamError;
use crate::commands::pending::PendingError;
use crate::commands::restore::RestoreError;
use crate::commands::selection::SelectError;
use crate::commands::status::is_ambiguous_run;

/// Why a command did not do what it was asked to; told once, where commands are carried out.
pub(super) enum Refusal {
    /// The command line asks for something that there is not; with a hint.
    Usage(anyhow::Error, String),
    Failed(anyhow::Error),
    /// Told already.
    Told(Exit),
}

/// Something that is asked for by what it is called, and that is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotThere {
    #[error("there is no run {0:?} in the ledger")]
    Run(String),
    #[error("there is no row {key:?} in {table}")]
    Row { table: String, key: String },
    #[error("there is no token {0:?}")]
    Token(String),
    #[error("there is no {thing} {name:?}, and no run of one")]
    Name { thing: &'static str, name: String },
}

/// Refusal of the daemon, with the word that it has for it.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(super) struct Declined {
    pub(super) detail: String,
    pub(super) code: Option<String>,
}

impl Refusal {
    /// Writes it, and says how the command ends.
    pub(super) fn report(self, output: Output) -> Exit {
        match self {
            Refusal::Told(exit) => exit,
            Refusal::Failed(error) => {
                output.refuse(&code(&error).unwrap_or("failed".into()), &error, None);
                Exit::Failed
            }
            Refusal::Usage(error, hint) => {
                output.refuse(&code(&error).unwrap_or("usage".into()), &error, Some(&hint));
                Exit::Usage
            }
        }
    }
}

/// Stable word for an error; none where its kind says enough.
fn code(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    if let Some(declined) = error.downcast_ref::<Declined>() {
        return declined.code.clone().map(Cow::Owned);
    }
    let of_select = |error: &SelectError| match error {
        SelectError::Unknown { .. } => "unknown_name",
        SelectError::Ambiguous { .. } => "ambiguous_name",
        SelectError::PolicyOff { .. } | SelectError::TaskOff { .. } => "switched_off",
    };
    let of_param = |error: &ParamError| match error {
        ParamError::Unknown { .. } => "unknown_param",
        _ => "bad_param",
    };
    let of_why = |error: &WhyError| match error {
        WhyError::UnknownSource { .. } | WhyError::NotTable { .. } => "unknown_name",
        WhyError::NoPolicy { .. } => "no_policy",
        WhyError::UnknownParam { .. } => "unknown_param",
        WhyError::BadKey(_) => "bad_key",
    };
    let of_file = |error: &FileWhyError| match error {
        FileWhyError::UnknownStore(_) => "unknown_name",
        FileWhyError::BadPath { .. } => "bad_path",
    };
    let of_restore = |error: &RestoreError| match error {
        RestoreError::NoRun { .. } => "unknown_run",
        RestoreError::Ambiguous { .. } => "ambiguous_run",
        RestoreError::BadPath { .. } => "bad_path",
    };
    let of_what_is_not_there = |error: &NotThere| match error {
        NotThere::Run(_) => "unknown_run",
        NotThere::Row { .. } => "unknown_row",
        NotThere::Name { .. } | NotThere::Token(_) => "unknown_name",
    };
    let ledger = || is_ambiguous_run(error).then_some("ambiguous_run");
    (error.downcast_ref().map(of_select))
        .or_else(|| error.downcast_ref().map(of_param))
        .or_else(|| error.downcast_ref().map(of_why))
        .or_else(|| error.downcast_ref().map(of_file))
        .or_else(|| error.downcast_ref().map(of_restore))
        .or_else(|| error.downcast_ref().map(of_what_is_not_there))
        .or_else(|| error.downcast_ref().map(|_: &PendingError| "not_pending"))
        .or_else(|| error.downcast_ref().map(|_: &UnknownStore| "unknown_name"))
        .or_else(ledger)
        .map(Cow::Borrowed)
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
