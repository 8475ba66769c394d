//! Deleting, window by window: what is done when a batch fails, and what is done again at the end.

use std::time::Duration;

use jiff::Timestamp;

use super::account::Account;
use super::gather::Facts;
use super::sessions::Sessions;
use super::snapshot::Snapshot;
use super::stop::Stop;
use super::{Reporter, Runner};
use crate::ledger::{Lease, Ledger, LedgerError, RunId, Tally};
use crate::policy::{Name, RowsPolicy};
use crate::sources::{ErrorKind, KEYS_AT_ONCE, OwnedRow, Scope, SourceError, Walker, Window};
use crate::telemetry::chain;

/// Sums of batches without files are added up in the ledger this often.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// After so many windows that failed one after the other nothing will go right any more.
const FAILURES_IN_A_ROW: u32 = 10;
/// Most windows that are kept for a second try at the end.
const POSTPONED_AT_MOST: usize = 1000;

/// A policy's deletion under way.
pub(super) struct Deleter<'a> {
    pub(super) runner: &'a Runner,
    pub(super) ledger: &'a Ledger,
    pub(super) lease: &'a Lease,
    pub(super) run_id: RunId,
    pub(super) name: &'a Name,
    pub(super) policy: &'a RowsPolicy,
    pub(super) facts: &'a Facts,
    pub(super) sessions: &'a mut Sessions,
    pub(super) stop: &'a Stop,
    pub(super) reporter: &'a Reporter,
    pub(super) account: Account,
    pub(super) pace: Pace,
}

/// What the deletion remembers from one window to the next.
#[derive(Default)]
pub(super) struct Pace {
    postponed: Vec<Window>,
    failures_in_a_row: u32,
    unflushed: Tally,
    flushed_at: Option<Timestamp>,
}

/// Why a deletion ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("stopped between two batches")]
    Stopped,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("another process has taken over the policy")]
    LeaseLost,
    #[error("{FAILURES_IN_A_ROW} batches failed one after the other, the last one because")]
    Hopeless(#[source] SourceError),
}

