//! `check`, `diff`, `stats` and `why`: what is, without changing it.

use std::ffi::OsStr;
use std::sync::Arc;

use super::exit::Exit;
use super::load::refuse;
use super::output::Output;
use super::perform::RunArguments;
use super::refusal::{NotThere, Refusal};
use super::remote::refused;
use crate::commands::configured::configured;
use crate::commands::params::check_params;
use crate::commands::selection::{select, select_enabled};
use crate::commands::{check, diff, explain, stats};
use crate::config::Inputs;
use crate::policy::Settings;
use crate::report::{
    FoundAs, Level, Stats, render_configuration, render_difference, render_findings, render_held, render_stats,
    render_why, render_why_file,
};
use crate::server::Client;

/// Looks at everything that a run needs, or at the configuration alone, which loading has done.
pub async fn check(settings: &Arc<Settings>, config_only: bool, output: Output) -> Result<Exit, Refusal> {
    let findings =
        if config_only { check::config(settings) } else { check::everything(settings, &Default::default()).await };
    output.show(&findings, render_findings)?;
    Ok(if findings.count(Level::Error) > 0 { Exit::Failed } else { Exit::Done })
}

/// Prints the fixes of everything that a run needs, as a script.
pub async fn fixes(settings: &Settings, output: Output) -> Result<Exit, Refusal> {
    output.page(&check::fixes(settings, &Default::default()).await)?;
    Ok(Exit::Done)
}

/// Shows every key of the configuration, and where its value comes from.
pub fn configuration(inputs: &Inputs, output: Output) -> Result<(), Refusal> {
    match configured(inputs) {
        Ok(configuration) => Ok(output.show(&configuration, render_configuration)?),
        Err(problems) => refuse(&problems, output),
    }
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
    show_stats(&stats, output)
}

/// Counts what could be cleaned by the configuration that the daemon has in force.
pub async fn stats_in_force(client: &mut Client, names: &[String], output: Output) -> Result<Exit, Refusal> {
    // What is no name asks for no other page.
    if let Some(odd) =
        names.iter().find(|name| name.contains(|c: char| !(c.is_ascii_alphanumeric() || "-_:".contains(c))))
    {
        let error = anyhow::anyhow!("{odd:?} names no task or policy");
        return Err(Refusal::Usage(error, "`retaind status` shows them".to_owned()));
    }
    let stats: Stats = client.get(&format!("/api/v1/stats?names={}", names.join(","))).await.map_err(refused)?;
    show_stats(&stats, output)
}

fn show_stats(stats: &Stats, output: Output) -> Result<Exit, Refusal> {
    output.show(stats, render_stats)?;
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
        Ok(None) => {
            let row = NotThere::Row { table: table.to_owned(), key: key.to_owned() };
            Err(Refusal::Failed(row.into()))
        }
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
