//! Rows that were to go and stay: by a trigger or rule that says nothing, by one that refuses them all, or because they
//! cannot be read. The first two are one error of the policy, with a count; no row is tried for long that will not go.

use std::collections::HashSet;

use super::deleter::{Deleter, Part};
use super::ended::RowsEnd;
use crate::decide::rows::ReasonKind;
use crate::sources::{Batch, ErrorKind, KEYS_AT_ONCE, OwnedRow, Scope, SourceError, Stayed};
use crate::text::chain;

/// Rows whose staying is remembered, so that they are counted once however often they are tried.
const REMEMBERED_AT_MOST: usize = 100_000;
/// Keys that the one error names.
const NAMED_AT_MOST: usize = 5;
/// Rows from all over a batch that are tried one by one, before it is halved: where all fail alike, so will the rest.
const TRIED_FIRST: usize = 24;

impl Deleter<'_> {
    /// Records rows that stay.
    pub(crate) fn stay(&mut self, stayed: Vec<Stayed>) {
        for Stayed { row, why } in stayed {
            if !self.is_first_time(&row) {
                continue;
            }
            let vetoed = &mut self.memory.vetoed;
            self.account.tally.rows_matched += 1;
            match why {
                Some(why) => {
                    let reason = ReasonKind::Unreadable.word();
                    self.account.keep(Some(row.shown), None, reason, format!("kept: {why}"));
                }
                None => {
                    vetoed.rows += 1;
                    if vetoed.first.len() < NAMED_AT_MOST {
                        vetoed.first.push(row.shown);
                    }
                }
            }
        }
    }

    /// True if a row that stays was not counted before; one is tried again where others of its batch may go now.
    pub(crate) fn is_first_time(&mut self, row: &OwnedRow) -> bool {
        let known = &mut self.memory.vetoed.known;
        match known.len() < REMEMBERED_AT_MOST {
            true => known.insert(row.key.clone()),
            false => !known.contains(&row.key),
        }
    }

    /// Takes what is left of a batch without the rows that made it to be rolled back.
    pub(crate) async fn take_without(&mut self, scope: Scope<'_>, batch: Batch) -> Result<(), RowsEnd> {
        self.stay(batch.stayed);
        let keys: Vec<_> = batch.rows.into_iter().map(|row| row.key).collect();
        for some in keys.chunks(KEYS_AT_ONCE) {
            Box::pin(self.attempt_scope(Scope { keys: Some(some), ..scope })).await?;
        }
        Ok(())
    }

    /// Says how many rows stayed without a word, and what may have kept them.
    pub(crate) fn report_vetoed(&mut self) {
        let vetoed = std::mem::take(&mut self.memory.vetoed);
        if vetoed.rows == 0 {
            return;
        }
        let vetoes: Vec<_> = self.facts.target.vetoes.iter().map(ToString::to_string).collect();
        let who = if vetoes.is_empty() { "a trigger or rule".to_owned() } else { vetoes.join(", ") };
        let (rows, first) = (vetoed.rows, vetoed.first.join(", "));
        let noun = if rows == 1 { "row" } else { "rows" };
        self.account.keep(
            None,
            None,
            ReasonKind::Vetoed.word(),
            format!("{rows} {noun} kept with their files: they stayed as they were ({who}); first keys: {first}"),
        );
    }

    /// Tries some rows from all over a batch one by one. Where all fail alike, the policy ends with that one error.
    pub(crate) async fn refused_alike(
        &mut self,
        part: &Part<'_>,
        rows: &[OwnedRow],
        error: &SourceError,
    ) -> Result<(), RowsEnd> {
        if error.kind != ErrorKind::Other || rows.len() <= TRIED_FIRST * 2 {
            return Ok(());
        }
        let mut alike: Option<String> = None;
        for number in 0..TRIED_FIRST {
            self.may_go_on().await?;
            let row = &rows[rows.len() * number / TRIED_FIRST];
            let keys = [row.key.clone()];
            let deferred = self.memory.deferred;
            let scope = Scope { keys: Some(&keys), ..Scope::window(part.window) };
            let cause = match self.attempt_scope(scope).await {
                // What was passed over says nothing.
                Ok(()) if self.memory.deferred > deferred => continue,
                Ok(()) => return Ok(()),
                Err(RowsEnd::Source(error)) if error.kind == ErrorKind::Other => {
                    without_particulars(&chain(&error), &row.shown)
                }
                Err(RowsEnd::Source(error)) if error.kind == ErrorKind::Cancelled => return Err(self.ended_by(error)),
                Err(RowsEnd::Source(_)) => return Ok(()),
                Err(ended) => return Err(ended),
            };
            if alike.get_or_insert_with(|| cause.clone()) != &cause {
                return Ok(());
            }
        }
        if alike.is_none() {
            return Ok(());
        }
        let session = self.sessions.get(&self.facts.target.source).await?;
        let canceller = session.canceller();
        let counting = self.facts.target.count(session, self.facts.at, None, &[]);
        let (rows, least) = match self.stop.watch(canceller, counting).await {
            Ok(all) => (all.max(rows.len() as u64), ""),
            Err(_) => (rows.len() as u64, "at least "),
        };
        self.account.tally.rows_matched += rows;
        self.account.keep(
            None,
            None,
            ReasonKind::Refused.word(),
            format!("{least}{rows} rows kept: each that was tried fails alike: {}", chain(error)),
        );
        Err(RowsEnd::Refused)
    }
}

/// A message without what differs from row to row: the words of its key, and words with digits in them.
fn without_particulars(message: &str, key: &str) -> String {
    let own: HashSet<_> = words(key).collect();
    let differs = |word: &&str| own.contains(word) || word.contains(|c: char| c.is_ascii_digit());
    words(message).filter(|word| !differs(word)).collect::<Vec<_>>().join(" ")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_alike_whatever_row_they_are_about() {
        let of = |key: &str| without_particulars(&format!("deleting failed: item {key} of 7f3a-{key} is kept"), key);
        assert_eq!(of("12"), of("red"));
        assert_ne!(of("12"), without_particulars("deleting failed: item 12 is locked", "12"));
    }
}
