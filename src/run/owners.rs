//! Files whose rows are gone: what rows still name is kept, the rest is removed, and what became of each is counted.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::plan_state::GoneFiles;
use super::referenced_store::{Naming, ReferencedStore};
use super::sessions::Sessions;
use super::spellings::{self, Meant};
use crate::decide::files::FileReasonKind;
use crate::ledger::IntentItem;
use crate::outcome::Tally;
use crate::policy::{Name, Settings, StorePath};
use crate::sources::{ErrorKind, Gone, SourceError};
use crate::stores::{Listener, Look, Outcome, Part, RawPath, RemovalRequest};
use crate::text::{chain, cut};

/// Files that are asked about and removed together: few, so that little time passes between the two.
const FILES_AT_ONCE: usize = 1000;

impl ReferencedStore {
    /// Those of `removals` that a row still names, rows that are gone left out; what is named beneath a directory is
    /// kept.
    pub(super) async fn keep_named(
        &self,
        sessions: &mut Sessions,
        removals: &mut [RemovalRequest],
        gone: &[Gone],
        meant: &Meant,
    ) -> Result<HashSet<StorePath>, SourceError> {
        if self.references.is_empty() {
            return Ok(HashSet::new());
        }
        match self.ask_named(sessions, removals, gone, meant).await {
            // Asking changes nothing, so what a lost connection left open is asked again.
            Err(error) if error.kind == ErrorKind::Lost => self.ask_named(sessions, removals, gone, meant).await,
            asked => asked,
        }
    }

    async fn ask_named(
        &self,
        sessions: &mut Sessions,
        removals: &mut [RemovalRequest],
        gone: &[Gone],
        meant: &Meant,
    ) -> Result<HashSet<StorePath>, SourceError> {
        let paths: Vec<_> = removals.iter().filter_map(|removal| removal.path.text()).collect();
        // Only where directories are referenced does it matter in which ones a file is.
        let asks_around = self.references.iter().any(|naming| naming.column.directory);
        let around: HashSet<_> = paths.iter().filter(|_| asks_around).flat_map(StorePath::ancestors).collect();
        let around: Vec<_> = around.into_iter().collect();
        let directories: Vec<_> =
            removals.iter().filter(|removal| removal.directory).filter_map(|removal| removal.path.text()).collect();
        let (mut named, mut beneath) = (HashSet::new(), HashSet::new());
        for Naming { column, .. } in &self.references {
            let session = sessions.get(&column.source).await?;
            named.extend(column.named(session, &self.store, &paths, gone).await?);
            beneath.extend(column.named_beneath(session, &self.store, &directories, gone).await?);
            if column.directory && !around.is_empty() {
                let held = column.named(session, &self.store, &around, gone).await?;
                named.extend(paths.iter().filter(|path| path.ancestors().any(|above| held.contains(&above))).cloned());
            }
        }
        for removal in removals.iter_mut().filter(|removal| removal.directory) {
            let Some(directory) = removal.path.text() else { continue };
            removal.kept = beneath.iter().filter(|path| path.is_beneath(&directory)).cloned().collect();
        }
        named.extend(meant.kept(self, sessions, removals, gone).await?);
        Ok(named)
    }

    /// Removes (or examines) what nobody names any more.
    pub(super) async fn act(&self, removals: Vec<RemovalRequest>, action: Action<'_>) -> Vec<(RawPath, Outcome)> {
        match action {
            Action::Remove { decided_at, stop } => self.open.remove(removals, decided_at, self.way(), stop).await,
            Action::Examine { decided_at, stop, listener, files, .. } => {
                let listener = listener.map(|listener| listener(&self.store.name));
                let Some(gone) = files.of(&self.store.name) else {
                    return self.open.examine(removals, decided_at, stop, Look { listener, gone: None }).await;
                };
                let outcomes = self.open.examine(removals, decided_at, stop, gone.look(listener)).await;
                gone.remember(&outcomes);
                outcomes
            }
        }
    }
}

/// Action on files that nobody names any more.
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

/// Fates of some files.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) account: Account,
    pub(super) still_pending: Vec<IntentItem>,
    /// Files of which it could not be asked whether a row names them; among those still pending.
    pub(super) unknown: usize,
    /// Files that a row still names.
    pub(super) named: usize,
    /// Files and directories that went or would go, with their sizes; missing ones have none.
    pub(super) gone: Vec<(IntentItem, Option<u64>)>,
    /// Files that could not be removed now, and why the last of them could not.
    pub(super) failed: u64,
    pub(super) last_failure: Option<String>,
}

/// Files that the rows of the references of each store mean by unusual spellings, in the order of the stores.
pub(super) type Searched = Result<Vec<Meant>, SourceError>;

