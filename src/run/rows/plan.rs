//! A run without its deletions: the same walk, the same predicates, the same look at each file.
//!
//! A run asks, after each window, which files the remaining rows still name. The plan asks the same question with the
//! rows of the windows passed so far, and of the policies planned before, taken for gone. So each file is counted
//! where the run would remove it: with the last of its owners.

use tokio::sync::mpsc;

use super::facts::{Facts, RowFiles};
use super::presence::Presence;
use super::unreadable::Doubts;
use crate::clock::Clock;
use crate::decide::guards::Judged;
use crate::decide::rows::ReasonKind;
use crate::ledger::IntentItem;
use crate::outcome::{SHOWN_AT_MOST, Sample, Tally};
use crate::policy::{Alive, Name, RowsPolicy, Settings};
use crate::run::account::Account;
use crate::run::lister::Lister;
use crate::run::owners::{Action, Later, Searched, reads_long, search_all, settle};
use crate::run::plan_state::GoneFiles;
use crate::run::programs::liveness;
use crate::run::progress::Reporter;
use crate::run::request::{Fate, Listed};
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{Batch, Gone, KEYS_AT_ONCE, OwnedRow, Scope, SourceError, Walker, Window};
use crate::stores::Listener;

/// A plan under way.
pub(crate) struct Planner<'a> {
    pub(crate) name: &'a Name,
    pub(crate) policy: &'a RowsPolicy,
    pub(crate) fate: Fate,
    pub(crate) facts: &'a Facts,
    pub(crate) settings: &'a Settings,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) clock: &'a Clock,
    pub(crate) stop: &'a Stop,
    pub(crate) reporter: &'a Reporter,
    pub(crate) list: Option<&'a mpsc::Sender<Listed>>,
    /// Rows that earlier policies of this plan would have deleted.
    pub(crate) gone: &'a [Gone],
    /// Files that they would have taken.
    pub(crate) files: GoneFiles,
    /// Files that rows name, counted by whether they are there.
    pub(crate) presence: Presence,
    /// Batches that were listed, with what is gone by then, until it is known what rows mean by unusual spellings.
    pub(crate) waiting: Vec<Listing>,
    /// True if the last reading of that took a connection of its own.
    pub(crate) reads_long: bool,
    /// Keys of eligible rows that stay: their work still goes on, or their paths are none of their store's.
    pub(crate) kept: Vec<Vec<String>>,
    /// Rows that cannot be read.
    pub(crate) unreadable: u64,
    /// Eligible rows that are left to the next run.
    pub(crate) left: u64,
    /// Those of them that stand among `kept`.
    pub(crate) over: u64,
    pub(crate) account: Account,
}

/// Result of a plan.
pub(crate) struct Planned {
    pub(crate) account: Account,
    /// Keys of eligible rows that stay.
    pub(crate) kept: Vec<Vec<String>>,
    /// Nearly all files turned out to be missing: the last window that a run would take, and why nothing more goes.
    pub(crate) ended: Option<(Window, Judged)>,
}

/// A batch of a plan that waits.
pub(crate) struct Listing {
    batch: Batch,
    gone: Vec<Gone>,
    items: Vec<IntentItem>,
}

/// Files that wait at most.
const WAITING_AT_MOST: usize = 50_000;

