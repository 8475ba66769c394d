//! Values for which a policy leaves rows alone, told in its result: dates that cannot be read, values that nobody
//! foresaw.

use super::facts::Facts;
use crate::decide::rows::{ReasonKind, RowReason, shown};
use crate::outcome::SHOWN_AT_MOST;
use crate::policy::{Keep, RowsPolicy};
use crate::run::account::Account;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{ErrorKind, Gone, SourceError, Unreadable};
use crate::text::chain;

/// A policy whose doubts are told.
pub(crate) struct Doubts<'a> {
    pub(crate) policy: &'a RowsPolicy,
    pub(crate) facts: &'a Facts,
    pub(crate) stop: &'a Stop,
    /// Rows that a plan takes for gone.
    pub(crate) gone: &'a [Gone],
}

impl Doubts<'_> {
    /// Tells of values that decide a row's time and that nobody foresaw. To be asked before anything goes: rows with
    /// such a value may take the default.
    pub(crate) async fn tell_unlisted(
        &self,
        sessions: &mut Sessions,
        account: &mut Account,
    ) -> Result<(), SourceError> {
        let Some(Keep::ByValue(by)) = &self.policy.keep else { return Ok(()) };
        let target = &self.facts.target;
        let session = sessions.get(&target.source).await?;
        let asking = self.stop.watch(session.canceller(), target.unlisted_values(session, self.facts.at, self.gone));
        let values = match asking.await {
            // It is told for the operator's sake alone: a large table is no reason to keep everything.
            Err(error) if self.is_bearable(&error) => {
                account.notes.push(format!("values of {} that keep does not list: {}", by.column, chain(&error)));
                return Ok(());
            }
            values => values?,
        };
        if !values.is_empty() {
            let fate = if by.default.is_some() { "rows with them take the default" } else { "rows with them are kept" };
            let values = values.join(", ");
            account.notes.push(format!("values of {} that keep does not list: {values}; {fate}", by.column));
        }
        Ok(())
    }

    fn is_bearable(&self, error: &SourceError) -> bool {
        error.kind == ErrorKind::Timeout || (error.kind == ErrorKind::Other && !self.facts.unjudged.is_empty())
    }

    /// Counts the rows without a time, and tells of those whose age cannot be read: each is an error of its own (G5). That
    /// no age at all can be read, or all count another unit, is one more. Where every row has a date, one question to the
    /// table answers it all.
    pub(crate) async fn tell_ages(&self, sessions: &mut Sessions, account: &mut Account) -> Result<(), SourceError> {
        let undated = self.count_undated(sessions, account).await?;
        if undated == Some(0) {
            return Ok(());
        }
        let unreadable = self.tell_unreadable(sessions, account).await?;
        account.tally.rows_without_time = undated.unwrap_or(0).saturating_sub(unreadable);
        let tally = &account.tally;
        if tally.rows_matched > 0 || tally.rows_without_time + unreadable == 0 {
            return Ok(());
        }
        let target = &self.facts.target;
        let session = sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let sample = self.stop.watch(canceller, target.sample_ages(session, self.facts.at.now)).await?;
        if let Some(trouble) = sample.and_then(|sample| sample.trouble()) {
            account.fail_first(trouble);
        }
        Ok(())
    }

    /// None where they cannot be counted.
    async fn count_undated(&self, sessions: &mut Sessions, account: &mut Account) -> Result<Option<u64>, SourceError> {
        let target = &self.facts.target;
        let session = sessions.get(&target.source).await?;
        let canceller = session.canceller();
        match self.stop.watch(canceller, target.count_undated(session, self.facts.at, self.gone)).await {
            Ok(rows) => Ok(Some(rows)),
            // They are counted for the operator's sake alone.
            Err(error) if self.is_bearable(&error) => {
                account.notes.push(format!("rows without a time are not counted: {}", chain(&error)));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells of rows whose age cannot be read, and how many there are.
    async fn tell_unreadable(&self, sessions: &mut Sessions, account: &mut Account) -> Result<u64, SourceError> {
        let target = &self.facts.target;
        let session = sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let asking = target.unreadable(session, self.facts.at, self.gone, SHOWN_AT_MOST);
        let (count, rows) = match self.stop.watch(canceller, asking).await {
            // The SQL of the policy fails on rows that it is asked of here alone; they stay in any case.
            Err(error) if error.kind == ErrorKind::Other && !self.facts.unjudged.is_empty() => {
                account.notes.push(format!("rows whose age cannot be read: {}", chain(&error)));
                return Ok(0);
            }
            asked => asked?,
        };
        let column = target.age_column().unwrap_or_default();
        let unlisted = count.saturating_sub(rows.len() as u64);
        for Unreadable { key, value } in rows {
            let why = RowReason::AgeUnreadable { column: column.clone(), value: shown(&value) };
            account.keep(Some(key), None, why.kind().word(), format!("kept: {why}"));
        }
        account.count_failures(&ReasonKind::AgeUnreadable.word().unwrap_or_default(), unlisted);
        Ok(count)
    }
}
