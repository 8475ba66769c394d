//! Errors of a source, told apart by what the caller does about them.

use crate::policy::Name;

/// A statement or connection that failed.
#[derive(Debug, thiserror::Error)]
#[error("source {source_name}: {operation} failed")]
pub struct SourceError {
    pub source_name: Name,
    /// The operation that failed, in words: "connecting to localhost:5432", "deleting a batch of detections".
    pub operation: String,
    pub kind: ErrorKind,
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

impl SourceError {
    /// An error of a source in the middle of something.
    pub fn new(
        source: &Name,
        operation: impl Into<String>,
        kind: ErrorKind,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { source_name: source.clone(), operation: operation.into(), kind, cause: cause.into() }
    }

    /// True if the same work may succeed a little later: the server is away, or somebody else holds a lock.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Connect | ErrorKind::Lost | ErrorKind::Busy)
    }
}

/// Kind of an error, by what the caller does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// The server could not be reached, or refused the login or TLS.
    Connect,
    /// The connection was lost in the middle; whether the statement took effect is not known.
    Lost,
    /// A lock was not had in time ("database is locked", lock_timeout, deadlock): worth another try.
    Busy,
    /// statement_timeout ran out.
    Timeout,
    /// Cancelled on our own request.
    Cancelled,
    /// Another run, with a ledger of its own, is changing the table.
    InUse,
    /// The database takes no changes: a standby, a server or file that is read-only.
    ReadOnly,
    /// A foreign key or check forbade it: some row of the batch is at fault.
    Constraint,
    /// The login may not do that.
    Permission,
    /// Anything else the server said: syntax, missing table or column, an error that a trigger raised, …
    Other,
}

impl ErrorKind {
    /// Stable word of the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Lost => "lost",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::InUse => "in_use",
            Self::ReadOnly => "read_only",
            Self::Constraint => "constraint",
            Self::Permission => "permission",
            Self::Other => "other",
        }
    }
}
