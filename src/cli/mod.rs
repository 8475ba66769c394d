//! Commands: arguments in, exit code out. Renders through `report`, works through `commands` and `daemon`, and knows neither
//! database nor file tree.

mod adopt;
mod approve;
mod args;
mod ask;
mod audit;
mod candidates;
mod completions;
mod control;
mod exit;
mod help;
mod inspect;
mod load;
mod notify;
mod notify_args;
mod output;
mod pending;
mod pending_args;
mod perform;
mod progress;
mod refusal;
mod remote;
mod restore;
mod runs;
mod since;
mod status;
mod token;
mod token_args;

use std::ffi::OsString;
use std::sync::Arc;

use clap::Parser;
use futures_util::FutureExt;

use crate::config::Inputs;
use crate::daemon;
use crate::policy::compile;
pub use args::{Args, Shared};
use args::{AuditCommand, Command, ConfigCommand, PlanForm};
pub use exit::Exit;
use load::{inputs, load, load_from};
use notify_args::NotifyCommand;
pub use output::RefusedCommand;
use output::{Output, say};
use pending_args::PendingCommand;
use perform::RunArguments;
use refusal::Refusal;
use token_args::TokenCommand;

/// Parses the command line. What cannot be parsed was told already, as were `--help` and `--version`; a shell that asked
/// for completions was answered.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Args, Exit> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if completions::answered(&arguments) {
        return Err(Exit::Done);
    }
    Args::try_parse_from(arguments).map_err(|error| {
        // A closed pipe is nobody's concern.
        let _ = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Done }
    })
}

/// Carries a command out.
pub async fn execute(args: Args) -> Exit {
    let output = Output::new(&args.shared);
    dispatch(args, output).await.unwrap_or_else(|refusal| refusal.report(output))
}

