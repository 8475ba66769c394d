//! Slots that come, are missed, wait and come again, without sleeping.

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

/// The task each ten minutes, within its window alone.
fn within(window: &str, every: &str, last: &str) -> Vec<Scheduled> {
    let window = crate::policy::Hours::parse(window);
    vec![scheduled(Task { window, ..task("retention", every, true) }, Some(last), "01T00:00:00")]
}

#[test]
fn slots_outside_their_window_wait_for_it() {
    let tasks = within("01:00-05:00", "*/10 * * * *", "01T04:40:00");
    let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T04:45:00")).unwrap();
    assert_eq!(taken(&mut table, "01T04:50:00"), [run("01T04:50:00", Occasion::Due)]);
    assert_eq!(table.wake_at(), Some(at("02T01:00:00")), "05:00 is outside");
    assert_eq!(table.slots().next().unwrap().1, Some(at("02T01:00:00")));
    assert_eq!(taken(&mut table, "01T12:00:00"), []);
    let opening = table.take_due(at("02T01:00:00"), 64);
    assert!(!opening[0].1.stands_for_more, "those that came meanwhile were not missed");
    assert_eq!(opening[0].1.judge(at("02T01:00:00")), run("02T01:00:00", Occasion::Due));
    assert_eq!(table.wake_at(), Some(at("02T01:10:00")));
}

#[test]
fn an_early_slot_is_on_time_when_opened() {
    let tasks = within("01:00-05:00", "0 0 * * *", "01T00:00:00");
    let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
    assert_eq!((taken(&mut table, "02T00:00:00"), table.wake_at()), (vec![], Some(at("02T01:00:00"))));
    assert_eq!(taken(&mut table, "02T01:00:00"), [run("02T00:00:00", Occasion::Due)]);
}

#[test]
fn what_was_missed_waits_for_the_window() {
    let tasks = within("01:00-05:00", "0 3 * * *", "01T03:00:00");
    let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("03T12:00:00")).unwrap();
    assert_eq!((taken(&mut table, "03T12:00:01"), table.wake_at()), (vec![], Some(at("04T01:00:00"))));
    assert_eq!(taken(&mut table, "04T01:00:00"), [run("03T03:00:00", Occasion::CatchUp)]);
    assert_eq!(table.wake_at(), Some(at("04T03:00:00")));
    let skipping: Vec<_> = tasks
        .into_iter()
        .map(|Scheduled { task, past }| Scheduled { task: Arc::new(Task { catch_up: false, ..(*task).clone() }), past })
        .collect();
    let mut table = Timetable::at_start(TimeZone::UTC, &skipping, at("03T12:00:00")).unwrap();
    let verdicts = taken(&mut table, "04T01:00:00");
    assert!(matches!(&verdicts[..], [SlotVerdict::Skip(skipped, _)] if skipped.due_at == at("03T03:00:00")));
}

#[test]
fn another_try_waits_for_the_window() {
    let mut tasks = within("01:00-05:00", "0 4 * * *", "01T04:00:00");
    let retried = Task { retry: Some(Duration::from_secs(7200)), ..(*tasks[0].task).clone() };
    tasks[0].task = Arc::new(retried);
    let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
    assert_eq!(taken(&mut table, "02T04:00:00"), [run("02T04:00:00", Occasion::Due)]);
    table.try_again(&slot("02T04:00:00"), at("02T04:30:00"));
    assert_eq!((taken(&mut table, "02T06:30:00"), table.wake_at()), (vec![], Some(at("03T01:00:00"))));
    assert_eq!(taken(&mut table, "03T01:00:00"), [run("02T04:00:00", Occasion::Retry)]);
}

#[test]
fn a_reload_moves_the_window() {
    let tasks = within("01:00-05:00", "*/10 * * * *", "01T04:50:00");
    let mut table = Timetable::at_start(TimeZone::UTC, &tasks, at("01T12:00:00")).unwrap();
    assert_eq!(table.wake_at(), Some(at("02T01:00:00")));
    let later = within("02:00-05:00", "*/10 * * * *", "01T04:50:00");
    table.replace(TimeZone::UTC, &later, at("01T12:01:00")).unwrap();
    assert_eq!(table.wake_at(), Some(at("02T02:00:00")));
    let open = vec![scheduled(task("retention", "*/10 * * * *", true), Some("01T04:50:00"), "01T00:00:00")];
    table.replace(TimeZone::UTC, &open, at("01T12:02:00")).unwrap();
    assert_eq!(taken(&mut table, "01T12:02:00"), [run("01T12:00:00", Occasion::Due)]);
}
