//! Deleting (or updating), window by window. What is done when a batch fails is in `retry`.

use std::time::{Duration, Instant};

use super::deleter::{Deleter, Part, roll_back};
use super::ended::RowsEnd;
use super::facts::Facts;
use super::purge_hold::Snapshot;
use super::unreadable::Doubts;
use crate::outcome::Tally;
use crate::policy::Alive;
use crate::run::programs::liveness;
use crate::sources::{Batch, ErrorKind, KEYS_AT_ONCE, Scope, SourceError, Walker, Window};
use crate::text::chain;

/// Sums of batches without files are added up in the ledger this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

impl Deleter<'_> {
    /// Takes everything that is eligible. What was done is in the account, however it ends.
    pub(crate) async fn delete(&mut self) -> Result<(), RowsEnd> {
        let ended = self.delete_all().await;
        let ended = self.settle_rest(ended).await;
        self.prove_rest().await;
        self.report_vetoed();
        match ended {
            Err(RowsEnd::Refused) => Ok(()),
            ended => ended,
        }
    }

    async fn delete_all(&mut self) -> Result<(), RowsEnd> {
        self.account.tally.rows_protected += self.facts.kept;
        let doubts = Doubts { policy: self.policy, facts: self.facts, stop: self.stop, gone: &[] };
        doubts.tell_unlisted(self.sessions, &mut self.account).await?;
        self.prepare_session().await?;
        self.begin_pacing().await?;
        match self.take_all().await {
            Ok(()) | Err(RowsEnd::Enough) => {}
            Err(ended) => return Err(ended),
        }
        self.snapshot = None;
        Ok(doubts.tell_ages(self.sessions, &mut self.account).await?)
    }

    async fn take_all(&mut self) -> Result<(), RowsEnd> {
        let target = &self.facts.target;
        let is_limited = self.policy.at_most.is_some();
        let mut walker = Walker::new(target.clone(), self.facts.at, self.pacing.rows()).oldest_first(is_limited);
        if target.is_tree() {
            self.delete_generations(walker).await?;
            walker = Walker::new(target.clone(), self.facts.at, self.pacing.rows()).at_its_end();
        }
        if self.facts.referenced_stores.is_empty() {
            self.snapshot = Snapshot::take(self.sessions, &target.source, target).await;
        }
        let mut lanes = self.open_lanes().await;
        loop {
            let before = self.account.tally.rows_and_children();
            let postponed = self.memory.postponed.len();
            if !self.take_next(&mut walker, &mut lanes).await? {
                break;
            }
            self.memory.unmapped.end_window(self.memory.postponed.len() > postponed);
            let after = self.account.tally.rows_and_children();
            // What a crash of the server took back makes them fewer.
            walker.took(after.0.saturating_sub(before.0), after.1.saturating_sub(before.1));
            if let Some(held) = self.snapshot.take() {
                self.snapshot = held.renew().await;
            }
        }
        drop(lanes);
        for window in std::mem::take(&mut self.memory.postponed) {
            self.may_go_on().await?;
            self.window(&window, true).await?;
        }
        Ok(())
    }

    pub(crate) async fn next_window(&mut self, walker: &mut Walker) -> Result<Option<Window>, RowsEnd> {
        let mut losses = 0;
        loop {
            self.may_go_on().await?;
            let session = self.sessions.get(&self.facts.target.source).await?;
            match self.stop.watch(session.canceller(), walker.next(session)).await {
                Ok(window) => return Ok(window),
                Err(error) if matches!(error.kind, ErrorKind::Lost | ErrorKind::Busy) && losses < 3 => {
                    losses += 1;
                    self.reopen_after(&error).await?;
                }
                Err(error) => return Err(self.ended_by(error)),
            }
        }
    }

    /// Takes a window, and ends its batch.
    pub(crate) async fn window(&mut self, window: &Window, last_try: bool) -> Result<(), RowsEnd> {
        self.take_window(window, last_try).await?;
        self.end_batch().await
    }

    /// Takes a window; where the batch as a whole fails, what can go goes.
    pub(crate) async fn take_window(&mut self, window: &Window, last_try: bool) -> Result<(), RowsEnd> {
        self.rest().await?;
        let Some(part) = self.approved(window, last_try).await? else { return Ok(()) };
        self.take_share(part, last_try).await
    }

    pub(crate) async fn take_part(&mut self, part: &Part<'_>, last_try: bool) -> Result<(), RowsEnd> {
        let mut losses = 0;
        loop {
            let error = match self.attempt(part, false).await {
                Ok(()) => {
                    self.memory.failures_in_a_row = 0;
                    return Ok(());
                }
                Err(RowsEnd::Source(error)) => error,
                Err(ended) => return Err(ended),
            };
            match error.kind {
                ErrorKind::Lost | ErrorKind::Connect if losses < 3 => {
                    losses += 1;
                    self.note_lost(error.kind);
                    self.reopen_after(&error).await?;
                }
                ErrorKind::Busy if !last_try => return self.postpone(part, error).await,
                ErrorKind::Busy => return self.take_unlocked(part, error).await,
                ErrorKind::Timeout => {
                    self.pacing.timed_out();
                    self.refuse_without_index(&error).await?;
                    return self.isolate(part, error).await;
                }
                ErrorKind::Constraint | ErrorKind::Other => return self.isolate(part, error).await,
                ErrorKind::Cancelled
                | ErrorKind::Permission
                | ErrorKind::ReadOnly
                | ErrorKind::InUse
                | ErrorKind::Lost
                | ErrorKind::Connect => return Err(self.ended_by(error)),
            }
            self.may_go_on().await?;
        }
    }

    /// Notes that a batch without files may have been committed by a connection that was lost.
    pub(crate) fn note_lost(&mut self, kind: ErrorKind) {
        if matches!(kind, ErrorKind::Lost | ErrorKind::Connect) && self.facts.referenced_stores.is_empty() {
            let lost = "the connection was lost in the middle of a batch: its rows may be gone and not counted";
            self.account.notes.push(lost.to_owned());
        }
    }

    /// Asks about each row of a window whether its work still goes on, where the policy wants that asked; none where
    /// nothing is left to take.
    async fn approved<'w>(&mut self, window: &'w Window, last_try: bool) -> Result<Option<Part<'w>>, RowsEnd> {
        let Some(Alive::Command(command)) = &self.policy.alive else { return Ok(Some(Part { window, keys: None })) };
        let rows = self.remaining(&Part { window, keys: None }).await?;
        let asked = liveness::ask(command, &self.facts.target, rows, self.stop).await;
        if self.stop.is_set() {
            return Err(RowsEnd::Stopped);
        }
        // Those of a window that is tried again were told of before.
        if !last_try && !self.memory.again {
            self.account.add(asked.account);
        }
        let keys: Vec<_> = asked.over.into_iter().map(|row| row.key).collect();
        Ok((!keys.is_empty()).then_some(Part { window, keys: Some(keys) }))
    }

    async fn reopen_after(&mut self, error: &SourceError) -> Result<(), RowsEnd> {
        tracing::warn!(source = %error.source_name, error = %chain(error), "Source {} failed; trying again", error.source_name);
        self.reporter.retry();
        Ok(self.sessions.reopen(&self.facts.target.source).await?)
    }

    /// Tries to take all of a part, or what nobody has locked of it.
    pub(crate) async fn attempt(&mut self, part: &Part<'_>, unlocked: bool) -> Result<(), RowsEnd> {
        match &part.keys {
            None => self.attempt_scope(Scope { unlocked, ..Scope::window(part.window) }).await,
            Some(keys) => {
                for some in keys.chunks(KEYS_AT_ONCE) {
                    self.attempt_scope(Scope { window: part.window, keys: Some(some), unlocked }).await?;
                }
                Ok(())
            }
        }
    }

    pub(crate) async fn attempt_scope(&mut self, scope: Scope<'_>) -> Result<(), RowsEnd> {
        let mut waiting_since = None;
        loop {
            let began = Instant::now();
            let taken = match self.facts.referenced_stores.is_empty() {
                true => self.take_rows(scope).await,
                false => self.take_with_files(scope).await,
            };
            match taken {
                Err(RowsEnd::Source(error)) if error.kind == ErrorKind::InUse => {
                    self.wait_for_table(&mut waiting_since, error).await?;
                }
                taken => {
                    taken?;
                    self.reporter.update(&self.account.tally);
                    self.reporter.batch(began.elapsed());
                    return Ok(());
                }
            }
        }
    }

    /// Rows that own no file: one statement is the whole transaction, or one transaction the whole batch.
    async fn take_rows(&mut self, scope: Scope<'_>) -> Result<(), RowsEnd> {
        let Facts { target, at, .. } = self.facts;
        let asked = self.ask_details(scope).await?;
        self.prepare_session().await?;
        let session = self.sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let began = Instant::now();
        let done = if target.is_one_statement(self.account.wants_details()) && !scope.unlocked {
            let changed = self.stop.watch(canceller, target.change(session, *at, scope)).await?;
            self.sum(changed)
        } else {
            session.begin().await?;
            match self.stop.watch(canceller, target.take(session, *at, scope)).await {
                Ok(taken) if taken.spoiled => {
                    roll_back(session).await;
                    return self.take_without(scope, taken).await;
                }
                Ok(mut taken) => {
                    session.commit().await?;
                    self.memory.deferred += taken.deferred;
                    self.stay(std::mem::take(&mut taken.stayed));
                    self.show_details(&taken.rows, asked).await;
                    self.done(&taken)
                }
                Err(error) => {
                    roll_back(session).await;
                    return Err(error.into());
                }
            }
        };
        let (rows, others) = done.rows_and_children();
        self.pacing.transaction(rows + others, began.elapsed());
        let mark = self.sessions.held(&self.facts.target.source)?.last_relaxed_mark();
        self.count(&done, mark);
        self.flush_sometimes().await
    }

    /// Amounts that a batch adds to the sums.
    pub(crate) fn done(&self, taken: &Batch) -> Tally {
        Tally { children: taken.children.clone(), ..self.sum(taken.rows.len() as u64) }
    }

    pub(crate) fn sum(&self, rows: u64) -> Tally {
        match self.facts.target.updates() {
            true => Tally { rows_matched: rows, rows_updated: rows, ..Tally::default() },
            false => Tally { rows_matched: rows, rows_deleted: rows, ..Tally::default() },
        }
    }

    pub(crate) async fn flush_sometimes(&mut self) -> Result<(), RowsEnd> {
        let now = self.runner.clock.now();
        let flushed_at = *self.memory.flushed_at.get_or_insert(now);
        if now.duration_since(flushed_at).unsigned_abs() >= FLUSH_EVERY {
            let proven = self.prove().await?;
            self.ledger.add_tally(self.run_id, self.name, &proven).await?;
            self.memory.flushed_at = Some(now);
        }
        Ok(())
    }
}
