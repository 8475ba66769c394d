//! Classification of the errors that a driver hands back.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DriverError};

use crate::policy::Engine;
use crate::sources::ErrorKind;
use crate::sources::sql::dialect::dialect;

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
    /// Kind of an error after `elapsed`, during which a cancellation was requested or not.
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
                _ => {
                    let mut phrases = dialect(self.engine).traits().phrases.iter();
                    let known = phrases.find(|(phrase, _)| information.message().contains(phrase));
                    known.map_or(ErrorKind::Other, |(_, kind)| *kind)
                }
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
    fn errors_in_another_language_are_judged_by_time() {
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
