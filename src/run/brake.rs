//! Policies of a run that must go no further, because the configuration has become more careful since it began.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::policy::Name;

/// Holds policies of one run. Cheap to clone; all clones are of the same run.
#[derive(Debug, Clone, Default)]
pub struct Brake(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    policies: BTreeSet<Name>,
    running: Option<(Name, CancellationToken)>,
}

impl Brake {
    /// Stops a policy between two batches, or keeps it from beginning.
    pub fn hold(&self, policy: &Name) {
        let mut held = self.lock();
        held.policies.insert(policy.clone());
        if let Some((running, stop)) = &held.running
            && running == policy
        {
            stop.cancel();
        }
    }

    /// True if any policy was held.
    pub fn is_pulled(&self) -> bool {
        !self.lock().policies.is_empty()
    }

    pub(super) fn holds(&self, policy: &Name) -> bool {
        self.lock().policies.contains(policy)
    }

    /// Has the token cancelled once the policy is held, until another policy runs.
    pub(super) fn watch(&self, policy: &Name, stop: CancellationToken) {
        let mut held = self.lock();
        if held.policies.contains(policy) {
            stop.cancel();
        }
        held.running = Some((policy.clone(), stop));
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
