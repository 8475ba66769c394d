//! Emptying the trash of stores, at the end of a run: what was kept there for its time goes for good.

use super::Runner;
use super::stop::Stop;
use crate::ledger::EmptiedTrash;
use crate::policy::Store;
use crate::stores::{OpenStore, TrashError};
use crate::telemetry::chain;

impl Runner {
    /// Removes for good what has been in the trash of its store for long enough, and says what that freed. What fails is
    /// tried again at the end of the next run.
    pub(super) async fn empty_trash(&self, stop: &Stop) -> Vec<EmptiedTrash> {
        let mut emptied = Vec::new();
        for store in &self.settings.stores {
            if stop.is_set() {
                break;
            }
            match self.empty_trash_of(store, stop).await {
                Ok(Some(done)) => emptied.push(done),
                Ok(None) => {}
                Err(why) => {
                    tracing::warn!(store = %store.name, error = why, "The trash of store {} could not be emptied", store.name);
                }
            }
        }
        emptied
    }

    async fn empty_trash_of(&self, store: &Store, stop: &Stop) -> Result<Option<EmptiedTrash>, String> {
        let Some(keep) = store.trash else { return Ok(None) };
        let before = self.clock.now().checked_sub(keep).unwrap_or(jiff::Timestamp::MIN);
        // A store that cannot be opened is told of by the policies that are about it.
        let Ok(open) = OpenStore::open(store) else { return Ok(None) };
        let emptied = match open.empty_trash(before, stop.token()).await {
            Ok(emptied) => emptied,
            Err(TrashError::NoRun { .. }) => return Ok(None),
            Err(error) => return Err(chain(&error)),
        };
        let part = emptied.part;
        if part.failed > 0 {
            tracing::warn!(
                store = %store.name,
                left = ?part.left.first(),
                "{} files in the trash of store {} could not be removed", part.failed, store.name
            );
        }
        Ok((emptied.runs > 0 || part.files > 0).then(|| EmptiedTrash {
            store: store.name.clone(),
            runs: emptied.runs,
            files: part.files,
            bytes_reclaimed: part.size_bytes,
        }))
    }
}
