//! Dry runs that a run may go by: for which names and under which configuration each was made, and the run that went by it. In
//! memory, as the dry runs themselves are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::control::RunWanted;
use crate::outcome::RunId;
use crate::policy::Settings;

/// Dry runs that are kept.
const KEPT: usize = 64;

/// A dry run, by what it was made.
pub(super) struct Plan {
    /// Tasks and policies that it is of; none for all that are scheduled.
    pub(super) names: Vec<String>,
    /// Keys of the configuration that counted for it alone.
    pub(super) set: BTreeMap<String, String>,
    /// Names of the parameters that were given; their values may be secret.
    pub(super) params: Vec<String>,
    /// Digest of the configuration in force.
    pub(super) digest: String,
    /// The run that went by it. Whoever begins one holds it meanwhile, so that there is no second.
    pub(super) run: tokio::sync::Mutex<Option<RunId>>,
}

/// Dry runs by their ids, the newest first.
type Kept = VecDeque<(RunId, Arc<Plan>)>;

/// The dry runs that were made last. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Plans(Arc<Mutex<Kept>>);

impl Plan {
    pub(super) fn of(wanted: &RunWanted, settings: &Settings) -> Self {
        Self {
            names: wanted.names.clone(),
            set: wanted.set.clone(),
            params: wanted.params.keys().cloned().collect(),
            digest: settings.written.fingerprint(),
            run: tokio::sync::Mutex::default(),
        }
    }

    /// The run that went by it.
    pub(super) async fn begun(&self) -> Option<RunId> {
        *self.run.lock().await
    }

    /// True if values counted for it that are not of the configuration in force.
    pub(super) fn has_values(&self) -> bool {
        !self.set.is_empty() || !self.params.is_empty()
    }
}

impl Plans {
    pub(super) fn keep(&self, run_id: RunId, plan: Plan) {
        let mut all = self.lock();
        all.truncate(KEPT - 1);
        all.push_front((run_id, Arc::new(plan)));
    }

    pub(super) fn find(&self, run_id: RunId) -> Option<Arc<Plan>> {
        self.lock().iter().find(|(known, _)| *known == run_id).map(|(_, plan)| Arc::clone(plan))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
