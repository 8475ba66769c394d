//! Recovery of what a crash left pending: finds out whether the deletion behind each intent was committed, and finishes
//! it or drops it.
//!
//! | the source says | then |
//! | --- | --- |
//! | committed | the files that no row names are removed |
//! | aborted | the intents are dropped |
//! | in progress, or it cannot be reached | kept for later |
//! | over, outcome unknown | each file is judged by itself: still named, then its row is there; else it is removed |
//!
//! The last line is safe in both cases. A row that is there names its file and so keeps it; a key that was used again
//! by a new row names another file and so keeps nothing.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::owners::{Action, Later, search_all, settle};
use super::pauses::paused;
use super::referenced_store::ReferencedStore;
use super::runner::Runner;
use super::sessions::Sessions;
use super::store_identity;
use crate::decide::pending::{StillPending, brake};
use crate::ledger::{IntentBatch, IntentOwner, LeaseOutcome, Ledger, LedgerError};
use crate::outcome::{PendingChoice, Tally};
use crate::policy::{FilePath, Ident, Name, Outside, OwnedFile, PathTemplate, Settings, Store, TableName};
use crate::sources::{NamedBy, SourceError, TransactionOutcome};
use crate::stores::OpenStore;
use crate::text::chain;

/// Batches that are read from the ledger at once.
const BATCHES_AT_ONCE: u32 = 16;

/// Result of a recovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    pub batches_settled: u64,
    pub files_deleted: u64,
    pub files_missing: u64,
    /// Files that a row names, which stay.
    pub files_referenced: u64,
    /// Batches kept for later.
    pub kept: Vec<KeptBatch>,
}

impl Recovery {
    /// This one and a later one, which knows better what is kept.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            batches_settled: self.batches_settled + later.batches_settled,
            files_deleted: self.files_deleted + later.files_deleted,
            files_missing: self.files_missing + later.files_missing,
            files_referenced: self.files_referenced + later.files_referenced,
            kept: later.kept,
        }
    }

    /// Takes over the sums of a batch.
    fn add(&mut self, tally: &Tally) {
        self.batches_settled += 1;
        self.files_deleted += tally.files_deleted;
        self.files_missing += tally.files_missing;
        self.files_referenced += tally.files_referenced;
    }
}

/// Batch that is kept for later, or all of a policy's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBatch {
    pub policy: Name,
    /// None for all of the policy's.
    pub batch: Option<i64>,
    pub why: StillPending,
}

impl fmt::Display for KeptBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}: {}", self.policy, self.why)
    }
}

/// Fate of a batch of intents.
pub(super) enum Resolved {
    Settled { account: Box<Account>, committed: bool },
    Kept(StillPending),
}

/// Chance that files of a batch were removed and nobody counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// Whoever began died on the way: what is not there any more was removed by it, as far as anybody can tell.
    Perhaps,
    No,
}

enum Outcome {
    Committed,
    Aborted,
    /// The transaction is over; the rows must tell.
    Over,
    Later(StillPending),
}

impl Runner {
    /// Examines unsettled intents, of those batches that have a file of a choice: the files of a batch went with its rows. A
    /// policy that runs elsewhere is left to its run.
    pub async fn recover(&self, choice: &PendingChoice, cancel: &CancellationToken) -> Result<Recovery, LedgerError> {
        let mut recovery = Recovery::default();
        let Some(ledger) = &self.ledger else { return Ok(recovery) };
        for (name, _) in ledger.owed().await? {
            if *choice != PendingChoice::All && !ledger.has_pending(&name, choice).await? {
                continue;
            }
            if let Some(why) = set_aside(&self.settings, &name) {
                recovery.kept.push(KeptBatch { policy: name, batch: None, why });
                continue;
            }
            let run = uuid::Uuid::now_v7();
            match ledger.acquire_lease(&name, run, self.clock.now()).await? {
                LeaseOutcome::Granted(lease) => {
                    let done = self.recover_policy(ledger, (&name, choice), cancel, &mut recovery).await;
                    ledger.release(lease).await?;
                    done?;
                }
                LeaseOutcome::Held { pid, .. } => {
                    let why = StillPending::Running { pid };
                    recovery.kept.push(KeptBatch { policy: name, batch: None, why });
                }
            }
        }
        Ok(recovery)
    }

