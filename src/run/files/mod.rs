//! One policy of files or of orphans, from its lease to its result: look at the store, choose, guard, take.

mod aged;
mod choose;
mod fingerprints;
mod found_files;
mod guards;
mod missing;
mod orphans;
mod outside;
mod reference_index;
mod removal;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::Fate;
use super::account::Account;
use super::custody::{Custody, CustodyError};
use super::guard::Judged;
use super::outcome::Outcome;
use super::plan_state::{Foreseen, GoneInStore};
use super::policy::PolicyRun;
use super::sessions::Sessions;
use super::store_identity;
use crate::ledger::{GuardReading, Held as OnHold, Lease, Ledger, LedgerError, RunMode, Status};
use crate::policy::{FilesPolicy, Mode, Name, OrphansPolicy, Store};
use crate::sources::SourceError;
use crate::stores::{Held, RawPath, Surveyed, TrashError, WalkError};
use crate::telemetry::chain;
use choose::Choice;
pub(super) use fingerprints::{Collection, Fingerprinter, Fingerprints};
use found_files::Spool;
use missing::Alike;
use removal::Taking;

/// A policy about a store.
#[derive(Clone, Copy)]
pub(super) enum Tree<'a> {
    Files(&'a FilesPolicy),
    Orphans(&'a OrphansPolicy),
}

impl Tree<'_> {
    fn store(&self) -> &Name {
        match self {
            Tree::Files(policy) => &policy.store,
            Tree::Orphans(policy) => &policy.store,
        }
    }
}

/// What keeps the policy ours while it deletes.
#[derive(Clone, Copy)]
pub(super) struct Holding<'a> {
    ledger: &'a Ledger,
    lease: &'a Lease,
}

/// Why it ended before its end.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("another process has taken over the policy")]
    LeaseLost,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Walk(WalkError),
    #[error(transparent)]
    Trash(#[from] TrashError),
    #[error("what was found cannot be kept in a temporary file")]
    Spool(#[source] std::io::Error),
    #[error("the room on the file system of store {store} is not known")]
    Space {
        store: Name,
        #[source]
        cause: std::io::Error,
    },
    #[error("it is not known which files are open")]
    Held(#[source] std::io::Error),
}

impl From<WalkError> for Ended {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Stopped => Ended::Stopped,
            error => Ended::Walk(error),
        }
    }
}

impl From<reference_index::NamesError> for Ended {
    fn from(error: reference_index::NamesError) -> Self {
        match error {
            reference_index::NamesError::Stopped => Ended::Stopped,
            reference_index::NamesError::Source(error) => Ended::Source(error),
        }
    }
}

/// What was found in a store, and what may go of it.
struct Finding {
    account: Account,
    readings: Vec<GuardReading>,
    blocked_by: Option<String>,
    /// What it waits for, where an approval is all that it needs.
    held: Option<OnHold>,
    /// A guard on how much may go has blocked it.
    by_amount: bool,
    /// None where nothing is to be listed, because it cannot be trusted.
    spool: Option<Spool>,
    /// For each file of the spool what becomes of it; without them all go.
    choices: Option<Vec<Choice>>,
    /// Directories in which nothing is, of a policy that prunes them.
    empty: Vec<RawPath>,
    /// What keeps files that rows may name in another spelling.
    alike: Option<Arc<Alike>>,
    /// What is changed after this was not decided about.
    decided_at: Timestamp,
}

impl Finding {
    fn new(decided_at: Timestamp) -> Self {
        let (account, readings, empty) = (Account::default(), Vec::new(), Vec::new());
        Self {
            account,
            readings,
            blocked_by: None,
            held: None,
            by_amount: false,
            spool: None,
            choices: None,
            empty,
            alike: None,
            decided_at,
        }
    }

    fn blocked(self, why: String) -> Self {
        Self { blocked_by: Some(why), ..self }
    }

    fn held(self, held: OnHold) -> Self {
        Self { blocked_by: Some(held.sentence()), held: Some(held), ..self }
    }
}

/// What the workers of a walk find, in the order in which they do.
#[derive(Clone)]
struct Sink(Arc<Mutex<Result<Spool, std::io::Error>>>);

impl Sink {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Ok(Spool::new()))))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Result<Spool, std::io::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, path: &[u8], file: Option<found_files::SeenFile>) {
        let mut sink = self.lock();
        if let Ok(spool) = &mut *sink
            && let Err(error) = spool.push(path, file)
        {
            *sink = Err(error);
        }
    }

    /// What was found, once the walk is over.
    fn finish(&self) -> Result<Spool, Ended> {
        std::mem::replace(&mut *self.lock(), Ok(Spool::new())).map_err(Ended::Spool)
    }
}

/// A store that is looked at for a policy.
struct Looking<'a> {
    run: &'a PolicyRun<'a>,
    custody: &'a mut Custody,
    sessions: &'a mut Sessions,
    /// When the look began.
    began_at: Timestamp,
    /// What earlier policies of a plan would have taken: for this one it is not there.
    gone: Option<Arc<GoneInStore>>,
}

