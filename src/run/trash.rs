//! Emptying the trash of the stores that a run worked in, at its end: what was kept there for its time goes for good.

use super::request::Request;
use super::runner::Runner;
use super::stop::Stop;
use super::store_identity;
use crate::outcome::{EmptiedTrash, PolicyResult, Status};
use crate::policy::{Mode, Name, Store};
use crate::stores::{OpenStore, TrashError};
use crate::text::chain;

impl Runner {
    /// Removes for good what has been in the trash for long enough, of each store that a policy worked in to its end, and says
    /// what that freed. What fails is tried again at the end of the next run.
    pub(super) async fn empty_trash(
        &self,
        request: &Request,
        results: &[PolicyResult],
        stop: &Stop,
    ) -> Vec<EmptiedTrash> {
        let mut emptied = Vec::new();
        match self.note_clock().await {
            Ok(None) => {}
            // It may have leapt since the policies began.
            Ok(Some(why)) => {
                tracing::warn!(why, "No trash is emptied: {why}");
                return emptied;
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "No trash is emptied: {}", chain(&error));
                return emptied;
            }
        }
        for store in self.settings.stores.iter().filter(|store| works_in(self, request, results, &store.name)) {
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
        // A store that cannot be opened is told of by the policies that are about it.
        let Ok(open) = OpenStore::open(store) else { return Ok(None) };
        if let Some(why) =
            store_identity::guard(&open, store, self.ledger.as_ref(), false).await.map_err(|error| chain(&error))?
        {
            return Err(why.to_string());
        }
        if let Err(error) = open.extend_marker(&store.name) {
            tracing::debug!(store = %store.name, error = chain(&error), "The marker of store {} was not extended", store.name);
        }
        let Some(keep) = store.trash else { return Ok(None) };
        let before = self.clock.now().checked_sub(keep).unwrap_or(jiff::Timestamp::MIN);
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

/// True if a policy of the run may remove files of a store, and was neither blocked nor ended early.
fn works_in(runner: &Runner, request: &Request, results: &[PolicyResult], store: &Name) -> bool {
    request.policies.iter().any(|policy| {
        let ended = results.iter().find(|result| result.policy == policy.name).map(|result| result.status);
        policy.mode == Mode::Enforce
            && matches!(ended, Some(Status::Completed | Status::CompletedWithErrors))
            && (policy.kind.store() == Some(store)
                || runner.settings.owned_in(store).any(|(owner, ..)| owner.name == policy.name))
    })
}
