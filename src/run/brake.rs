//! Policies of a run that must go no further, because the configuration has become more careful since it began or a person
//! paused them, and whether somebody asked the whole run to stop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::policy::Name;

/// Reason that a policy is held while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// The configuration has become more careful about it: it runs again under the new one.
    Reload,
    /// An operator has paused it.
    Pause,
}

/// Holds policies of one run. Cheap to clone; all clones are of the same run.
#[derive(Debug, Clone, Default)]
pub struct Brake(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    policies: BTreeMap<Name, HoldReason>,
    running: Option<(Name, CancellationToken)>,
    requested: bool,
}

impl Brake {
    /// Stops a policy between two batches, or keeps it from beginning.
    pub fn hold(&self, policy: &Name, why: HoldReason) {
        let mut held = self.lock();
        held.policies.entry(policy.clone()).or_insert(why);
        if let Some((running, stop)) = &held.running
            && running == policy
        {
            stop.cancel();
        }
    }

    /// True if any policy was held that is to run again.
    pub fn is_pulled(&self) -> bool {
        self.lock().policies.values().any(|why| *why == HoldReason::Reload)
    }

    /// Notes that a person asks the whole run to stop.
    pub fn note_request(&self) {
        self.lock().requested = true;
    }

    pub(super) fn is_requested(&self) -> bool {
        self.lock().requested
    }

    /// Reason that the policy is held, if it is.
    pub(super) fn holds(&self, policy: &Name) -> Option<HoldReason> {
        self.lock().policies.get(policy).copied()
    }

    /// Has the token cancelled once the policy is held, until another policy runs.
    pub(super) fn watch(&self, policy: &Name, stop: CancellationToken) {
        let mut held = self.lock();
        if held.policies.contains_key(policy) {
            stop.cancel();
        }
        held.running = Some((policy.clone(), stop));
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