async fn dispatch(args: Args, output: Output) -> Result<Exit, Refusal> {
    let Args { mut shared, command } = args;
    let params = std::mem::take(&mut shared.param);
    let is_temporary = !shared.set.is_empty();
    let takes_params = matches!(
        command,
        Command::Plan { .. }
            | Command::Run { .. }
            | Command::Approve { .. }
            | Command::Stats { .. }
            | Command::Why { .. }
    );
    if let (Some((name, _)), false) = (params.first(), takes_params) {
        let error = anyhow::anyhow!("the parameter {name:?} is given to a command that runs no policy");
        return Err(Refusal::Usage(error, "leave --param out: it is for plan, run, approve, stats and why".to_owned()));
    }
    match command {
        Command::Completions { shell } => {
            completions::print_script(shell)?;
            Ok(Exit::Done)
        }
        Command::Config { what: ConfigCommand::Schema } => {
            output.plain(&format!("{:#}", crate::config::schema::schema()))?;
            Ok(Exit::Done)
        }
        Command::Config { what: ConfigCommand::Show } => {
            inspect::configuration(&inputs(shared), output)?;
            Ok(Exit::Done)
        }
        // The large ones are boxed, or the compiler gives up on the size of this one.
        Command::Daemon => daemon(inputs(shared).of_service()).boxed_local().await,
        Command::Check { script: true, .. } => {
            let settings = load(shared, output)?;
            inspect::fixes(&settings, output).boxed_local().await
        }
        Command::Check { config_only, .. } => {
            let settings = load(shared, output)?;
            inspect::check(&settings, config_only, output).boxed_local().await
        }
        Command::Plan { form: PlanForm { in_force: true, .. }, .. } if is_temporary => {
            let error = anyhow::anyhow!("--set is for this command alone, and --in-force asks the daemon");
            Err(Refusal::Usage(error, "leave one of them out".to_owned()))
        }
        Command::Plan { names, form: form @ PlanForm { in_force: true, .. } } => {
            perform::plan_in_force(&inputs(shared), (names, params), form, output).boxed_local().await
        }
        Command::Plan { names, form } => {
            let settings = load(shared, output)?;
            perform::plan(settings, RunArguments { names, params, is_temporary }, form, output).boxed_local().await
        }
        Command::Run { names, dry_run: true, .. } => {
            let settings = load(shared, output)?;
            let (asked, form) = (RunArguments { names, params, is_temporary }, PlanForm::default());
            perform::plan(settings, asked, form, output).boxed_local().await
        }
        Command::Run { names, form, dry_run: false } => {
            if !is_temporary && let Some(client) = remote::daemon_for_others(&shared.config).await {
                return perform::run_unread(client, names, params, form, output).boxed_local().await;
            }
            let settings = load(shared, output)?;
            perform::run(settings, RunArguments { names, params, is_temporary }, form, output).boxed_local().await
        }
        Command::Cancel { run } => control::cancel(&inputs(shared), run, output).boxed_local().await,
        Command::Pause { name, reason } => control::pause(&inputs(shared), &name, reason, output).boxed_local().await,
        Command::Resume { name } => control::resume(&inputs(shared), &name, output).boxed_local().await,
        Command::Approve { .. } if is_temporary => {
            let error = anyhow::anyhow!(
                "an approval is one of the configuration that is written, and --set is for this command alone"
            );
            Err(Refusal::Usage(error, "leave --set out, or write it into the configuration".to_owned()))
        }
        Command::Approve { policies: names, yes, all, clock } => {
            let inputs = inputs(shared);
            let settings = load_from(&inputs, output)?;
            if clock {
                return approve::confirm_clock(&settings, yes, output).boxed_local().await;
            }
            let asked = approve::ApproveArguments { names, params, yes, all };
            approve::approve(&settings, &|| load_from(&inputs, output), asked, output).boxed_local().await
        }
        Command::Diff { plan, held } => {
            let settings = load(shared, output)?;
            inspect::diff(&settings, plan, held, output).boxed_local().await
        }
        Command::Adopt { store, again, yes } => {
            let settings = load(shared, output)?;
            let wanted = adopt::AdoptArguments { store: &store, again, yes };
            adopt::adopt(&settings, wanted, output).boxed_local().await
        }
        Command::Restore { run, paths } => {
            let settings = load(shared, output)?;
            restore::restore(&settings, &run, &paths, output).boxed_local().await
        }
        Command::Status { check: true, .. } => status::check(&inputs(shared), output).boxed_local().await,
        Command::Status { watch: true, .. } => status::watch(&inputs(shared), output).boxed_local().await,
        Command::Status { ready: true, .. } => status::ready(&inputs(shared), output).boxed_local().await,
        Command::Status { .. } => status::status(&inputs(shared), output).boxed_local().await,
        Command::Stats { names } => {
            let inputs = inputs(shared);
            if params.is_empty()
                && !is_temporary
                && let Some(mut client) = remote::daemon_where_invalid(&inputs, output).await?
            {
                return inspect::stats_in_force(&mut client, &names, output).boxed_local().await;
            }
            let settings = load_from(&inputs, output)?;
            inspect::stats(&settings, RunArguments { names, params, is_temporary }, output).boxed_local().await
        }
        Command::Why { thing, which } => {
            let settings = load(shared, output)?;
            // No store has a dot in its name, and no table is written without one.
            if !thing.contains('.') {
                if let Some((name, _)) = params.first() {
                    let error = anyhow::anyhow!("the parameter {name:?} is given, and a file is asked about");
                    return Err(Refusal::Usage(error, "leave --param out: it is for rows".to_owned()));
                }
                return inspect::why_file(&settings, &thing, &which, output).boxed_local().await;
            }
            let key = which.into_string().map_err(|key| {
                let error = anyhow::anyhow!("the key {key:?} is not text");
                Refusal::Usage(error, "write it as `retaind plan --list` shows it".to_owned())
            })?;
            inspect::why(&settings, &thing, &key, &params, output).boxed_local().await
        }
        Command::Audit { what: Some(AuditCommand::Verify), .. } => {
            audit::verify(&inputs(shared), output).boxed_local().await
        }
        Command::Audit { what: None, limit } => audit::list(&inputs(shared), limit, output).boxed_local().await,
        Command::Pending { what: None, limit } => pending::list(&inputs(shared), limit, output).boxed_local().await,
        Command::Pending { what: Some(PendingCommand::Retry { what }), limit } => {
            pending::retry(&inputs(shared), what.as_deref(), limit, output).boxed_local().await
        }
        Command::Pending { what: Some(PendingCommand::Forget { file, yes }), .. } => {
            pending::forget(&inputs(shared), &file, yes, output).boxed_local().await
        }
        Command::Token { what: TokenCommand::Add { name, role } } => {
            token::add(&inputs(shared), &name, role, output).boxed_local().await
        }
        Command::Token { what: TokenCommand::List } => token::list(&inputs(shared), output).boxed_local().await,
        Command::Token { what: TokenCommand::Remove { name } } => {
            token::remove(&inputs(shared), &name, output).boxed_local().await
        }
        Command::Notify { what: NotifyCommand::Test { name } } => {
            notify::test(&inputs(shared), &name, output).boxed_local().await
        }
        Command::Runs { id: Some(id), .. } => runs::one(&inputs(shared), &id, output).boxed_local().await,
        Command::Runs { id: None, wanted } => runs::list(&inputs(shared), wanted, output).boxed_local().await,
    }
}

async fn daemon(inputs: Inputs) -> Result<Exit, Refusal> {
    let reached = inputs.clone();
    let reach: daemon::Reach = Arc::new(move || compile::destinations(&reached));
    let load: daemon::Loader = Arc::new(move |set| {
        let set = inputs.set.iter().cloned().chain(set).collect();
        compile::load(&Inputs { set, ..inputs.clone() })
            .map_err(|problems| daemon::Refusal { errors: problems.iter().map(ToString::to_string).collect() })
    });
    match daemon::daemon(daemon::Options { load, reach, clock: Default::default() }).await {
        Ok(daemon::DaemonEnd::InOrder) => Ok(Exit::Done),
        Ok(daemon::DaemonEnd::Forced) => Ok(Exit::Failed),
        // One a line: each is an entry of its own in the journal.
        Err(daemon::StartError::Configuration(refusal)) => {
            refusal.errors.iter().for_each(|error| say(&format!("error: {error}")));
            Err(Refusal::Told(Exit::BadConfiguration))
        }
        Err(error) => Err(Refusal::Failed(error.into())),
    }
}
