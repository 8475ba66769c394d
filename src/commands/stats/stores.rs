//! Facts about stores that are known without going through them: what the last look saw, the room on the disk, and what
//! runs put into the trash.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::ledger::{Ledger, LedgerError};
use crate::outcome::{RunId, StoreLook};
use crate::policy::{Name, Policy, Settings, Store};
use crate::report::{StoreOrphans, StoreStats, StoreTrash};
use crate::stores::{OpenStore, Room};
use crate::text::chain;

/// Stores that are looked at now. A file server that is away answers nobody, and holds up one look and not all that follow.
static LOOKING: Mutex<BTreeSet<Name>> = Mutex::new(BTreeSet::new());

/// Answer of a store itself.
struct Glance {
    room: Room,
    trashed: Vec<RunId>,
}

/// The stores that some policies are about, as far as they answer in time; `looks`: what was last seen of them.
pub(super) async fn stores(
    (settings, policies): (&Settings, &[Arc<Policy>]),
    (ledger, looks): (Option<&Ledger>, &[(Name, StoreLook)]),
    now: Timestamp,
    until: Instant,
) -> Vec<StoreStats> {
    let concerned = settings.stores.iter().filter(|store| {
        let owns = |policy: &Arc<Policy>| {
            policy.kind.rows().is_some_and(|rows| rows.owned_files().iter().any(|(_, file)| file.store == store.name))
        };
        policies.iter().any(|policy| policy.kind.store() == Some(&store.name) || owns(policy))
    });
    let asking = concerned.map(async |store| {
        let mut stats = known(settings, store, looks, now);
        if let Err(why) = ask(store, ledger, until, &mut stats).await {
            stats.error = Some(why);
        }
        stats
    });
    futures_util::future::join_all(asking).await
}

/// Facts that policies have seen of a store.
fn known(settings: &Settings, store: &Store, looks: &[(Name, StoreLook)], now: Timestamp) -> StoreStats {
    let looks = || {
        let policies = settings.policies_in(&store.name);
        policies.filter_map(|policy| looks.iter().find(|(name, _)| *name == policy.name).map(|(_, look)| look))
    };
    let survey = looks().filter_map(|look| look.survey.as_ref()).max_by_key(|survey| survey.at);
    // Several scans may share a store; together they are as old as the oldest.
    let orphans = looks().filter_map(|look| look.orphans.as_ref()).map(|found| StoreOrphans {
        files: found.files,
        bytes: found.bytes,
        files_deleted: found.files_deleted,
        at: found.at,
        age_secs: u64::try_from(now.duration_since(found.at).as_secs()).unwrap_or(0),
    });
    StoreStats {
        store: store.name.clone(),
        files: survey.map(|survey| survey.files),
        directories: survey.map(|survey| survey.directories),
        bytes: survey.and_then(|survey| survey.bytes),
        bytes_estimated: survey.is_some_and(|survey| survey.bytes_estimated),
        seen_at: survey.map(|survey| survey.at),
        available_bytes: None,
        total_bytes: None,
        trash: None,
        orphans: orphans.reduce(StoreOrphans::and),
        error: None,
    }
}

/// Asks the store for its room and its trash.
async fn ask(store: &Store, ledger: Option<&Ledger>, until: Instant, stats: &mut StoreStats) -> Result<(), String> {
    let Glance { room, trashed } = timeout_at(until, glance(store)).await.map_err(|_| LATE.to_owned())??;
    (stats.available_bytes, stats.total_bytes) = (Some(room.available_bytes), Some(room.total_bytes));
    if store.trash.is_none() && trashed.is_empty() {
        return Ok(());
    }
    let runs = trashed.len() as u64;
    let known = async {
        Ok::<_, LedgerError>(match ledger {
            Some(ledger) => ledger.trashed(&store.name, trashed).await?,
            None => None,
        })
    };
    let known = timeout_at(until, known).await.map_err(|_| LATE.to_owned())?.map_err(|error| chain(&error))?;
    let (files, bytes) = known.map(|known| (known.files, known.bytes)).unzip();
    stats.trash = Some(StoreTrash { runs, files, bytes });
    Ok(())
}

const LATE: &str = "the store did not answer in time";
const BUSY: &str = "it is being looked at already: ask again in a moment";

async fn glance(store: &Store) -> Result<Glance, String> {
    let looking = || LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !looking().insert(store.name.clone()) {
        return Err(BUSY.to_owned());
    }
    let store = store.clone();
    let look = move || {
        let seen = OpenStore::open(&store).map_err(|error| chain(&error)).and_then(|open| {
            let room = open.space().map_err(|error| format!("the room on its disk is not known: {error}"))?;
            Ok(Glance { room, trashed: open.trashed_runs().map_err(|error| chain(&error))? })
        });
        looking().remove(&store.name);
        seen
    };
    tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::AgeBy;

    #[tokio::test]
    async fn a_store_under_a_look_is_not_late() {
        let store = Store {
            name: Name::parse("looked-at").unwrap(),
            root: "/nonexistent".into(),
            strip_prefix: None,
            references: Vec::new(),
            trash: None,
            age_by: AgeBy::Written,
        };
        let looking = || LOOKING.lock().unwrap();
        looking().insert(store.name.clone());
        assert_eq!(glance(&store).await.err().as_deref(), Some(BUSY));
        looking().remove(&store.name);
        let next = glance(&store).await.err();
        assert!(next.is_some() && next.as_deref() != Some(BUSY), "the next look is one again: {next:?}");
        assert!(!looking().contains(&store.name));
    }
}
