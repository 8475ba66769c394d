//! `plan` and `run`: selects, starts, follows, and shows the result.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::args::{ModeFlag, PlanForm, RunForm};
use super::exit::Exit;
use super::load::load_known;
use super::output::{Output, say, written};
use super::refusal::Refusal;
use super::{approve, ask, progress, remote};
use crate::commands::approve::Looked;
use crate::commands::execute::{Job, JobEnd, Listed, execute};
use crate::commands::params::check_params;
use crate::commands::selection::{Selection, select};
use crate::config::Inputs;
use crate::policy::{Mode, Name, Params, Settings};
use crate::report::{RunMode, RunResult, Status, plan_question, plan_summary, render_plan, render_run, render_sums};
use crate::server::{Client, RunWanted};

/// Lines of a listing that wait to be written before the plan is held up.
const LISTED_AHEAD: usize = 4096;

/// Request of the command line.
pub struct RunArguments {
    /// Of tasks and policies.
    pub names: Vec<String>,
    pub params: Vec<(String, String)>,
    /// The configuration is that of this command alone (`--set`).
    pub is_temporary: bool,
}

/// Shows what a run would do.
pub async fn plan(
    settings: Arc<Settings>,
    asked: RunArguments,
    PlanForm { list, exit_code, .. }: PlanForm,
    output: Output,
) -> Result<Exit, Refusal> {
    let chosen = choose(&settings, &asked)?;
    let mut end = Exit::Failed;
    let listing = list.then(|| {
        let (sender, receiver) = mpsc::channel(LISTED_AHEAD);
        (sender, tokio::task::spawn_blocking(move || write_list(receiver)))
    });
    perform(settings, chosen, RunMode::Plan, output, listing, |result| {
        end = plan_end(result, exit_code);
        if list {
            say(plan_summary(result).trim_end());
            return Ok(());
        }
        output.show(result, render_plan)
    })
    .await?;
    Ok(end)
}

/// Shows what a run of the daemon would do, by the configuration that it has in force.
pub async fn plan_in_force(
    inputs: &Inputs,
    (names, params): (Vec<String>, Vec<(String, String)>),
    PlanForm { exit_code, .. }: PlanForm,
    output: Output,
) -> Result<Exit, Refusal> {
    // Whoever may ask the daemon need not be able to read the configuration.
    let known = load_known(inputs, output).await.ok();
    let Some((mut client, _)) = remote::daemon(known.as_ref().map(|known| &known.settings)).await else {
        let error = anyhow!("no daemon answers, so there is no configuration in force");
        return Err(Refusal::Usage(error, "leave --in-force out to plan by what is on disk".to_owned()));
    };
    let params = params.into_iter().collect();
    let wanted = RunWanted { names, mode: Some(RunMode::Plan), params, ..RunWanted::default() };
    let result = remote::run(&mut client, &wanted, output).await?;
    output.show(&*result, render_plan)?;
    Ok(plan_end(&result, exit_code))
}

fn plan_end(RunResult { status, totals, .. }: &RunResult, exit_code: bool) -> Exit {
    let has_work = totals.rows_deleted + totals.rows_updated + totals.files_deleted > 0;
    match status.map_or(Exit::Failed, Exit::from) {
        Exit::Done if exit_code && has_work => Exit::CompletedWithErrors,
        end => end,
    }
}

/// Runs policies.
pub async fn run(
    settings: Arc<Settings>,
    asked: RunArguments,
    RunForm { mode, yes, detach }: RunForm,
    output: Output,
) -> Result<Exit, Refusal> {
    let is_anything = asked.names.is_empty();
    let chosen = choose(&settings, &asked)?;
    let daemon = daemon_for(&settings, &chosen, detach).await?;
    let mode = match mode {
        Some(ModeFlag::Report) => RunMode::Report,
        None => RunMode::Enforce,
    };
    if mode == RunMode::Enforce && settings.daemon.mode == Mode::Enforce {
        for task in chosen.selection.hooks_left_out(&settings) {
            say(&format!(
                "The hooks of task {task} do not run: they go with `retaind run {task}` and with its schedule"
            ));
        }
        // One letter from `runs`: without a name it means everything.
        if is_anything && !yes && ask::is_possible() && !chosen.selection.policies.is_empty() {
            agreed(&settings, &chosen, output).await?;
        }
        if !is_anything {
            return run_named(settings, chosen, (daemon, detach), yes, output).await;
        }
    }
    run_by(settings, chosen, (daemon, detach), mode, output).await
}

