//! Who owns a file: the stores of a policy, opened, with every column that may still name their files.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::foreseen::GoneFiles;
use super::sessions::Sessions;
use crate::ledger::{IntentItem, RunId, Tally};
use crate::policy::{Name, Settings, Store, StorePath};
use crate::sources::{ErrorKind, Gone, NamedBy, OddNames, ReferenceColumn, SourceError, TableFacts, Unfit};
use crate::stores::{Doomed, Listener, Look, OpenStore, Outcome, Part, RawPath, StoreError, Way};
use crate::telemetry::chain;

/// Files that are asked about and removed together: few, so that little time passes between the two.
const FILES_AT_ONCE: usize = 1000;

/// A store, opened, with the columns that name its files.
pub(super) struct Custody {
    pub(super) store: Arc<Store>,
    /// Whose trash files go to, where the store has one.
    run_id: RunId,
    pub(super) open: OpenStore,
    pub(super) references: Vec<Naming>,
}

/// Rows that name files of a store.
pub(super) struct Naming {
    pub(super) column: ReferenceColumn,
    pub(super) odd: OddNames,
    /// The operator, or a policy that removes files of these rows, says so; what is merely implied may not be there.
    pub(super) declared: bool,
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
    /// Opens a store; `owners` name its files beside the declared references, and are asked in their place.
    pub(super) async fn open(
        store: &Arc<Store>,
        owners: &[NamedBy],
        settings: &Settings,
        sessions: &mut Sessions,
        run_id: RunId,
    ) -> Result<Self, CustodyError> {
        let mut custody = Self::open_unread(store, owners, settings, sessions, run_id).await?;
        for naming in &mut custody.references {
            let session = sessions.get(&naming.column.source).await?;
            naming.odd = naming.column.odd_names(session, store).await?;
        }
        Ok(custody)
    }

    /// The same, without the odd spellings: for a scan, which reads every row anyhow.
    pub(super) async fn open_unread(
        store: &Arc<Store>,
        owners: &[NamedBy],
        settings: &Settings,
        sessions: &mut Sessions,
        run_id: RunId,
    ) -> Result<Self, CustodyError> {
        let open = OpenStore::open(store)?;
        let mut references: Vec<Naming> = Vec::new();
        let certain = owners.iter().cloned().chain(store.references.iter().map(NamedBy::from));
        let certain = certain.map(|reference| (reference, true));
        let implied = implied(store, settings).into_iter().map(|reference| (reference, false));
        for (reference, is_certain) in certain.chain(implied) {
            // Compilation made sure that every reference has its source; a recovery asks before.
            let Some(source) = settings.source(&reference.source) else { continue };
            let session = sessions.get(&reference.source).await?;
            let facts = TableFacts::load(session, &reference.table).await?;
            let column = match ReferenceColumn::fit(source, &reference, facts.as_ref()) {
                Ok(column) => column,
                Err(unfit) if is_certain => {
                    return Err(CustodyError::Reference { store: store.name.clone(), unfit });
                }
                // Another policy's misfit: its own run tells of it, and rows that are not there name nothing.
                Err(_) => continue,
            };
            if !references.iter().any(|known| known.column.is_same(&column)) {
                references.push(Naming { column, odd: OddNames::default(), declared: is_certain });
            }
        }
        Ok(Self { store: store.clone(), run_id, open, references })
    }

    /// Those of `doomed` that a row still names, rows that are gone left out; what is named beneath a directory is
    /// spared.
    pub(super) async fn spare_named(
        &self,
        sessions: &mut Sessions,
        doomed: &mut [Doomed],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        if self.references.is_empty() {
            return Ok(HashSet::new());
        }
        match self.ask_named(sessions, doomed, gone).await {
            // Asking changes nothing, so what a lost connection left open is asked again.
            Err(error) if error.kind == ErrorKind::Lost => self.ask_named(sessions, doomed, gone).await,
            asked => asked,
        }
    }

