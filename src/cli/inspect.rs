//! `check`, `status` and `runs`: what is, without changing it.

use std::sync::Arc;

use super::output::Output;
use super::{Exit, Refusal};
use crate::app::{check, status};
use crate::policy::Settings;
use crate::report::{Level, RunEntry, render_findings, render_run, render_runs, render_status};

/// Looks at everything that a run needs, or at the configuration alone, which loading has done.
pub async fn check(settings: &Arc<Settings>, config_only: bool, output: Output) -> Result<Exit, Refusal> {
    let findings =
        if config_only { check::config(settings) } else { check::everything(settings, &Default::default()).await };
    output.show(&findings, render_findings)?;
    Ok(if findings.count(Level::Error) > 0 { Exit::Failed } else { Exit::Done })
}

/// Shows tasks, their runs, and what is owed.
pub async fn status(settings: &Settings, output: Output) -> Result<Exit, Refusal> {
    let overview = status::overview(settings, &Default::default()).await?;
    output.show(&overview, render_status)?;
    Ok(Exit::Done)
}

/// Lists runs, or shows one.
pub async fn runs(settings: &Settings, id: Option<&str>, limit: u32, output: Output) -> Result<Exit, Refusal> {
    let clock = Default::default();
    let Some(id) = id else {
        let (runs, now) = status::runs(settings, &clock, limit).await?;
        output.show(&runs, |runs: &Vec<RunEntry>, layout| render_runs(runs, now, layout))?;
        return Ok(Exit::Done);
    };
    match status::run(settings, &clock, id).await? {
        Some(result) => {
            output.show(&result, render_run)?;
            Ok(Exit::Done)
        }
        None => {
            let error = anyhow::anyhow!("there is no run {id:?} in the ledger");
            Err(Refusal::Usage(error, "`retaind runs` lists the runs that there are".to_owned()))
        }
    }
}
