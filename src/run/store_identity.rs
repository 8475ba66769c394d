//! Whether a store is the one that was adopted (D3): asked before anything in it goes.

use jiff::Timestamp;

use crate::ledger::{Ledger, LedgerError, RootThen};
use crate::policy::Store;
use crate::stores::{Mismatch, OpenStore};
use crate::telemetry::chain;

/// What speaks against taking files of a store, in words. `required`: it must be adopted, and not only if it was once.
pub async fn guard(
    open: &OpenStore,
    store: &Store,
    ledger: Option<&Ledger>,
    required: bool,
) -> Result<Option<String>, LedgerError> {
    let identity = match open.identify() {
        Ok(identity) => identity,
        Err(error) => return Ok(Some(format!("store {}: {}", store.name, chain(&error)))),
    };
    let adopted = match ledger {
        Some(ledger) => ledger.adopted(&store.name).await?,
        None => None,
    };
    Ok(match (&identity.marker, adopted) {
        (None, None) if !required => None,
        (None, _) => Some(not_adopted(store)),
        (Some(marker), adopted) => match identity.mismatch(&store.name) {
            Some(Mismatch::Copy) if adopted.is_some_and(|adopted| adopted.id != marker.id) => Some(other_marker(store)),
            Some(mismatch) => Some(mismatched(store, &mismatch)),
            None => adopted.filter(|adopted| adopted.id != marker.id).map(|_| other_marker(store)),
        },
    })
}

/// What an intent records of a store's root, so that a recovery knows it again; none where it cannot be looked at.
pub(super) fn root_then(open: &OpenStore) -> Option<RootThen> {
    let facts = open.root_facts().ok()?;
    let adoption = open.identify().ok()?.marker.map(|marker| marker.id);
    let born_ns = facts.born_ns.and_then(|born| i64::try_from(born).ok());
    Some(RootThen { adoption, device: facts.device, inode: facts.inode, born_ns })
}

/// Reason to leave a store alone whose files an earlier run left pending: it may not be the one in which they were. An
/// adoption since then is the operator's word that it is.
pub(super) async fn doubt(
    open: &OpenStore,
    store: &Store,
    ledger: &Ledger,
    then: Option<&RootThen>,
    recorded_at: Timestamp,
) -> Result<Option<String>, LedgerError> {
    let was_adopted = then.is_some_and(|then| then.adoption.is_some());
    if let Some(why) = guard(open, store, Some(ledger), was_adopted).await? {
        return Ok(Some(why));
    }
    let Some(then) = then else { return Ok(None) };
    let marker = match open.identify() {
        Ok(identity) => identity.marker,
        Err(error) => return Ok(Some(format!("store {}: {}", store.name, chain(&error)))),
    };
    let is_same = match (&marker, then.adoption) {
        (Some(marker), Some(adoption)) => marker.id == adoption || marker.adopted_at > recorded_at,
        (Some(marker), None) => marker.adopted_at > recorded_at || is_that_root(open, then),
        (None, _) => is_that_root(open, then),
    };
    let (name, root) = (&store.name, store.root.display());
    Ok((!is_same).then(|| {
        format!(
            "{root} is another directory than it was when the rows went: the disk of store {name} may not be mounted, or              another may be. If it is the right one, run `retaind adopt {name}`"
        )
    }))
}

/// The device's number counts only where the file system does not know when a directory was made.
fn is_that_root(open: &OpenStore, then: &RootThen) -> bool {
    let Some(now) = root_then(open) else { return false };
    now.inode == then.inode
        && match (now.born_ns, then.born_ns) {
            (Some(now), Some(then)) => now == then,
            (None, _) | (_, None) => now.device == then.device,
        }
}

/// The root has no marker.
fn not_adopted(store: &Store) -> String {
    let (name, root) = (&store.name, store.root.display());
    format!(
        "store {name} is not adopted: there is no marker in {root}. If it was adopted before, its disk may not be mounted, \
         or the path is another one now: look at what is there. If this is the right directory, run `retaind adopt {name}`"
    )
}

/// The root has the marker of something else.
fn mismatched(store: &Store, mismatch: &Mismatch) -> String {
    let (name, root) = (&store.name, store.root.display());
    match mismatch {
        Mismatch::Store { marked } => format!(
            "{root} was adopted as store {marked}, not as store {name}: a path in the configuration, or a mount, may have \
             been mixed up. If it is right, run `retaind adopt {name} --again`"
        ),
        Mismatch::Copy => format!(
            "the marker in {root} is not the file that adopting store {name} wrote: this may be a copy of the store. If it is \
             right, run `retaind adopt {name} --again`"
        ),
        Mismatch::FileSystem { .. } => format!(
            "store {name} was adopted on another file system than the one that {root} is on now: another disk may be \
             mounted there, or none, or a copy. If it is right, run `retaind adopt {name} --again`"
        ),
    }
}

/// The root has a marker of the same name that was written for another directory.
fn other_marker(store: &Store) -> String {
    format!(
        "the marker in {} is not the one that was written when store {} was adopted last: it may be an older copy of the \
         store. If it is right, run `retaind adopt {} --again`",
        store.root.display(),
        store.name,
        store.name
    )
}