    /// Examines the unsettled intents of a policy whose lease is held.
    pub(super) async fn recover_policy(
        &self,
        ledger: &Ledger,
        (policy, choice): (&Name, &PendingChoice),
        cancel: &CancellationToken,
        recovery: &mut Recovery,
    ) -> Result<Account, LedgerError> {
        let mut account = Account::default();
        let mut sessions = Sessions::new(self.settings.clone(), self.connections.clone(), cancel.clone());
        sessions.heed(Some(cancel));
        let mut after = 0;
        loop {
            let batches = ledger.unsettled(Some(policy), after, BATCHES_AT_ONCE).await?;
            let Some(last) = batches.last() else { return Ok(account) };
            after = last.id;
            for batch in batches.into_iter().filter(|batch| batch.has(choice)) {
                if cancel.is_cancelled() {
                    return Ok(account);
                }
                // It may have been paused since.
                if let Some(why) = set_aside(&self.settings, policy) {
                    recovery.kept.push(KeptBatch { policy: policy.clone(), batch: None, why });
                    return Ok(account);
                }
                match self.resolve(&batch, &mut sessions, cancel, Begun::Perhaps).await? {
                    Resolved::Settled { account: part, .. } => {
                        recovery.add(&part.tally);
                        account.add(*part);
                    }
                    Resolved::Kept(why) => {
                        recovery.kept.push(KeptBatch { policy: policy.clone(), batch: Some(batch.id), why });
                    }
                }
            }
        }
    }

    /// Finishes or drops one batch of intents, or keeps it for later.
    pub(super) async fn resolve(
        &self,
        batch: &IntentBatch,
        sessions: &mut Sessions,
        stop: &CancellationToken,
        begun: Begun,
    ) -> Result<Resolved, LedgerError> {
        let Some(ledger) = &self.ledger else { return Ok(Resolved::Kept(StillPending::NoLedger)) };
        let known = match self.outcome(batch, sessions).await {
            Ok(Outcome::Later(why)) => return Ok(Resolved::Kept(why)),
            Ok(Outcome::Aborted) => {
                ledger.settle(batch.id, &[], &Tally::default()).await?;
                return Ok(Resolved::Settled { account: Box::default(), committed: false });
            }
            Ok(Outcome::Committed) => true,
            Ok(Outcome::Over) => false,
            Err(error) => return Ok(Resolved::Kept(StillPending::Error { why: chain(&error) })),
        };
        if let Some(why) = doubt_of_stores(&self.settings, batch, ledger).await? {
            return Ok(Resolved::Kept(why));
        }
        let referenced_stores = match self.referenced_stores(batch, sessions).await {
            Ok(referenced_stores) => referenced_stores,
            Err(why) => return Ok(Resolved::Kept(why)),
        };
        let action = Action::Remove { decided_at: batch.recorded_at, stop };
        let searched = search_all(&referenced_stores, &self.settings, sessions, &batch.items).await;
        let mut settled =
            settle(&referenced_stores, (&searched, &Later::default()), sessions, batch.items.clone(), action).await;
        if settled.unknown > 0 && !known {
            return Ok(Resolved::Kept(StillPending::NamesUnknown));
        }
        if begun == Begun::Perhaps && !batch.committed {
            settled.presume_removed(&referenced_stores);
        }
        let any_free = settled.named < batch.items.len();
        let committed = known || any_free;
        if committed {
            settled.account.tally.add(&batch.done);
        } else {
            // Every row is there: nothing was deleted, so no file "stays although its row went".
            settled.account.tally.files_referenced = 0;
        }
        ledger.settle(batch.id, &settled.still_pending, &settled.account.tally).await?;
        Ok(Resolved::Settled { account: Box::new(settled.account), committed })
    }

    async fn outcome(&self, batch: &IntentBatch, sessions: &mut Sessions) -> Result<Outcome, SourceError> {
        if let Some(why) = doubt_of_source(&self.settings, batch) {
            return Ok(Outcome::Later(why));
        }
        let session = sessions.get(&batch.source).await?;
        if batch.committed {
            return Ok(Outcome::Committed);
        }
        let Some(mark) = &batch.transaction_id else { return Ok(Outcome::Over) };
        Ok(match session.transaction_outcome(mark).await? {
            TransactionOutcome::Committed => Outcome::Committed,
            TransactionOutcome::Aborted => Outcome::Aborted,
            TransactionOutcome::Unknown => Outcome::Over,
            TransactionOutcome::InProgress => {
                let (transaction, source) = (mark.clone(), batch.source.clone());
                Outcome::Later(StillPending::InProgress { transaction, source })
            }
        })
    }

    /// Opens the stores of a batch, each with the columns that owned its files.
    async fn referenced_stores(
        &self,
        batch: &IntentBatch,
        sessions: &mut Sessions,
    ) -> Result<Vec<ReferencedStore>, StillPending> {
        let mut owners: Vec<(Arc<Store>, Vec<NamedBy>)> = Vec::new();
        for item in &batch.items {
            let store = store_of(&self.settings, &item.owner)?;
            let owner = named_by(&batch.source, &item.owner).map_err(|why| StillPending::Error { why })?;
            match owners.iter_mut().find(|(known, _)| known.name == store.name) {
                Some((_, known)) if known.contains(&owner) => {}
                Some((_, known)) => known.push(owner),
                None => owners.push((store.clone(), vec![owner])),
            }
        }
        let mut referenced_stores = Vec::new();
        for (store, owners) in owners {
            let referenced = ReferencedStore::open(&store, &owners, &self.settings, sessions, batch.run_id).await;
            referenced_stores.push(referenced.map_err(|error| StillPending::StoreUnavailable { why: chain(&error) })?);
        }
        Ok(referenced_stores)
    }
}

