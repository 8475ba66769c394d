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
    /// Slots up to here are done with.
    done: Timestamp,
    /// The first slot after `done`.
    next: Option<Timestamp>,
    /// Not before this, although it is overdue.
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
            if entry.missed(now).is_some_and(|slot| !is_on_time(&entry.task, slot, now)) {
                entry.held_until = now.checked_add(hold).ok();
                hold += CATCH_UP_SPREAD;
            } else if scheduled.past.unfinished_at.is_some() {
                let soonest = now.checked_add(hold).unwrap_or(now);
                entry.retry_at = scheduled.past.retry_at(&entry.task, entry.next).map(|at| at.max(soonest));
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
                (entry.done, entry.next, entry.held_until) = (before.done, before.next, before.held_until);
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
        due.take(limit).filter_map(|entry| Some((entry.id, entry.take(now)?))).collect()
    }

    /// Notes that the run of a slot ended without success: where the task says so and no slot came after it, it is tried again.
    pub fn try_again(&mut self, slot: &Activation, ended: Timestamp) {
        if let Some(entry) = self.entries.get_mut(&slot.task).filter(|entry| entry.done == slot.due_at) {
            let past = Past { last_due_at: Some(entry.done), known_since: entry.done, unfinished_at: Some(ended) };
            entry.retry_at = past.retry_at(&entry.task, entry.next);
        }
    }

    /// When the next slot comes, is tried again, or a held one is let go.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(Entry::wake_at).min()
    }

    /// Every task with its next slot.
    pub fn slots(&self) -> impl Iterator<Item = (&Arc<Task>, Option<Timestamp>)> {
        self.entries.values().map(|entry| (&entry.task, entry.next))
    }

    fn enter(&mut self, scheduled: &Scheduled, done: Timestamp) -> Result<Entry, TimingError> {
        let timing = Timing::compile(&scheduled.task.trigger, &self.zone, scheduled.past.anchor())?;
        self.ids_given += 1;
        Ok(Entry {
            id: Uuid::from_u128(self.ids_given),
            task: Arc::clone(&scheduled.task),
            next: timing.next_after(done),
            timing,
            done,
            held_until: None,
            retry_at: None,
        })
    }

    fn forget_a_wrong_future(&mut self, now: Timestamp) {
        let Ok(plausible) = now.checked_add(CLOCK_CORRECTION) else { return };
        for entry in self.entries.values_mut().filter(|entry| entry.done > plausible) {
            tracing::warn!(task = %entry.task.name, "The clock was set back: task {} counts from now on", entry.task.name);
            entry.done = now;
            entry.next = entry.timing.next_after(now);
            entry.retry_at = None;
        }
    }
}

impl Entry {
    fn wake_at(&self) -> Option<Timestamp> {
        let next = self.next.map(|next| self.held_until.map_or(next, |held| held.max(next)));
        next.into_iter().chain(self.retry_at).min()
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
                stands_for_more: false,
                is_retry: true,
            });
        };
        self.done = due_at;
        self.retry_at = None;
        self.next = self.timing.next_after(due_at);
        self.held_until = None;
        Some(Slot { task: Arc::clone(&self.task), due_at, stands_for_more: first < due_at, is_retry: false })
    }
}

impl Slot {
    /// Decides whether the slot is still on time, is caught up, or is skipped.
    pub fn judge(&self, now: Timestamp) -> SlotVerdict {
        let activation = |occasion| Activation { task: self.task.name.clone(), due_at: self.due_at, occasion };
        if self.is_retry {
            SlotVerdict::Run(activation(Occasion::Retry))
        } else if is_on_time(&self.task, self.due_at, now) {
            SlotVerdict::Run(activation(Occasion::Due))
        } else if self.task.catch_up {
            SlotVerdict::Run(activation(Occasion::CatchUp))
        } else {
            SlotVerdict::Skip(activation(Occasion::Due), "it was missed by more than misfire_grace and catch_up is off")
        }
    }
}

