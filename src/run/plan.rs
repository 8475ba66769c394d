//! What a run would do: the same walk, the same predicates, the same look at each file, and nothing deleted.
//!
//! A run asks, after each window, which files the remaining rows still name. The plan asks the same question with the
//! rows of the windows passed so far, and of the policies planned before, taken for gone. So each file is counted
//! where the run would remove it: with the last of its owners.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::account::Account;
use super::custody::{Action, settle};
use super::doubt::Doubts;
use super::foreseen::GoneFiles;
use super::gather::Facts;
use super::sessions::Sessions;
use super::stop::Stop;
use super::{Fate, Listed, Reporter, alive};
use crate::clock::Clock;
use crate::ledger::{IntentItem, SHOWN_AT_MOST, Sample, Tally};
use crate::policy::{Alive, Name, RowsPolicy};
use crate::sources::{Batch, Gone, OwnedRow, Scope, SourceError, Walker, Window};
use crate::stores::{Inside, Listener};

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
    /// Files that they would have taken.
    pub(super) files: GoneFiles,
    /// Keys of eligible rows whose work still goes on.
    pub(super) kept: Vec<Vec<String>>,
    pub(super) account: Account,
}

impl Planner<'_> {
    /// Plans the policy; what it counted, and the keys of eligible rows that are kept because their work goes on.
    pub(super) async fn plan(mut self) -> Result<(Account, Vec<Vec<String>>), SourceError> {
        self.account.tally.rows_protected = self.facts.kept;
        let doubts = Doubts { policy: self.policy, facts: self.facts, stop: self.stop, gone: self.gone };
        doubts.tell_unlisted(self.sessions, &mut self.account).await?;
        let counts_only = self.facts.custodies.is_empty() && !self.facts.target.node.takes_others_along();
        if counts_only && self.list.is_none() && !self.facts.target.is_probed() {
            self.count().await?;
        } else {
            self.walk().await?;
        }
        let tally = &mut self.account.tally;
        if self.fate == Fate::Enforce {
            match self.facts.target.updates() {
                true => tally.rows_updated = tally.rows_matched,
                false => tally.rows_deleted = tally.rows_matched,
            }
        } else {
            (tally.files_deleted, tally.bytes_reclaimed) = (0, 0);
            tally.stores.values_mut().for_each(|store| {
                (store.files_deleted, store.bytes_reclaimed) = (0, 0);
            });
        }
        doubts.tell_ages(self.sessions, &mut self.account).await?;
        Ok((self.account, self.kept))
    }

    /// Without files, other tables' rows and a listing a count says it all.
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
            let few = if target.has_details() { SHOWN_AT_MOST } else { super::account::SAMPLE_AT_MOST };
            let few = u32::try_from(few).ok();
            let listing = target.list(session, *at, Scope::window(&Window::All), self.gone, few);
            let rows = self.stop.watch(canceller, listing).await?;
            self.account.detail(target, &rows);
            for row in rows {
                self.account.show(|| Sample { key: row.shown, files: Vec::new() });
            }
        }
        Ok(())
    }

    async fn walk(&mut self) -> Result<(), SourceError> {
        let Facts { target, at, .. } = self.facts;
        let mut walker = Walker::new(target.clone(), *at, self.policy.batch.get()).without(self.gone);
        // What the windows before this one would have taken along.
        let mut passed = self.gone.to_vec();
        while !self.stop.is_set() {
            let session = self.sessions.get(&target.source).await?;
            let canceller = session.canceller();
            let Some(window) = self.stop.watch(canceller, walker.next(session)).await? else { break };
            let canceller = session.canceller();
            let listing = target.list(session, *at, Scope::window(&window), self.gone, None);
            let mut rows = self.stop.watch(canceller, listing).await?;
            if let Some(Alive::Command(command)) = &self.policy.alive {
                let asked = alive::ask(command, target, rows, self.stop).await;
                self.account.add(asked.account);
                self.kept.extend(asked.kept);
                rows = asked.over;
            }
            let session = self.sessions.get(&target.source).await?;
            let canceller = session.canceller();
            let batch = self.stop.watch(canceller, target.foresee(session, rows, &passed)).await?;
            walker.took(batch.rows.len() as u64, batch.children.values().sum());
            passed.truncate(self.gone.len());
            passed.extend(Gone::new(target.clone(), *at, Some(window), self.kept.clone()));
            self.window(batch, &passed).await;
            self.reporter.update(&self.account.tally);
        }
        Ok(())
    }

    /// What a run would do with a batch; `gone`: with it and what went before.
    async fn window(&mut self, mut batch: Batch, gone: &[Gone]) {
        self.account.tally.add(&Tally {
            rows_matched: batch.rows.len() as u64,
            children: std::mem::take(&mut batch.children),
            ..Tally::default()
        });
        self.account.detail(&self.facts.target, &batch.rows);
        let files = self.facts.files_of(std::mem::take(&mut batch.claims));
        for (key, path, why) in files.refused {
            self.account.fail(Some(key), Some(path), format!("kept: {why}"));
        }
        let listener = self.list.map(|list| Lister { list: list.clone(), policy: self.name.clone(), mode: self.fate });
        let listen = listener.as_ref().map(|lister| move |store: &Name| lister.listener(store));
        let action = Action::Examine {
            decided_at: self.clock.now(),
            stop: self.stop.token(),
            gone,
            files: &self.files,
            listener: listen.as_ref().map(|listen| listen as &(dyn Fn(&Name) -> Listener + Sync)),
        };
        let settled = settle(&self.facts.custodies, self.sessions, files.items, action).await;
        self.show(&batch.rows, &settled.gone);
        self.send(batch, &settled.gone).await;
        self.account.add(settled.account);
        self.account.tally.files_owed = 0;
    }

    fn show(&mut self, rows: &[OwnedRow], gone: &[(IntentItem, Option<u64>)]) {
        for row in rows.iter().take(super::account::SAMPLE_AT_MOST) {
            self.account.show(|| {
                let mine = gone.iter().filter(|(item, _)| item.key == row.shown);
                let files = mine.map(|(item, _)| format!("{}: {}", item.owner.store, item.path)).collect();
                Sample { key: row.shown.clone(), files }
            });
        }
    }

    async fn send(&mut self, batch: Batch, gone: &[(IntentItem, Option<u64>)]) {
        let Some(list) = self.list else { return };
        let target = &self.facts.target;
        let (policy, mode) = (self.name, self.fate);
        let own = batch.rows.into_iter().map(|row| (self.policy.table.to_string(), row.shown));
        let others = batch.others.into_iter().map(|(table, key)| (table.table.to_string(), key));
        // A listener that went away (a closed pipe) ends the listing, not the plan.
        for (table, key) in own.chain(others) {
            let source = target.source.clone();
            let _ = list.send(Listed::Row { policy: policy.clone(), mode, source, table, key }).await;
        }
        for (item, size) in gone.iter().filter(|(item, _)| !item.owner.directory) {
            let (store, path) = (item.owner.store.clone(), item.path.to_string());
            // A run removes nothing where there is nothing, so a missing file is counted and not listed.
            let Some(size_bytes) = *size else { continue };
            let _ = list.send(Listed::File { policy: policy.clone(), mode, store, path, size_bytes }).await;
        }
    }
}

/// Lists the files in a directory while it is looked at.
pub(super) struct Lister {
    pub(super) list: mpsc::Sender<Listed>,
    pub(super) policy: Name,
    pub(super) mode: Fate,
}

impl Lister {
    pub(super) fn listener(&self, store: &Name) -> Listener {
        let (list, policy, mode, store) = (self.list.clone(), self.policy.clone(), self.mode, store.clone());
        Arc::new(move |inside: Inside| {
            let (policy, store) = (policy.clone(), store.clone());
            let Inside { path, size_bytes, .. } = inside;
            let _ = list.blocking_send(Listed::File { policy, mode, store, path, size_bytes });
        })
    }
}
