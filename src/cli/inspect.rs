//! `check`, `status`, `stats`, `why` and `runs`: what is, without changing it.

use std::ffi::OsStr;
use std::sync::Arc;

use super::exit::Exit;
use super::load::load_known;
use super::output::{Output, remark};
use super::perform::RunArguments;
use super::refusal::Refusal;
use crate::commands::params::check_params;
use crate::commands::selection::{select, select_enabled};
use crate::commands::{check, diff, explain, stats, status};
use crate::config::Inputs;
use crate::policy::Settings;
use crate::report::{
    FoundAs, Level, RunEntry, render_difference, render_findings, render_held, render_run, render_runs, render_stats,
    render_status, render_why, render_why_file,
};

/// Looks at everything that a run needs, or at the configuration alone, which loading has done.
pub async fn check(settings: &Arc<Settings>, config_only: bool, output: Output) -> Result<Exit, Refusal> {
    let findings =
        if config_only { check::config(settings) } else { check::everything(settings, &Default::default()).await };
    output.show(&findings, render_findings)?;
    Ok(if findings.count(Level::Error) > 0 { Exit::Failed } else { Exit::Done })
}

/// Shows tasks, their runs, and what is pending.
pub async fn status(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    let clock = Default::default();
    let known = load_known(inputs, output).await?;
    let overview = status::overview(&known.settings, known.objection(), &clock).await?;
    output.show(&overview, render_status)?;
    Ok(Exit::Done)
}

/// Shows what a reload would change, or only what it would hold.
pub async fn diff(settings: &Arc<Settings>, plan: bool, held: bool, output: Output) -> Result<Exit, Refusal> {
    let depth = if plan { diff::Depth::Amounts } else { diff::Depth::Words };
    let difference = diff::difference(settings, depth).await?;
    if held && !output.json {
        output.page(&render_held(&difference))?;
    } else {
        output.show(&difference, |difference, _| render_difference(difference))?;
    }
    Ok(if difference.held.is_empty() { Exit::Done } else { Exit::Blocked })
}

/// Counts what could be cleaned now.
pub async fn stats(settings: &Settings, asked: RunArguments, output: Output) -> Result<Exit, Refusal> {
    let (selection, left_out) = match asked.names.as_slice() {
        [] => select_enabled(settings, &asked.params),
        names => (select(settings, names)?, Vec::new()),
    };
    let params = check_params(&selection, &asked.params)?;
    let mut stats = stats::stats(settings, &selection.policies, &params, &Default::default()).await;
    if selection.policies.is_empty() {
        stats.remarks.push("No policy is switched on: there is nothing to look at".to_owned());
    }
    for name in left_out {
        stats.remarks.push(format!("Policy {name} takes parameters: give them with --param to see it, too"));
    }
    output.show(&stats, render_stats)?;
    let failed = stats.policies.iter().filter(|policy| policy.error.is_some()).count();
    Ok(match failed {
        0 => Exit::Done,
        some if some == stats.policies.len() => Exit::Failed,
        _ => Exit::CompletedWithErrors,
    })
}

/// Says why a row stays, or when it goes.
pub async fn why(
    settings: &Settings,
    table: &str,
    key: &str,
    params: &[(String, String)],
    output: Output,
) -> Result<Exit, Refusal> {
    let question = explain::Question { table, key, params };
    match explain::why(settings, question, &Default::default()).await? {
        Ok(Some(answer)) => {
            output.show(&answer, render_why)?;
            Ok(Exit::Done)
        }
        Ok(None) => Err(Refusal::Failed(anyhow::anyhow!("there is no row {key:?} in {table}"))),
        Err(error) => {
            let hint = error.hint();
            Err(Refusal::Usage(error.into(), hint))
        }
    }
}

/// Says why a file stays, or when it goes.
pub async fn why_file(settings: &Settings, store: &str, path: &OsStr, output: Output) -> Result<Exit, Refusal> {
    match explain::why_file(settings, explain::FileQuestion { store, path }, &Default::default()).await? {
        Ok(answer) => {
            output.show(&answer, render_why_file)?;
            Ok(if answer.found == FoundAs::Missing { Exit::Failed } else { Exit::Done })
        }
        Err(error) => {
            let hint = error.hint();
            Err(Refusal::Usage(error.into(), hint))
        }
    }
}

/// Lists runs, or shows one.
pub async fn runs(inputs: &Inputs, id: Option<&str>, limit: u32, output: Output) -> Result<Exit, Refusal> {
    let clock = Default::default();
    let known = load_known(inputs, output).await?;
    if let Some(objection) = known.objection() {
        remark(&objection);
    }
    let settings = &known.settings;
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
