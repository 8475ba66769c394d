//! State of a daemon: what it begins with, and what it holds while it runs.

use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::answers::Answers;
use super::control::{Order, Requests, Snapshot};
use super::live::Live;
use super::notices::Notices;
use super::recovery::Background;
use super::reload::{Loader, Reach, Refusal};
use super::report::Report;
use super::runs::Runs;
use super::source_health::SourceWatch;
use super::status_line::EndedRun;
use super::systemd::ServiceManager;
use crate::clock::Clock;
use crate::ledger::{Ledger, StateLock};
use crate::outcome::Held;
use crate::policy::{Name, Settings};
use crate::schedule::Schedule;

/// Parts that a daemon needs to begin.
pub struct Options {
    pub load: Loader,
    /// Those who are told where the start fails.
    pub reach: Reach,
    pub clock: Clock,
}

/// The daemon, ready.
pub(super) struct Daemon {
    pub(super) load: Loader,
    pub(super) clock: Clock,
    pub(super) live: Live,
    pub(super) ledger: Ledger,
    pub(super) runs: Runs,
    pub(super) schedule: Schedule,
    pub(super) recovery: Background,
    pub(super) watch: SourceWatch,
    pub(super) heard: mpsc::UnboundedReceiver<Report>,
    pub(super) notices: Notices,
    pub(super) requests: Requests,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) snapshot: watch::Sender<Snapshot>,
    /// None once they have stopped.
    pub(super) answers: Option<Answers>,
    /// Asks everything to stop.
    pub(super) cancel: CancellationToken,
    pub(super) batches_kept: usize,
    /// Policies that wait for an approval.
    pub(super) held: Vec<(Name, Held)>,
    pub(super) last: Option<EndedRun>,
    pub(super) began: Instant,
    pub(super) manager: ServiceManager,
    pub(super) reload: Reload,
    /// Held until the end.
    pub(super) _lock: StateLock,
}

/// State of a reload.
#[derive(Debug, Default)]
pub(super) struct Reload {
    pub(super) loading: Option<JoinHandle<Result<Settings, Refusal>>>,
    /// A signal came while one was under way.
    pub(super) again: bool,
    /// Errors of the last one, if it failed.
    pub(super) errors: Option<usize>,
    /// Who waits for the end of the one under way, and of the one after it.
    pub(super) waiting: Vec<oneshot::Sender<Result<String, Refusal>>>,
    pub(super) next: Vec<oneshot::Sender<Result<String, Refusal>>>,
}