    async fn ask_named(
        &self,
        sessions: &mut Sessions,
        doomed: &mut [Doomed],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let paths: Vec<_> = doomed.iter().filter_map(|doomed| doomed.path.text()).collect();
        // Only where directories are referenced does it matter in which ones a file is.
        let asks_around = self.references.iter().any(|naming| naming.column.directory);
        let around: HashSet<_> = paths.iter().filter(|_| asks_around).flat_map(StorePath::ancestors).collect();
        let around: Vec<_> = around.into_iter().collect();
        let directories: Vec<_> =
            doomed.iter().filter(|doomed| doomed.directory).filter_map(|doomed| doomed.path.text()).collect();
        let (mut named, mut beneath) = (HashSet::new(), HashSet::new());
        for Naming { column, odd, .. } in &self.references {
            let session = sessions.get(&column.source).await?;
            named.extend(column.named(session, &self.store, &paths, gone).await?);
            beneath.extend(column.named_beneath(session, &self.store, &directories, gone).await?);
            if column.directory && !around.is_empty() {
                let held = column.named(session, &self.store, &around, gone).await?;
                named.extend(paths.iter().filter(|path| path.ancestors().any(|above| held.contains(&above))).cloned());
            }
            let any_odd = (!directories.is_empty() || column.directory) && !odd.is_empty();
            if any_odd || paths.iter().any(|path| odd.may_name(path)) {
                let oddly = column.oddly_named(session, &self.store, gone).await?;
                let holds = |path: &StorePath| column.directory && path.ancestors().any(|above| oddly.contains(&above));
                named.extend(paths.iter().filter(|path| oddly.contains(path) || holds(path)).cloned());
                beneath.extend(oddly);
            }
        }
        for doomed in doomed.iter_mut().filter(|doomed| doomed.directory) {
            let Some(directory) = doomed.path.text() else { continue };
            doomed.spared = beneath.iter().filter(|path| path.is_beneath(&directory)).cloned().collect();
        }
        Ok(named)
    }

    /// How files of the store go.
    pub(super) fn way(&self) -> Way {
        match self.store.trash {
            Some(_) => Way::Trash { run: self.run_id },
            None => Way::Unlink,
        }
    }

    /// Removes (or examines) what nobody names any more.
    pub(super) async fn act(&self, doomed: Vec<Doomed>, action: Action<'_>) -> Vec<(RawPath, Outcome)> {
        match action {
            Action::Remove { decided_at, stop } => self.open.remove(doomed, decided_at, self.way(), stop).await,
            Action::Examine { decided_at, stop, listener, files, .. } => {
                let listener = listener.map(|listener| listener(&self.store.name));
                let Some(gone) = files.of(&self.store.name) else {
                    return self.open.examine(doomed, decided_at, stop, Look { listener, gone: None }).await;
                };
                let outcomes = self.open.examine(doomed, decided_at, stop, gone.look(listener)).await;
                gone.remember(&outcomes);
                outcomes
            }
        }
    }
}

/// What other policies say of the store's files: whoever owns a file there names it, whether declared or not.
fn implied(store: &Store, settings: &Settings) -> Vec<NamedBy> {
    let mut implied = Vec::new();
    for (_, rows, table, file) in settings.owned_in(&store.name) {
        let named_by = NamedBy::owner(rows.source.clone(), table.clone(), file, Vec::new());
        if !implied.contains(&named_by) {
            implied.push(named_by);
        }
    }
    implied
}

