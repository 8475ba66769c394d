//! Transactions of a session, and what became of one whose commit was not answered. A commit counts only when it is
//! known to have happened.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::Session;
use super::connection::Connection;
use super::postgres::BEGIN_WRITING;
use super::transaction_state::{Transaction, TransactionOutcome};
use super::watch::watch;
use crate::policy::Engine;
use crate::sources::{ErrorKind, SourceError};

/// Pause between two tries at SQLite's write lock, where `busy_timeout` does not wait by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Tells one incarnation of a PostgreSQL server from the next: statistics start anew after a crash, and are a standby's
/// own. An id that had not reached the disk before a crash is given to another transaction after it, whose status would
/// be taken for ours.
const INCARNATION: &str = "coalesce(extract(epoch FROM stats_reset)::text, 'never')";

impl Session {
    /// Begins a transaction: READ COMMITTED on the servers, IMMEDIATE on SQLite. It has the table that was claimed, or
    /// fails.
    pub async fn begin(&mut self) -> Result<(), SourceError> {
        match self.engine {
            Engine::Postgres => {
                let claim = self.claim.as_ref().map(|claim| (claim.table.clone(), claim.taking(self.engine)));
                let (table, taking) = claim.unzip();
                let had = self.start_postgres(BEGIN_WRITING, taking.as_deref().unwrap_or_default()).await?;
                match table {
                    Some(table) if had.as_deref() != Some("1") => {
                        self.rollback().await?;
                        Err(self.in_use(&table))
                    }
                    Some(_) | None => Ok(()),
                }
            }
            // The isolation level is the session's.
            Engine::MySql => {
                self.take_lock().await?;
                let started = self.start("START TRANSACTION READ WRITE").await;
                if started.is_err() {
                    self.give_lock_back().await;
                }
                started
            }
            Engine::Sqlite => self.start_immediate().await,
        }
    }

