//! Transactions of a session, and what became of one whose commit was not answered. A commit counts only when it is
//! known to have happened.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::Session;
use super::transaction_state::{Transaction, TransactionOutcome};
use super::watch::watch;
use crate::sources::{ErrorKind, SourceError};

/// Pause between two tries at SQLite's write lock, where `busy_timeout` does not wait by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

impl Session {
    /// Begins a transaction: READ COMMITTED on the servers, IMMEDIATE on SQLite. It has the table that was claimed, or
    /// fails.
    pub async fn begin(&mut self) -> Result<(), SourceError> {
        if !self.traits().commits_at_once {
            self.take_lock().await?;
            let started = self.start_patiently().await;
            if started.is_err() {
                self.give_lock_back().await;
            }
            return started;
        }
        let claim = self.claim.as_ref().map(|claim| (claim.table.clone(), claim.taking(self.engine)));
        let (table, mut then) = claim.unzip();
        if let Some(mark) = self.traits().mark.filter(|_| self.commits_are_relaxed()) {
            let then = then.get_or_insert_default();
            then.push_str("; ");
            then.push_str(mark);
        }
        let mut answers = self.start(self.traits().begin, then.as_deref().unwrap_or_default()).await?.into_iter();
        if let Some(table) = table
            && answers.next().flatten().as_deref() != Some("1")
        {
            self.rollback().await?;
            return Err(self.in_use(&table));
        }
        self.mark = answers.next().flatten();
        Ok(())
    }

    /// Remembers the transaction that has just been committed.
    pub(super) fn note_commit(&mut self) {
        self.last_mark = self.mark.take().or(self.last_mark.take());
    }

    /// Begins a read-only view for paging: REPEATABLE READ READ ONLY on the servers, DEFERRED on SQLite.
    pub async fn begin_snapshot(&mut self) -> Result<(), SourceError> {
        let Some((begin, before)) = self.traits().snapshot.split_last() else { return Ok(()) };
        for text in before {
            self.batch("beginning a snapshot", text).await?;
        }
        self.start(begin, "").await.map(drop)
    }

    /// Begins with the settings of the session; the answers to `then`, where it can be sent along.
    pub(super) async fn start(&mut self, begin: &str, then: &str) -> Result<Vec<Option<String>>, SourceError> {
        const OPERATION: &str = "beginning a transaction";
        let began = self.begin_call(OPERATION).await?;
        let result = watch(self.patience, &self.canceller, self.connection.begin(begin, then)).await;
        let answer = self.end_call(OPERATION, began, result).await?;
        self.transaction = Transaction::Open;
        Ok(answer)
    }

    /// SQLite does not wait for its lock in every case that `busy_timeout` covers, so the rest is waited for here.
    async fn start_patiently(&mut self) -> Result<(), SourceError> {
        let deadline = Instant::now() + self.judge.lock_timeout;
        loop {
            match self.start(self.traits().begin, "").await {
                Err(error) if error.kind == ErrorKind::Busy && Instant::now() < deadline => sleep(RETRY_PAUSE).await,
                other => return other.map(drop),
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
                self.note_commit();
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
        match self.judge.foreign_language {
            // What is told apart by time alone may have been the server's end.
            true => kind == ErrorKind::Constraint,
            false => self.traits().refusals.contains(&kind),
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
            Err(error) if error.kind != ErrorKind::Lost => {
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

    /// The mark by which the server can later be asked about the transaction in progress: PostgreSQL's transaction id;
    /// on MySQL the connection, which tells only that the transaction is over; none on SQLite, where it ends with its
    /// process.
    pub async fn transaction_mark(&mut self) -> Result<Option<String>, SourceError> {
        let Some(mark) = self.traits().mark else { return Ok(None) };
        let mut sql = self.sql();
        sql.push(mark);
        self.single("asking for the transaction's id", &sql).await
    }

    /// Fate of the transaction with that mark, whose commit was not answered; ask on another session. `Unknown`: it is
    /// over, or the server cannot say, and the rows themselves must tell.
    pub async fn transaction_outcome(&mut self, mark: &str) -> Result<TransactionOutcome, SourceError> {
        let (number, incarnation) = mark.split_once('@').unwrap_or((mark, ""));
        if self.traits().mark.is_none() || !number.parse::<i64>().is_ok_and(|number| number > 0) {
            return Ok(TransactionOutcome::Unknown);
        }
        let mut sql = self.sql();
        sql.template(self.traits().outcome, |sql, hole| {
            sql.bind(if hole == "number" { number } else { incarnation }.to_owned());
        });
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
        sql.push(self.traits().time);
        let text = self.single(OPERATION, &sql).await?.unwrap_or_default();
        text.parse().map_err(|error: jiff::Error| self.error(OPERATION, ErrorKind::Other, Box::new(error)))
    }

    /// The server's version, with its name.
    pub async fn version(&mut self) -> Result<String, SourceError> {
        let mut sql = self.sql();
        sql.push(self.traits().version);
        let version = self.single("asking for the version", &sql).await?.unwrap_or_default();
        let product = if version.contains("MariaDB") { "MariaDB".to_owned() } else { self.engine.to_string() };
        Ok(format!("{product} {version}"))
    }

    /// By which version of TLS the session came; empty: it is not encrypted, none: that is not known.
    pub async fn tls_version(&mut self) -> Option<String> {
        let mut sql = self.sql();
        sql.push(self.traits().tls);
        let rows = self.query("asking whether the connection is encrypted", &sql).await.ok()?;
        rows.into_iter().next()?.0.into_iter().nth(1)?
    }

    /// The first column of the first row.
    pub(in crate::sources) async fn single(
        &mut self,
        operation: &str,
        sql: &super::Sql,
    ) -> Result<Option<String>, SourceError> {
        let rows = self.query(operation, sql).await?;
        Ok(rows.into_iter().next().and_then(|row| row.0.into_iter().next()).flatten())
    }
}