/// What to do with files that nobody names any more.
#[derive(Clone, Copy)]
pub(super) enum Action<'a> {
    Remove {
        decided_at: Timestamp,
        stop: &'a CancellationToken,
    },
    /// A plan: look only, and take some rows for gone.
    Examine {
        decided_at: Timestamp,
        stop: &'a CancellationToken,
        gone: &'a [Gone],
        /// Files that would be gone by now.
        files: &'a GoneFiles,
        /// Makes what hears of each file in a directory of a store.
        listener: Option<&'a (dyn Fn(&Name) -> Listener + Sync)>,
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
    /// Files that a row still names.
    pub(super) named: usize,
    /// Files and directories that went or would go, with their sizes; missing ones have none.
    pub(super) gone: Vec<(IntentItem, Option<u64>)>,
    /// Files that could not be removed now, and why the last of them could not.
    pub(super) failed: u64,
    pub(super) last_failure: Option<String>,
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
        let mine: Vec<_> = items.iter().filter(|item| item.owner.store == custody.store.name).cloned().collect();
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
    let doomed = |item: &IntentItem| match item.owner.directory {
        true => Doomed::directory(item.path.clone()),
        false => Doomed::file(item.path.clone()),
    };
    let mut all: Vec<_> = items.iter().map(doomed).collect();
    let named = match custody.spare_named(sessions, &mut all, action.gone()).await {
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
    let spared = all.iter().map(|doomed| doomed.spared.len()).sum::<usize>();
    settled.named += named.len();
    settled.account.tally.files_referenced += (named.len() + spared) as u64;
    let (free, doomed): (Vec<_>, Vec<_>) =
        items.iter().zip(all).filter(|(item, _)| !named.contains(&item.path)).unzip();
    let outcomes = custody.act(doomed, action).await;
    for (item, (_, outcome)) in free.into_iter().zip(outcomes) {
        settled.count(custody, item, outcome);
    }
}

impl Settled {
    fn count(&mut self, custody: &Custody, item: &IntentItem, outcome: Outcome) {
        self.account.tally.files_matched += match &outcome {
            Outcome::Removed { files, .. } | Outcome::Trashed { files, .. } => *files,
            Outcome::Partly(part) => part.files + part.kept + part.failed,
            Outcome::Missing | Outcome::Kept(_) | Outcome::Mismatch(_) | Outcome::Failed(_) | Outcome::Stopped => 1,
        };
        match outcome {
            Outcome::Removed { files, size_bytes } | Outcome::Trashed { files, size_bytes } => {
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
                let why = format!("kept: the file stays: {why}");
                self.account.fail(Some(item.key.clone()), Some(item.path.to_string()), why);
            }
            Outcome::Mismatch(why) => {
                let what = if item.owner.directory { "directory" } else { "file" };
                let why = format!(
                    "kept: what has the path of the row's {what} stays, and is pending until it is gone or is a {what}: {why}"
                );
                self.account.fail(Some(item.key.clone()), Some(item.path.to_string()), why);
                self.still_owed.push(item.clone());
            }
            Outcome::Failed(why) => {
                self.failed += 1;
                self.last_failure = Some(why.clone());
                self.account.fail(Some(item.key.clone()), Some(item.path.to_string()), why);
                self.still_owed.push(item.clone());
            }
            Outcome::Stopped => self.still_owed.push(item.clone()),
        }
    }

    /// Counts what was not there as removed, by whoever began and died before it was counted; how large it was is not known.
    pub(super) fn presume_removed(&mut self, custodies: &[Custody]) {
        let missing: Vec<Name> =
            self.gone.iter().filter(|(_, size)| size.is_none()).map(|(item, _)| item.owner.store.clone()).collect();
        for custody in custodies {
            let files = missing.iter().filter(|store| **store == custody.store.name).count() as u64;
            let tally = &mut self.account.tally;
            tally.files_missing -= files;
            if let Some(share) = tally.stores.get_mut(custody.store.name.as_str()) {
                share.files_missing -= files;
            }
            if files > 0 {
                self.count_removed(custody, files, 0);
            }
        }
    }

    fn count_removed(&mut self, custody: &Custody, files: u64, size_bytes: u64) {
        let store = custody.store.name.to_string();
        // A plan tells the same of a store with a trash as its run.
        let trashed = custody.store.trash.is_some();
        self.account.tally.add(&Tally::of_files(store, files, size_bytes, trashed));
    }

    fn count_part(&mut self, custody: &Custody, item: &IntentItem, part: Part) {
        self.count_removed(custody, part.files, part.size_bytes);
        if part.is_owed() {
            self.still_owed.push(item.clone());
        }
        for left in part.left {
            self.account.fail(Some(item.key.clone()), Some(left.path), left.why.to_string());
        }
    }
}