impl Deleter<'_> {
    /// Deletes everything that is eligible. What was done is in the account, however it ends.
    pub(super) async fn delete(&mut self) -> Result<(), Ended> {
        let target = &self.facts.target;
        let mut walker = Walker::new(target.clone(), self.facts.at, self.policy.batch.get());
        let mut snapshot = match self.facts.custodies.is_empty() {
            true => Snapshot::take(self.sessions, &target.source, target.engine).await,
            false => None,
        };
        while let Some(window) = self.next_window(&mut walker).await? {
            self.window(&window, false).await?;
            if let Some(held) = snapshot {
                snapshot = held.renew().await;
            }
        }
        for window in std::mem::take(&mut self.pace.postponed) {
            self.may_go_on().await?;
            self.window(&window, true).await?;
        }
        Ok(())
    }

    async fn next_window(&mut self, walker: &mut Walker) -> Result<Option<Window>, Ended> {
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

    /// Between batches: nobody asked to stop, and the policy is still ours.
    async fn may_go_on(&mut self) -> Result<(), Ended> {
        match self.stop.is_set() {
            true => Err(Ended::Stopped),
            false if !self.ledger.holds(self.lease).await? => Err(Ended::LeaseLost),
            false => Ok(()),
        }
    }

    /// Deletes a window; where the batch as a whole fails, what can go goes.
    async fn window(&mut self, window: &Window, last_try: bool) -> Result<(), Ended> {
        let mut losses = 0;
        loop {
            let error = match self.attempt(Scope::Window(window)).await {
                Ok(()) => {
                    self.pace.failures_in_a_row = 0;
                    return Ok(());
                }
                Err(Ended::Source(error)) => error,
                Err(ended) => return Err(ended),
            };
            match error.kind {
                ErrorKind::Lost | ErrorKind::Connect if losses < 3 => {
                    losses += 1;
                    if self.facts.custodies.is_empty() {
                        let lost =
                            "the connection was lost in the middle of a batch: its rows may be gone and not counted";
                        self.account.notes.push(lost.to_owned());
                    }
                    self.reopen_after(&error).await?;
                }
                ErrorKind::Busy if !last_try => return self.postpone(window, error).await,
                ErrorKind::Busy => return self.take_unlocked(window, error).await,
                ErrorKind::Constraint | ErrorKind::Timeout | ErrorKind::Other => {
                    return self.isolate(window, error).await;
                }
                ErrorKind::Cancelled | ErrorKind::Permission | ErrorKind::Lost | ErrorKind::Connect => {
                    return Err(self.ended_by(error));
                }
            }
            self.may_go_on().await?;
        }
    }

    fn ended_by(&self, error: SourceError) -> Ended {
        match error.kind {
            ErrorKind::Cancelled if self.stop.is_set() => Ended::Stopped,
            _ => Ended::Source(error),
        }
    }

    async fn reopen_after(&mut self, error: &SourceError) -> Result<(), Ended> {
        tracing::warn!(source = %error.source_name, error = %chain(error), "Source {} failed; trying again", error.source_name);
        Ok(self.sessions.reopen(&self.facts.target.source, self.stop).await?)
    }

    /// Rows are locked by somebody else: takes the others now and comes back at the end.
    async fn postpone(&mut self, window: &Window, error: SourceError) -> Result<(), Ended> {
        self.note_failed_window(&error)?;
        if self.pace.postponed.len() < POSTPONED_AT_MOST {
            self.pace.postponed.push(window.clone());
        } else {
            self.account.fail(None, None, chain(&error));
        }
        match self.attempt(Scope::Unlocked(window)).await {
            Ok(()) => {
                self.pace.failures_in_a_row = 0;
                Ok(())
            }
            // It is tried again as a whole at the end.
            Err(Ended::Source(error)) if error.kind == ErrorKind::Busy => Ok(()),
            Err(ended) => Err(ended),
        }
    }

    /// The last try: takes what is not locked, and records what is.
    async fn take_unlocked(&mut self, window: &Window, error: SourceError) -> Result<(), Ended> {
        match self.attempt(Scope::Unlocked(window)).await {
            Ok(()) => {}
            Err(Ended::Source(error)) if error.kind == ErrorKind::Busy => {}
            Err(ended) => return Err(ended),
        }
        let why = format!("kept: locked by another session: {}", chain(&error));
        for row in self.remaining(window).await? {
            self.account.tally.rows_matched += 1;
            self.account.fail(Some(row.shown), None, why.clone());
        }
        Ok(())
    }

    async fn remaining(&mut self, window: &Window) -> Result<Vec<OwnedRow>, SourceError> {
        let session = self.sessions.get(&self.facts.target.source).await?;
        let canceller = session.canceller();
        self.stop.watch(canceller, self.facts.target.list(session, self.facts.at, window, &[], None)).await
    }

    /// Some row makes the batch fail: halves it until the row is found, and deletes the rest.
    async fn isolate(&mut self, window: &Window, error: SourceError) -> Result<(), Ended> {
        let rows = match self.remaining(window).await {
            Ok(rows) => rows,
            Err(listing) if listing.kind == ErrorKind::Cancelled => return Err(self.ended_by(listing)),
            Err(listing) => {
                self.account.fail(None, None, chain(&listing));
                return self.note_failed_window(&error);
            }
        };
        let mut parts: Vec<_> = rows.chunks(KEYS_AT_ONCE).collect();
        let mut any_went = false;
        while let Some(part) = parts.pop() {
            self.may_go_on().await?;
            let keys: Vec<_> = part.iter().map(|row| row.key.clone()).collect();
            match (self.attempt(Scope::Keys(window, &keys)).await, part) {
                (Ok(()), _) => any_went = true,
                (Err(Ended::Source(error)), _) if error.kind == ErrorKind::Cancelled => {
                    return Err(self.ended_by(error));
                }
                (Err(Ended::Source(error)), [row]) => {
                    self.account.tally.rows_matched += 1;
                    self.account.fail(Some(row.shown.clone()), None, chain(&error));
                }
                (Err(Ended::Source(_)), several) => {
                    let (first, second) = several.split_at(several.len() / 2);
                    parts.extend([second, first]);
                }
                (Err(ended), _) => return Err(ended),
            }
        }
        match any_went || rows.is_empty() {
            true => {
                self.pace.failures_in_a_row = 0;
                Ok(())
            }
            false => self.note_failed_window(&error),
        }
    }

    fn note_failed_window(&mut self, error: &SourceError) -> Result<(), Ended> {
        self.pace.failures_in_a_row += 1;
        match self.pace.failures_in_a_row >= FAILURES_IN_A_ROW {
            true => Err(Ended::Hopeless(SourceError {
                source_name: error.source_name.clone(),
                operation: error.operation.clone(),
                kind: error.kind,
                cause: error.cause.to_string().into(),
            })),
            false => Ok(()),
        }
    }

    async fn attempt(&mut self, scope: Scope<'_>) -> Result<(), Ended> {
        if self.facts.custodies.is_empty() {
            self.delete_rows(scope).await?;
        } else {
            self.delete_with_files(scope).await?;
        }
        self.reporter.update(&self.account.tally);
        Ok(())
    }

    /// Rows that own no file: one statement is the whole transaction.
    async fn delete_rows(&mut self, scope: Scope<'_>) -> Result<(), Ended> {
        let Facts { target, at, .. } = self.facts;
        let session = self.sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let deleted = match scope {
            Scope::Unlocked(_) => {
                session.begin().await?;
                match self.stop.watch(canceller, target.delete_owned(session, *at, scope)).await {
                    Ok(rows) => {
                        session.commit().await?;
                        rows.len() as u64
                    }
                    Err(error) => {
                        roll_back(session).await;
                        return Err(error.into());
                    }
                }
            }
            Scope::Window(_) | Scope::Keys(..) => {
                self.stop.watch(canceller, target.delete(session, *at, scope)).await?
            }
        };
        let done = Tally { rows_matched: deleted, rows_deleted: deleted, ..Tally::default() };
        self.account.tally.add(&done);
        self.pace.unflushed.add(&done);
        self.flush_sometimes().await
    }

    async fn flush_sometimes(&mut self) -> Result<(), Ended> {
        let now = self.runner.clock.now();
        let flushed_at = *self.pace.flushed_at.get_or_insert(now);
        if now.duration_since(flushed_at).unsigned_abs() >= FLUSH_EVERY {
            let unflushed = std::mem::take(&mut self.pace.unflushed);
            self.ledger.add_tally(self.run_id, self.name, &unflushed).await?;
            self.pace.flushed_at = Some(now);
        }
        Ok(())
    }
}

/// Rolls back; where even that fails the connection is lost, and with it the transaction.
pub(super) async fn roll_back(session: &mut crate::sources::Session) {
    if let Err(error) = session.rollback().await {
        tracing::debug!(source = %error.source_name, error = %chain(&error), "Rollback failed");
    }
}
