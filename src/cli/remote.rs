//! Commands by way of the daemon: the connection to it, and a run of it that is followed from a terminal.

use std::path::Path;

use anyhow::anyhow;
use futures_util::StreamExt;
use serde::Deserialize;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::watch;

use super::ask::{self, Leave};
use super::exit::Exit;
use super::load::load_known;
use super::output::{Output, remark, say};
use super::progress;
use super::refusal::{Declined, Refusal};
use crate::commands::execute::Progress;
use crate::commands::operator::operator;
use crate::commands::sockets::sockets;
use crate::config::Inputs;
use crate::outcome::is_piece_of_run_id;
use crate::policy::Settings;
use crate::report::{RunResult, short_id};
use crate::server::{Client, ClientError, LiveStatus, ProblemCode, RunProgress, RunWanted};

/// The daemon of a configuration, or without one that of the package; none where none answers.
pub(super) async fn daemon(settings: Option<&Settings>) -> Option<(Client, LiveStatus)> {
    for socket in sockets(settings) {
        let Ok(mut client) = Client::connect(&socket, &operator()).await else { continue };
        let Ok(known) = client.get::<LiveStatus>("/api/v1/status").await else { continue };
        let is_its = |settings: &Settings| settings.daemon.state_dir.to_str() == Some(&known.overview.state_dir);
        if settings.is_none_or(is_its) {
            return Some((client, known));
        }
    }
    None
}

/// True if the daemon of a configuration, or without one that of the package, answers.
pub(super) async fn is_alive(settings: Option<&Settings>) -> bool {
    for socket in sockets(settings) {
        let Ok(mut client) = Client::connect(&socket, &operator()).await else { continue };
        if client.is_alive().await {
            return true;
        }
    }
    false
}

/// The daemon of the package, for whoever may ask it and may not read the configuration.
pub(super) async fn daemon_for_others(config: &Path) -> Option<Client> {
    let denied = std::fs::File::open(config).err()?.kind() == std::io::ErrorKind::PermissionDenied;
    if !denied {
        return None;
    }
    Some(daemon(None).await?.0)
}

/// The daemon, where the configuration on disk cannot be used and the one that it works by stands in. That is said.
pub(super) async fn daemon_where_invalid(inputs: &Inputs, output: Output) -> Result<Option<Client>, Refusal> {
    let known = match load_known(inputs, output).await {
        // The ledger is not needed here.
        Err(Refusal::Failed(_)) => return Ok(None),
        known => known?,
    };
    let Some(problems) = &known.invalid else { return Ok(None) };
    let Some((client, _)) = daemon(Some(&known.settings)).await else { return Ok(None) };
    let first = problems.iter().next().map(ToString::to_string).unwrap_or_default();
    remark(&format!("the configuration on disk is invalid, and the daemon answers by the one in force: {first}"));
    Ok(Some(client))
}

/// The daemon, if what it works by is this configuration. A difference is said; whoever cannot be asked is refused.
pub(super) async fn daemon_in_step(settings: &Settings) -> Result<Option<Client>, Refusal> {
    let Some((client, known)) = daemon(Some(settings)).await else { return Ok(None) };
    if known.configuration.digest == settings.written.fingerprint() {
        return Ok(Some(client));
    }
    say("The configuration on disk is not the one that the daemon works by: `retaind diff` shows the difference, and \
         `systemctl reload retaind` puts it in force");
    if !ask::is_possible() {
        return Err(Refusal::Told(Exit::BadConfiguration));
    }
    if ask::is_confirmed("Run by the configuration that the daemon works by?").await? {
        return Ok(Some(client));
    }
    say("Cancelled: nothing ran");
    Err(Refusal::Told(Exit::Cancelled))
}