/// True if that took connections of their own, because tables have many rows: then files wait for it together.
pub(super) fn reads_long(searched: &Searched) -> bool {
    searched.as_ref().is_ok_and(|all| all.iter().any(|meant| meant.reads_long))
}

/// Reads what rows mean by unusual spellings of some files whose rows are gone.
pub(super) async fn search_all(
    referenced_stores: &[ReferencedStore],
    settings: &Settings,
    sessions: &mut Sessions,
    items: impl IntoIterator<Item = &IntentItem> + Clone,
) -> Searched {
    let mut all = Vec::with_capacity(referenced_stores.len());
    for referenced in referenced_stores {
        let mine = items.clone().into_iter().filter(|item| item.owner.store == referenced.store.name);
        let mine: Vec<_> = mine.map(|item| (item.path.clone(), item.owner.directory)).collect();
        all.push(match spellings::search(referenced, settings, sessions, &mine).await {
            Err(error) if error.kind == ErrorKind::Lost => {
                spellings::search(referenced, settings, sessions, &mine).await?
            }
            searched => searched?,
        });
    }
    Ok(all)
}

/// Files that later batches take care of: for those before, they are named still, as if they had been asked about in time.
#[derive(Default)]
pub(super) struct Later(HashMap<Name, BTreeMap<StorePath, Waits>>);

/// Number of batches that name a path, and of those that name it as a directory.
#[derive(Default)]
struct Waits {
    batches: usize,
    as_directory: usize,
}

impl Later {
    pub(super) fn add(&mut self, items: &[IntentItem]) {
        for item in items {
            let paths = self.0.entry(item.owner.store.clone()).or_default();
            let waits = paths.entry(item.path.clone()).or_default();
            waits.batches += 1;
            waits.as_directory += usize::from(item.owner.directory);
        }
    }

    /// Takes out the items of a batch whose turn it is.
    pub(super) fn remove(&mut self, items: &[IntentItem]) {
        for item in items {
            let Some(paths) = self.0.get_mut(&item.owner.store) else { continue };
            let Some(waits) = paths.get_mut(&item.path) else { continue };
            waits.batches -= 1;
            waits.as_directory -= usize::from(item.owner.directory);
            if waits.batches == 0 {
                paths.remove(&item.path);
            }
        }
    }

    fn keep(&self, store: &Name, removals: &mut [RemovalRequest], mut named: HashSet<StorePath>) -> HashSet<StorePath> {
        let Some(later) = self.0.get(store) else { return named };
        for removal in removals {
            let Some(path) = removal.path.text() else { continue };
            let within = path.ancestors().any(|above| later.get(&above).is_some_and(|waits| waits.as_directory > 0));
            if removal.directory {
                // What lies beneath a path follows it in the order of paths, behind others that begin alike.
                let beneath =
                    later.range(path.clone()..).take_while(|(other, _)| other.as_str().starts_with(path.as_str()));
                removal.kept.extend(beneath.map(|(other, _)| other).filter(|other| other.is_beneath(&path)).cloned());
            }
            if within || later.contains_key(&path) {
                named.insert(path);
            }
        }
        named
    }
}

/// Takes care of files whose rows are gone: keeps what is still named, removes (or examines) the rest.
pub(super) async fn settle(
    referenced_stores: &[ReferencedStore],
    (searched, later): (&Searched, &Later),
    sessions: &mut Sessions,
    items: Vec<IntentItem>,
    action: Action<'_>,
) -> Settled {
    let mut settled = Settled::default();
    for (place, referenced) in referenced_stores.iter().enumerate() {
        let mine: Vec<_> = items.iter().filter(|item| item.owner.store == referenced.store.name).cloned().collect();
        for some in mine.chunks(FILES_AT_ONCE) {
            match searched {
                Ok(all) => settle_some(referenced, (&all[place], later), sessions, some, action, &mut settled).await,
                Err(error) => settled.leave(some, error),
            }
        }
    }
    settled.account.tally.files_pending = settled.still_pending.len() as u64;
    settled
}

async fn settle_some(
    referenced: &ReferencedStore,
    (meant, later): (&Meant, &Later),
    sessions: &mut Sessions,
    items: &[IntentItem],
    action: Action<'_>,
    settled: &mut Settled,
) {
    let removal = |item: &IntentItem| match item.owner.directory {
        true => RemovalRequest::directory(item.path.clone()),
        false => RemovalRequest::file(item.path.clone()),
    };
    let mut all: Vec<_> = items.iter().map(removal).collect();
    let named = match referenced.keep_named(sessions, &mut all, action.gone(), meant).await {
        Ok(named) => later.keep(&referenced.store.name, &mut all, named),
        Err(error) => return settled.leave(items, &error),
    };
    let kept = all.iter().map(|removal| removal.kept.len()).sum::<usize>();
    settled.named += named.len();
    settled.account.tally.files_referenced += (named.len() + kept) as u64;
    let (free, removal): (Vec<_>, Vec<_>) =
        items.iter().zip(all).filter(|(item, _)| !named.contains(&item.path)).unzip();
    let outcomes = referenced.act(removal, action).await;
    for (item, (_, outcome)) in free.into_iter().zip(outcomes) {
        settled.count(referenced, item, outcome);
    }
}

