//! State of a daemon: what it begins with, and what it holds while it runs.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::recovery::Background;
use super::reload::{Loader, Refusal};
use super::report::Report;
use super::source_health::SourceWatch;
use super::status_line::{EndedRun, Running};
use super::systemd::ServiceManager;
use super::task_runner::TaskRuns;
use crate::clock::Clock;
use crate::ledger::{Ledger, StateLock};
use crate::outcome::Held;
use crate::policy::{Name, Settings};
use crate::run::Progress;
use crate::schedule::Schedule;

/// Parts that a daemon needs to begin.
pub struct Options {
    pub load: Loader,
    pub clock: Clock,
}

/// The daemon, ready.
pub(super) struct Daemon {
    pub(super) load: Loader,
    pub(super) clock: Clock,
    pub(super) live: Live,
    pub(super) ledger: Ledger,
    pub(super) runs: TaskRuns,
    pub(super) schedule: Schedule,
    pub(super) recovery: Background,
    pub(super) watch: SourceWatch,
    pub(super) heard: mpsc::UnboundedReceiver<Report>,
    /// Asks everything to stop.
    pub(super) cancel: CancellationToken,
    pub(super) batches_kept: usize,
    /// Policies that wait for an approval.
    pub(super) held: Vec<(Name, Held)>,
    pub(super) last: Option<EndedRun>,
    pub(super) began: Instant,
    pub(super) manager: ServiceManager,
    /// By task, those that a reload took away included.
    pub(super) running: BTreeMap<Name, Run>,
    pub(super) reload: Reload,
    /// Held until the end.
    pub(super) _lock: StateLock,
}

/// A run under way.
pub(super) struct Run {
    pub(super) since: Timestamp,
    pub(super) progress: watch::Receiver<Progress>,
}

impl Run {
    pub(super) fn shown<'a>(&self, task: &'a Name) -> Running<'a> {
        Running { task, since: self.since, progress: self.progress.borrow().clone() }
    }
}

/// State of a reload.
#[derive(Debug, Default)]
pub(super) struct Reload {
    pub(super) loading: Option<JoinHandle<Result<Settings, Refusal>>>,
    /// A signal came while one was under way.
    pub(super) again: bool,
    /// Errors of the last one, if it failed.
    pub(super) errors: Option<usize>,
}
