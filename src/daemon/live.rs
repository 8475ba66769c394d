//! The configuration in force, shared: whoever begins something takes the present one and keeps it to the end.

use std::sync::{Arc, PoisonError, RwLock};

use crate::policy::{Name, Policy, Settings, Task};
use crate::run::Runner;

/// The configuration in force, with the runner that bounds its connections. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<RwLock<Runner>>);

impl Live {
    pub fn new(runner: Runner) -> Self {
        Self(Arc::new(RwLock::new(runner)))
    }

    /// The present runner, and by it the present configuration.
    pub fn runner(&self) -> Runner {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The present configuration.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(self.runner().settings())
    }

    /// Puts another in force; the one before it.
    pub fn swap(&self, runner: Runner) -> Runner {
        std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), runner)
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
