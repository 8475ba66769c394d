//! A request for a run, the lines that a plan lists, and reasons that a run could not begin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::brake::Brake;
use super::progress::Progress;
use crate::decide::guards::Looked;
use crate::ledger::LedgerError;
use crate::outcome::{Requested, RunId, RunMode, RunTrigger};
use crate::policy::{Name, Params, Policy};

/// Policies to run, and how to run them.
pub struct Request {
    pub run_id: RunId,
    /// In the order in which they run; switched-off ones left out by the caller.
    pub policies: Vec<Arc<Policy>>,
    pub task: Option<Name>,
    pub due_at: Option<Timestamp>,
    pub trigger: RunTrigger,
    /// Who asks for it, and under what; none where the schedule does.
    pub requested: Option<Requested>,
    pub mode: RunMode,
    /// Values of the parameters that the policies declare: none missing, each of its type where that is declared.
    pub params: Params,
    pub timeout: Option<Duration>,
    /// Instant from which on nothing more of it begins.
    pub closes_at: Option<Timestamp>,
    pub cancel: CancellationToken,
    /// Stops single policies of the run.
    pub brake: Brake,
    /// Its configuration is for this run alone (`--set`): nothing is agreed to by it.
    pub is_temporary: bool,
    /// For each policy, the amount that somebody has looked at and agreed to, for this run alone. Of a configuration
    /// for this run alone, it takes the place of an approval.
    pub looked: BTreeMap<Name, Looked>,
    /// Count what is eligible before a run even where no guard needs it, so that progress knows the end.
    pub count_first: bool,
    pub progress: Option<watch::Sender<Progress>>,
    /// Channel for every row key and file path of a plan (`--list`).
    pub list: Option<mpsc::Sender<Listed>>,
}

impl Request {
    /// A request that nobody has timed, narrowed or asked to be watched.
    pub fn new(mode: RunMode, trigger: RunTrigger, policies: Vec<Arc<Policy>>) -> Self {
        Self {
            run_id: RunId::now_v7(),
            policies,
            task: None,
            due_at: None,
            trigger,
            requested: None,
            mode,
            params: Params::new(),
            timeout: None,
            closes_at: None,
            cancel: CancellationToken::new(),
            brake: Brake::default(),
            is_temporary: false,
            looked: BTreeMap::new(),
            count_first: false,
            progress: None,
            list: None,
        }
    }

    /// True if the schedule asked for it, and no person.
    pub(super) fn is_scheduled(&self) -> bool {
        self.trigger.is_schedule()
    }
}

/// Action of a run on something that a plan lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// Delete it.
    Enforce,
    /// Report it only, because the policy does.
    Report,
    /// Nothing, because a guard blocks the policy.
    Blocked,
}

/// A line of `plan --list`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Listed {
    Row { policy: Name, mode: Fate, source: Name, table: String, key: String },
    File { policy: Name, mode: Fate, store: Name, path: String, size_bytes: u64 },
}

/// Reason that a run could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("slot {due_at} of task {task} was run before")]
    SlotTaken { task: Name, due_at: Timestamp },
    #[error("a run that may delete needs a ledger")]
    NoLedger,
    #[error("the run could not be recorded")]
    Ledger(#[from] LedgerError),
}
