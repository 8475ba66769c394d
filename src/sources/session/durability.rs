//! Commits that the server need not write through at once, and the one that makes them all durable.
//!
//! A crash of the server may take such commits back, the newest ones first, and leaves the database consistent: rows are
//! there again that were deleted, and go with the next run. So this is for changes of which nothing else depends.

use super::Session;
use super::transaction_state::TransactionOutcome;
use crate::sources::SourceError;

impl Session {
    /// Lets commits come back before they are durable, or no longer, where the engine can say so for a session.
    pub fn relax_commits(&mut self, relaxed: bool) {
        if let Some(terms) = &mut self.postgres {
            terms.relaxed = relaxed;
            self.connection.set_settings(terms.text());
        }
        if !relaxed {
            self.last_mark = None;
        }
    }

    /// True if commits may come back before they are durable.
    pub fn commits_are_relaxed(&self) -> bool {
        self.postgres.as_ref().is_some_and(|terms| terms.relaxed)
    }

    /// Makes all commits durable that came before.
    pub async fn make_durable(&mut self) -> Result<(), SourceError> {
        let Some(terms) = self.postgres.as_mut().filter(|terms| terms.relaxed) else { return Ok(()) };
        terms.relaxed = false;
        self.connection.set_settings(terms.text());
        let made = self.commit_something().await;
        self.relax_commits(true);
        made
    }

    /// A commit with something in it: one of nothing is not waited for.
    async fn commit_something(&mut self) -> Result<(), SourceError> {
        self.start(self.traits().begin, WRITE_SOMETHING).await?;
        self.commit().await
    }

    /// Mark of the last transaction that was committed before it was durable.
    pub fn last_relaxed_mark(&self) -> Option<String> {
        self.last_mark.clone()
    }

    /// True if the transaction with that mark, and all before it, are there after the connection was lost: not where the
    /// server was started anew since, which is all that a crash lets it say.
    pub async fn still_has(&mut self, mark: &str) -> Result<bool, SourceError> {
        Ok(self.transaction_outcome(mark).await? == TransactionOutcome::Committed)
    }
}

/// Writes a message of no meaning to PostgreSQL's log.
const WRITE_SOMETHING: &str = "SELECT pg_catalog.pg_logical_emit_message(true, 'retaind', '')::text";