impl Planner<'_> {
    /// Plans the policy.
    pub(crate) async fn plan(mut self) -> Result<Planned, SourceError> {
        let mut ended = None;
        self.account.tally.rows_protected = self.facts.kept;
        self.facts.report_unjudged(&mut self.account);
        if !self.facts.target.vetoes.is_empty() {
            let vetoes: Vec<_> = self.facts.target.vetoes.iter().map(ToString::to_string).collect();
            self.account.notes.push(format!("may keep rows back, which is not foreseen: {}", vetoes.join(", ")));
        }
        let doubts = Doubts { policy: self.policy, facts: self.facts, stop: self.stop, gone: self.gone };
        doubts.tell_unlisted(self.sessions, &mut self.account).await?;
        let counts_only = self.policy.at_most.is_none()
            && self.facts.referenced_stores.is_empty()
            && !self.facts.target.node.takes_others_along();
        if counts_only && self.list.is_none() && !self.facts.target.is_probed() {
            self.count().await?;
        } else {
            ended = self.walk().await?;
        }
        let tally = &mut self.account.tally;
        if self.fate == Fate::Enforce {
            match self.facts.target.updates() {
                true => tally.rows_updated = tally.rows_matched - self.unreadable,
                false => tally.rows_deleted = tally.rows_matched - self.unreadable,
            }
        } else {
            (tally.files_deleted, tally.bytes_reclaimed) = (0, 0);
            tally.stores.values_mut().for_each(|store| {
                (store.files_deleted, store.bytes_reclaimed) = (0, 0);
            });
        }
        self.account.tally.rows_matched += self.left;
        self.account.more_to_do = self.left > 0;
        doubts.tell_ages(self.sessions, &mut self.account).await?;
        Ok(Planned { account: self.account, kept: self.kept, ended })
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
            let few = if target.has_details() { SHOWN_AT_MOST } else { crate::run::account::SAMPLE_AT_MOST };
            let few = u32::try_from(few).ok();
            let listing = target.list(session, *at, Scope::window(&Window::All), self.gone, few);
            let rows = self.stop.watch(canceller, listing).await?;
            self.show_details(&rows).await?;
            for row in rows {
                self.account.show(|| Sample { key: row.shown, files: Vec::new() });
            }
        }
        Ok(())
    }

    /// Walks the windows; where it ends early, the last window, and why.
    async fn walk(&mut self) -> Result<Option<(Window, Judged)>, SourceError> {
        let Facts { target, at, .. } = self.facts;
        let mut walker = Walker::new(target.clone(), *at, self.policy.batch.get()).without(self.gone);
        walker = walker.oldest_first(self.policy.at_most.is_some());
        // What the windows before this one would have taken along.
        let mut passed = self.gone.to_vec();
        while !self.stop.is_set() {
            let room = self.room();
            walker.fit(u32::try_from(room).unwrap_or(u32::MAX).clamp(1, self.policy.batch.get()));
            let session = self.sessions.get(&target.source).await?;
            let canceller = session.canceller();
            let Some(window) = self.stop.watch(canceller, walker.next(session)).await? else { break };
            let canceller = session.canceller();
            let listing = target.list(session, *at, Scope::window(&window), self.gone, None);
            let mut rows = self.stop.watch(canceller, listing).await?;
            if let Some(Alive::Command(command)) = &self.policy.alive {
                let asked = liveness::ask(command, target, rows, self.stop).await;
                self.account.add(asked.account);
                self.kept.extend(asked.kept);
                rows = asked.over;
            }
            rows.retain(|row| self.is_readable(row));
            self.leave_over(&mut rows, room);
            let (batch, files) = self.mapped(rows, &passed).await?;
            walker.took(batch.rows.len() as u64, batch.children.values().sum());
            passed.truncate(self.gone.len());
            passed.extend(Gone::new(target.clone(), *at, Some(window.clone()), self.kept.clone()));
            self.show_details(&batch.rows).await?;
            self.window(batch, files, &passed);
            if !self.reads_long
                || self.waiting.iter().map(|listing| listing.items.len()).sum::<usize>() >= WAITING_AT_MOST
            {
                self.examine_waiting().await;
            }
            self.reporter.update(&self.account.tally);
            let mut judged = Judged::default();
            self.presence.judge(self.facts, &mut judged);
            // Of what is blocked anyhow all is told, as of what only reports.
            if self.fate != Fate::Blocked && judged.blocked.is_some() {
                return Ok(Some((window, judged)));
            }
            if self.room() == 0 {
                self.examine_waiting().await;
                self.count_left().await?;
                return Ok(Some((window, Judged::default())));
            }
        }
        self.examine_waiting().await;
        Ok(None)
    }

    /// Rows that a run would take beyond those that were walked over.
    fn room(&self) -> u64 {
        let taken = self.account.tally.rows_matched - self.unreadable;
        self.policy.at_most.map_or(u64::MAX, |most| most.get().saturating_sub(taken))
    }

    /// Leaves those of a window to the next run that are too many for this one.
    fn leave_over(&mut self, rows: &mut Vec<OwnedRow>, room: u64) {
        let over = rows.split_off(rows.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        self.over += over.len() as u64;
        self.kept.extend(over.into_iter().map(|row| row.key));
    }

    /// Counts what is left to the next run.
    async fn count_left(&mut self) -> Result<(), SourceError> {
        let Facts { target, at, .. } = self.facts;
        let session = self.sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let eligible = self.stop.watch(canceller, target.count(session, *at, None, self.gone)).await?;
        let stay = self.kept.len() as u64 - self.over;
        self.left = eligible.saturating_sub(self.account.tally.rows_matched + stay);
        Ok(())
    }

    /// The batch that some rows would make, without those that stay for a path that is none of their store's.
    async fn mapped(&mut self, mut rows: Vec<OwnedRow>, passed: &[Gone]) -> Result<(Batch, RowFiles), SourceError> {
        let Facts { target, .. } = self.facts;
        loop {
            let session = self.sessions.get(&target.source).await?;
            let canceller = session.canceller();
            let mut batch = self.stop.watch(canceller, target.foresee(session, rows, passed)).await?;
            let mut files = self.facts.files_of(std::mem::take(&mut batch.claims));
            if files.unmapped.is_empty() {
                return Ok((batch, files));
            }
            let unmapped = std::mem::take(&mut files.unmapped);
            let of_rows: Vec<_> = unmapped.iter().map(|row| (row.owner, &row.path.row)).collect();
            let canceller = session.canceller();
            let behind = self.stop.watch(canceller, target.rows_behind(session, &of_rows)).await?;
            let before = batch.rows.len();
            rows = batch.rows;
            // A table without a key tells nothing apart.
            rows.retain(|row| target.has_key() && !behind.contains(&row.key));
            let told: Vec<_> = unmapped.iter().collect();
            self.facts.keep_unmapped(&mut self.account, (before - rows.len()) as u64, &told);
            // More than these are too many for a statement in any case.
            let room = (KEYS_AT_ONCE + 1).saturating_sub(self.kept.len());
            self.kept.extend(behind.into_iter().take(room));
            if rows.len() == before {
                // Somebody has just written such a path; a run leaves it out as well.
                return Ok((Batch { rows, ..Batch::default() }, files));
            }
        }
    }

    /// True if a row can be read as a whole; one that cannot is kept, and told of.
    fn is_readable(&mut self, row: &OwnedRow) -> bool {
        let Some(why) = row.unreadable() else { return true };
        self.unreadable += 1;
        self.account.tally.rows_matched += 1;
        let reason = ReasonKind::Unreadable.word();
        self.account.keep(Some(row.shown.clone()), None, reason, format!("kept: {why}"));
        false
    }

    /// Counts what a run would do with a batch, and puts it among those that wait; `gone`: it and everything before it.
    fn window(&mut self, mut batch: Batch, files: RowFiles, gone: &[Gone]) {
        self.account.tally.add(&Tally {
            rows_matched: batch.rows.len() as u64,
            children: std::mem::take(&mut batch.children),
            files_outside: files.outside,
            ..Tally::default()
        });
        self.waiting.push(Listing { batch, gone: gone.to_vec(), items: files.items });
    }

    /// Looks at the files of everything that waits.
    async fn examine_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let items = waiting.iter().flat_map(|listing| &listing.items);
        let searched = search_all(&self.facts.referenced_stores, self.settings, self.sessions, items).await;
        self.reads_long = reads_long(&searched);
        for Listing { batch, gone, items } in waiting {
            self.examine(batch, &gone, items, &searched).await;
        }
    }

    async fn examine(&mut self, batch: Batch, gone: &[Gone], items: Vec<IntentItem>, searched: &Searched) {
        let listener = self.list.map(|list| Lister { list: list.clone(), policy: self.name.clone(), mode: self.fate });
        let listen = listener.as_ref().map(|lister| move |store: &Name| lister.listener(store));
        let action = Action::Examine {
            decided_at: self.clock.now(),
            stop: self.stop.token(),
            gone,
            files: &self.files,
            listener: listen.as_ref().map(|listen| listen as &(dyn Fn(&Name) -> Listener + Sync)),
        };
        let settled =
            settle(&self.facts.referenced_stores, (searched, &Later::default()), self.sessions, items.clone(), action)
                .await;
        let missing = settled.gone.iter().filter(|(_, size)| size.is_none()).map(|(item, _)| item);
        self.presence.count(self.facts, &items, missing);
        self.show(&batch.rows, &settled.gone);
        self.send(batch, &settled.gone).await;
        self.account.add(settled.account);
        self.account.tally.files_pending = 0;
    }

    fn show(&mut self, rows: &[OwnedRow], gone: &[(IntentItem, Option<u64>)]) {
        for row in rows.iter().take(crate::run::account::SAMPLE_AT_MOST) {
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