    /// Begins a read-only view for paging: REPEATABLE READ READ ONLY on the servers, DEFERRED on SQLite.
    pub async fn begin_snapshot(&mut self) -> Result<(), SourceError> {
        match self.engine {
            Engine::Postgres => {
                self.start_postgres("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "").await.map(drop)
            }
            Engine::MySql => {
                self.batch("beginning a snapshot", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
                self.start("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await
            }
            Engine::Sqlite => self.start("BEGIN DEFERRED").await,
        }
    }

    /// Begins with the settings of the session; the answer to `then`.
    async fn start_postgres(&mut self, begin: &str, then: &str) -> Result<Option<String>, SourceError> {
        const OPERATION: &str = "beginning a transaction";
        let began = self.begin_call(OPERATION).await?;
        let Connection::Postgres(connection) = &mut self.connection else {
            return Err(self.error(OPERATION, ErrorKind::Other, "this is not PostgreSQL".into()));
        };
        let result = watch(self.patience, &self.canceller, connection.begin(begin, then)).await;
        let answer = self.end_call(OPERATION, began, result).await?;
        self.transaction = Transaction::Open;
        Ok(answer)
    }

    async fn start(&mut self, text: &str) -> Result<(), SourceError> {
        self.batch("beginning a transaction", text).await?;
        self.transaction = Transaction::Open;
        Ok(())
    }

    /// SQLite does not wait for its lock in every case that `busy_timeout` covers, so the rest is waited for here.
    async fn start_immediate(&mut self) -> Result<(), SourceError> {
        let deadline = Instant::now() + self.judge.lock_timeout;
        loop {
            match self.start("BEGIN IMMEDIATE").await {
                Err(error) if error.kind == ErrorKind::Busy && Instant::now() < deadline => sleep(RETRY_PAUSE).await,
                other => return other,
            }
        }
    }

    /// Commits. `Ok`: it has happened. `Lost`: not known, and the session is closed. Any other error: it has not
    /// happened; the transaction is to be rolled back.
    pub async fn commit(&mut self) -> Result<(), SourceError> {
        const OPERATION: &str = "committing";
        if self.transaction != Transaction::Open {
            let cause = match self.transaction {
                Transaction::Failed => "a statement of the transaction failed, so that it cannot be committed",
                _ => "there is no transaction to commit",
            };
            return Err(self.error(OPERATION, ErrorKind::Other, cause.into()));
        }
        match self.batch(OPERATION, "COMMIT").await {
            Ok(()) => {
                self.transaction = Transaction::None;
                self.give_lock_back().await;
                Ok(())
            }
            Err(mut error) => {
                if !self.is_refusal(error.kind) {
                    error.kind = ErrorKind::Lost;
                    self.closed = true;
                }
                Err(error)
            }
        }
    }

    /// True if such an answer to COMMIT means for certain that nothing was committed.
    fn is_refusal(&self, kind: ErrorKind) -> bool {
        match self.engine {
            // What is told apart by time alone may have been the server's end.
            Engine::Postgres if self.judge.foreign_language => kind == ErrorKind::Constraint,
            // A deferred constraint or trigger, before the commit is written.
            Engine::Postgres => {
                matches!(kind, ErrorKind::Constraint | ErrorKind::Busy | ErrorKind::Timeout | ErrorKind::Cancelled)
            }
            // A cluster that found a conflict; an interrupted COMMIT may have been written.
            Engine::MySql => kind == ErrorKind::Busy,
            // A reader in the way, or a deferred foreign key: the transaction is still open.
            Engine::Sqlite => matches!(kind, ErrorKind::Busy | ErrorKind::Constraint),
        }
    }

    /// Takes everything since `begin` back. After an error here the session is closed, and the server rolls back when
    /// it notices.
    pub async fn rollback(&mut self) -> Result<(), SourceError> {
        if self.transaction == Transaction::None {
            return Ok(());
        }
        // SQLite may have rolled back by itself (disk full, I/O error), and then refuses.
        let rolled_back = match self.batch("rolling back", "ROLLBACK").await {
            Err(error) if self.engine == Engine::Sqlite && error.kind != ErrorKind::Lost => {
                let gone = error.cause.to_string().contains("no transaction is active");
                if gone { Ok(()) } else { Err(error) }
            }
            other => other,
        };
        self.closed |= rolled_back.is_err();
        self.transaction = Transaction::None;
        self.give_lock_back().await;
        rolled_back
    }

    /// The id of the transaction in progress, for [`Session::transaction_outcome`] (PostgreSQL; `None` elsewhere).
    pub async fn transaction_id(&mut self) -> Result<Option<String>, SourceError> {
        if self.engine != Engine::Postgres {
            return Ok(None);
        }
        let mut sql = self.sql();
        sql.push("SELECT txid_current()::text || '@' || ").push(INCARNATION).push(" FROM pg_stat_bgwriter");
        self.single("asking for the transaction's id", &sql).await
    }

    /// What became of a transaction whose commit was not answered; ask on another session. `Unknown` on engines that
    /// cannot say.
    pub async fn transaction_outcome(&mut self, id: &str) -> Result<TransactionOutcome, SourceError> {
        let (number, incarnation) = id.split_once('@').unwrap_or((id, ""));
        if self.engine != Engine::Postgres || !number.parse::<i64>().is_ok_and(|number| number > 0) {
            return Ok(TransactionOutcome::Unknown);
        }
        let mut sql = self.sql();
        // The status of an id that was not given out yet is an error, hence the comparison first.
        sql.push("SELECT CASE WHEN ").push(INCARNATION).push(" = ").bind(incarnation.to_owned());
        sql.push(" AND ").bind(number.to_owned()).push("::bigint < txid_current() THEN txid_status(");
        sql.bind(number.to_owned()).push("::bigint) END FROM pg_stat_bgwriter");
        let status = self.single("asking what became of a transaction", &sql).await?;
        Ok(match status.as_deref() {
            Some("committed") => TransactionOutcome::Committed,
            Some("aborted") => TransactionOutcome::Aborted,
            Some("in progress") => TransactionOutcome::InProgress,
            _ => TransactionOutcome::Unknown,
        })
    }

    /// The server's clock (SQLite: this machine's).
    pub async fn server_time(&mut self) -> Result<Timestamp, SourceError> {
        const OPERATION: &str = "asking for the time";
        let mut sql = self.sql();
        sql.push(match self.engine {
            Engine::Postgres => {
                "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
            }
            Engine::MySql => "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')",
            Engine::Sqlite => "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        });
        let text = self.single(OPERATION, &sql).await?.unwrap_or_default();
        text.parse().map_err(|error: jiff::Error| self.error(OPERATION, ErrorKind::Other, Box::new(error)))
    }

    /// The first column of the first row.
    async fn single(&mut self, operation: &str, sql: &super::Sql) -> Result<Option<String>, SourceError> {
        let rows = self.query(operation, sql).await?;
        Ok(rows.into_iter().next().and_then(|row| row.0.into_iter().next()).flatten())
    }
}
