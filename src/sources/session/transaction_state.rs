//! State of a session's transaction, and the fate of one whose commit was not answered.

/// Fate of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionOutcome {
    Committed,
    Aborted,
    InProgress,
    /// The server cannot tell: it crashed since, is another server, was restored, or has forgotten. What is left to
    /// go by is whether the rows are there.
    Unknown,
}

/// State of the session between its statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transaction {
    None,
    Open,
    /// A statement in it failed. PostgreSQL answers its COMMIT by rolling back, MySQL has rolled back by itself after a
    /// deadlock, and neither says so: it must not be committed.
    Failed,
}

impl Transaction {
    pub fn fail(&mut self) {
        if *self == Transaction::Open {
            *self = Transaction::Failed;
        }
    }
}