/// Reason to leave a batch alone: its source is not the one any more in which its rows were.
fn doubt_of_source(settings: &Settings, batch: &IntentBatch) -> Option<StillPending> {
    let Some(source) = settings.source(&batch.source) else {
        return Some(StillPending::SourceGone { source: batch.source.clone() });
    };
    let (now, then) = (source.endpoint.identity(), batch.source_identity.clone());
    (now != then).then(|| StillPending::OtherSource { source: source.name.clone(), now, then })
}

/// The store of a file, if it is where it was when the row went.
fn store_of<'s>(settings: &'s Settings, owner: &IntentOwner) -> Result<&'s Arc<Store>, StillPending> {
    let store = settings.store(&owner.store).ok_or_else(|| StillPending::StoreGone { store: owner.store.clone() })?;
    if store.root == owner.root {
        return Ok(store);
    }
    let (now, then) = (store.root.clone(), owner.root.clone());
    Err(StillPending::StoreMoved { store: store.name.clone(), now, then })
}

/// Reason to leave the stores of a batch alone: one is not certainly the one in which its files were. Of a file that is
/// missing in such a store nothing is known.
async fn doubt_of_stores(
    settings: &Settings,
    batch: &IntentBatch,
    ledger: &Ledger,
) -> Result<Option<StillPending>, LedgerError> {
    let mut asked: Vec<&IntentOwner> = Vec::new();
    for owner in batch.items.iter().map(|item| item.owner.as_ref()) {
        if asked.iter().any(|known| known.store == owner.store && known.root_then == owner.root_then) {
            continue;
        }
        asked.push(owner);
        // That it is not in the configuration any more, or somewhere else, is said by whoever opens it.
        let Some(store) = settings.store(&owner.store).filter(|store| store.root == owner.root) else { continue };
        // A file server may keep whoever asks waiting.
        let asked = Arc::clone(store);
        let opened = tokio::task::spawn_blocking(move || OpenStore::open(&asked).map_err(|error| chain(&error)));
        let open = match opened.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(open) => open,
            Err(why) => return Ok(Some(StillPending::StoreUnavailable { why })),
        };
        let then = owner.root_then.as_ref();
        if let Some(why) = store_identity::doubt(&open, store, ledger, then, batch.recorded_at).await? {
            return Ok(Some(StillPending::Store(why)));
        }
    }
    Ok(None)
}

/// Reason for which the pending files of a policy wait, as far as the configuration, the ledger and the stores tell.
pub async fn waits_for(
    settings: &Settings,
    ledger: &Ledger,
    policy: &Name,
) -> Result<Option<StillPending>, LedgerError> {
    if let Some(why) = set_aside(settings, policy) {
        return Ok(Some(why));
    }
    match ledger.unsettled(Some(policy), 0, 1).await?.first() {
        Some(batch) => doubt_of_stores(settings, batch, ledger).await,
        None => Ok(None),
    }
}

/// Reason for which the files of a batch wait, as far as the configuration, the ledger and the stores tell.
pub async fn batch_waits_for(
    settings: &Settings,
    ledger: &Ledger,
    batch: &IntentBatch,
) -> Result<Option<StillPending>, LedgerError> {
    let misplaced = || batch.items.iter().find_map(|item| store_of(settings, &item.owner).err());
    match set_aside(settings, &batch.policy).or_else(|| doubt_of_source(settings, batch)).or_else(misplaced) {
        Some(why) => Ok(Some(why)),
        None => doubt_of_stores(settings, batch, ledger).await,
    }
}

/// Reason for which nothing of a policy is removed by itself now: its configuration, or a pause.
fn set_aside(settings: &Settings, name: &Name) -> Option<StillPending> {
    brake(settings, name).or_else(|| {
        let task = settings.policy(name)?.task.as_ref();
        paused(settings, name, task).map(|by| StillPending::Paused { why: by.to_string() })
    })
}

fn named_by(source: &Name, owner: &IntentOwner) -> Result<NamedBy, String> {
    let path = match owner.template {
        true => FilePath::Template(PathTemplate::parse(&owner.path)?),
        false => FilePath::Column(Ident::parse(&owner.path)?),
    };
    let (table, released) = (TableName::parse(&owner.table)?, owner.released.clone());
    let (store, directory) = (owner.store.clone(), owner.directory);
    let file = OwnedFile { store, path, directory, outside: Outside::Keep, may_be_missing: false };
    Ok(NamedBy::owner(source.clone(), table, &file, released))
}
