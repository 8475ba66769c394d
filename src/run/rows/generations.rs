//! Deleting from a table that points to itself: pass by pass, until nothing goes any more. What points was mostly made later
//! than what it points to, so each pass begins with the young.

use super::deleter::Deleter;
use super::ended::RowsEnd;
use crate::decide::rows::ReasonKind;
use crate::sources::{Walker, Window};

impl Deleter<'_> {
    /// Takes everything that is eligible, those first to which nothing else points.
    pub(crate) async fn delete_generations(&mut self, mut walker: Walker) -> Result<(), RowsEnd> {
        let mut windows: Vec<Window> = Vec::new();
        while let Some(window) = self.next_window(&mut walker).await? {
            windows.push(window);
        }
        windows.reverse();
        loop {
            let before = self.account.tally.rows_deleted;
            let mut left = Vec::new();
            for window in windows {
                self.memory.deferred = 0;
                self.may_go_on().await?;
                self.window(&window, false).await?;
                if self.memory.deferred > 0 {
                    left.push((window, self.memory.deferred));
                }
            }
            self.memory.again = true;
            let nothing_went = self.account.tally.rows_deleted == before;
            if left.is_empty() {
                return Ok(());
            }
            if nothing_went {
                return self.report_left(&left).await;
            }
            windows = left.into_iter().map(|(window, _)| window).collect();
        }
    }

    /// Reports the rows that are left because others need them: rows that are not eligible, which is no error, or rows
    /// that could not go. Rows that came to be eligible meanwhile are the next run's: no more than was passed over is
    /// counted, each with its window.
    async fn report_left(&mut self, left: &[(Window, u64)]) -> Result<(), RowsEnd> {
        let Some(judging) = &self.facts.judging else { return Ok(()) };
        let at = self.facts.at;
        let session = self.sessions.get(&judging.source).await?;
        let mut passed_over = 0;
        for (window, deferred) in left {
            let canceller = session.canceller();
            passed_over += self.stop.watch(canceller, judging.count_in(session, at, window)).await?.min(*deferred);
        }
        if passed_over == 0 {
            return Ok(());
        }
        let canceller = session.canceller();
        let eligible = self.stop.watch(canceller, judging.count(session, at, None, &[])).await?;
        let told = self.account.failure_count() + self.memory.vetoed.rows();
        let needed = eligible.saturating_sub(told).min(passed_over);
        if needed > 0 {
            self.account.tally.rows_matched += needed;
            let noun = if needed == 1 { "row" } else { "rows" };
            self.account.keep(
                None,
                None,
                ReasonKind::Needed.word(),
                format!("{needed} {noun} kept: rows of the same table that could not be deleted, or that point to one another, need them"),
            );
        }
        Ok(())
    }
}
