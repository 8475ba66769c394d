//! One open connection to a source, set up: time zone UTC, timeouts set, language of messages fixed.

mod sql;

pub use sql::Sql;

use super::SourceError;
use crate::policy::{Engine, Source};

/// A row of columns that the statement cast to text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow(pub Vec<Option<String>>);

/// Whether `DELETE … RETURNING` exists there (PostgreSQL, SQLite, MariaDB: yes; MySQL: no).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returning {
    Yes,
    No,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionOutcome {
    Committed,
    Aborted,
    InProgress,
    /// The server cannot tell: it is another server, was restored, or has forgotten.
    Unknown,
}

/// An open connection.
pub struct Session {}

/// Cancels, from another task, the statement that a session is in.
#[derive(Clone)]
pub struct Canceller {}

impl Session {
    /// Connects, checks TLS as asked, and sets the session up.
    pub async fn open(_source: &Source) -> Result<Self, SourceError> {
        todo!()
    }
    /// The source that it is connected to.
    pub fn source_name(&self) -> &crate::policy::Name {
        todo!()
    }
    pub fn engine(&self) -> Engine {
        todo!()
    }
    /// Whether DELETE … RETURNING may be used.
    pub fn returning(&self) -> Returning {
        todo!()
    }
    /// Runs a statement that returns rows. `operation` goes into the error.
    pub async fn query(&mut self, _operation: &str, _sql: &Sql) -> Result<Vec<TextRow>, SourceError> {
        todo!()
    }
    /// Runs a statement; how many rows it touched (for MySQL: found).
    pub async fn execute(&mut self, _operation: &str, _sql: &Sql) -> Result<u64, SourceError> {
        todo!()
    }
    /// Begins a transaction: READ COMMITTED on the servers, IMMEDIATE on SQLite.
    pub async fn begin(&mut self) -> Result<(), SourceError> {
        todo!()
    }
    /// Begins a read-only view for paging: REPEATABLE READ READ ONLY on the servers, DEFERRED on SQLite.
    pub async fn begin_snapshot(&mut self) -> Result<(), SourceError> {
        todo!()
    }
    pub async fn commit(&mut self) -> Result<(), SourceError> {
        todo!()
    }
    pub async fn rollback(&mut self) -> Result<(), SourceError> {
        todo!()
    }
    /// The id of the transaction in progress (PostgreSQL; `None` elsewhere).
    pub async fn transaction_id(&mut self) -> Result<Option<String>, SourceError> {
        todo!()
    }
    /// What became of a transaction whose commit was not answered.
    pub async fn transaction_outcome(&mut self, _id: &str) -> Result<TransactionOutcome, SourceError> {
        todo!()
    }
    /// The server's clock (SQLite: this machine's).
    pub async fn server_time(&mut self) -> Result<jiff::Timestamp, SourceError> {
        todo!()
    }
    /// Whether the connection may still be used.
    pub fn is_open(&self) -> bool {
        todo!()
    }
    pub fn canceller(&self) -> Canceller {
        todo!()
    }
}

impl Canceller {
    /// Asks the server to cancel what the session is in; harmless when it is in nothing.
    pub async fn cancel(&self) {
        todo!()
    }
}