/// Has the daemon run something, and follows it to its end.
pub(super) async fn run(client: &mut Client, wanted: &RunWanted, output: Output) -> Result<Box<RunResult>, Refusal> {
    let mut stopper = client.another().await.map_err(refused)?;
    let run = begin(client, wanted).await?;
    let (sender, receiver) = watch::channel(Progress::default());
    let follower = progress::follow(receiver, output.bars);
    let seen = |now: RunProgress| {
        sender.send_replace(shown(now));
    };
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(anyhow::Error::from)?;
    let followed = {
        let following = client.follow(&run, seen);
        tokio::pin!(following);
        loop {
            tokio::select! {
                ended = &mut following => break ended.map_err(refused),
                Some(_) = signals.next() => match interrupted(&mut stopper, &run).await {
                    Ok(()) => {}
                    Err(left) => break Err(left),
                },
            }
        }
    };
    drop(sender);
    // It clears its line before anything else is written.
    let _ = follower.await;
    Ok(Box::new(followed?))
}

/// Has the daemon run something, and leaves it to it; the id of the run.
pub(super) async fn begin(client: &mut Client, wanted: &RunWanted) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Begun {
        run_id: String,
    }
    let begun: Begun = client.post("/api/v1/run", wanted).await.map_err(refused)?;
    Ok(begun.run_id)
}

/// A signal while a run is followed: it is cancelled, or left to the daemon where a person says so.
async fn interrupted(stopper: &mut Client, run: &str) -> Result<(), Refusal> {
    let id = run.parse().map(|id| short_id(&id)).unwrap_or_else(|_| run.to_owned());
    match ask::how_to_leave().await? {
        Leave::GoOn => Ok(()),
        Leave::Detach => {
            say(&format!("Run {id} goes on: `retaind runs {id}` shows it, `retaind cancel {id}` stops it"));
            Err(Refusal::Told(Exit::Done))
        }
        Leave::Cancel => {
            say("Stopping after the current batch; the run's result follows");
            match cancel(stopper, run).await {
                // It has ended meanwhile.
                Err(Refusal::Usage(..)) | Ok(()) => Ok(()),
                failed => failed,
            }
        }
    }
}

/// Asks the daemon to stop a run.
pub(super) async fn cancel(client: &mut Client, run: &str) -> Result<(), Refusal> {
    if !is_piece_of_run_id(run) {
        let error = anyhow!("{run:?} is not the id of a run, nor a piece of one");
        return Err(Refusal::Usage(error, "`retaind status` shows what runs".to_owned()));
    }
    client
        .post::<serde_json::Value>(&format!("/api/v1/runs/{run}/cancel"), &serde_json::json!({}))
        .await
        .map(drop)
        .map_err(refused)
}

fn shown(now: RunProgress) -> Progress {
    let position = (now.position, now.policies.len());
    let RunProgress { policy, hook, rows_done, rows_total, files_deleted, bytes_reclaimed, waiting, .. } = now;
    Progress { policy, hook, position, rows_done, rows_total, files_deleted, bytes_reclaimed, waiting }
}

/// Refusal of the daemon, in the words and with the exit code of a command.
pub(super) fn refused(error: ClientError) -> Refusal {
    let ClientError::Refused(problem) = error else { return Refusal::Failed(error.into()) };
    let error = anyhow::Error::new(Declined { detail: problem.detail.clone(), code: problem.code.word() });
    match (problem.code, problem.hint.clone()) {
        (ProblemCode::Busy, _) => {
            say(&format!("error: {}", problem.detail));
            Refusal::Told(Exit::Blocked)
        }
        (ProblemCode::UnknownName | ProblemCode::UnknownRun | ProblemCode::AmbiguousRun, hint)
        | (ProblemCode::InvalidParameter | ProblemCode::RunEnded | ProblemCode::NotPending, hint) => {
            Refusal::Usage(error, hint.unwrap_or_else(|| "`retaind status` shows what there is".to_owned()))
        }
        (_, Some(hint)) => Refusal::Failed(error.context(hint)),
        (_, None) => Refusal::Failed(error),
    }
}
