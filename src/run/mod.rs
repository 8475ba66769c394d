//! One run: gather facts, decide, guard, execute, record; and recovery of what a crash left owing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::ledger::{Ledger, LedgerError, RunMode, RunResult, RunTrigger};
use crate::policy::{Name, Policy, Settings};

/// Runs policies. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    pub settings: Arc<Settings>,
    /// A plan needs none.
    pub ledger: Option<Ledger>,
    pub clock: Clock,
}

/// What to run, and how.
pub struct Request {
    pub run_id: crate::ledger::RunId,
    /// In the order in which they run; switched-off ones left out by the caller.
    pub policies: Vec<Arc<Policy>>,
    pub task: Option<Name>,
    pub due_at: Option<Timestamp>,
    pub trigger: RunTrigger,
    pub mode: RunMode,
    pub timeout: Option<Duration>,
    pub cancel: CancellationToken,
    /// Count what is eligible before a run even where no guard needs it, so that progress knows the end.
    pub count_first: bool,
    pub progress: Option<watch::Sender<Progress>>,
    /// Where a plan sends every row key and file path (`--list`).
    pub list: Option<mpsc::Sender<Listed>>,
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub policy: Option<Name>,
    /// Which policy of how many, from 1.
    pub position: (usize, usize),
    pub rows_done: u64,
    /// Where it was counted.
    pub rows_total: Option<u64>,
    pub files_deleted: u64,
    pub bytes_reclaimed: u64,
}

/// A line of `plan --list`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Listed {
    Row { policy: Name, source: Name, table: String, key: String },
    File { policy: Name, store: Name, path: String, size_bytes: u64, missing: bool },
}

/// Why a run could not even begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("slot {due_at} of task {task} was run before")]
    SlotTaken { task: Name, due_at: Timestamp },
    #[error("the run could not be recorded")]
    Ledger(#[from] LedgerError),
}

/// What a recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    pub batches_settled: u64,
    pub files_deleted: u64,
    /// Batches kept for later, each with the reason.
    pub kept: Vec<String>,
}

impl Runner {
    /// Executes a request to its end; never panics on bad data, and never returns before what it began is settled or kept.
    pub async fn run(&self, _request: Request) -> Result<RunResult, RunError> {
        todo!()
    }
    /// Examines unsettled intents: of one policy, or of all.
    pub async fn recover(&self, _policy: Option<&Name>, _cancel: &CancellationToken) -> Result<Recovery, LedgerError> {
        todo!()
    }
}
