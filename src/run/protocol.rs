//! The delete protocol of one batch whose rows own files:
//!
//! 1. in the source, a transaction deletes (or updates) the rows with every condition in the statement and tells their
//!    paths, and those of the rows that go with them;
//! 2. in the ledger, the intents are committed: what will be owed;
//! 3. the source commits;
//! 4. each file that no row names any more is removed;
//! 5. in the ledger, the intents are settled and the sums added up.
//!
//! A crash before 3 leaves intents of a deletion that never was; a crash after it leaves files that are owed. Recovery
//! (`recover`) tells the two apart.

use super::custody::{Action, settle};
use super::delete::{Deleter, Ended, roll_back};
use super::gather::{Facts, RowFiles};
use super::recover::Resolved;
use crate::ledger::{IntentBatch, Tally};
use crate::sources::{Batch, ErrorKind, Scope, SourceError, transaction_mark};
use crate::telemetry::chain;

impl Deleter<'_> {
    /// Takes the rows of a scope and the files that they alone owned.
    pub(super) async fn take_with_files(&mut self, scope: Scope<'_>) -> Result<(), Ended> {
        let Facts { target, at, .. } = self.facts;
        let session = self.sessions.get(&target.source).await?;
        session.begin().await?;
        let canceller = session.canceller();
        let mut taken = match self.stop.watch(canceller, target.take(session, *at, scope)).await {
            Ok(taken) if taken.rows.is_empty() => {
                roll_back(session).await;
                return Ok(());
            }
            Ok(taken) => taken,
            Err(error) => {
                roll_back(session).await;
                return Err(error.into());
            }
        };
        let files = self.facts.files_of(std::mem::take(&mut taken.claims));
        let batch = self.commit(&taken, &files).await?;
        self.account.detail(target, &taken.rows);
        for (key, path, why) in files.refused {
            self.account.fail(Some(key), Some(path), format!("kept: {why}"));
        }
        match batch {
            Committed::Known(batch) => self.settle(*batch).await,
            Committed::Settled => Ok(()),
        }
    }

    /// Steps 2 and 3.
    async fn commit(&mut self, taken: &Batch, files: &RowFiles) -> Result<Committed, Ended> {
        let mut batch = self.intents(taken, files);
        // The very session that holds the transaction: a new one would commit nothing and say that it did.
        let session = self.sessions.held(&self.facts.target.source)?;
        match transaction_mark(session).await {
            Ok(mark) => batch.transaction_id = mark,
            Err(error) => {
                roll_back(session).await;
                return Err(error.into());
            }
        }
        if !batch.items.is_empty() {
            batch.id = match self.ledger.record_intents(&batch).await {
                Ok(id) => id,
                Err(error) => {
                    roll_back(session).await;
                    return Err(error.into());
                }
            };
        }
        match session.commit().await {
            Ok(()) => Ok(Committed::Known(Box::new(batch))),
            // A deferred constraint: the server says for certain that nothing was committed.
            Err(error) if error.kind == ErrorKind::Constraint => {
                self.drop_intents(&batch).await?;
                Err(error.into())
            }
            Err(error) => self.resolve(batch, error).await,
        }
    }

    fn intents(&self, taken: &Batch, files: &RowFiles) -> IntentBatch {
        let source = self.runner.settings.source(&self.policy.source);
        IntentBatch {
            id: 0,
            run_id: self.run_id,
            policy: self.name.clone(),
            source: self.policy.source.clone(),
            source_identity: source.map(|source| source.endpoint.identity()).unwrap_or_default(),
            table: self.policy.table.to_string(),
            transaction_id: None,
            committed: false,
            recorded_at: self.runner.clock.now(),
            done: self.done(taken),
            items: files.items.clone(),
        }
    }

    async fn drop_intents(&mut self, batch: &IntentBatch) -> Result<(), Ended> {
        if batch.id != 0 {
            self.ledger.settle(batch.id, &[], &Tally::default()).await?;
        }
        Ok(())
    }

    /// The commit was not answered: asks over a new connection what became of it.
    async fn resolve(&mut self, batch: IntentBatch, error: SourceError) -> Result<Committed, Ended> {
        if batch.id == 0 {
            return Err(error.into());
        }
        tracing::warn!(source = %error.source_name, error = %chain(&error), "A commit was not answered");
        self.sessions.reopen(&self.facts.target.source).await?;
        match self.runner.resolve(&batch, self.sessions, self.stop.token()).await? {
            Resolved::Settled { account, committed: true } => {
                self.account.add(*account);
                Ok(Committed::Settled)
            }
            Resolved::Settled { committed: false, .. } => Err(error.into()),
            Resolved::Kept(why) => {
                self.account.fail(None, None, format!("the outcome of a batch is not known yet: {why}"));
                Ok(Committed::Settled)
            }
        }
    }

    /// Steps 4 and 5.
    async fn settle(&mut self, batch: IntentBatch) -> Result<(), Ended> {
        let rows = batch.done;
        // The rows are gone: they count even where the ledger fails now.
        self.account.tally.add(&rows);
        if batch.items.is_empty() {
            return Ok(self.ledger.add_tally(self.run_id, self.name, &rows).await?);
        }
        let action = Action::Remove { decided_at: batch.recorded_at, stop: self.stop.token() };
        let settled = settle(&self.facts.custodies, self.sessions, batch.items, action).await;
        let mut done = rows;
        done.add(&settled.account.tally);
        self.account.add(settled.account);
        Ok(self.ledger.settle(batch.id, &settled.still_owed, &done).await?)
    }
}

/// What is known of a batch after its commit.
pub(super) enum Committed {
    /// Committed: its files are owed.
    Known(Box<IntentBatch>),
    /// Looked at over a new connection already.
    Settled,
}
