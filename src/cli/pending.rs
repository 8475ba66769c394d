//! `pending`: lists files whose rows are gone, tries again to remove them, or leaves one alone for good.

use std::sync::Arc;

use anyhow::anyhow;
use serde_json::json;

use super::ask;
use super::exit::Exit;
use super::load::{load_from, load_known};
use super::output::{Output, complain, say};
use super::refusal::Refusal;
use super::remote::{self, refused};
use super::runs;
use crate::commands::known::Known;
use crate::commands::pending::{self, PendingError};
use crate::config::Inputs;
use crate::outcome::{PendingChoice, PendingPath};
use crate::policy::Settings;
use crate::report::{Forgotten, PendingFiles, Retried, render_pending, render_retried};
use crate::server::Client;
use crate::text::printable;

impl From<PendingError> for Refusal {
    fn from(error: PendingError) -> Self {
        match error {
            PendingError::NotPending { .. } => {
                let hint = error.hint().to_owned();
                Refusal::Usage(error.into(), hint)
            }
            PendingError::Busy { .. } => {
                let hint = error.hint();
                complain(&error.into(), Some(hint));
                Refusal::Told(Exit::Blocked)
            }
        }
    }
}

/// Lists pending files.
pub async fn list(inputs: &Inputs, limit: u32, output: Output) -> Result<Exit, Refusal> {
    let known = load_known(inputs, output).await;
    if let Err(refusal @ (Refusal::Told(_) | Refusal::Usage(..))) = known {
        return Err(refusal);
    }
    let files: PendingFiles = match remote::daemon(known.as_ref().ok().map(|known| &known.settings)).await {
        Some((mut client, _)) => client.get(&format!("/api/v1/pending?limit={limit}")).await.map_err(refused)?,
        None => {
            let known = runs::with_objection(known?);
            pending::list((&known.settings, known.policies()), &Default::default(), limit).await?
        }
    };
    output.show(&files, render_pending)?;
    Ok(Exit::Done)
}

/// Tries again to remove pending files.
pub async fn retry(inputs: &Inputs, what: Option<&str>, limit: u32, output: Output) -> Result<Exit, Refusal> {
    let choice = what.map(PendingChoice::parse).transpose().map_err(|why| malformed(what, &why))?.unwrap_or_default();
    let retried: Retried = match daemon(inputs, output).await? {
        Some(mut client) => {
            client.post_and_wait("/api/v1/pending/retry", &json!({ "what": what })).await.map_err(refused)?
        }
        None => {
            let settings: Arc<Settings> = load_from(inputs, output)?;
            say("No daemon answers: this command does it by itself");
            pending::retry(&settings, &choice, limit).await??
        }
    };
    output.show(&retried, render_retried)?;
    Ok(match (retried.left.files_pending, retried.batches_settled) {
        (0, _) => Exit::Done,
        (_, 0) => Exit::Blocked,
        (_, _) => Exit::CompletedWithErrors,
    })
}

/// Leaves a pending file alone for good.
pub async fn forget(inputs: &Inputs, file: &str, yes: bool, output: Output) -> Result<Exit, Refusal> {
    let path = PendingPath::parse(file).map_err(|why| malformed(Some(file), &why))?;
    if !yes {
        if !ask::is_possible() {
            let error = anyhow!("nobody can be asked whether file {path} is to stay: there is no terminal");
            return Err(Refusal::Usage(error, "look at it with `retaind pending`, then add --yes".to_owned()));
        }
        let question = format!("Leave {} alone for good, although its row is gone?", printable(&path.to_string()));
        if !ask::is_confirmed(&question).await? {
            say("Nothing was forgotten");
            return Ok(Exit::Cancelled);
        }
    }
    let forgotten: Forgotten = match daemon(inputs, output).await? {
        Some(mut client) => client.post("/api/v1/pending/forget", &json!({ "file": file })).await.map_err(refused)?,
        None => {
            let known = load_known(inputs, output).await?;
            pending::forget_here(&known.settings, &path).await??
        }
    };
    match output.json {
        true => output.value(&forgotten)?,
        false => say(&format!("File {} is pending no more, and stays", printable(&path.to_string()))),
    }
    Ok(Exit::Done)
}

/// The daemon of this configuration, as far as it can be had.
async fn daemon(inputs: &Inputs, output: Output) -> Result<Option<Client>, Refusal> {
    let known = load_known(inputs, output).await;
    if let Err(refusal @ (Refusal::Told(_) | Refusal::Usage(..))) = known {
        return Err(refusal);
    }
    let settings = known.as_ref().ok().map(|known: &Known| &known.settings);
    Ok(remote::daemon(settings).await.map(|(client, _)| client))
}

fn malformed(what: Option<&str>, why: &str) -> Refusal {
    let error = anyhow!("{:?} is no store and no file in one: {why}", what.unwrap_or_default());
    Refusal::Usage(error, "write it as `retaind pending` lists it: STORE/PATH".to_owned())
}
