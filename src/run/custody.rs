//! Who owns a file: the stores of a policy, opened, with every column that may still name their files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::sessions::Sessions;
use crate::ledger::IntentItem;
use crate::policy::{Name, Reference, Settings, Store, StorePath};
use crate::sources::{Gone, OddNames, ReferenceColumn, SourceError, TableFacts, Unfit};
use crate::stores::{Doomed, OpenStore, Outcome, Part, StoreError, Why};
use crate::telemetry::chain;

/// Files that are asked about and removed together: few, so that little time passes between the two.
const FILES_AT_ONCE: usize = 1000;

/// A store, opened, with the columns that name its files.
pub(super) struct Custody {
    pub(super) store: Arc<Store>,
    open: OpenStore,
    references: Vec<(ReferenceColumn, OddNames)>,
}

/// Why a store's files cannot be taken care of.
#[derive(Debug, thiserror::Error)]
pub(super) enum CustodyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("a reference of store {store} does not fit: {unfit}")]
    Reference { store: Name, unfit: Unfit },
}

impl Custody {
    /// Opens a store; `owners` are the columns that name its files beside the declared references.
    pub(super) async fn open(
        store: &Arc<Store>,
        owners: &[Reference],
        settings: &Settings,
        sessions: &mut Sessions,
    ) -> Result<Self, CustodyError> {
        let open = OpenStore::open(store)?;
        let mut references: Vec<(ReferenceColumn, OddNames)> = Vec::new();
        for reference in store.references.iter().chain(owners) {
            // Compilation made sure that every reference has its source; a recovery asks before.
            let Some(source) = settings.source(&reference.source) else { continue };
            let session = sessions.get(&reference.source).await?;
            let facts = TableFacts::load(session, &reference.table).await?;
            let column = ReferenceColumn::fit(source, reference, facts.as_ref())
                .map_err(|unfit| CustodyError::Reference { store: store.name.clone(), unfit })?;
            if !references.iter().any(|(known, _)| known.is_same(&column)) {
                let odd = column.odd_names(session, store).await?;
                references.push((column, odd));
            }
        }
        Ok(Self { store: store.clone(), open, references })
    }

    /// Those of `paths` that a row still names, rows that are gone left out.
    async fn named(
        &self,
        sessions: &mut Sessions,
        paths: &[StorePath],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let mut named = HashSet::new();
        for (column, odd) in &self.references {
            let session = sessions.get(&column.source).await?;
            named.extend(column.named(session, &self.store, paths, gone).await?);
            if paths.iter().any(|path| odd.may_name(path)) {
                let oddly = column.oddly_named(session, &self.store, gone).await?;
                named.extend(paths.iter().filter(|path| oddly.contains(path)).cloned());
            }
        }
        Ok(named)
    }

    async fn act(&self, paths: Vec<StorePath>, action: Action<'_>) -> Vec<(StorePath, Outcome)> {
        let doomed = paths.into_iter().map(Doomed::file).collect();
        let stop = CancellationToken::new();
        match action {
            Action::Remove { decided_at } => self.open.remove(doomed, decided_at, &stop).await,
            Action::Examine { decided_at, .. } => self.open.examine(doomed, decided_at, &stop, None).await,
        }
    }
}

/// What to do with files that nobody names any more.
#[derive(Clone, Copy)]
pub(super) enum Action<'a> {
    Remove {
        decided_at: Timestamp,
    },
    /// A plan: look only, and take some rows for gone.
    Examine {
        decided_at: Timestamp,
        gone: &'a [Gone],
    },
}

impl<'a> Action<'a> {
    fn gone(self) -> &'a [Gone] {
        match self {
            Action::Remove { .. } => &[],
            Action::Examine { gone, .. } => gone,
        }
    }
}

/// What became of some files.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) account: Account,
    pub(super) still_owed: Vec<IntentItem>,
    /// Files of which it could not be asked whether a row names them; among those still owed.
    pub(super) unknown: usize,
    /// Files that went or would go, with their sizes; missing ones have none.
    pub(super) gone: Vec<(IntentItem, Option<u64>)>,
}

