//! Memory of a plan from one policy to the next: rows and files that a run would have taken by then.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use crate::policy::{FilePath, FilesPolicy, Name, OrphansPolicy, Policy, PolicyKind, TableName};
use crate::sources::Gone;
use crate::stores::{Inside, Listener, Look, Outcome, RawPath};

/// Rows and files that would be gone.
pub(super) struct Foreseen {
    pub(super) rows: Vec<Gone>,
    pub(super) files: GoneFiles,
}

/// Files that would be gone, of the stores in which one may be read again: by another owner, or in a directory. Elsewhere
/// a file goes with the last row that names it, and nothing is remembered.
#[derive(Clone, Default)]
pub(super) struct GoneFiles {
    stores: HashMap<Name, Arc<GoneInStore>>,
}

/// Fingerprints of paths. Two files of one fingerprint make one of them look missing, in a plan.
#[derive(Default)]
pub(super) struct GoneInStore {
    paths: Mutex<HashSet<u64>>,
}

impl Foreseen {
    /// Nothing is gone yet.
    pub(super) fn new(policies: &[Arc<Policy>]) -> Self {
        Self { rows: Vec::new(), files: GoneFiles::new(policies) }
    }
}

impl GoneFiles {
    fn new(policies: &[Arc<Policy>]) -> Self {
        let mut owners: HashMap<&Name, Vec<(&Name, &TableName, &FilePath)>> = HashMap::new();
        let mut stores = HashMap::new();
        for policy in policies {
            let rows = match &policy.kind {
                PolicyKind::Rows(rows) => rows,
                // What it takes, a later policy may meet as a file of its rows.
                PolicyKind::Files(FilesPolicy { store, .. }) | PolicyKind::Orphans(OrphansPolicy { store, .. }) => {
                    stores.entry(store.clone()).or_default();
                    continue;
                }
            };
            for (table, file) in rows.owned_files() {
                let known = owners.entry(&file.store).or_default();
                let owner = (&rows.source, table, &file.path);
                if !known.contains(&owner) {
                    known.push(owner);
                }
                // A row that is updated is still there to name its file.
                if known.len() > 1 || file.directory || rows.action != crate::policy::Action::Delete {
                    stores.entry(file.store.clone()).or_default();
                }
            }
        }
        Self { stores }
    }

    /// A copy apart from these: for a policy that takes nothing in the end.
    pub(super) fn apart(&self) -> Self {
        let copy = |store: &GoneInStore| GoneInStore { paths: Mutex::new(store.lock().clone()) };
        let stores = self.stores.iter().map(|(name, store)| (name.clone(), Arc::new(copy(store))));
        Self { stores: stores.collect() }
    }

    /// Files of a store that are remembered, if any are.
    pub(super) fn of(&self, store: &Name) -> Option<&Arc<GoneInStore>> {
        self.stores.get(store)
    }
}

impl GoneInStore {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        // A set of numbers is whole whatever happened to a thread that held it.
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A look that knows what is gone.
    pub(super) fn knowing(self: &Arc<Self>) -> Look {
        let knows = Arc::clone(self);
        let gone = move |path: &str| knows.lock().contains(&fingerprint(path));
        Look { listener: None, gone: Some(Arc::new(gone)) }
    }

    /// A look that knows what is gone, and remembers each file in a directory for the next one.
    pub(super) fn look(self: &Arc<Self>, listener: Option<Listener>) -> Look {
        let hears = Arc::clone(self);
        let hear = move |inside: Inside| {
            hears.lock().insert(fingerprint(&inside.path));
            if let Some(listener) = &listener {
                listener(inside);
            }
        };
        Look { listener: Some(Arc::new(hear)), ..self.knowing() }
    }

    /// True if nothing would be gone.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// True if a file that a walk comes across would be gone by then.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.lock().contains(&fingerprint(&String::from_utf8_lossy(path)))
    }

    /// Remembers what would be gone after a look.
    pub(super) fn remember(&self, outcomes: &[(RawPath, Outcome)]) {
        let removed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Removed { .. }));
        self.lock().extend(removed.map(|(path, _)| fingerprint(&path.to_string())));
    }
}

fn fingerprint(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}
