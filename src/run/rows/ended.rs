//! Reasons that a deletion ends before its end.

use crate::decide::blocked::Blocked;
use crate::ledger::LedgerError;
use crate::outcome::GuardReading;
use crate::sources::SourceError;

/// After so many windows that failed one after the other nothing will go right any more.
pub(crate) const FAILURES_IN_A_ROW: u32 = 10;

/// Reason that a deletion ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowsEnd {
    #[error("stopped between two batches")]
    Stopped,
    /// The run took as many rows as one may.
    #[error("what is left is the next run's")]
    Enough,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("another process has taken over the policy")]
    LeaseLost,
    #[error(transparent)]
    InUse(SourceError),
    #[error("{advice}; stopped because")]
    NoIndex {
        advice: String,
        #[source]
        timeout: SourceError,
    },
    #[error(
        "smaller and smaller parts of a batch took longer than statement_timeout; raise it, or set a smaller batch; stopped \
         because"
    )]
    TooSlow(#[source] SourceError),
    #[error("{} batches failed one after the other, the last one because", FAILURES_IN_A_ROW)]
    Hopeless(#[source] SourceError),
    #[error(
        "stopped: the last {files} files in a row could not be removed, the last one because: {why}. The rows that are left \
         stay, and the files are pending"
    )]
    Unremovable { files: u64, why: String },
    #[error("{why}")]
    Missing { why: Box<Blocked>, readings: Vec<GuardReading> },
    /// The account says why.
    #[error("every row is refused")]
    Refused,
}
