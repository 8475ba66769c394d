//! `restore`: has files put back from the trash, and shows what became of them.

use std::ffi::OsString;

use super::exit::Exit;
use super::output::Output;
use super::refusal::Refusal;
use crate::commands::restore::{self, RestoreError};
use crate::policy::Settings;
use crate::report::render_restoration;

impl From<RestoreError> for Refusal {
    fn from(error: RestoreError) -> Self {
        let hint = error.hint();
        Refusal::Usage(error.into(), hint)
    }
}

/// Restores what a run trashed.
pub async fn restore(settings: &Settings, run: &str, paths: &[OsString], output: Output) -> Result<Exit, Refusal> {
    let restoration = restore::restore(settings, run, paths, &Default::default()).await??;
    output.show(&restoration, render_restoration)?;
    Ok(match (restoration.stopped, restoration.is_partial(), restoration.files_restored()) {
        (true, _, _) => Exit::Cancelled,
        (false, false, _) => Exit::Done,
        (false, true, 0) if restoration.stores.iter().all(|store| store.error.is_some()) => Exit::Failed,
        (false, true, _) => Exit::CompletedWithErrors,
    })
}