/// The daemon that does a run; none where the command does it by itself, which is said.
async fn daemon_for(settings: &Settings, chosen: &Chosen, detach: bool) -> Result<Option<Client>, Refusal> {
    if chosen.is_temporary {
        if detach {
            let error = anyhow!("--set is for this command alone, and --detach leaves the run to the daemon");
            return Err(Refusal::Usage(error, "leave one of them out".to_owned()));
        }
        return Ok(None);
    }
    let daemon = remote::daemon_in_step(settings).await?;
    if daemon.is_none() {
        if detach {
            let error = anyhow!("no daemon answers that the run could be left to");
            return Err(Refusal::Usage(error, "leave --detach out, or systemctl start retaind".to_owned()));
        }
        say("No daemon answers: this command does the run by itself");
    }
    Ok(daemon)
}

/// Runs by way of the daemon where there is one, and else here.
async fn run_by(
    settings: Arc<Settings>,
    chosen: Chosen,
    (daemon, detach): (Option<Client>, bool),
    mode: RunMode,
    output: Output,
) -> Result<Exit, Refusal> {
    let Some(mut client) = daemon else {
        return perform(settings, chosen, mode, output, None, |result| output.show(result, render_run)).await;
    };
    let mode = (mode == RunMode::Report).then_some(mode);
    let wanted = RunWanted { names: chosen.names, mode, params: chosen.params, ..RunWanted::default() };
    follow_or_leave(&mut client, &wanted, detach, output).await
}

/// Has the daemon run something, and shows its result, or leaves it to it.
async fn follow_or_leave(
    client: &mut Client,
    wanted: &RunWanted,
    detach: bool,
    output: Output,
) -> Result<Exit, Refusal> {
    if detach {
        let run = remote::begin(client, wanted).await?;
        match output.json {
            true => output.value(&serde_json::json!({ "run_id": run, "status": "running" }))?,
            false => say(&format!("Run {run} is under way: `retaind runs {run}` shows it")),
        }
        return Ok(Exit::Done);
    }
    let result = remote::run(client, wanted, output).await?;
    output.show(&*result, render_run)?;
    Ok(result.status.map_or(Exit::Failed, Exit::from))
}

/// Has the daemon run policies for somebody who may not read the configuration.
pub async fn run_unread(
    mut client: Client,
    names: Vec<String>,
    params: Vec<(String, String)>,
    RunForm { mode, yes, detach }: RunForm,
    output: Output,
) -> Result<Exit, Refusal> {
    if names.is_empty() && !yes && ask::is_possible() && !ask::is_confirmed("Run all that is scheduled?").await? {
        say("Cancelled: nothing ran");
        return Ok(Exit::Cancelled);
    }
    let mode = mode.map(|ModeFlag::Report| RunMode::Report);
    let wanted = RunWanted { names, mode, params: params.into_iter().collect(), ..RunWanted::default() };
    follow_or_leave(&mut client, &wanted, detach, output).await
}

/// Runs policies that were named; those that became wider after they were approved, by whoever is asked.
async fn run_named(
    settings: Arc<Settings>,
    chosen: Chosen,
    by: (Option<Client>, bool),
    yes: bool,
    output: Output,
) -> Result<Exit, Refusal> {
    let widened = (&chosen.selection, &chosen.params);
    let Some(looked) =
        approve::approve_widened(&settings, widened, (yes, chosen.is_temporary), output).boxed_local().await?
    else {
        say("Cancelled: nothing was approved, and nothing ran");
        return Ok(Exit::Cancelled);
    };
    run_by(settings, Chosen { looked, ..chosen }, by, RunMode::Enforce, output).await
}

