//! The configuration in force, shared: whoever begins something takes the present one and keeps it to the end.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::policy::{Name, Policy, Settings, Task};
use crate::run::Runner;

/// The configuration in force, with the runner that bounds its connections. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    runner: RwLock<Runner>,
    changes: watch::Sender<()>,
}

impl Live {
    pub fn new(runner: Runner) -> Self {
        Self(Arc::new(Inner { runner: RwLock::new(runner), changes: watch::Sender::default() }))
    }

    /// Hears of each configuration that comes into force from now on.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }

    /// The present runner, and by it the present configuration.
    pub fn runner(&self) -> Runner {
        self.0.runner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The present configuration.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(self.runner().settings())
    }

    /// Puts another in force; the one before it.
    pub fn swap(&self, runner: Runner) -> Runner {
        let before = std::mem::replace(&mut *self.0.runner.write().unwrap_or_else(PoisonError::into_inner), runner);
        self.0.changes.send_replace(());
        before
    }
}

/// The tasks that are scheduled: switched on, with a policy that is switched on.
pub fn scheduled_tasks(settings: &Settings) -> impl Iterator<Item = &Arc<Task>> {
    settings.tasks.iter().filter(|task| task.enabled && policies_to_run(settings, &task.name).next().is_some())
}

/// The policies of a task that are switched on, in declared order.
pub fn policies_to_run<'a>(settings: &'a Settings, task: &'a Name) -> impl Iterator<Item = &'a Arc<Policy>> {
    settings.policies_of(task).filter(|policy| policy.enabled)
}
