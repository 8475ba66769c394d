//! `audit`: what was asked for and by whom, or whether the record of it is as it was written.

use super::exit::Exit;
use super::output::Output;
use super::refusal::Refusal;
use super::runs::load;
use crate::commands::audit;
use crate::config::Inputs;
use crate::report::{render_audit, render_verified};

/// Lists the newest entries.
pub async fn list(inputs: &Inputs, limit: u32, output: Output) -> Result<Exit, Refusal> {
    let known = load(inputs, output).await?;
    output.show(&audit::entries(&known.settings, &Default::default(), limit).await?, |all, layout| {
        render_audit(all, layout)
    })?;
    Ok(Exit::Done)
}

/// Goes through all entries.
pub async fn verify(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    let known = load(inputs, output).await?;
    let verified = audit::verify(&known.settings, &Default::default()).await?;
    output.show(&verified, render_verified)?;
    Ok(if verified.broken.is_none() { Exit::Done } else { Exit::Failed })
}