/// Takes care of files whose rows are gone: keeps what is still named, removes (or examines) the rest.
pub(super) async fn settle(
    custodies: &[Custody],
    sessions: &mut Sessions,
    items: Vec<IntentItem>,
    action: Action<'_>,
) -> Settled {
    let mut settled = Settled::default();
    for custody in custodies {
        let mine: Vec<_> = items.iter().filter(|item| item.store == custody.store.name).cloned().collect();
        for some in mine.chunks(FILES_AT_ONCE) {
            settle_some(custody, sessions, some, action, &mut settled).await;
        }
    }
    settled.account.tally.files_owed = settled.still_owed.len() as u64;
    settled
}

async fn settle_some(
    custody: &Custody,
    sessions: &mut Sessions,
    items: &[IntentItem],
    action: Action<'_>,
    settled: &mut Settled,
) {
    let paths: Vec<_> = items.iter().map(|item| item.path.clone()).collect();
    let named = match custody.named(sessions, &paths, action.gone()).await {
        Ok(named) => named,
        Err(error) => {
            let why = format!("kept for now, because it is not known whether a row still names it: {}", chain(&error));
            for item in items {
                settled.account.fail(Some(item.key.clone()), Some(item.path.to_string()), why.clone());
            }
            settled.account.tally.files_matched += items.len() as u64;
            settled.unknown += items.len();
            settled.still_owed.extend_from_slice(items);
            return;
        }
    };
    settled.account.tally.files_referenced += named.len() as u64;
    let by_path: HashMap<_, _> = items.iter().map(|item| (item.path.clone(), item)).collect();
    let free: Vec<_> = paths.into_iter().filter(|path| !named.contains(path)).collect();
    for (path, outcome) in custody.act(free, action).await {
        if let Some(item) = by_path.get(&path) {
            settled.count(custody, item, outcome);
        }
    }
}

impl Settled {
    fn count(&mut self, custody: &Custody, item: &IntentItem, outcome: Outcome) {
        self.account.tally.files_matched += 1;
        match outcome {
            Outcome::Removed { files, size_bytes } => {
                self.count_removed(custody, files, size_bytes);
                self.gone.push((item.clone(), Some(size_bytes)));
            }
            Outcome::Partly(part) => self.count_part(custody, item, part),
            Outcome::Missing => {
                let tally = &mut self.account.tally;
                tally.files_missing += 1;
                tally.stores.entry(custody.store.name.to_string()).or_default().files_missing += 1;
                self.gone.push((item.clone(), None));
            }
            Outcome::Kept(why) => {
                let why = format!("kept: {why}");
                self.account.fail(Some(item.key.clone()), Some(item.path.to_string()), why);
            }
            Outcome::Failed(why) => {
                self.account.fail(Some(item.key.clone()), Some(item.path.to_string()), why);
                self.still_owed.push(item.clone());
            }
            Outcome::Stopped => self.still_owed.push(item.clone()),
        }
    }

    fn count_removed(&mut self, custody: &Custody, files: u64, size_bytes: u64) {
        let tally = &mut self.account.tally;
        let store = tally.stores.entry(custody.store.name.to_string()).or_default();
        tally.files_deleted += files;
        tally.bytes_reclaimed += size_bytes;
        store.files_deleted += files;
        store.bytes_reclaimed += size_bytes;
    }

    fn count_part(&mut self, custody: &Custody, item: &IntentItem, part: Part) {
        self.count_removed(custody, part.files, part.size_bytes);
        if part.is_owed() {
            self.still_owed.push(item.clone());
        }
        for left in part.left {
            let why = match left.why {
                Why::Kept(why) => format!("kept: {why}"),
                Why::Failed(why) => why,
            };
            self.account.fail(Some(item.key.clone()), Some(left.path), why);
        }
    }
}
