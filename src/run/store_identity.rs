//! Asks whether a store is the one that was adopted (D3), before anything in it goes.

use jiff::Timestamp;

use crate::decide::store::{FoundMarker, RootThen, StoreDoubt, WhyStore, identity, same_root};
use crate::ledger::{Ledger, LedgerError};
use crate::policy::Store;
use crate::stores::OpenStore;
use crate::text::chain;

/// Reason not to take files of a store. `required`: it must be adopted, and not only if it was once.
pub async fn guard(
    open: &OpenStore,
    store: &Store,
    ledger: Option<&Ledger>,
    required: bool,
) -> Result<Option<StoreDoubt>, LedgerError> {
    let marker = match marker(open, store) {
        Ok(marker) => marker,
        Err(unreadable) => return Ok(Some(unreadable.of(store))),
    };
    let adopted = match ledger {
        Some(ledger) => ledger.adopted(&store.name).await?,
        None => None,
    };
    Ok(identity(marker.as_ref(), adopted.map(|adopted| adopted.id), required).map(|why| why.of(store)))
}

fn marker(open: &OpenStore, store: &Store) -> Result<Option<FoundMarker>, WhyStore> {
    match open.identify() {
        Ok(identity) => Ok(identity.found(&store.name)),
        Err(error) => Err(WhyStore::Unreadable { why: chain(&error) }),
    }
}

/// A record of a store's root for an intent, so that a recovery knows it again; none where it cannot be looked at.
pub(super) fn root_then(open: &OpenStore) -> Option<RootThen> {
    let facts = open.root_facts().ok()?;
    let adoption = open.identify().ok()?.marker.map(|marker| marker.id);
    let born_ns = facts.born_ns.and_then(|born| i64::try_from(born).ok());
    Some(RootThen { adoption, device: facts.device, inode: facts.inode, born_ns })
}

/// Reason to leave a store alone whose files an earlier run left pending: it may not be the one in which they were.
pub(super) async fn doubt(
    open: &OpenStore,
    store: &Store,
    ledger: &Ledger,
    then: Option<&RootThen>,
    recorded_at: Timestamp,
) -> Result<Option<StoreDoubt>, LedgerError> {
    let was_adopted = then.is_some_and(|then| then.adoption.is_some());
    if let Some(why) = guard(open, store, Some(ledger), was_adopted).await? {
        return Ok(Some(why));
    }
    let why = match (then, marker(open, store)) {
        (None, _) => None,
        (Some(_), Err(unreadable)) => Some(unreadable),
        (Some(then), Ok(marker)) => same_root(marker.as_ref(), root_then(open).as_ref(), then, recorded_at),
    };
    Ok(why.map(|why| why.of(store)))
}
