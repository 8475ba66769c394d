//! `runs`: the runs that the ledger knows, or one of them.

use super::args::{RunStatus, RunsArguments};
use super::exit::Exit;
use super::load::load_known;
use super::output::{Output, remark};
use super::refusal::{NotThere, Refusal};
use crate::commands::known::Known;
use crate::commands::status::{self, RunFilter};
use crate::config::{Inputs, did_you_mean};
use crate::report::{RunEntry, Status, render_run, render_runs};

/// Lists the newest runs of those that are wanted.
pub async fn list(inputs: &Inputs, wanted: RunsArguments, output: Output) -> Result<Exit, Refusal> {
    let Known { settings, .. } = &load(inputs, output).await?;
    let RunsArguments { limit, task, policy, status, since } = &wanted;
    let filter = |now| RunFilter {
        task: task.clone(),
        policy: policy.clone(),
        status: status.map(ending),
        since: since.map(|since| since.instant(now)),
        before: None,
    };
    let (runs, now) = status::runs(settings, &Default::default(), filter, *limit).await?;
    // Of what is no longer there runs may be left.
    if runs.is_empty() {
        check_name("task", task.as_deref(), settings.tasks.iter().map(|task| task.name.as_str()))?;
        check_name("policy", policy.as_deref(), settings.policies.iter().map(|policy| policy.name.as_str()))?;
    }
    let is_filtered = task.is_some() || policy.is_some() || status.is_some() || since.is_some();
    output.show(&runs, |runs: &Vec<RunEntry>, layout| render_runs(runs, is_filtered, now, layout))?;
    Ok(Exit::Done)
}

/// Refuses a name that is not in the configuration.
fn check_name<'a>(
    thing: &'static str,
    name: Option<&str>,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), Refusal> {
    let Some(name) = name.filter(|name| !known.clone().any(|known| known == *name)) else { return Ok(()) };
    let hint = did_you_mean(name, known).unwrap_or_else(|| "`retaind status` shows what there is".to_owned());
    Err(Refusal::Usage(NotThere::Name { thing, name: name.to_owned() }.into(), hint))
}

/// Shows one run.
pub async fn one(inputs: &Inputs, id: &str, output: Output) -> Result<Exit, Refusal> {
    let known = load(inputs, output).await?;
    match status::run(&known.settings, &Default::default(), id).await? {
        Some(result) => {
            output.show(&result, render_run)?;
            Ok(Exit::Done)
        }
        None => {
            let error = NotThere::Run(id.to_owned()).into();
            Err(Refusal::Usage(error, "`retaind runs` lists the runs that there are".to_owned()))
        }
    }
}

/// Loads what shows the state, and says what is wrong with the configuration on disk.
pub(super) async fn load(inputs: &Inputs, output: Output) -> Result<Known, Refusal> {
    Ok(with_objection(load_known(inputs, output).await?))
}

/// Says what is wrong with the configuration on disk.
pub(super) fn with_objection(known: Known) -> Known {
    if let Some(objection) = known.objection() {
        remark(&objection);
    }
    known
}

/// Ending that a filter asks for; none is one that is still to come.
fn ending(status: RunStatus) -> Option<Status> {
    match status {
        RunStatus::Completed => Some(Status::Completed),
        RunStatus::CompletedWithErrors => Some(Status::CompletedWithErrors),
        RunStatus::Failed => Some(Status::Failed),
        RunStatus::Cancelled => Some(Status::Cancelled),
        RunStatus::Blocked => Some(Status::Blocked),
        RunStatus::Running => None,
    }
}
