//! What can go wrong with a source, told apart by what the caller does about it.

use crate::policy::Name;

/// A statement or connection that failed.
#[derive(Debug, thiserror::Error)]
#[error("source {source_name}: {operation} failed")]
pub struct SourceError {
    pub source_name: Name,
    /// What was being done, in words: "connecting to localhost:5432", "deleting a batch of detections".
    pub operation: String,
    pub kind: ErrorKind,
    #[source]
    pub cause: Box<dyn std::error::Error + Send + Sync>,
}

/// What the caller should make of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// A foreign key, check or trigger forbade it: some row of the batch is at fault.
    Constraint,
    /// The login may not do that.
    Permission,
    /// Anything else the server said: syntax, missing table or column, …
    Other,
}
