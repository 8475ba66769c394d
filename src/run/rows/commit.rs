//! The delete protocol of one batch whose rows own files:
//!
//! 1. in the source, a transaction deletes (or updates) the rows with every condition in the statement and tells their
//!    paths, and those of the rows that go with them;
//! 2. in the ledger, the intents are committed: what will be pending;
//! 3. the source commits;
//! 4. each file that no row names any more is removed, where need be together with those of later batches (`waiting`);
//! 5. in the ledger, the intents are settled and the sums added up.
//!
//! A crash before 3 leaves intents of a deletion that never was; a crash after it leaves files that are pending. Recovery
//! (`recover`) tells the two apart.

use std::time::Instant;

use super::deleter::{Deleter, roll_back};
use super::ended::RowsEnd;
use super::facts::{Facts, RowFiles, UnmappedRow};
use crate::decide::guards::Judged;
use crate::decide::rows::ReasonKind;
use crate::ledger::IntentBatch;
use crate::outcome::Tally;
use crate::run::owners::{Action, Later, Settled, reads_long, search_all, settle};
use crate::run::recovery::{Begun, Resolved};
use crate::sources::{Batch, ErrorKind, KEYS_AT_ONCE, Scope, SourceError};
use crate::text::chain;

/// Number of times that rows of one batch are found to have been given such paths since it began, before it is tried
/// again later.
const REWRITTEN_AT_MOST: u32 = 8;
/// After so many files in a row that could not be removed no more rows go.
const UNREMOVED_AT_MOST: u64 = 10;