/// Plans what is about to run, shows it to whoever sits at the terminal, and asks. Whoever does not agree cancels the run.
async fn agreed(settings: &Arc<Settings>, chosen: &Chosen, output: Output) -> Result<(), Refusal> {
    let plan = carry_out(Arc::clone(settings), chosen.clone(), RunMode::Plan, output, None).await?;
    let is_agreed = match plan_question(&plan) {
        _ if plan.status == Some(Status::Cancelled) => false,
        Some(question) => {
            say(render_sums(&plan).trim_end());
            ask::is_confirmed(&question).await?
        }
        None => true,
    };
    if is_agreed {
        return Ok(());
    }
    say("Cancelled: nothing ran. To run without a question, add --yes or names; past runs are listed by retaind runs");
    Err(Refusal::Told(Exit::Cancelled))
}

/// The policies and the values of their parameters.
fn choose(settings: &Settings, asked: &RunArguments) -> Result<Chosen, Refusal> {
    let selection = select(settings, &asked.names)?;
    let params = check_params(&selection, &asked.params)?;
    if selection.policies.is_empty() {
        match &selection.task {
            Some(task) => say(&format!("Task {} has no policy that is switched on: there is nothing to do", task.name)),
            None => say("No policy has a task that is switched on: there is nothing to do"),
        }
    }
    let looked = BTreeMap::new();
    Ok(Chosen { names: asked.names.clone(), selection, params, is_temporary: asked.is_temporary, looked })
}

/// Policies that were chosen, and under what.
#[derive(Clone)]
struct Chosen {
    /// As they were given.
    names: Vec<String>,
    selection: Selection,
    params: Params,
    is_temporary: bool,
    /// Amounts that were shown of those that `--set` makes wider, and agreed to.
    looked: BTreeMap<Name, Looked>,
}

type Listing = (mpsc::Sender<Listed>, JoinHandle<std::io::Result<()>>);

async fn perform(
    settings: Arc<Settings>,
    chosen: Chosen,
    mode: RunMode,
    output: Output,
    listing: Option<Listing>,
    show: impl FnOnce(&RunResult) -> anyhow::Result<()>,
) -> Result<Exit, Refusal> {
    let result = carry_out(settings, chosen, mode, output, listing).await?;
    show(&result)?;
    Ok(result.status.map_or(Exit::Failed, Exit::from))
}

/// Starts a plan or a run, follows it, and waits for its result.
async fn carry_out(
    settings: Arc<Settings>,
    Chosen { names: _, selection, params, is_temporary, looked }: Chosen,
    mode: RunMode,
    output: Output,
    listing: Option<Listing>,
) -> Result<Box<RunResult>, Refusal> {
    let (sender, receiver) = watch::channel(Default::default());
    let follower = progress::follow(receiver, output.bars);
    let (list, writer) = listing.unzip();
    let job = Job {
        settings,
        selection,
        mode,
        params,
        clock: Default::default(),
        is_temporary,
        looked,
        count_first: output.bars,
        progress: Some(sender),
        list,
        on_signal: Box::new(|| say("Stopping after the current batch; the same signal again stops at once")),
    };
    let ended = execute(job).await;
    if let Ok(JobEnd::Forced) = &ended {
        // The job may be stuck in a statement, with its sender.
        follower.abort();
    }
    // Its sender is gone with the job: it has cleared its line before anything else is written.
    let _ = follower.await;
    if let Some(writer) = writer {
        written(writer.await.context("the listing ended by a panic")?)?;
    }
    match ended? {
        JobEnd::Result(result) => Ok(result),
        JobEnd::Forced => {
            say("Stopped at once: files that are still pending are removed before the policy's next run");
            Err(Refusal::Told(Exit::Cancelled))
        }
    }
}

fn write_list(mut lines: mpsc::Receiver<Listed>) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    while let Some(line) = lines.blocking_recv() {
        serde_json::to_writer(&mut out, &line)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
