//! When tasks come next, and how often, from the configuration and what the ledger remembers of their slots.

use jiff::Timestamp;

use crate::ledger::TaskState;
use crate::policy::{Name, Settings, Task};
use crate::schedule::{Past, Timing};

/// The ledger's memory of every task's slots.
#[derive(Debug, Default)]
pub struct Schedules {
    states: Vec<TaskState>,
}

impl Schedules {
    pub fn new(states: Vec<TaskState>) -> Self {
        Self { states }
    }

    /// The first slot of a task after an instant; none when it is switched off, or never due.
    pub fn next_after(&self, settings: &Settings, task: &Name, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let task = settings.task(task)?;
        if task.enabled { self.timing(settings, task, now)?.next_after(after) } else { None }
    }

    /// Time that the task takes to come again, in seconds: the longest of the times between its slots around now.
    pub fn period_secs(&self, settings: &Settings, task: &Name, now: Timestamp) -> Option<u64> {
        let timing = self.timing(settings, settings.task(task)?, now)?;
        let next = timing.next_after(now)?;
        let last = timing.latest_at(now)?;
        let before = |slot: Timestamp| timing.latest_at(slot.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()?);
        let mut gaps = vec![next.duration_since(last)];
        let mut slot = last;
        for _ in 0..2 {
            let Some(earlier) = before(slot) else { break };
            gaps.push(slot.duration_since(earlier));
            slot = earlier;
        }
        u64::try_from(gaps.into_iter().max()?.as_secs()).ok()
    }

    fn timing(&self, settings: &Settings, task: &Task, now: Timestamp) -> Option<Timing> {
        let state = self.states.iter().find(|state| state.task == task.name);
        Timing::compile(&task.trigger, &settings.daemon.timezone, past(state, now).anchor()).ok()
    }
}

/// The memory of a task's slots; a task of which the ledger knows nothing is new now.
pub fn past(state: Option<&TaskState>, now: Timestamp) -> Past {
    Past {
        last_due_at: state.and_then(|state| state.last_due_at),
        known_since: state.map_or(now, |state| state.known_since),
        unfinished_at: state.and_then(|state| state.unfinished_at),
    }
}
