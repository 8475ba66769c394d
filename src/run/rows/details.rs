//! Details of affected rows, where they have to be asked for: before a batch is taken and after it, or of what a plan lists.

use super::deleter::Deleter;
use super::ended::RowsEnd;
use super::facts::Facts;
use super::plan::Planner;
use crate::outcome::SHOWN_AT_MOST;
use crate::sources::{AskedDetails, OwnedRow, Scope, SourceError};

impl Deleter<'_> {
    /// Asks about the first rows of a scope, as long as details are shown.
    pub(super) async fn ask_details(&mut self, scope: Scope<'_>) -> Result<AskedDetails, RowsEnd> {
        let Facts { target, at, .. } = self.facts;
        if !self.account.wants_answers(target) {
            return Ok(AskedDetails::default());
        }
        let session = self.sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let asking = target.details_before(session, *at, scope, SHOWN_AT_MOST);
        let answer = self.stop.watch(canceller, asking).await;
        Ok(self.account.answered(answer)?)
    }

    /// Shows the details of rows that a batch has taken; it is committed, and counts whatever comes of this.
    pub(super) async fn show_details(&mut self, rows: &[OwnedRow], mut asked: AskedDetails) {
        let target = &self.facts.target;
        let rows = self.account.detailed(target, rows, &asked);
        if target.updates()
            && self.account.wants_answers(target)
            && !rows.is_empty()
            && let Ok(session) = self.sessions.get(&target.source).await
        {
            let canceller = session.canceller();
            let answer = self.stop.watch(canceller, target.details_after(session, &rows, &mut asked)).await;
            self.account.answered(answer).unwrap_or_default();
        }
        self.account.detail(target, &rows, &asked);
    }
}

impl Planner<'_> {
    /// Shows the details of rows that a run would take.
    pub(super) async fn show_details(&mut self, rows: &[OwnedRow]) -> Result<(), SourceError> {
        let Facts { target, at, .. } = self.facts;
        let mut asked = AskedDetails::default();
        let rows = self.account.detailed(target, rows, &asked);
        if self.account.wants_answers(target) && !rows.is_empty() {
            let session = self.sessions.get(&target.source).await?;
            let canceller = session.canceller();
            let answer = self.stop.watch(canceller, target.details_foreseen(session, *at, &rows)).await;
            asked = self.account.answered(answer)?;
        }
        self.account.detail(target, &rows, &asked);
        Ok(())
    }
}
