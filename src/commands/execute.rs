//! One plan or run for a command: a signal asks it to stop, a second one ends it. Decides nothing about rows or files.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use futures_util::StreamExt;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::operator::operator;
use super::params::masked_params;
use super::selection::Selection;
use super::status::{self, with_advice};
use crate::clock::Clock;
use crate::decide::guards::Looked;
use crate::ledger::Ledger;
use crate::outcome::{Requested, RunMode, RunResult, RunTrigger};
use crate::policy::{Name, Params, Settings};
pub use crate::run::{Listed, Progress};
use crate::run::{Request, Runner};

/// A run as a command asks for it.
pub struct Job {
    pub settings: Arc<Settings>,
    pub selection: Selection,
    pub mode: RunMode,
    /// Values of the parameters of the selected policies.
    pub params: Params,
    pub clock: Clock,
    /// Its configuration is for this run alone.
    pub is_temporary: bool,
    /// Amounts that somebody has looked at and agreed to, of policies that this configuration makes wider.
    pub looked: BTreeMap<Name, Looked>,
    /// Count what is eligible first, so that progress knows the end.
    pub count_first: bool,
    /// Told how far it is.
    pub progress: Option<watch::Sender<Progress>>,
    /// Sent every row key and file path of a plan.
    pub list: Option<mpsc::Sender<Listed>>,
    /// Told once when the first signal has come, so that a person hears that it was heard.
    pub on_signal: Box<dyn FnOnce() + Send>,
}

/// End of a job.
#[derive(Debug)]
pub enum JobEnd {
    /// In its own time, be it because it was asked to stop.
    Result(Box<RunResult>),
    /// At once, by a second signal: what it was doing is found and settled by the next run.
    Forced,
}

/// Carries a job out. Fails where nothing could even begin.
pub async fn execute(job: Job) -> anyhow::Result<JobEnd> {
    let Job { settings, selection, mode, params, clock, progress, list, on_signal, .. } = job;
    let (is_temporary, looked, count_first) = (job.is_temporary, job.looked, job.count_first);
    let ledger = match mode {
        // It tells which stores were adopted; whoever may not read it plans without.
        RunMode::Plan => status::open(&settings, clock.now()).await.ok().flatten(),
        RunMode::Report | RunMode::Enforce => Some(open_ledger(&settings).await?),
    };
    let cancel = CancellationToken::new();
    // Where nobody waits for its end any more, it stops as if it was asked to.
    let _waits = cancel.clone().drop_guard();
    let remembered = masked_params(&selection.policies, &params);
    let request = Request {
        task: selection.task.as_ref().map(|task| task.name.clone()),
        requested: Some(Requested { by: operator(), overrides: settings.overrides.clone(), params: remembered }),
        params,
        timeout: selection.task.and_then(|task| task.timeout),
        cancel: cancel.clone(),
        is_temporary,
        looked,
        count_first,
        progress,
        list,
        ..Request::new(mode, RunTrigger::Cli, selection.policies)
    };
    let runner = Runner::new(settings, ledger, clock);
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
    let second = second_signal(signals, cancel, on_signal);
    // A task of its own: a second signal must not have to wait for a statement that blocks its thread.
    let run = tokio::spawn(async move { runner.run(request).await });
    let abort = run.abort_handle();
    tokio::select! {
        result = run => Ok(JobEnd::Result(Box::new(result.context("the run ended by a panic")??))),
        () = second => {
            abort.abort();
            Ok(JobEnd::Forced)
        }
    }
}

/// Cancels at the first signal and returns at the second one.
async fn second_signal(mut signals: Signals, cancel: CancellationToken, on_signal: Box<dyn FnOnce() + Send>) {
    if signals.next().await.is_some() {
        cancel.cancel();
        on_signal();
        if signals.next().await.is_some() {
            return;
        }
    }
    std::future::pending().await
}

/// Opens the ledger to write in it, and says what to do where that is not allowed.
pub(crate) async fn open_ledger(settings: &Settings) -> anyhow::Result<Ledger> {
    let path = &settings.daemon.ledger_path;
    let what = format!("a run is recorded in {}, which cannot be opened to write", path.display());
    Ledger::open(path).await.map_err(|error| with_advice(error, &what))
}
