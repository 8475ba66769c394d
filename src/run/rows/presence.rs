//! Guards of rows with files, from a look at the files of the first rows: whether they are in the store at all (D3), and
//! whether anything can be removed there. Decides before the first batch; the first of the two is watched on.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use crate::decide::blocked::Blocked;
use crate::decide::guards::{Judged, judge_presence};
use crate::ledger::IntentItem;
use crate::outcome::PolicyResult;
use crate::policy::Name;
use crate::run::plan_state::GoneFiles;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{Gone, SourceError};
use crate::stores::{RawPath, Removal};

/// Rows whose files are looked at.
const ROWS_SAMPLED: u32 = 1000;
/// Files of one store that are looked at.
const FILES_SAMPLED: usize = 1000;
/// Number of files that rows have named in each store, and of those that were missing.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    stores: BTreeMap<Name, Counts>,
    /// Files that earlier policies of the run took: what is missing may be these.
    taken: BTreeMap<Name, u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    named: u64,
    missing: u64,
}

impl Presence {
    /// Nothing was looked at, after some policies of the run.
    pub(crate) fn after(earlier: &[PolicyResult]) -> Self {
        let mut taken = BTreeMap::new();
        for (store, share) in earlier.iter().flat_map(|policy| &policy.tally.stores) {
            if let Ok(store) = Name::parse(store) {
                *taken.entry(store).or_default() += share.files_deleted;
            }
        }
        Self { stores: BTreeMap::new(), taken }
    }

    /// Begins anew: the files of the first rows are read again.
    pub(crate) fn anew(self) -> Self {
        Self { stores: BTreeMap::new(), ..self }
    }

    /// Counts the files of a batch; `missing` are those of them that were not there.
    pub(crate) fn count<'i>(
        &mut self,
        facts: &Facts,
        named: impl IntoIterator<Item = &'i IntentItem>,
        missing: impl IntoIterator<Item = &'i IntentItem>,
    ) {
        for item in named.into_iter().filter(|item| !facts.may_be_missing(item)) {
            self.stores.entry(item.owner.store.clone()).or_default().named += 1;
        }
        for item in missing.into_iter().filter(|item| !facts.may_be_missing(item)) {
            self.stores.entry(item.owner.store.clone()).or_default().missing += 1;
        }
    }

    /// Reads the guard: nothing more may go where nearly everything is missing.
    pub(crate) fn judge(&self, facts: &Facts, judged: &mut Judged) {
        for (name, counts) in &self.stores {
            let missing = counts.missing.saturating_sub(self.taken.get(name).copied().unwrap_or_default());
            let store =
                facts.referenced_stores.iter().map(|referenced| &referenced.store).find(|store| store.name == *name);
            if let Some(store) = store {
                judge_presence(judged, store, missing, counts.named);
            }
        }
    }
}

/// Files of the first rows.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) presence: Presence,
    /// The first thing that stands in the way of removing anything.
    obstacle: Option<Blocked>,
    /// Stores in which something would be removed.
    pub(crate) removes_in: Vec<Name>,
}

impl Look {
    /// Looks at the files of the first eligible rows, those that are gone left out.
    pub(crate) async fn take(
        facts: &Facts,
        sessions: &mut Sessions,
        stop: &Stop,
        (gone, files): (&[Gone], &GoneFiles),
        presence: Presence,
    ) -> Result<Self, SourceError> {
        let mut look = Self { presence, ..Self::default() };
        if facts.referenced_stores.is_empty() || facts.eligible == Some(0) {
            return Ok(look);
        }
        let target = &facts.target;
        let session = sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let rows = stop.watch(canceller, target.first(session, facts.at, gone, ROWS_SAMPLED)).await?;
        if rows.is_empty() {
            return Ok(look);
        }
        let canceller = session.canceller();
        let batch = stop.watch(canceller, target.foresee(session, rows, gone)).await?;
        let items = facts.files_of(batch.claims).items;
        for referenced in &facts.referenced_stores {
            let mine = items.iter().filter(|item| item.owner.store == referenced.store.name);
            let mine: Vec<&IntentItem> = mine.take(FILES_SAMPLED).collect();
            let paths: Vec<RawPath> = mine.iter().map(|item| RawPath::from(item.path.clone())).collect();
            let mut absent = referenced.open.missing(paths).await;
            if let Some(gone) = files.of(&referenced.store.name) {
                for (absent, item) in absent.iter_mut().zip(&mine) {
                    *absent |= gone.has(item.path.as_str().as_bytes());
                }
            }
            let (missing, there): (Vec<_>, Vec<_>) = mine.iter().zip(absent).partition(|(_, absent)| *absent);
            look.presence.count(facts, mine.iter().copied(), missing.into_iter().map(|(item, _)| *item));
            if there.is_empty() {
                continue;
            }
            let parents: BTreeSet<Option<&str>> = there.iter().map(|(item, _)| item.path.split().0).collect();
            let from = parents.into_iter().map(|parent| parent.map(|parent| parent.as_bytes().to_vec())).collect();
            let removal = Removal { from, files: there.len(), trashes: referenced.store.trash.is_some() };
            let store = referenced.store.name.clone();
            let obstacle = referenced.open.obstacle(removal).await.map(|why| Blocked::Unremovable { store, why });
            look.obstacle = look.obstacle.or(obstacle);
            look.removes_in.push(referenced.store.name.clone());
        }
        Ok(look)
    }

    /// Reads the guards.
    pub(crate) fn judge(&self, facts: &Facts, judged: &mut Judged) {
        self.presence.judge(facts, judged);
        judged.blocked = judged.blocked.take().or_else(|| self.obstacle.clone());
    }
}
