//! A store of a policy, opened, with every column that may still name its files.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::sessions::Sessions;
use crate::decide::blocked::Blocked;
use crate::outcome::RunId;
use crate::policy::{Name, Namer, Settings, Store};
use crate::sources::{NamedBy, ReferenceColumn, SourceError, TableFacts, Unfit};
use crate::stores::{OpenStore, StoreError, Way};
use crate::text::chain;

/// A store, opened, with the columns that name its files.
pub(super) struct ReferencedStore {
    pub(super) store: Arc<Store>,
    /// The run whose trash files go to, where the store has one.
    run_id: RunId,
    pub(super) open: OpenStore,
    pub(super) references: Vec<Naming>,
}

/// Rows that name files of a store.
pub(super) struct Naming {
    pub(super) column: ReferenceColumn,
    /// The operator declared it as a reference.
    pub(super) declared: bool,
    pub(super) may_be_missing: bool,
    pub(super) may_be_empty: bool,
}

impl Naming {
    fn new(column: ReferenceColumn, namer: Option<&Namer<'_>>) -> Self {
        let reference = namer.map(|namer| &namer.reference);
        Self {
            column,
            declared: namer.is_some_and(|namer| namer.declared),
            may_be_missing: reference.is_some_and(|reference| reference.may_be_missing),
            may_be_empty: reference.is_some_and(|reference| reference.may_be_empty),
        }
    }

    /// Takes over what another one says of the same columns.
    fn absorb(&mut self, other: Naming) {
        let Naming { column, declared, may_be_missing, may_be_empty } = other;
        self.column.absorb(column);
        self.declared |= declared;
        self.may_be_missing |= may_be_missing;
        self.may_be_empty |= may_be_empty;
    }
}

/// Reason that a store's files cannot be taken care of.
#[derive(Debug)]
pub(super) struct ReferencedStoreError {
    store: Name,
    cause: Unavailable,
}

/// Part of a store that cannot be had.
#[derive(Debug, thiserror::Error)]
enum Unavailable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("a reference of store {store} does not fit: {unfit}")]
    Reference { store: Name, reference: String, unfit: Unfit },
}

impl fmt::Display for ReferencedStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for ReferencedStoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl ReferencedStoreError {
    /// Reason that a policy takes nothing because of it.
    pub(super) fn blocks(&self) -> Blocked {
        let (source, reference) = match &self.cause {
            Unavailable::Store(_) => (None, None),
            Unavailable::Source(error) => (Some(error.source_name.clone()), None),
            Unavailable::Reference { reference, .. } => (None, Some(reference.clone())),
        };
        Blocked::StoreUnavailable { store: self.store.clone(), source, reference, why: chain(self) }
    }
}

impl ReferencedStore {
    /// Opens a store; `owners` name its files beside all that the configuration says.
    pub(super) async fn open(
        store: &Arc<Store>,
        owners: &[NamedBy],
        settings: &Settings,
        sessions: &mut Sessions,
        run_id: RunId,
    ) -> Result<Self, ReferencedStoreError> {
        let opened = Self::open_all(store, owners, settings, sessions, run_id).await;
        opened.map_err(|cause| ReferencedStoreError { store: store.name.clone(), cause })
    }

    async fn open_all(
        store: &Arc<Store>,
        owners: &[NamedBy],
        settings: &Settings,
        sessions: &mut Sessions,
        run_id: RunId,
    ) -> Result<Self, Unavailable> {
        let open = OpenStore::open(store)?;
        let mut references: Vec<Naming> = Vec::new();
        let own = owners.iter().map(|owner| (owner.clone(), None));
        let all = settings.references_of(store);
        for (named_by, namer) in own.chain(all.iter().map(|namer| (NamedBy::from(namer), Some(namer)))) {
            // Compilation made sure that every reference has its source; a recovery asks before.
            let Some(source) = settings.source(&named_by.source) else { continue };
            let session = sessions.get(&named_by.source).await?;
            let facts = TableFacts::load(session, &named_by.table).await?;
            let implied = namer.is_some_and(|namer| !namer.declared);
            let column = match ReferenceColumn::fit(source, &named_by, facts.as_ref()) {
                Ok(column) => column,
                // Rows of a table that is not there name nothing; its policy's own run tells of it.
                Err(Unfit::NoTable { .. }) if implied => continue,
                Err(unfit) => {
                    let reference = format!("{}.{}.{}", named_by.source, named_by.table, named_by.path);
                    return Err(Unavailable::Reference { store: store.name.clone(), reference, unfit });
                }
            };
            let naming = Naming::new(column, namer);
            match references.iter_mut().find(|known| known.column.is_same(&naming.column)) {
                Some(known) => known.absorb(naming),
                None => references.push(naming),
            }
        }
        Ok(Self { store: store.clone(), run_id, open, references })
    }

    /// Way in which files of the store go.
    pub(super) fn way(&self) -> Way {
        match self.store.trash {
            Some(_) => Way::Trash { run: self.run_id },
            None => Way::Unlink,
        }
    }
}