impl Deleter<'_> {
    /// Takes the rows of a scope and the files that they alone owned; rows whose paths are none of their store's stay.
    pub(crate) async fn take_with_files(&mut self, scope: Scope<'_>) -> Result<(), RowsEnd> {
        let mut kept = self.take_mapped(scope).await?;
        if kept.is_empty() {
            return Ok(());
        }
        // Those that may go are told apart from those that stay and taken by their keys. Each time somebody else may have
        // written such a path meanwhile, in a row that is then left out as well.
        let mut parts = self.without(scope, kept).await?;
        let mut again = 0;
        while let Some(keys) = parts.pop() {
            let scope = Scope { keys: Some(&keys), ..scope };
            kept = self.take_mapped(scope).await?;
            if !kept.is_empty() {
                again += 1;
                if again > REWRITTEN_AT_MOST {
                    return Err(self.rewritten().into());
                }
                parts.extend(self.without(scope, kept).await?);
            }
        }
        Ok(())
    }

    /// Takes a scope as a whole; nothing where it has rows whose paths are none of their store's: these.
    async fn take_mapped(&mut self, scope: Scope<'_>) -> Result<Vec<UnmappedRow>, RowsEnd> {
        let Facts { target, at, .. } = self.facts;
        let asked = self.ask_details(scope).await?;
        let session = self.sessions.get(&target.source).await?;
        let began = Instant::now();
        session.begin().await?;
        let canceller = session.canceller();
        let mut taken = match self.stop.watch(canceller, target.take(session, *at, scope)).await {
            Ok(taken) if taken.spoiled => {
                roll_back(session).await;
                self.take_without(scope, taken).await?;
                return Ok(Vec::new());
            }
            Ok(taken) if taken.rows.is_empty() => {
                roll_back(session).await;
                self.memory.deferred += taken.deferred;
                self.stay(taken.stayed);
                return Ok(Vec::new());
            }
            Ok(taken) => taken,
            Err(error) => {
                roll_back(session).await;
                return Err(error.into());
            }
        };
        let files = self.facts.files_of(std::mem::take(&mut taken.claims));
        if !files.unmapped.is_empty() {
            roll_back(session).await;
            return Ok(files.unmapped);
        }
        let batch = self.commit(&taken, &files).await?;
        let (rows, others) = self.done(&taken).rows_and_children();
        self.pacing.transaction(rows + others, began.elapsed());
        self.memory.deferred += taken.deferred;
        self.stay(std::mem::take(&mut taken.stayed));
        self.show_details(&taken.rows, asked).await;
        match batch {
            Committed::Known(batch) => self.settle(*batch).await?,
            Committed::Settled => {}
        }
        Ok(Vec::new())
    }

    /// The keys of a scope's rows, in parts, without those that stay for a path that is none of their store's; these are
    /// counted.
    async fn without(&mut self, scope: Scope<'_>, kept: Vec<UnmappedRow>) -> Result<Vec<Vec<Vec<String>>>, RowsEnd> {
        let Facts { target, at, .. } = self.facts;
        let session = self.sessions.get(&target.source).await?;
        let canceller = session.canceller();
        if !target.has_key() {
            // Nothing tells the others apart from them.
            let rows = self.stop.watch(canceller, target.list(session, *at, scope, &[], None)).await?;
            self.facts.keep_unmapped(&mut self.account, rows.len() as u64, &kept.iter().collect::<Vec<_>>());
            let why = "kept: the table has no key to tell the other rows of the batch from these: all of them stay";
            self.account.keep(None, None, ReasonKind::Unmapped.word(), why.to_owned());
            return Ok(Vec::new());
        }
        let of_rows: Vec<_> = kept.iter().map(|row| (row.owner, &row.path.row)).collect();
        let behind = self.stop.watch(canceller, target.rows_behind(session, &of_rows)).await?;
        let all = match scope.keys {
            Some(keys) => keys.to_vec(),
            None => {
                let canceller = session.canceller();
                let listing = target.list(session, *at, scope, &[], None);
                let rows = self.stop.watch(canceller, listing).await?;
                rows.into_iter().map(|row| row.key).collect()
            }
        };
        let new = behind.iter().filter(|key| self.memory.unmapped.add((&target.node.table, key))).count();
        let told: Vec<_> = kept.iter().filter(|row| self.memory.unmapped.add((row.owner, &row.path.row))).collect();
        self.facts.keep_unmapped(&mut self.account, new as u64, &told);
        let others: Vec<_> = all.into_iter().filter(|key| !behind.contains(key)).collect();
        Ok(others.chunks(KEYS_AT_ONCE).map(<[_]>::to_vec).collect())
    }

    fn rewritten(&self) -> SourceError {
        let target = &self.facts.target;
        let operation = format!("taking a batch of {}", target.node.table);
        let cause = "its rows are given paths that are none of their store's while it runs";
        SourceError::new(&target.source, operation, ErrorKind::Busy, cause)
    }

    /// Steps 2 and 3.
    async fn commit(&mut self, taken: &Batch, files: &RowFiles) -> Result<Committed, RowsEnd> {
        let mut batch = self.intents(taken, files);
        // The very session that holds the transaction: a new one would commit nothing and say that it did.
        let session = self.sessions.held(&self.facts.target.source)?;
        match session.transaction_mark().await {
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
        let done = Tally { files_outside: files.outside, ..self.done(taken) };
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
            done,
            items: files.items.clone(),
        }
    }

    async fn drop_intents(&mut self, batch: &IntentBatch) -> Result<(), RowsEnd> {
        if batch.id != 0 {
            self.ledger.settle(batch.id, &[], &Tally::default()).await?;
        }
        Ok(())
    }

    /// The commit was not answered: asks over a new connection what became of it.
    async fn resolve(&mut self, batch: IntentBatch, error: SourceError) -> Result<Committed, RowsEnd> {
        if batch.id == 0 {
            return Err(error.into());
        }
        tracing::warn!(source = %error.source_name, error = %chain(&error), "A commit was not answered");
        self.sessions.reopen(&self.facts.target.source).await?;
        match self.runner.resolve(&batch, self.sessions, self.stop.token(), Begun::No).await? {
            Resolved::Settled { account, committed: true } => {
                self.account.add(*account);
                Ok(Committed::Settled)
            }
            Resolved::Settled { committed: false, .. } => Err(error.into()),
            Resolved::Kept(why) => {
                let reason = Some(why.code().to_owned());
                self.account.keep(None, None, reason, format!("the outcome of a batch is not known yet: {why}"));
                Ok(Committed::Settled)
            }
        }
    }

    /// Steps 4 and 5, at once or together with later batches: what rows mean by spellings that no index finds is read from
    /// end to end, for all files that wait.
    async fn settle(&mut self, batch: IntentBatch) -> Result<(), RowsEnd> {
        // The rows are gone: they count even where the ledger fails now.
        self.account.tally.add(&batch.done);
        if batch.items.is_empty() {
            return Ok(self.ledger.add_tally(self.run_id, self.name, &batch.done).await?);
        }
        self.memory.waiting.push(batch);
        match self.memory.waiting.is_due(self.runner.clock.now()) {
            true => self.settle_waiting().await,
            false => Ok(()),
        }
    }

    /// Steps 4 and 5 for everything that waits.
    pub(crate) async fn settle_waiting(&mut self) -> Result<(), RowsEnd> {
        let batches = self.memory.waiting.take();
        if batches.is_empty() {
            return Ok(());
        }
        let referenced_stores = &self.facts.referenced_stores;
        let began_at = self.runner.clock.now();
        let items = batches.iter().flat_map(|batch| &batch.items);
        let searched = search_all(referenced_stores, &self.runner.settings, self.sessions, items).await;
        self.memory.waiting.searched(began_at, self.runner.clock.now());
        self.memory.waiting.reads_long = reads_long(&searched);
        let mut ended = None;
        let mut later = Later::default();
        batches.iter().for_each(|batch| later.add(&batch.items));
        for IntentBatch { id, recorded_at, done: mut sums, items, .. } in batches {
            later.remove(&items);
            let action = Action::Remove { decided_at: recorded_at, stop: self.stop.token() };
            let settled = settle(referenced_stores, (&searched, &later), self.sessions, items.clone(), action).await;
            sums.add(&settled.account.tally);
            self.ledger.settle(id, &settled.still_pending, &sums).await?;
            let missing = settled.gone.iter().filter(|(_, size)| size.is_none()).map(|(item, _)| item);
            self.memory.presence.count(self.facts, &items, missing);
            ended = ended.or(self.came_to_nothing(&settled));
            self.account.add(settled.account);
        }
        self.reporter.update(&self.account.tally);
        let mut judged = Judged::default();
        self.memory.presence.judge(self.facts, &mut judged);
        match (ended, judged.blocked) {
            (Some(ended), _) => Err(ended),
            (None, Some(why)) => Err(RowsEnd::Missing { why: Box::new(why), readings: judged.readings }),
            (None, None) => Ok(()),
        }
    }

    /// At the end of a run: what still waits, unless the policy is another's by now, or a stop could not be heeded in time.
    pub(crate) async fn settle_rest(&mut self, ended: Result<(), RowsEnd>) -> Result<(), RowsEnd> {
        let leaves = match &ended {
            Err(RowsEnd::LeaseLost | RowsEnd::Ledger(_)) => true,
            _ => self.stop.is_set() && self.memory.waiting.takes_long(),
        };
        if leaves {
            let waiting = self.memory.waiting.take();
            self.account.tally.files_pending += waiting.iter().map(|batch| batch.items.len() as u64).sum::<u64>();
            return ended;
        }
        let settled = self.settle_waiting().await;
        ended.and(settled)
    }

    /// The end of the run, if one file after the other could not be removed: rows would only go and leave more of them.
    fn came_to_nothing(&mut self, settled: &Settled) -> Option<RowsEnd> {
        if !settled.gone.is_empty() || settled.account.tally.files_deleted > 0 {
            self.memory.unremoved = 0;
        }
        self.memory.unremoved += settled.failed;
        let why = settled.last_failure.clone().filter(|_| self.memory.unremoved >= UNREMOVED_AT_MOST)?;
        Some(RowsEnd::Unremovable { files: self.memory.unremoved, why })
    }
}

/// State of a batch after its commit.
pub(crate) enum Committed {
    /// Committed: its files are pending.
    Known(Box<IntentBatch>),
    /// Looked at over a new connection already.
    Settled,
}
