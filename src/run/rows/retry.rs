//! Another try where a batch fails: rows that others have locked are passed over and tried again at the end; a row that
//! makes its batch fail is found and left, and the rest goes (G9).

use super::deleter::{Deleter, Part};
use super::ended::{FAILURES_IN_A_ROW, RowsEnd};
use crate::decide::rows::ReasonKind;
use crate::sources::{ErrorKind, KEYS_AT_ONCE, MissingIndex, OwnedRow, Scope, SourceError, missing_indexes};
use crate::text::chain;

/// After so many parts of a batch, each half as large as the one before, that took too long, the next one will, too.
const TIMEOUTS_IN_A_ROW: u32 = 3;
/// Most windows that are kept for a second try at the end.
const POSTPONED_AT_MOST: usize = 1000;

impl Deleter<'_> {
    /// Rows are locked by somebody else: takes the others now and comes back at the end.
    pub(crate) async fn postpone(&mut self, part: &Part<'_>, error: SourceError) -> Result<(), RowsEnd> {
        self.note_failed_window(&error)?;
        self.pacing.timed_out();
        self.reporter.retry();
        if self.memory.postponed.len() < POSTPONED_AT_MOST {
            self.memory.postponed.push(part.window.clone());
        } else {
            self.account.fail(None, None, chain(&error));
        }
        if self.take_what_is_free(part).await? {
            self.memory.failures_in_a_row = 0;
        }
        Ok(())
    }

    /// Takes what nobody has locked; whether that could be told.
    async fn take_what_is_free(&mut self, part: &Part<'_>) -> Result<bool, RowsEnd> {
        if !self.facts.target.has_key() {
            return Ok(false);
        }
        match self.attempt(part, true).await {
            Ok(()) => Ok(true),
            // PostgreSQL lets only those pass over locked rows who may update the table.
            Err(RowsEnd::Source(error)) if matches!(error.kind, ErrorKind::Busy | ErrorKind::Permission) => Ok(false),
            Err(ended) => Err(ended),
        }
    }

    /// The last try: takes what is not locked, and records what is.
    pub(crate) async fn take_unlocked(&mut self, part: &Part<'_>, error: SourceError) -> Result<(), RowsEnd> {
        self.take_what_is_free(part).await?;
        let why = format!("kept: locked by another session: {}", chain(&error));
        for row in self.remaining(part).await? {
            self.account.tally.rows_matched += 1;
            self.account.keep(Some(row.shown), None, ReasonKind::Locked.word(), why.clone());
        }
        Ok(())
    }

    /// The eligible rows of a part that are still there.
    pub(crate) async fn remaining(&mut self, part: &Part<'_>) -> Result<Vec<OwnedRow>, SourceError> {
        let session = self.sessions.get(&self.facts.target.source).await?;
        let canceller = session.canceller();
        let listing = self.facts.target.list(session, self.facts.at, Scope::window(part.window), &[], None);
        let mut rows = self.stop.watch(canceller, listing).await?;
        if let Some(keys) = &part.keys {
            let keys: std::collections::HashSet<_> = keys.iter().collect();
            rows.retain(|row| keys.contains(&row.key));
        }
        Ok(rows)
    }

    /// Some row makes the batch fail: halves it until the row is found, and takes the rest.
    pub(crate) async fn isolate(&mut self, part: &Part<'_>, error: SourceError) -> Result<(), RowsEnd> {
        let rows = match self.remaining(part).await {
            Ok(rows) if self.facts.target.has_key() => rows,
            Ok(_) => {
                self.account.fail(None, None, chain(&error));
                return self.note_failed_window(&error);
            }
            // The question itself fails: not what is done to a row, but what is asked of it.
            Err(listing) if matches!(listing.kind, ErrorKind::Cancelled | ErrorKind::Other) => {
                return Err(self.ended_by(listing));
            }
            // Already looking for the rows takes too long.
            Err(listing) if listing.kind == ErrorKind::Timeout => return Err(RowsEnd::TooSlow(listing)),
            Err(listing) => {
                self.account.fail(None, None, chain(&listing));
                return self.note_failed_window(&error);
            }
        };
        self.refused_alike(part, &rows, &error).await?;
        let mut parts: Vec<_> = rows.chunks(KEYS_AT_ONCE).collect();
        let mut any_went = false;
        let mut timeouts = u32::from(error.kind == ErrorKind::Timeout);
        while let Some(some) = parts.pop() {
            self.may_go_on().await?;
            self.reporter.retry();
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let scope = Scope { keys: Some(&keys), ..Scope::window(part.window) };
            match (self.attempt_scope(scope).await, some) {
                (Ok(()), _) => {
                    any_went = true;
                    timeouts = 0;
                }
                (Err(RowsEnd::Source(error)), _)
                    if error.kind == ErrorKind::Timeout && timeouts + 1 >= TIMEOUTS_IN_A_ROW =>
                {
                    return Err(RowsEnd::TooSlow(error));
                }
                // Nothing that another row would do better.
                (Err(RowsEnd::Source(error)), _)
                    if matches!(error.kind, ErrorKind::Cancelled | ErrorKind::ReadOnly | ErrorKind::Permission) =>
                {
                    return Err(self.ended_by(error));
                }
                (Err(RowsEnd::Source(error)), [row]) => {
                    if self.is_first_time(row) {
                        self.account.tally.rows_matched += 1;
                        self.account.fail(Some(row.shown.clone()), None, chain(&error));
                    }
                }
                (Err(RowsEnd::Source(error)), several) => {
                    timeouts += u32::from(error.kind == ErrorKind::Timeout);
                    let (first, second) = several.split_at(several.len() / 2);
                    parts.extend([second, first]);
                }
                (Err(ended), _) => return Err(ended),
            }
        }
        match any_went || rows.is_empty() {
            true => {
                self.memory.failures_in_a_row = 0;
                Ok(())
            }
            false => self.note_failed_window(&error),
        }
    }

    /// A batch took too long: where the database reads a whole table for each row, because a foreign key has no index,
    /// no part of the batch will do better.
    pub(crate) async fn refuse_without_index(&mut self, error: &SourceError) -> Result<(), RowsEnd> {
        let target = &self.facts.target;
        let session = self.sessions.get(&target.source).await?;
        // Where that cannot be told, the parts of the batch will show.
        let missing = missing_indexes(session, &target.node.table).await.unwrap_or_default();
        if missing.is_empty() || target.updates() {
            return Ok(());
        }
        let advice: Vec<_> = missing.iter().map(MissingIndex::advice).collect();
        Err(RowsEnd::NoIndex { advice: advice.join("; "), timeout: copy_of(error) })
    }

    fn note_failed_window(&mut self, error: &SourceError) -> Result<(), RowsEnd> {
        self.memory.failures_in_a_row += 1;
        match self.memory.failures_in_a_row >= FAILURES_IN_A_ROW {
            true => Err(RowsEnd::Hopeless(copy_of(error))),
            false => Ok(()),
        }
    }
}

fn copy_of(error: &SourceError) -> SourceError {
    SourceError::new(&error.source_name, error.operation.as_str(), error.kind, error.cause.to_string())
}