fn is_on_time(task: &Task, due_at: Timestamp, now: Timestamp) -> bool {
    let late = Duration::try_from(now.duration_since(due_at)).unwrap_or(Duration::ZERO);
    late <= task.misfire_grace.max(TRIGGER_SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Trigger, fixtures};

    fn at(text: &str) -> Timestamp {
        format!("2026-01-{text}Z").parse().unwrap()
    }

    fn task(name: &str, cron: &str, catch_up: bool) -> Task {
        let trigger = Trigger::Cron(cron.to_owned());
        Task { trigger, misfire_grace: Duration::from_secs(300), catch_up, ..fixtures::task(name) }
    }

    fn scheduled(task: Task, last: Option<&str>, known_since: &str) -> Scheduled {
        Scheduled {
            task: Arc::new(task),
            past: Past { last_due_at: last.map(at), known_since: at(known_since), unfinished_at: None },
        }
    }

    fn nightly(catch_up: bool, last: Option<&str>, known_since: &str) -> Vec<Scheduled> {
        vec![scheduled(task("retention", "0 3 * * *", catch_up), last, known_since)]
    }

    fn taken(table: &mut Timetable, now: &str) -> Vec<SlotVerdict> {
        table.take_due(at(now), 64).iter().map(|(_, slot)| slot.judge(at(now))).collect()
    }

    fn run(due_at: &str, occasion: Occasion) -> SlotVerdict {
        SlotVerdict::Run(Activation { task: Name::parse("retention").unwrap(), due_at: at(due_at), occasion })
    }

    #[test]
    fn a_slot_comes_once_and_on_time() {
        let tasks = nightly(true, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
        assert_eq!(table.wake_at(), Some(at("02T03:00:00")));
        assert_eq!(taken(&mut table, "02T02:59:59"), []);
        assert_eq!(taken(&mut table, "02T03:00:00"), [run("02T03:00:00", Occasion::Due)]);
        assert_eq!(taken(&mut table, "02T03:00:01"), []);
        assert_eq!(table.wake_at(), Some(at("03T03:00:00")));
    }

    #[test]
    fn missed_slots_make_one_catch_up_after_start() {
        let tasks = nightly(true, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("05T12:00:00")).unwrap();
        assert_eq!(taken(&mut table, "05T12:00:00"), []);
        assert_eq!(table.wake_at(), Some(at("05T12:00:01")));
        assert_eq!(taken(&mut table, "05T12:00:01"), [run("05T03:00:00", Occasion::CatchUp)]);
        assert_eq!(table.wake_at(), Some(at("06T03:00:00")));
    }

    fn slot(due_at: &str) -> Activation {
        Activation { task: Name::parse("retention").unwrap(), due_at: at(due_at), occasion: Occasion::Due }
    }

    fn retried(unfinished_at: Option<&str>) -> Vec<Scheduled> {
        let task = Task { retry: Some(Duration::from_secs(900)), ..task("retention", "0 3 * * *", true) };
        let past = Past {
            unfinished_at: unfinished_at.map(at),
            ..scheduled(task.clone(), Some("01T03:00:00"), "01T00:00:00").past
        };
        vec![Scheduled { task: Arc::new(task), past }]
    }

    #[test]
    fn an_unfinished_slot_comes_again_before_the_next() {
        let tasks = retried(None);
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
        assert_eq!(taken(&mut table, "02T03:00:00"), [run("02T03:00:00", Occasion::Due)]);
        table.try_again(&slot("02T03:00:00"), at("02T03:10:00"));
        assert_eq!(table.wake_at(), Some(at("02T03:25:00")));
        assert_eq!(taken(&mut table, "02T03:24:59"), []);
        assert_eq!(taken(&mut table, "02T03:25:00"), [run("02T03:00:00", Occasion::Retry)]);
        assert_eq!((taken(&mut table, "02T03:40:00"), table.wake_at()), (vec![], Some(at("03T03:00:00"))));
        table.try_again(&slot("02T03:00:00"), at("03T02:50:00"));
        assert_eq!(table.wake_at(), Some(at("03T03:00:00")), "the next slot comes before");
        table.try_again(&slot("02T03:00:00"), at("03T02:40:00"));
        assert_eq!(taken(&mut table, "03T03:00:00"), [run("03T03:00:00", Occasion::Due)], "one for both");
        table.try_again(&slot("02T03:00:00"), at("03T03:01:00"));
        assert_eq!(table.wake_at(), Some(at("04T03:00:00")), "a slot came after it");
    }

    #[test]
    fn a_start_remembers_an_unfinished_slot() {
        let tasks = retried(Some("01T03:10:00"));
        let early = Timetable::at_start(TimeZone::UTC, &tasks, at("01T03:11:00")).unwrap();
        assert_eq!(early.wake_at(), Some(at("01T03:25:00")));
        let mut late = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
        assert_eq!(late.wake_at(), Some(at("01T12:00:01")), "after a moment");
        assert_eq!(taken(&mut late, "01T12:00:01"), [run("01T03:00:00", Occasion::Retry)]);
        let mut missed = Timetable::at_start(TimeZone::UTC, &tasks, at("02T12:00:00")).unwrap();
        assert_eq!(taken(&mut missed, "02T12:00:01"), [run("02T03:00:00", Occasion::CatchUp)], "one for both");
        assert_eq!(missed.wake_at(), Some(at("03T03:00:00")));
        missed.replace(TimeZone::UTC, &nightly(true, None, "01T00:00:00"), at("02T12:00:02")).unwrap();
        missed.try_again(&slot("02T03:00:00"), at("02T12:00:03"));
        assert_eq!(missed.wake_at(), Some(at("03T03:00:00")), "the task does not ask for it any more");
    }

    #[test]
    fn catch_ups_are_spread() {
        let past = |name| scheduled(task(name, "0 3 * * *", true), Some("01T03:00:00"), "01T00:00:00");
        let tasks = ["retention", "log-purge", "orphan-scan"].map(past);
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("05T12:00:00")).unwrap();
        for second in ["01", "03", "05"] {
            let now = at(&format!("05T12:00:{second}"));
            assert_eq!(table.wake_at(), Some(now));
            assert_eq!(table.take_due(now, 64).len(), 1);
        }
    }

    #[test]
    fn a_start_within_grace_needs_no_catch_up() {
        let tasks = nightly(false, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("02T03:00:30")).unwrap();
        assert_eq!(taken(&mut table, "02T03:00:30"), [run("02T03:00:00", Occasion::Due)]);
    }

    #[test]
    fn without_catch_up_a_missed_slot_is_skipped() {
        let tasks = nightly(false, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("02T12:00:00")).unwrap();
        let verdicts = taken(&mut table, "02T12:00:01");
        assert!(matches!(&verdicts[..], [SlotVerdict::Skip(skipped, _)] if skipped.due_at == at("02T03:00:00")));
    }

    #[test]
    fn a_new_task_misses_nothing() {
        let tasks = nightly(true, None, "05T12:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("05T12:00:00")).unwrap();
        assert_eq!(taken(&mut table, "05T12:00:10"), []);
        assert_eq!(table.wake_at(), Some(at("06T03:00:00")));
    }

    #[test]
    fn after_a_suspend_only_the_newest_slot_runs() {
        let tasks = vec![scheduled(task("retention", "*/10 * * * *", true), None, "01T00:00:00")];
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T00:00:00")).unwrap();
        let slots = table.take_due(at("01T05:12:00"), 64);
        assert_eq!(slots[0].1.due_at, at("01T05:10:00"));
        assert!(slots[0].1.stands_for_more);
        assert_eq!(slots[0].1.judge(at("01T05:12:00")), run("01T05:10:00", Occasion::Due));
        assert_eq!(slots[0].1.judge(at("01T05:16:00")), run("01T05:10:00", Occasion::CatchUp));
    }

    #[test]
    fn a_reload_keeps_slots_of_unchanged_triggers_only() {
        let tasks = nightly(true, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("05T12:00:00")).unwrap();
        let mut longer = task("retention", "0 3 * * *", true);
        longer.timeout = Some(Duration::from_secs(9));
        let earlier = scheduled(task("log-purge", "0 6 * * *", true), None, "01T00:00:00");
        let renewed = [scheduled(longer, Some("01T03:00:00"), "01T00:00:00"), earlier];
        table.replace(TimeZone::UTC, &renewed, at("05T12:00:00")).unwrap();
        assert_eq!(taken(&mut table, "05T12:00:01"), [run("05T03:00:00", Occasion::CatchUp)]);
        assert_eq!(table.wake_at(), Some(at("06T03:00:00")));
        let changed = [scheduled(task("retention", "0 6 * * *", true), None, "01T00:00:00")];
        table.replace(TimeZone::UTC, &changed, at("06T07:00:00")).unwrap();
        assert_eq!(taken(&mut table, "06T07:00:10"), []);
        assert_eq!(table.wake_at(), Some(at("07T06:00:00")));
        table.replace(TimeZone::UTC, &[], at("06T07:00:00")).unwrap();
        assert_eq!(table.wake_at(), None);
    }

    #[test]
    fn a_refused_reload_changes_nothing() {
        let tasks = nightly(true, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
        let bad = [scheduled(task("retention", "nonsense", true), None, "01T00:00:00")];
        assert!(table.replace(TimeZone::UTC, &bad, at("01T12:00:00")).is_err());
        assert_eq!(table.wake_at(), Some(at("02T03:00:00")));
    }

    #[test]
    fn clocks_set_back_repeat_and_lose_no_slot() {
        let tasks = nightly(true, Some("01T03:00:00"), "01T00:00:00");
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
        assert_eq!(taken(&mut table, "09T03:00:00"), [run("09T03:00:00", Occasion::Due)]);
        assert_eq!(taken(&mut table, "09T02:59:50"), []);
        assert_eq!(table.wake_at(), Some(at("10T03:00:00")));
        assert_eq!(taken(&mut table, "03T04:00:00"), []);
        assert_eq!(table.wake_at(), Some(at("04T03:00:00")));
    }

    #[test]
    fn at_most_the_limit_are_taken_at_once() {
        let past = |n: usize| scheduled(task(&format!("t{n}"), "0 3 * * *", true), Some("01T03:00:00"), "01T00:00:00");
        let tasks: Vec<Scheduled> = (0..1000).map(past).collect();
        let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
        let counts: Vec<usize> = (0..5).map(|_| table.take_due(at("02T03:00:00"), 256).len()).collect();
        assert_eq!(counts, [256, 256, 256, 232, 0]);
    }
}
