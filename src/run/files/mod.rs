//! One policy of files or of orphans, from its lease to its result: look at the store, choose, guard, take.

mod aged;
mod ended;
mod finding;
mod found_files;
mod missing;
mod orphans;
mod outside;
mod reference_index;
mod removal;
mod tree;
mod weighed;

use std::sync::Arc;

use jiff::Timestamp;

use super::account::Account;
use super::outcome::Outcome;
use super::plan_state::Foreseen;
use super::policy_run::PolicyRun;
use super::referenced_store::{ReferencedStore, ReferencedStoreError};
use super::sessions::Sessions;
use crate::decide::blocked::Blocked;
use crate::outcome::RunMode;
use crate::policy::{Mode, Store};
use crate::stores::FilesInUse;
use crate::text::chain;
use finding::{Finding, Looking};
use removal::Taking;
use tree::Holding;
pub(super) use tree::Tree;

impl PolicyRun<'_> {
    /// Moment as of which is decided: whatever was changed since stays. Of a plan that somebody has looked at and agreed to it is
    /// the plan's, so that a run by it takes nothing that came after.
    fn decides_at(&self) -> Timestamp {
        let now = self.runner.clock.now();
        let agreed = self.looked.filter(|looked| self.mode == RunMode::Enforce && looked.amount.is_none());
        agreed.map_or(now, |looked| looked.at.min(now))
    }

    /// Runs a policy about a store, or looks at what it would do.
    pub(super) async fn run_tree(&self, tree: Tree<'_>, sessions: &mut Sessions, foreseen: &mut Foreseen) -> Outcome {
        let ledger = match (&self.runner.ledger, self.mode, self.policy.mode) {
            (Some(ledger), RunMode::Enforce, Mode::Enforce) => ledger,
            _ => return self.tree(tree, sessions, foreseen, None).await,
        };
        if self.held().is_some() {
            return self.tree(tree, sessions, foreseen, None).await;
        }
        let lease = match self.lease(ledger).await {
            Ok(lease) => lease,
            Err(outcome) => return outcome,
        };
        let holding = Holding { ledger, lease: &lease };
        let mut outcome = self.tree(tree, sessions, foreseen, Some(holding)).await;
        // A guard on how much may go says no, and somebody has approved what was shown.
        if let Some(approved) = self.as_approved(&outcome) {
            let done = Box::pin(approved.tree(tree, sessions, foreseen, Some(holding))).await;
            outcome = approved.instead(outcome, done);
        }
        outcome.release(ledger, lease).await
    }

    pub(super) async fn tree(
        &self,
        tree: Tree<'_>,
        sessions: &mut Sessions,
        foreseen: &mut Foreseen,
        holding: Option<Holding<'_>>,
    ) -> Outcome {
        let settings = &self.runner.settings;
        let Some(store) = settings.store(tree.store()) else {
            let error = format!("the configuration has no store {}", tree.store());
            return Outcome::failed(Account::default(), [error]);
        };
        let mut referenced = match self.tree_store(store, sessions).await {
            Ok(referenced) => referenced,
            Err(_) if self.stop.is_set() => return Outcome::cancelled(Account::default()),
            Err(error) => return Outcome::blocked(Account::default(), error.blocks()),
        };
        let found = Looking {
            run: self,
            referenced: &mut referenced,
            sessions,
            began_at: self.decides_at(),
            // Each file that is walked over asks it.
            gone: foreseen.files.of(tree.store()).filter(|gone| holding.is_none() && !gone.is_empty()).cloned(),
        };
        let found = match tree {
            Tree::Files(policy) => found.find_files(policy).await,
            Tree::Orphans(policy) => found.find_orphans(policy).await,
        };
        let mut found = match (found, self.held()) {
            (Ok(found), None) => found,
            (Ok(found), Some(held)) => found.blocked(Blocked::Held(held.clone())),
            (Err(_), _) if self.stop.is_set() => return Outcome::cancelled(Account::default()),
            (Err(error), _) => return Outcome::failed(Account::default(), [chain(&error)]),
        };
        if found.blocked.is_none() {
            found.blocked = self.held_by_clock(sessions, None).await;
        }
        self.take_found(tree, found, &referenced, sessions, foreseen, holding).await
    }

    async fn tree_store(
        &self,
        store: &Arc<Store>,
        sessions: &mut Sessions,
    ) -> Result<ReferencedStore, ReferencedStoreError> {
        let (settings, run_id) = (&self.runner.settings, self.request.run_id);
        ReferencedStore::open(store, &[], settings, sessions, run_id).await
    }

    async fn take_found(
        &self,
        tree: Tree<'_>,
        found: Finding,
        referenced: &ReferencedStore,
        sessions: &mut Sessions,
        foreseen: &mut Foreseen,
        holding: Option<Holding<'_>>,
    ) -> Outcome {
        let Finding { account, readings, blocked, spool, choices, empty, alike, decided_at } = found;
        let would_go = blocked.is_none() && self.policy.mode == Mode::Enforce;
        let mut taking = Taking {
            run: self,
            tree,
            referenced,
            sessions,
            fate: self.fate(blocked.as_ref()),
            holding: holding.filter(|_| blocked.is_none()),
            files: if would_go { foreseen.files.clone() } else { foreseen.files.apart() },
            decided_at,
            alike,
            account,
            stays: std::collections::BTreeMap::new(),
            empty,
            emptied: Vec::new(),
            held: FilesInUse::default(),
            unflushed: crate::outcome::Tally::default(),
            flushed_at: decided_at,
        };
        let taken = match spool {
            // A run that is blocked does nothing; a plan still shows what it would be about.
            Some(spool) if holding.is_none() || blocked.as_ref().is_none_or(|by| by.held().is_some()) => {
                taking.take(spool, choices).await
            }
            _ => Ok(()),
        };
        taking.make_durable().await;
        let account = taking.finish();
        let outcome = match (taken, blocked) {
            (Err(_), _) if self.stop.is_set() => Outcome::cancelled(account),
            (Err(error), _) => Outcome::failed(account, [chain(&error)]),
            (Ok(()), Some(by)) => Outcome::blocked(account, by),
            (Ok(()), None) => Outcome::new(account),
        };
        Outcome { guards: readings, ..outcome }
    }
}
