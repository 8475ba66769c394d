//! What can go wrong with a source, told apart by what the caller does about it.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DriverError};

use crate::policy::{Engine, Name};

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

impl SourceError {
    /// True if the same work may succeed a little later: the server is away, or somebody else holds a lock.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Connect | ErrorKind::Lost | ErrorKind::Busy)
    }
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

/// Tells errors of one session apart. The drivers hide SQLSTATE and error numbers for most of them, so the message
/// decides; the session has the server speak English where it can.
#[derive(Debug, Clone)]
pub(super) struct Judge {
    pub engine: Engine,
    /// The server speaks another language and may not be told to change it (PostgreSQL, where that is reserved to
    /// superusers): then the time that the statement took tells the timeouts apart.
    pub foreign_language: bool,
    pub lock_timeout: Duration,
    pub statement_timeout: Duration,
}

impl Judge {
    /// What to make of an error after `elapsed`, during which a cancellation was requested or not.
    pub fn kind(&self, error: &DriverError, elapsed: Duration, cancel_sent: bool) -> ErrorKind {
        match error {
            DriverError::DatabaseError(kind, information) => match kind {
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::RestrictViolation
                | DatabaseErrorKind::ExclusionViolation => ErrorKind::Constraint,
                DatabaseErrorKind::SerializationFailure => ErrorKind::Busy,
                DatabaseErrorKind::ReadOnlyTransaction => ErrorKind::ReadOnly,
                DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => ErrorKind::Lost,
                _ if self.foreign_language => self.by_time(elapsed, cancel_sent),
                _ => by_message(self.engine, information.message()),
            },
            _ => ErrorKind::Other,
        }
    }

    fn by_time(&self, elapsed: Duration, cancel_sent: bool) -> ErrorKind {
        if cancel_sent {
            ErrorKind::Cancelled
        } else if elapsed >= self.statement_timeout {
            ErrorKind::Timeout
        } else if elapsed >= self.lock_timeout {
            ErrorKind::Busy
        } else {
            ErrorKind::Other
        }
    }
}

/// The first of the engine's phrases that the message has.
fn by_message(engine: Engine, message: &str) -> ErrorKind {
    let phrases = match engine {
        Engine::Postgres => POSTGRES,
        Engine::MySql => MYSQL,
        Engine::Sqlite => SQLITE,
    };
    phrases.iter().find(|(phrase, _)| message.contains(phrase)).map_or(ErrorKind::Other, |(_, kind)| *kind)
}

const POSTGRES: &[(&str, ErrorKind)] = &[
    ("canceling statement due to lock timeout", ErrorKind::Busy),
    ("canceling statement due to conflict with recovery", ErrorKind::Busy),
    ("could not obtain lock", ErrorKind::Busy),
    ("deadlock detected", ErrorKind::Busy),
    ("canceling statement due to statement timeout", ErrorKind::Timeout),
    ("canceling statement due to user request", ErrorKind::Cancelled),
    ("read-only transaction", ErrorKind::ReadOnly),
    ("during recovery", ErrorKind::ReadOnly),
    ("terminating connection", ErrorKind::Lost),
    ("the database system is", ErrorKind::Lost),
    ("permission denied", ErrorKind::Permission),
    ("must be owner of", ErrorKind::Permission),
    ("affected by row-level security", ErrorKind::Permission),
];

const MYSQL: &[(&str, ErrorKind)] = &[
    ("Lock wait timeout exceeded", ErrorKind::Busy),
    ("NOWAIT is set", ErrorKind::Busy),
    ("Deadlock found", ErrorKind::Busy),
    ("Record has changed since last read", ErrorKind::Busy),
    ("max_statement_time exceeded", ErrorKind::Timeout),
    ("maximum statement execution time exceeded", ErrorKind::Timeout),
    ("Query execution was interrupted", ErrorKind::Cancelled),
    ("Connection was killed", ErrorKind::Lost),
    ("Server shutdown in progress", ErrorKind::Lost),
    // How the driver words what is not the server's answer.
    ("Input/output error:", ErrorKind::Lost),
    ("Driver error:", ErrorKind::Lost),
    ("Other error:", ErrorKind::Lost),
    ("command denied to user", ErrorKind::Permission),
    ("Access denied", ErrorKind::Permission),
    // MySQL's and MariaDB's options of that name, and MySQL's --super-read-only.
    ("read-only option", ErrorKind::ReadOnly),
    ("READ ONLY transaction", ErrorKind::ReadOnly),
];

const SQLITE: &[(&str, ErrorKind)] = &[
    ("is locked", ErrorKind::Busy),
    ("attempt to write a readonly database", ErrorKind::ReadOnly),
    // Its journal cannot be made beside it.
    ("unable to open database file", ErrorKind::ReadOnly),
    ("interrupted", ErrorKind::Cancelled),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(engine: Engine, foreign_language: bool) -> Judge {
        Judge {
            engine,
            foreign_language,
            lock_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(30),
        }
    }

    fn unknown(message: &str) -> DriverError {
        DriverError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
    }

    #[test]
    fn a_server_that_speaks_another_language_is_judged_by_time() {
        let judge = judge(Engine::Postgres, true);
        let error = unknown("storniere Anfrage wegen Zeitüberschreitung");
        for (elapsed_secs, cancel_sent, kind) in [
            (0, false, ErrorKind::Other),
            (0, true, ErrorKind::Cancelled),
            (2, false, ErrorKind::Busy),
            (30, false, ErrorKind::Timeout),
        ] {
            assert_eq!(judge.kind(&error, Duration::from_secs(elapsed_secs), cancel_sent), kind);
        }
        let violation = DriverError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, Box::new("x".to_owned()));
        assert_eq!(judge.kind(&violation, Duration::from_secs(9), false), ErrorKind::Constraint);
    }

    #[test]
    fn messages_that_are_hard_to_provoke_are_known() {
        for (engine, message, kind) in [
            (Engine::Postgres, "the database system is shutting down", ErrorKind::Lost),
            (Engine::Postgres, "canceling statement due to conflict with recovery", ErrorKind::Busy),
            (
                Engine::MySql,
                "Query execution was interrupted, maximum statement execution time exceeded",
                ErrorKind::Timeout,
            ),
            (
                Engine::MySql,
                "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.",
                ErrorKind::Busy,
            ),
            (Engine::MySql, "The MySQL server is running with the --read-only option", ErrorKind::ReadOnly),
            (Engine::Sqlite, "database table is locked", ErrorKind::Busy),
            (Engine::Sqlite, "disk I/O error", ErrorKind::Other),
        ] {
            assert_eq!(judge(engine, false).kind(&unknown(message), Duration::ZERO, false), kind, "{message}");
        }
    }
}
