//! Slots of tasks, those that are due and the next one: a value that is given the time; it sleeps and runs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::interface::{Activation, Occasion, Past};
use super::next::{Timing, TimingError};
use crate::policy::{Name, Task};

/// The first slot missed while the daemon was down is run this long after the start.
const CATCH_UP_DELAY: SignedDuration = SignedDuration::from_secs(1);
/// Further missed slots follow at this distance, so that a start does not set off everything at once.
const CATCH_UP_SPREAD: SignedDuration = SignedDuration::from_secs(2);
/// The trigger looks twice a second: a start within this time is on time whatever `misfire_grace` says.
const TRIGGER_SLACK: Duration = Duration::from_secs(2);
/// A clock that was set back by more than this was wrong before: slots of its future no longer count as done.
const CLOCK_CORRECTION: SignedDuration = SignedDuration::from_hours(1);

/// A task with what is remembered of it.
#[derive(Debug, Clone)]
pub struct Scheduled {
    pub task: Arc<Task>,
    pub past: Past,
}

/// A slot that has come, not yet judged.
#[derive(Debug, Clone)]
pub struct Slot {
    pub task: Arc<Task>,
    pub due_at: Timestamp,
    /// When it may begin: at the slot, or once the task's window opens.
    pub opens_at: Timestamp,
    /// Older slots that passed unused; this one stands for them.
    pub stands_for_more: bool,
    /// It was run before, without success.
    pub is_retry: bool,
}

/// Action for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotVerdict {
    Run(Activation),
    Skip(Activation, &'static str),
}

/// The tasks and their slots.
#[derive(Debug)]
pub struct Timetable {
    zone: TimeZone,
    entries: BTreeMap<Name, Entry>,
    ids_given: u128,
}

#[derive(Debug)]
struct Entry {
    id: Uuid,
    task: Arc<Task>,
    timing: Timing,
    zone: TimeZone,
    /// Slots up to here are done with.
    done: Timestamp,
    /// The first slot after `done`.
    next: Option<Timestamp>,
    /// Not before this, although it has come: it was missed, or waits for the task's window.
    held_until: Option<Timestamp>,
    /// When the newest slot is tried again.
    retry_at: Option<Timestamp>,
}

impl Timetable {
    /// The timetable of a daemon that starts at `now`: slots missed since each task's past are due at once, spread out.
    pub fn at_start(zone: TimeZone, tasks: &[Scheduled], now: Timestamp) -> Result<Self, TimingError> {
        let mut table = Self { zone, entries: BTreeMap::new(), ids_given: 0 };
        let mut hold = CATCH_UP_DELAY;
        for scheduled in tasks {
            let mut entry = table.enter(scheduled, scheduled.past.floor())?;
            if entry.missed(now).is_some_and(|slot| !is_on_time(&entry.task, entry.opening(slot), now)) {
                entry.held_until = now.checked_add(hold).ok().map(|at| entry.opening(at));
                hold += CATCH_UP_SPREAD;
            } else if scheduled.past.unfinished_at.is_some() {
                let soonest = now.checked_add(hold).unwrap_or(now);
                entry.retry_at =
                    scheduled.past.retry_at(&entry.task, &entry.zone, entry.starts_at()).map(|at| at.max(soonest));
                hold += CATCH_UP_SPREAD;
            }
            table.entries.insert(scheduled.task.name.clone(), entry);
        }
        Ok(table)
    }

    /// Puts other tasks in place. A task whose trigger stays keeps its next slot; any other counts from `now`.
    /// On an error nothing has changed.
    pub fn replace(&mut self, zone: TimeZone, tasks: &[Scheduled], now: Timestamp) -> Result<(), TimingError> {
        let mut renewed = Self { zone, entries: BTreeMap::new(), ids_given: self.ids_given };
        for scheduled in tasks {
            let name = &scheduled.task.name;
            let mut entry = renewed.enter(scheduled, now)?;
            let before = self.entries.get(name).filter(|_| self.zone == renewed.zone);
            if let Some(before) = before.filter(|before| before.task.trigger == scheduled.task.trigger) {
                entry.timing = before.timing.clone();
                entry.done = before.done;
                entry.expect(before.next);
                if before.task.window == entry.task.window {
                    entry.held_until = before.held_until;
                }
                entry.retry_at = before.retry_at.filter(|_| entry.task.retry.is_some());
            }
            renewed.entries.insert(name.clone(), entry);
        }
        *self = renewed;
        Ok(())
    }

    /// Takes the slots that have come by `now`, at most `limit` of them: for each task the newest.
    pub fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<(Uuid, Slot)> {
        self.forget_a_wrong_future(now);
        let due = self.entries.values_mut().filter(|entry| entry.wake_at().is_some_and(|wake| wake <= now));
        let open = due.filter_map(|entry| if entry.waits_for_its_window(now) { None } else { Some(entry) });
        open.take(limit).filter_map(|entry| Some((entry.id, entry.take(now)?))).collect()
    }

