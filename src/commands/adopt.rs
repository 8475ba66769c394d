//! Adopting a store: looks at what is beneath its root, and on request writes the marker by which later runs know it. Removes
//! nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::audit;
use super::execute::open_ledger;
use super::sample::Sample;
use super::status;
use crate::clock::Clock;
use crate::config::did_you_mean;
use crate::decide;
use crate::decide::file::{FileFacts, FileKind};
use crate::decide::store::StoreDoubt;
use crate::ledger::{Adoption, AuditAction, Ledger};
use crate::policy::{Reference, ReferenceMatch, Settings, Store};
use crate::report::{MarkerFound, ReferenceFound, StoreFound};
use crate::sources::Session;
use crate::stores::{Identity, Marker, OpenStore, Owner, Surveyed, Visitor, WalkError, Want};
use crate::text::chain;

/// Longest time for which files are counted.
const WALK_PATIENCE: Duration = Duration::from_secs(5);
/// Longest time for which one reference is read.
const REFERENCE_PATIENCE: Duration = Duration::from_secs(5);

/// A store that cannot be asked about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no store named {name:?}")]
pub struct UnknownStore {
    pub name: String,
    suggestion: Option<String>,
    known: Vec<String>,
}

impl UnknownStore {
    /// Advice on what to do about it.
    pub fn hint(&self) -> String {
        match (&self.suggestion, self.known.as_slice()) {
            (Some(suggestion), _) => suggestion.clone(),
            (None, []) => "declare it: [stores.NAME]".to_owned(),
            (None, known) => format!("there are: {}", known.join(", ")),
        }
    }
}

/// The store of a name.
pub fn find<'a>(settings: &'a Settings, name: &str) -> Result<&'a Arc<Store>, UnknownStore> {
    settings.stores.iter().find(|store| store.name.as_str() == name).ok_or_else(|| {
        let known: Vec<_> = settings.stores.iter().map(|store| store.name.to_string()).collect();
        let suggestion = did_you_mean(name, known.iter().map(String::as_str));
        UnknownStore { name: name.to_owned(), suggestion, known }
    })
}

/// Looks at a store. Writes nothing, no ledger either.
pub async fn look(settings: &Settings, store: &Arc<Store>, clock: &Clock) -> anyhow::Result<StoreFound> {
    let open = OpenStore::open(store)?;
    let access = open.access().with_context(|| format!("{} cannot be looked at", store.root.display()))?;
    let space = open.space().with_context(|| format!("the room at {} is not known", store.root.display()))?;
    let adoption = match status::open(settings, clock.now()).await? {
        Some(ledger) => ledger.adopted(&store.name).await?,
        None => None,
    };
    let (marker, marker_error, file_system) = match open.identify() {
        Ok(identity) => {
            let mismatch = objection(&identity, store, adoption).map(|doubt| doubt.to_string());
            let found = identity.marker.map(|marker| MarkerFound {
                mismatch,
                store: marker.store,
                adopted_at: marker.adopted_at,
            });
            (found, None, identity.here.to_string())
        }
        Err(error) => (None, Some(chain(&error)), String::new()),
    };
    let references = store.references.iter().map(|reference| reference_found(settings, store, &open, reference));
    let (references, (surveyed, size_bytes, complete)) = tokio::join!(join_all(references), count(&open));
    let mode = format!("{:04o}", access.mode);
    Ok(StoreFound {
        store: store.name.clone(),
        path: store.root.display().to_string(),
        mount_point: access.mount_point.display().to_string(),
        file_system,
        owner: access.owner,
        mode,
        total_bytes: space.total_bytes,
        available_bytes: space.available_bytes,
        files: surveyed.files,
        size_bytes,
        directories: surveyed.directories,
        complete,
        unreadable: surveyed.errors,
        marker,
        marker_error,
        adopted_before: adoption.map(|adoption| adoption.adopted_at),
        references,
        adopted: false,
    })
}

/// Why a marker is not that of the store as it was adopted last.
pub(crate) fn objection(identity: &Identity, store: &Store, adoption: Option<Adoption>) -> Option<StoreDoubt> {
    let marker = identity.found(&store.name)?;
    let why = decide::store::identity(Some(&marker), adoption.map(|adoption| adoption.id), false)?;
    Some(why.of(store))
}

