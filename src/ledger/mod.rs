//! The daemon's own database: runs, results, errors, intents, leases, schedule state.

mod record;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::policy::{Name, StorePath};
pub use record::{
    Cause, Failure, GuardReading, PolicyResult, RunMode, RunResult, RunTrigger, SHOWN_AT_MOST, Sample, Status,
    StoreTally, Tally, Totals,
};

/// An open ledger. Cheap to clone; every call is one short transaction on a blocking thread.
#[derive(Clone)]
pub struct Ledger {}

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("ledger {}: {operation} failed", path.display())]
    Failed {
        path: PathBuf,
        operation: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Names a run: a UUID of version 7.
pub type RunId = uuid::Uuid;

/// What is known of a run when it begins.
#[derive(Debug, Clone)]
pub struct RunStart {
    pub run_id: RunId,
    pub mode: RunMode,
    pub trigger: RunTrigger,
    /// The task that is run as a whole, if one is.
    pub task: Option<Name>,
    /// The slot of the schedule, for runs that the schedule started.
    pub due_at: Option<Timestamp>,
    pub started_at: Timestamp,
}

/// Whether a run may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    Begun,
    /// This slot of this task was run before.
    AlreadyRun,
}

/// A run in a listing.
#[derive(Debug, Clone)]
pub struct RunSummary {
    pub run_id: RunId,
    pub mode: RunMode,
    pub trigger: RunTrigger,
    pub task: Option<Name>,
    /// `None` while it runs.
    pub status: Option<Status>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub totals: Totals,
}

/// A batch of files that a committed (or perhaps committed) row deletion owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentBatch {
    pub id: i64,
    pub run_id: RunId,
    pub policy: Name,
    pub source: Name,
    /// `Endpoint::identity` of the source.
    pub source_identity: String,
    /// Table as written in the policy.
    pub table: String,
    /// PostgreSQL: `pg_current_xact_id()` of the deleting transaction.
    pub transaction_id: Option<String>,
    /// The deletion is known to be committed: only files are owed.
    pub committed: bool,
    pub recorded_at: Timestamp,
    /// Rows that the transaction deletes; added to the run's sum when a recovery finds it committed.
    pub rows: u64,
    pub items: Vec<IntentItem>,
}

/// A file that a row owned.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IntentItem {
    /// The row's key, as `errors[].key` shows it.
    pub key: String,
    pub store: Name,
    /// The store's root when the intent was recorded.
    pub root: PathBuf,
    pub path: StorePath,
    /// The column that named the file.
    pub column: String,
}

/// The last and present doings of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    pub task: Name,
    /// The newest slot that was run or skipped.
    pub last_due_at: Option<Timestamp>,
    pub last_run: Option<RunId>,
    pub last_started_at: Option<Timestamp>,
    pub last_finished_at: Option<Timestamp>,
    pub last_status: Option<Status>,
    /// First seen by a daemon; a slot before this is not "missed".
    pub known_since: Timestamp,
}

/// The right to run a policy.
#[derive(Debug)]
pub struct Lease {
    pub policy: Name,
    /// Rises with each lease of the policy.
    pub token: i64,
}

/// What asking for a lease brought.
#[derive(Debug)]
pub enum LeaseOutcome {
    Granted(Lease),
    /// Somebody alive has it.
    Held {
        run_id: RunId,
        pid: u32,
        since: Timestamp,
    },
}

impl Ledger {
    /// Opens the file (0600, owned like its directory), creating and migrating it as needed.
    pub async fn open(_path: &Path) -> Result<Self, LedgerError> {
        todo!()
    }
    /// Records that a run begins.
    pub async fn begin_run(&self, _start: &RunStart) -> Result<Begin, LedgerError> {
        todo!()
    }
    /// Adds what a batch without intents did to the sums of a policy in a run.
    pub async fn add_tally(&self, _run: RunId, _policy: &Name, _tally: &Tally) -> Result<(), LedgerError> {
        todo!()
    }
    /// Records a policy's result; sums in it replace the added-up ones.
    pub async fn record_policy(&self, _run: RunId, _result: &PolicyResult) -> Result<(), LedgerError> {
        todo!()
    }
    /// Records the end of a run and its totals.
    pub async fn finish_run(&self, _result: &RunResult) -> Result<(), LedgerError> {
        todo!()
    }
    /// Ends runs that a process left behind when it died: status failed, with an error that says so. The ids.
    pub async fn close_abandoned(&self, _now: Timestamp) -> Result<Vec<RunId>, LedgerError> {
        todo!()
    }
    /// The newest runs first.
    pub async fn runs(&self, _limit: u32) -> Result<Vec<RunSummary>, LedgerError> {
        todo!()
    }
    /// One run with all its results, finished or not. An id may be shortened to a unique beginning or end.
    pub async fn run(&self, _id: &str) -> Result<Option<RunResult>, LedgerError> {
        todo!()
    }
    /// Durably records what a batch will owe, before the source commits. Returns its id.
    pub async fn record_intents(&self, _batch: &IntentBatch) -> Result<i64, LedgerError> {
        todo!()
    }
    /// Settles a batch: what is still owed stays, the rest goes; `tally` is added to the run's sums.
    pub async fn settle(&self, _id: i64, _still_owed: &[IntentItem], _tally: &Tally) -> Result<(), LedgerError> {
        todo!()
    }
    /// Unsettled batches with an id above `after`, in order of id, at most `limit`.
    pub async fn unsettled(
        &self,
        _policy: Option<&Name>,
        _after: i64,
        _limit: u32,
    ) -> Result<Vec<IntentBatch>, LedgerError> {
        todo!()
    }
    /// How many files are owed, by policy.
    pub async fn owed(&self) -> Result<Vec<(Name, u64)>, LedgerError> {
        todo!()
    }
    /// Takes the lease of a policy for a run, if nobody alive holds it.
    pub async fn acquire_lease(
        &self,
        _policy: &Name,
        _run: RunId,
        _now: Timestamp,
    ) -> Result<LeaseOutcome, LedgerError> {
        todo!()
    }
    /// Whether the lease is still ours.
    pub async fn holds(&self, _lease: &Lease) -> Result<bool, LedgerError> {
        todo!()
    }
    /// Gives the lease back.
    pub async fn release(&self, _lease: Lease) -> Result<(), LedgerError> {
        todo!()
    }
    /// Notes the tasks that a configuration has, so that a slot counts as missed only from now on.
    pub async fn know_tasks(&self, _tasks: &[Name], _now: Timestamp) -> Result<(), LedgerError> {
        todo!()
    }
    /// The state of every known task.
    pub async fn task_states(&self) -> Result<Vec<TaskState>, LedgerError> {
        todo!()
    }
    /// Notes a slot that was skipped (too late without catch-up, or the task was still running).
    pub async fn skip_slot(&self, _task: &Name, _due_at: Timestamp) -> Result<(), LedgerError> {
        todo!()
    }
    /// What the last run of a policy found matching, for a reload that widens it (newest first).
    pub async fn last_result(&self, _policy: &Name) -> Result<Option<PolicyResult>, LedgerError> {
        todo!()
    }
}
