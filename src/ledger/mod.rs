//! The daemon's own database: runs, results, errors, intents, leases, schedule state, adopted stores, the clock. Every statement to it is in this
//! module, and none to anybody else's database.

mod agreed;
mod approvals;
mod audit;
mod beats;
mod clock;
mod days;
mod ended;
mod file;
mod holds;
mod in_force;
mod intents;
mod latest;
mod leases;
mod listing;
mod locks;
mod notices;
mod outbox;
mod pauses;
mod reserve;
mod results;
mod runs;
mod schema;
mod sight;
mod small_files;
mod start_failures;
mod stores;
mod tasks;
#[cfg(test)]
mod tests;
mod tokens;
mod totals;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::store::RootThen;
use crate::outcome::{PendingChoice, Reported, Requested, RunId, RunMode, RunTrigger, Status, Tally, Totals};
use crate::policy::{Name, StorePath};
pub use agreed::Agreed;
pub use approvals::Approval;
pub use audit::{AuditAction, AuditEntry, AuditNote, BrokenEntry, VerifiedAudit};
pub use clock::{ConfirmedClock, SeenClock};
pub use ended::EndedRuns;
pub use file::{Ledger, give_up_reserve};
pub use holds::Baseline;
pub use intents::ForgottenFile;
pub use latest::LatestRun;
use locks::Lock;
pub use locks::{FileId, StateHolder, StateLock, StateLockError, lock_state_dir};
pub use notices::{Conditions, Said};
pub use outbox::{Backlog, OutboxMessage};
pub use pauses::{FoundPause, PauseError, Pauses};
pub use sight::Sight;
pub use start_failures::{ReportedFailure, StartFailures};
pub use stores::Adoption;
pub use tokens::{FoundToken, TokenError, Tokens};

/// Failure inside, of whatever type.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("ledger {}: {operation} failed", path.display())]
    Failed {
        path: PathBuf,
        operation: &'static str,
        #[source]
        cause: Fault,
    },
    #[error(
        "ledger {}: it was written by a newer retaind (its schema is at {found}, this version knows {known}); \
         install that version again",
        path.display()
    )]
    Newer { path: PathBuf, found: String, known: String },
    #[error("ledger {}: the file is a database of another program; [ledger] url names the wrong file", path.display())]
    Foreign { path: PathBuf },
    #[error(
        "ledger {}: the file is damaged; restore it from a backup, or move it away to begin a new one, which forgets \
         which files are still pending and which slots were run",
        path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        cause: Fault,
    },
    #[error(
        "ledger {}: the file was removed while it was open, so nothing can be recorded and nothing is deleted; put it back, \
         or begin a new one with systemctl restart retaind, which forgets which files are pending and which slots were run",
        path.display()
    )]
    Removed { path: PathBuf },
    #[error(
        "ledger {}: another file was put in its place while it was open, so nothing is recorded and nothing is deleted; \
         systemctl restart retaind begins with the file that is there now",
        path.display()
    )]
    Replaced { path: PathBuf },
    #[error(
        "ledger {}: its disk is full, and its reserve is spent; free at least 1 MiB and some inodes there by hand (in {}, or \
         wherever there is something to spare on the same file system)",
        path.display(), path.parent().unwrap_or(path).display()
    )]
    Full {
        path: PathBuf,
        #[source]
        cause: Fault,
    },
    #[error("{given:?} could be any of {}; write more of it", listed(candidates))]
    Ambiguous { given: String, candidates: Vec<RunId> },
    #[error("run {run_id} is not in the ledger")]
    UnknownRun { run_id: RunId },
    #[error("batch {id} is not in the ledger: it was settled before")]
    UnknownBatch { id: i64 },
}

/// The first few of many ids.
fn listed(ids: &[RunId]) -> String {
    const SHOWN: usize = 5;
    let mut text = ids.iter().take(SHOWN).map(RunId::to_string).collect::<Vec<_>>().join(", ");
    if ids.len() > SHOWN {
        text.push_str(", …");
    }
    text
}

/// Facts about a run when it begins.
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
    /// Who asked for it; none where the schedule did.
    pub requested: Option<Requested>,
    /// Its policies, each with the fingerprint of its configuration.
    pub policies: Vec<(Name, String)>,
}

/// Answer to a run that wants to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    Begun,
    /// This slot of this task was run before.
    AlreadyRun,
}

/// Runs that a listing has: those to which all of it applies.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// The task that was run as a whole.
    pub task: Option<String>,
    /// A policy that the run came to.
    pub policy: Option<String>,
    /// End of the run; `Some(None)`: it is still running.
    pub status: Option<Option<Status>>,
    /// The earliest start.
    pub since: Option<Timestamp>,
    /// Only runs that began before this one.
    pub before: Option<RunId>,
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
    /// 0 while it runs.
    pub duration_ms: u64,
    pub totals: Totals,
    /// Amounts that match in policies that only reported; none where all policies enforced.
    pub reported: Option<Reported>,
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
    /// Sums that its rows add to the run's when a recovery finds it committed; nothing about files.
    pub done: Tally,
    pub items: Vec<IntentItem>,
}

impl IntentBatch {
    /// True if it has a file of a choice, or is whole.
    pub fn has(&self, choice: &PendingChoice) -> bool {
        *choice == PendingChoice::All || self.items.iter().any(|item| item.is_in(choice))
    }
}

impl IntentItem {
    /// True if a choice takes it in.
    pub fn is_in(&self, choice: &PendingChoice) -> bool {
        choice.has(&self.owner.store, &self.path)
    }
}

/// A file, or a whole directory, that a row owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentItem {
    /// The row's key, as `errors[].key` shows it.
    pub key: String,
    pub path: StorePath,
    pub owner: Arc<IntentOwner>,
    /// Result of the last attempt to remove it, in words; none before the first.
    pub why: Option<String>,
}

/// Rows that own files of a store, as recorded with what they owe.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IntentOwner {
    pub store: Name,
    /// The store's root when the intent was recorded.
    pub root: PathBuf,
    /// The table that the rows are in.
    pub table: String,
    /// The column that names the file, or the template that makes its path.
    pub path: String,
    pub template: bool,
    pub directory: bool,
    /// Columns with the values that an update has set: a row that has them all has let go of its file.
    #[serde(default)]
    pub released: Vec<(String, String)>,
    /// None where an earlier version recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_then: Option<RootThen>,
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
    /// When the task's newest run ended, if a slot began it and it did not do what the slot was for.
    pub unfinished_at: Option<Timestamp>,
    /// First seen by a daemon; a slot before this is not "missed".
    pub known_since: Timestamp,
}

/// The right to run a policy.
#[derive(Debug)]
pub struct Lease {
    pub policy: Name,
    /// Rises with each lease of the policy.
    pub token: i64,
    /// Holds the policy's lock file; the kernel lets go of it when the process dies.
    _lock: Lock,
}

/// Answer to a request for a lease.
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