    /// Notes that the run of a slot ended without success: where the task says so and no slot came after it, it is tried again.
    pub fn try_again(&mut self, slot: &Activation, ended: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&slot.task).filter(|entry| entry.done == slot.due_at) {
            let past = Past { last_due_at: Some(entry.done), known_since: entry.done, unfinished_at: Some(ended) };
            entry.retry_at = past.retry_at(&entry.task, &entry.zone, entry.starts_at());
        }
    }

    /// When the next slot comes, is tried again, or a held one is let go.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(Entry::wake_at).min()
    }

    /// Every task with the instant at which its next slot may begin.
    pub fn slots(&self) -> impl Iterator<Item = (&Arc<Task>, Option<Timestamp>)> {
        self.entries.values().map(|entry| (&entry.task, entry.next.map(|next| entry.opening(next))))
    }

    fn enter(&mut self, scheduled: &Scheduled, done: Timestamp) -> Result<Entry, TimingError> {
        let timing = Timing::compile(&scheduled.task.trigger, &self.zone, scheduled.past.anchor())?;
        self.ids_given += 1;
        let next = timing.next_after(done);
        let mut entry = Entry {
            id: Uuid::from_u128(self.ids_given),
            task: Arc::clone(&scheduled.task),
            zone: self.zone.clone(),
            next: None,
            timing,
            done,
            held_until: None,
            retry_at: None,
        };
        entry.expect(next);
        Ok(entry)
    }

    fn forget_a_wrong_future(&mut self, now: Timestamp) {
        let Ok(plausible) = now.checked_add(CLOCK_CORRECTION) else { return };
        for entry in self.entries.values_mut().filter(|entry| entry.done > plausible) {
            tracing::warn!(task = %entry.task.name, "The clock was set back: task {} counts from now on", entry.task.name);
            entry.done = now;
            entry.expect(entry.timing.next_after(now));
            entry.retry_at = None;
        }
    }
}

impl Entry {
    fn opening(&self, at: Timestamp) -> Timestamp {
        self.task.opening(&self.zone, at)
    }

    /// Waits for a slot.
    fn expect(&mut self, next: Option<Timestamp>) {
        self.next = next;
        self.held_until = self.task.window.and(next).map(|next| self.opening(next));
    }

    /// When the next slot begins.
    fn starts_at(&self) -> Option<Timestamp> {
        self.next.map(|next| self.held_until.map_or(next, |held| held.max(next)))
    }

    /// True while the task's window is closed; what has come waits for it then.
    fn waits_for_its_window(&mut self, now: Timestamp) -> bool {
        let opens = self.opening(now);
        if opens > now {
            self.held_until = self.next.map(|next| self.opening(next.max(now)));
            self.retry_at = self.retry_at.map(|at| at.max(opens));
        }
        opens > now
    }

    fn wake_at(&self) -> Option<Timestamp> {
        self.starts_at().into_iter().chain(self.retry_at).min()
    }

    /// The newest of the slots that have come and were not taken.
    fn missed(&self, now: Timestamp) -> Option<Timestamp> {
        let first = self.next.filter(|next| *next <= now)?;
        Some(self.timing.latest_at(now).map_or(first, |latest| latest.max(first)))
    }

    fn take(&mut self, now: Timestamp) -> Option<Slot> {
        let Some((first, due_at)) = self.next.zip(self.missed(now)) else {
            self.retry_at.take_if(|at| *at <= now)?;
            return Some(Slot {
                task: Arc::clone(&self.task),
                due_at: self.done,
                opens_at: self.done,
                stands_for_more: false,
                is_retry: true,
            });
        };
        self.done = due_at;
        self.retry_at = None;
        self.expect(self.timing.next_after(due_at));
        let opens_at = self.opening(due_at);
        // Those that come while the window is closed are one.
        let stands_for_more = self.opening(first) < opens_at;
        Some(Slot { task: Arc::clone(&self.task), due_at, opens_at, stands_for_more, is_retry: false })
    }
}

impl Slot {
    /// Decides whether the slot is still on time, is caught up, or is skipped.
    pub fn judge(&self, now: Timestamp) -> SlotVerdict {
        let activation = |occasion| Activation { task: self.task.name.clone(), due_at: self.due_at, occasion };
        if self.is_retry {
            SlotVerdict::Run(activation(Occasion::Retry))
        } else if is_on_time(&self.task, self.opens_at, now) {
            SlotVerdict::Run(activation(Occasion::Due))
        } else if self.task.catch_up {
            SlotVerdict::Run(activation(Occasion::CatchUp))
        } else {
            SlotVerdict::Skip(activation(Occasion::Due), "it was missed by more than misfire_grace and catch_up is off")
        }
    }
}

fn is_on_time(task: &Task, opens_at: Timestamp, now: Timestamp) -> bool {
    let late = Duration::try_from(now.duration_since(opens_at)).unwrap_or(Duration::ZERO);
    late <= task.misfire_grace.max(TRIGGER_SLACK)
}

#[cfg(test)]
mod tests;
