//! What a run would do: the same walk, the same predicates, the same look at each file, and nothing deleted.
//!
//! A run asks, after each window, which files the remaining rows still name. The plan asks the same question with the
//! rows of the windows passed so far, and of the policies planned before, taken for gone. So each file is counted
//! where the run would remove it: with the last of its owners.

use tokio::sync::mpsc;

use super::account::Account;
use super::custody::{Action, settle};
use super::gather::Facts;
use super::sessions::Sessions;
use super::stop::Stop;
use super::{Fate, Listed, Reporter};
use crate::clock::Clock;
use crate::ledger::Sample;
use crate::policy::{Name, RowsPolicy};
use crate::sources::{Gone, OwnedRow, SourceError, Walker, Window};

/// A plan under way.
pub(super) struct Planner<'a> {
    pub(super) name: &'a Name,
    pub(super) policy: &'a RowsPolicy,
    pub(super) fate: Fate,
    pub(super) facts: &'a Facts,
    pub(super) sessions: &'a mut Sessions,
    pub(super) clock: &'a Clock,
    pub(super) stop: &'a Stop,
    pub(super) reporter: &'a Reporter,
    pub(super) list: Option<&'a mpsc::Sender<Listed>>,
    /// Rows that earlier policies of this plan would have deleted.
    pub(super) gone: &'a [Gone],
    pub(super) account: Account,
}

impl Planner<'_> {
    /// Plans the policy; what it counted.
    pub(super) async fn plan(mut self) -> Result<Account, SourceError> {
        if self.facts.custodies.is_empty() && self.list.is_none() {
            self.count().await?;
        } else {
            self.walk().await?;
        }
        if self.fate == Fate::Enforce {
            self.account.tally.rows_deleted = self.account.tally.rows_matched;
        } else {
            let tally = &mut self.account.tally;
            (tally.files_deleted, tally.bytes_reclaimed) = (0, 0);
            tally.stores.values_mut().for_each(|store| {
                (store.files_deleted, store.bytes_reclaimed) = (0, 0);
            });
        }
        Ok(self.account)
    }

    /// Without files and without a listing a count says it all.
    async fn count(&mut self) -> Result<(), SourceError> {
        let Facts { target, at, eligible, .. } = self.facts;
        let session = self.sessions.get(&target.source).await?;
        let counted = match (eligible, self.policy.max_rows) {
            (Some(eligible), None) => *eligible,
            _ => {
                let canceller = session.canceller();
                self.stop.watch(canceller, target.count(session, *at, None, self.gone)).await?
            }
        };
        self.account.tally.rows_matched = counted;
        if counted > 0 {
            let canceller = session.canceller();
            let listing = target.list(session, *at, &Window::All, self.gone, Some(5));
            for row in self.stop.watch(canceller, listing).await? {
                self.account.show(Sample { key: row.shown, files: Vec::new() });
            }
        }
        Ok(())
    }

    async fn walk(&mut self) -> Result<(), SourceError> {
        let Facts { target, at, .. } = self.facts;
        let mut walker = Walker::new(target.clone(), *at, self.policy.batch.get());
        while !self.stop.is_set() {
            let session = self.sessions.get(&target.source).await?;
            let canceller = session.canceller();
            let Some(window) = self.stop.watch(canceller, walker.next(session)).await? else { break };
            let canceller = session.canceller();
            let rows = self.stop.watch(canceller, target.list(session, *at, &window, self.gone, None)).await?;
            self.window(&window, rows).await;
            self.reporter.update(&self.account.tally);
        }
        Ok(())
    }

    async fn window(&mut self, window: &Window, rows: Vec<OwnedRow>) {
        let Facts { target, at, .. } = self.facts;
        self.account.tally.rows_matched += rows.len() as u64;
        let files = self.facts.files_of(&rows);
        for (key, path, why) in files.refused {
            self.account.fail(Some(key), Some(path), format!("kept: {why}"));
        }
        let mut gone = self.gone.to_vec();
        gone.push(Gone { target: target.clone(), at: *at, until: Some(window.clone()) });
        let action = Action::Examine { decided_at: self.clock.now(), gone: &gone };
        let settled = settle(&self.facts.custodies, self.sessions, files.items, action).await;
        self.show(&rows, &settled.gone);
        self.send(rows, &settled.gone).await;
        self.account.add(settled.account);
        self.account.tally.files_owed = 0;
    }

    fn show(&mut self, rows: &[OwnedRow], gone: &[(crate::ledger::IntentItem, Option<u64>)]) {
        if self.account.sample.len() >= super::account::SAMPLE_AT_MOST {
            return;
        }
        for row in rows.iter().take(super::account::SAMPLE_AT_MOST) {
            let mine = gone.iter().filter(|(item, _)| item.key == row.shown);
            let files = mine.map(|(item, _)| format!("{}: {}", item.store, item.path)).collect();
            self.account.show(Sample { key: row.shown.clone(), files });
        }
    }

    async fn send(&mut self, rows: Vec<OwnedRow>, gone: &[(crate::ledger::IntentItem, Option<u64>)]) {
        let Some(list) = self.list else { return };
        let target = &self.facts.target;
        let (policy, mode) = (self.name, self.fate);
        // A listener that went away (a closed pipe) ends the listing, not the plan.
        for row in rows {
            let (source, table) = (target.source.clone(), self.policy.table.to_string());
            let _ = list.send(Listed::Row { policy: policy.clone(), mode, source, table, key: row.shown }).await;
        }
        for (item, size) in gone {
            let (store, path) = (item.store.clone(), item.path.to_string());
            // A run removes nothing where there is nothing, so a missing file is counted and not listed.
            let Some(size_bytes) = *size else { continue };
            let _ = list.send(Listed::File { policy: policy.clone(), mode, store, path, size_bytes }).await;
        }
    }
}
