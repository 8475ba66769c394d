//! Whether a store is the one that was adopted (D3): asked before anything in it goes.

use crate::ledger::{Ledger, LedgerError};
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
        (Some(marker), adopted) => match marker.mismatch(&store.name, identity.here) {
            Some(mismatch) => Some(mismatched(store, &mismatch)),
            None => adopted.filter(|adopted| adopted.id != marker.id).map(|_| other_marker(store)),
        },
    })
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