impl Settled {
    /// Leaves files of which it could not be asked whether a row names them.
    fn leave(&mut self, items: &[IntentItem], error: &SourceError) {
        let why = format!("kept for now, because it is not known whether a row still names it: {}", chain(error));
        for item in items {
            self.keep(item, FileReasonKind::NamesUnknown.word(), why.clone());
            self.wait(item, Some(why.clone()));
        }
        self.account.tally.files_matched += items.len() as u64;
        self.unknown += items.len();
    }

    fn count(&mut self, referenced: &ReferencedStore, item: &IntentItem, outcome: Outcome) {
        self.account.tally.files_matched += match &outcome {
            Outcome::Removed { files, .. } | Outcome::Trashed { files, .. } => *files,
            Outcome::Partly(part) => part.files + part.kept + part.failed,
            Outcome::Missing | Outcome::Kept(_) | Outcome::Mismatch(_) | Outcome::Failed(_) | Outcome::Stopped => 1,
        };
        match outcome {
            Outcome::Removed { files, size_bytes } | Outcome::Trashed { files, size_bytes } => {
                self.count_removed(referenced, files, size_bytes);
                self.gone.push((item.clone(), Some(size_bytes)));
            }
            Outcome::Partly(part) => self.count_part(referenced, item, part),
            Outcome::Missing => {
                let tally = &mut self.account.tally;
                tally.files_missing += 1;
                tally.stores.entry(referenced.store.name.to_string()).or_default().files_missing += 1;
                self.gone.push((item.clone(), None));
            }
            Outcome::Kept(why) => self.keep(item, why.word(), format!("kept: the file stays: {why}")),
            Outcome::Mismatch(why) => {
                let what = if item.owner.directory { "directory" } else { "file" };
                let text = format!(
                    "kept: what has the path of the row's {what} stays, and is pending until it is gone or is a {what}: {why}"
                );
                self.keep(item, why.word(), text);
                self.wait(item, Some(why.to_string()));
            }
            Outcome::Failed(why) => {
                self.failed += 1;
                self.last_failure = Some(why.to_string());
                self.keep(item, why.stays().and_then(|stays| stays.word()), why.to_string());
                self.wait(item, Some(why.to_string()));
            }
            Outcome::Stopped => self.wait(item, item.why.clone()),
        }
    }

    /// Counts what was not there as removed, by whoever began and died before it was counted; how large it was is not known.
    pub(super) fn presume_removed(&mut self, referenced_stores: &[ReferencedStore]) {
        let missing: Vec<Name> =
            self.gone.iter().filter(|(_, size)| size.is_none()).map(|(item, _)| item.owner.store.clone()).collect();
        for referenced in referenced_stores {
            let files = missing.iter().filter(|store| **store == referenced.store.name).count() as u64;
            let tally = &mut self.account.tally;
            tally.files_missing -= files;
            if let Some(share) = tally.stores.get_mut(referenced.store.name.as_str()) {
                share.files_missing -= files;
            }
            if files > 0 {
                self.count_removed(referenced, files, 0);
            }
        }
    }

    fn count_removed(&mut self, referenced: &ReferencedStore, files: u64, size_bytes: u64) {
        let store = referenced.store.name.to_string();
        // A plan tells the same of a store with a trash as its run.
        let trashed = referenced.store.trash.is_some();
        self.account.tally.add(&Tally::of_files(store, files, size_bytes, trashed));
    }

    fn count_part(&mut self, referenced: &ReferencedStore, item: &IntentItem, part: Part) {
        self.count_removed(referenced, part.files, part.size_bytes);
        if part.is_pending() {
            let first = part.left.first().map(|left| format!("{}: {}", left.path, left.why));
            self.wait(item, first.or_else(|| item.why.clone()));
        }
        for left in part.left {
            let reason = left.why.stays().and_then(|stays| stays.word());
            self.account.keep(Some(item.key.clone()), Some(left.path), reason, left.why.to_string());
        }
    }

    /// Leaves a file pending, with what the attempt came to.
    fn wait(&mut self, item: &IntentItem, why: Option<String>) {
        self.still_pending.push(IntentItem { why: why.map(cut), ..item.clone() });
    }

    fn keep(&mut self, item: &IntentItem, reason: Option<String>, why: String) {
        self.account.keep(Some(item.key.clone()), Some(item.path.to_string()), reason, why);
    }
}