impl PolicyRun<'_> {
    /// What was found with what the guards say, and whether it is far more than usual.
    async fn judged(&self, finding: Finding, judged: Judged, share: guards::Share) -> Result<Finding, Ended> {
        let Judged { readings, blocked_by, held, by_amount } = judged;
        let finding = Finding { readings, blocked_by, held, by_amount, ..finding };
        let held = match &finding.blocked_by {
            Some(by) if finding.held.is_none() => self.held_by_guard(by_amount, by),
            Some(_) => None,
            None => self.grown_files(share.going, share.of).await?,
        };
        Ok(match held {
            Some(held) => Finding { by_amount: true, ..finding.held(held) },
            None => finding,
        })
    }
}

impl Looking<'_> {
    /// What stands in the way of a policy that takes files of the store. A report needs no marker: it takes nothing.
    async fn identity_guard(&mut self) -> Result<Option<String>, Ended> {
        if self.run.fate(None) != Fate::Enforce {
            return Ok(None);
        }
        let (open, store, ledger) = (&self.custody.open, &self.custody.store, self.run.runner.ledger.as_ref());
        Ok(store_identity::guard(open, store, ledger, true).await?)
    }
}

/// Errors of a walk, as failures of the policy's account.
fn tell_unseen(account: &mut Account, surveyed: &Surveyed) {
    let shown = surveyed.first_errors.len() as u64;
    for unseen in &surveyed.first_errors {
        account.fail(None, Some(unseen.path.clone()), format!("could not be looked at: {}", unseen.why));
    }
    account.failure_count += surveyed.errors.saturating_sub(shown);
    if surveyed.mounts > 0 {
        account.notes.push(format!("{} mount points in the store were not entered", surveyed.mounts));
    }
}

impl PolicyRun<'_> {
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
        let mut custody = match self.tree_custody(store, sessions).await {
            Ok(custody) => custody,
            Err(error) => return Outcome::blocked(Account::default(), chain(&error)),
        };
        let found = Looking {
            run: self,
            custody: &mut custody,
            sessions,
            began_at: self.runner.clock.now(),
            // Each file that is walked over asks it.
            gone: foreseen.files.of(tree.store()).filter(|gone| holding.is_none() && !gone.is_empty()).cloned(),
        };
        let found = match tree {
            Tree::Files(policy) => found.find_files(policy).await,
            Tree::Orphans(policy) => found.find_orphans(policy).await,
        };
        let mut found = match (found, self.held()) {
            (Ok(found), None) => found,
            (Ok(found), Some(held)) => found.held(held.clone()),
            (Err(Ended::Stopped), _) => return Outcome::cancelled(Account::default()),
            (Err(error), _) => return Outcome::failed(Account::default(), [chain(&error)]),
        };
        if found.blocked_by.is_none()
            && let Some(doubt) = self.held_by_clock(sessions, None).await
        {
            (found.blocked_by, found.held) = (Some(doubt.blocked_by), doubt.held);
        }
        self.take_found(tree, found, &custody, sessions, foreseen, holding).await
    }

    async fn tree_custody(&self, store: &Arc<Store>, sessions: &mut Sessions) -> Result<Custody, CustodyError> {
        let (settings, run_id) = (&self.runner.settings, self.request.run_id);
        Custody::open(store, &[], settings, sessions, run_id).await
    }

    async fn take_found(
        &self,
        tree: Tree<'_>,
        found: Finding,
        custody: &Custody,
        sessions: &mut Sessions,
        foreseen: &mut Foreseen,
        holding: Option<Holding<'_>>,
    ) -> Outcome {
        let Finding { account, readings, blocked_by, held, by_amount, spool, choices, empty, alike, decided_at } =
            found;
        let would_go = blocked_by.is_none() && self.policy.mode == Mode::Enforce;
        let mut taking = Taking {
            run: self,
            tree,
            custody,
            sessions,
            fate: self.fate(blocked_by.as_deref()),
            holding: holding.filter(|_| blocked_by.is_none()),
            files: if would_go { foreseen.files.clone() } else { foreseen.files.apart() },
            decided_at,
            alike,
            account,
            stays: std::collections::BTreeMap::new(),
            empty,
            emptied: Vec::new(),
            held: Held::default(),
            unflushed: crate::ledger::Tally::default(),
            flushed_at: decided_at,
        };
        let taken = match spool {
            // A run that is blocked does nothing; a plan still shows what it would be about.
            Some(spool) if holding.is_none() || blocked_by.is_none() || held.is_some() => {
                taking.take(spool, choices).await
            }
            _ => Ok(()),
        };
        taking.make_durable().await;
        let account = taking.finish();
        let outcome = match (taken, blocked_by) {
            (Err(Ended::Stopped), _) => Outcome::cancelled(account),
            (Err(error), _) => Outcome::failed(account, [chain(&error)]),
            (Ok(()), Some(by)) => Outcome::blocked(account, by),
            (Ok(()), None) => Outcome::new(account),
        };
        let held = held.filter(|_| outcome.status == Status::Blocked);
        Outcome { guards: readings, held, by_amount, ..outcome }
    }
}