/// Writes the marker and remembers it. The ledger comes first: a store whose adoption nobody remembers would be guarded by
/// its marker alone.
pub async fn adopt(settings: &Settings, store: &Arc<Store>, clock: &Clock) -> anyhow::Result<()> {
    let ledger = open_ledger(settings).await?;
    let open = OpenStore::open(store)?;
    let here = open.here()?;
    let marker = Marker::new(store.name.clone(), here, clock.now());
    open.adopt(&marker, owner(&settings.daemon.state_dir))?;
    record(&ledger, store, &marker, clock).await
}

/// Remembers a store that has its marker already: the ledger may be a new one.
pub async fn remember(settings: &Settings, store: &Arc<Store>, clock: &Clock) -> anyhow::Result<()> {
    let ledger = open_ledger(settings).await?;
    let Some(marker) = OpenStore::open(store)?.identify()?.marker else { return Ok(()) };
    record(&ledger, store, &marker, clock).await
}

async fn record(ledger: &Ledger, store: &Store, marker: &Marker, clock: &Clock) -> anyhow::Result<()> {
    ledger.adopt(&store.name, Adoption { id: marker.id, adopted_at: marker.adopted_at }).await?;
    let detail = serde_json::json!({ "root": store.root.display().to_string(), "id": marker.id });
    Ok(audit::note(ledger, clock, (AuditAction::Adopt, format!("store {}", store.name)), detail).await?)
}

/// Whose the marker is to be: root adopts for the service's user, to whom the state directory belongs.
fn owner(state_dir: &Path) -> Option<Owner> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let facts = std::fs::metadata(state_dir).ok()?;
    Some(Owner { user: facts.uid(), group: facts.gid() })
}

/// Counts files, as far as the time goes.
struct Counter(Arc<Total>);

#[derive(Default)]
struct Total {
    directories: AtomicU64,
    files: AtomicU64,
    size_bytes: AtomicU64,
}

impl Visitor for Counter {
    fn file(&mut self, _path: &[u8], _kind: FileKind) -> Want {
        self.0.files.fetch_add(1, Ordering::Relaxed);
        Want::Facts
    }

    fn facts(&mut self, _path: &[u8], facts: &FileFacts) {
        self.0.size_bytes.fetch_add(facts.size_bytes, Ordering::Relaxed);
    }

    fn begin(&mut self, _directory: &[u8]) {
        self.0.directories.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts everything that a walk comes across, and its bytes; true if it came to its end.
async fn count(open: &OpenStore) -> (Surveyed, u64, bool) {
    let total = Arc::new(Total::default());
    let (shared, stop) = (Arc::clone(&total), CancellationToken::new());
    let make = move || Counter(Arc::clone(&shared));
    let walk = open.walk(make, &stop);
    let late = async {
        tokio::time::sleep(WALK_PATIENCE).await;
        stop.cancel();
        std::future::pending::<()>().await
    };
    let walked = tokio::select! {
        walked = walk => walked,
        () = late => Err(WalkError::Stopped),
    };
    let size_bytes = || total.size_bytes.load(Ordering::Relaxed);
    match walked {
        Ok(walked) => (walked.surveyed, size_bytes(), true),
        Err(error) => {
            let errors = u64::from(!matches!(error, WalkError::Stopped));
            let (directories, files) = (total.directories.load(Ordering::Relaxed), total.files.load(Ordering::Relaxed));
            (Surveyed { directories, files, errors, ..Surveyed::default() }, size_bytes(), false)
        }
    }
}

async fn reference_found(
    settings: &Settings,
    store: &Store,
    open: &OpenStore,
    reference: &Reference,
) -> ReferenceFound {
    let mut found =
        ReferenceFound { reference: reference.to_string(), paths: 0, more: false, inside: 0, found: None, error: None };
    let asked = async {
        let source = settings.source(&reference.source).ok_or_else(|| "its source is not declared".to_owned())?;
        let mut session = Session::open(source).await.map_err(|error| chain(&error))?;
        let sample = Sample::read(&mut session, settings, source, store, reference).await;
        sample.map_err(|error| chain(&error))?.map_err(|unfit| unfit.to_string())
    };
    match tokio::time::timeout(REFERENCE_PATIENCE, asked).await {
        Err(_) => found.error = Some("it was not read in time".to_owned()),
        Ok(Err(error)) => found.error = Some(error),
        Ok(Ok(sample)) => {
            (found.paths, found.more, found.inside) = (sample.looked_at(), sample.is_cut, sample.inside);
            if reference.matching == ReferenceMatch::Path {
                found.found = Some(sample.found(open).await);
            }
        }
    }
    found
}
