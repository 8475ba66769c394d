//! Whether a transaction whose commit was not answered took effect.

use super::TransactionOutcome;
use crate::policy::Engine;
use crate::sources::{Session, SourceError, Sql};

/// What the server can later be asked about the session's transaction: PostgreSQL's transaction id; on MySQL the
/// connection, which tells only that the transaction is over; nothing on SQLite, where it ends with its process.
pub async fn transaction_mark(session: &mut Session) -> Result<Option<String>, SourceError> {
    match session.engine() {
        Engine::Postgres => session.transaction_id().await,
        Engine::MySql => {
            let mut sql = Sql::new(Engine::MySql);
            sql.push("SELECT CAST(CONNECTION_ID() AS CHAR)");
            let rows = session.query("asking for the connection's id", &sql).await?;
            Ok(rows.into_iter().next().and_then(|row| row.0.into_iter().next().flatten()))
        }
        Engine::Sqlite => Ok(None),
    }
}

/// Asks, over another session, what became of the transaction with that mark. `Unknown` means that it is over and the
/// rows themselves must tell.
pub async fn transaction_outcome(session: &mut Session, mark: &str) -> Result<TransactionOutcome, SourceError> {
    match session.engine() {
        Engine::Postgres => session.transaction_outcome(mark).await,
        Engine::MySql => {
            let mut sql = Sql::new(Engine::MySql);
            sql.push("SELECT '1' FROM information_schema.processlist WHERE id = CAST(").bind(mark.to_owned());
            sql.push(" AS UNSIGNED)");
            let connected = session.query("asking for a lost connection", &sql).await?;
            Ok(match connected.is_empty() {
                true => TransactionOutcome::Unknown,
                false => TransactionOutcome::InProgress,
            })
        }
        Engine::Sqlite => Ok(TransactionOutcome::Unknown),
    }
}
