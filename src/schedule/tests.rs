//! The schedule as a whole, driven by the real trigger, with something harmless to run.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use super::*;
use crate::policy::{Task, Trigger, fixtures};

/// Records what happened; how an activation behaves is told by the task's name.
#[derive(Default)]
struct Recorder(Mutex<Vec<(String, Activation)>>);

impl Recorder {
    fn note(&self, what: &str, activation: &Activation) {
        self.0.lock().unwrap().push((what.to_owned(), activation.clone()));
    }

    fn of(&self, what: &str) -> Vec<Activation> {
        let noted = self.0.lock().unwrap();
        noted.iter().filter(|(word, _)| word == what).map(|(_, activation)| activation.clone()).collect()
    }
}

struct Probe(Arc<Recorder>);

impl Runnable for Probe {
    fn activate(&self, activation: Activation, cancel: CancellationToken) -> BoxFuture<'static, SlotEnd> {
        let recorder = Arc::clone(&self.0);
        Box::pin(async move {
            recorder.note("begun", &activation);
            match activation.task.as_str() {
                "long" => cancel.cancelled().await,
                "stubborn" => std::future::pending().await,
                "broken" => panic!("broken on purpose"),
                _ => {}
            }
            recorder.note("ended", &activation);
            if activation.task.as_str() == "failing" { SlotEnd::Unfinished } else { SlotEnd::Done }
        })
    }

    fn skip(&self, activation: Activation, why: &'static str) -> BoxFuture<'static, ()> {
        self.0.note(why, &activation);
        Box::pin(std::future::ready(()))
    }

    fn lost(&self, activation: Activation, panic: String) -> BoxFuture<'static, ()> {
        self.0.note(&panic, &activation);
        Box::pin(std::future::ready(()))
    }
}

fn every(name: &str, secs: u64, past: Past) -> Scheduled {
    let task = Task { trigger: Trigger::Every(Duration::from_secs(secs)), ..fixtures::task(name) };
    Scheduled { task: Arc::new(task), past }
}

fn new_now() -> Past {
    Past { last_due_at: None, known_since: Clock::system().now(), unfinished_at: None }
}

async fn start(tasks: &[Scheduled]) -> (Schedule, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let probe = Arc::new(Probe(Arc::clone(&recorder)));
    let (clock, alarm, parent) = (Clock::system(), Alarm::kernel(), CancellationToken::new());
    (Schedule::start(TimeZone::UTC, tasks, clock, alarm, probe, &parent).await.unwrap(), recorder)
}

/// Waits for a condition; fails after a generous while.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

async fn shut(mut schedule: Schedule) {
    schedule.close().await;
    tokio::time::timeout(Duration::from_secs(10), schedule.ended()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_runs_at_each_of_its_slots() {
    let past = new_now();
    let (schedule, recorder) = start(&[every("quick", 1, past)]).await;
    until("three runs", || recorder.of("ended").len() >= 3).await;
    let runs = recorder.of("begun");
    for (slot, run) in runs.iter().enumerate() {
        let expected = past.known_since + SignedDuration::from_secs(slot as i64 + 1);
        assert_eq!((run.due_at, run.occasion), (expected, Occasion::Due));
    }
    shut(schedule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g7_a_task_never_overlaps_itself() {
    let (schedule, recorder) = start(&[every("long", 1, new_now())]).await;
    until("two skipped slots", || recorder.of("the run before it had not ended").len() >= 2).await;
    assert_eq!(recorder.of("begun").len(), 1);
    let pulse = schedule.pulse(Duration::from_secs(5)).await.unwrap();
    assert!(pulse.ticking);
    assert!(pulse.tasks[0].running_since.is_some());
    assert_eq!(pulse.running, 1);
    shut(schedule).await;
    assert_eq!(recorder.of("ended").len(), 1, "the token reached the activation, and its end was awaited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_reported_and_other_tasks_continue() {
    let past = new_now();
    let (schedule, recorder) = start(&[every("broken", 1, past), every("quick", 1, past)]).await;
    until("panics", || recorder.of("broken on purpose").len() >= 2).await;
    until("the other task", || recorder.of("ended").len() >= 2).await;
    shut(schedule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_slots_but_not_running_tasks() {
    let (schedule, recorder) = start(&[every("long", 1, new_now())]).await;
    until("the run", || recorder.of("begun").len() == 1).await;
    schedule.replace(TimeZone::UTC, &[every("quick", 1, new_now())]).unwrap();
    until("the new task", || recorder.of("ended").len() >= 2).await;
    assert!(recorder.of("ended").iter().all(|run| run.task.as_str() == "quick"));
    let pulse = schedule.pulse(Duration::from_secs(5)).await.unwrap();
    assert!(pulse.running >= 1, "the run of the task that went away goes on");
    shut(schedule).await;
    assert!(recorder.of("ended").iter().any(|run| run.task.as_str() == "long"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_missed_while_down_are_caught_up_once() {
    let last = Clock::system().now() - SignedDuration::from_mins(63);
    let past = Past { last_due_at: Some(last), known_since: last, unfinished_at: None };
    let (schedule, recorder) = start(&[every("quick", 600, past)]).await;
    until("the catch-up", || recorder.of("ended").len() == 1).await;
    let run = &recorder.of("begun")[0];
    assert_eq!((run.due_at, run.occasion), (last + SignedDuration::from_hours(1), Occasion::CatchUp));
    let pulse = schedule.pulse(Duration::from_secs(5)).await.unwrap();
    assert_eq!(pulse.tasks[0].next, Some(last + SignedDuration::from_mins(70)));
    shut(schedule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_tasks_due_at_once_all_run() {
    let soon = Clock::system().now() - SignedDuration::from_secs(3598);
    let past = Past { last_due_at: Some(soon), known_since: soon, unfinished_at: None };
    let tasks: Vec<Scheduled> = (0..1000).map(|n| every(&format!("t{n}"), 3600, past)).collect();
    let (schedule, recorder) = start(&tasks).await;
    until("all of them", || recorder.of("ended").len() == 1000).await;
    shut(schedule).await;
    assert_eq!(recorder.of("begun").len(), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_moved_by_hand_brings_the_slot() {
    let clock = Clock::manual("2026-01-01T12:00:00Z".parse().unwrap());
    let recorder = Arc::new(Recorder::default());
    let mut nightly = every("quick", 1, Past { last_due_at: None, known_since: clock.now(), unfinished_at: None });
    Arc::make_mut(&mut nightly.task).trigger = Trigger::Cron("0 3 * * *".to_owned());
    let alarm = Alarm::Polling(Duration::from_millis(5));
    let probe = Arc::new(Probe(Arc::clone(&recorder)));
    let parent = CancellationToken::new();
    let schedule = Schedule::start(TimeZone::UTC, &[nightly], clock.clone(), alarm, probe, &parent).await.unwrap();
    clock.advance(Duration::from_secs(15 * 3600));
    until("the slot", || recorder.of("ended").len() == 1).await;
    clock.advance(Duration::from_secs(26 * 3600));
    until("the late slot", || recorder.of("ended").len() == 2).await;
    let runs = recorder.of("begun");
    assert_eq!(runs[1].occasion, Occasion::CatchUp);
    assert_eq!(runs[1].due_at, "2026-01-03T03:00:00Z".parse().unwrap());
    shut(schedule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ignores_its_token_holds_up_the_end() {
    let (mut schedule, recorder) = start(&[every("stubborn", 1, new_now())]).await;
    until("the run", || recorder.of("begun").len() == 1).await;
    schedule.close().await;
    let ended = tokio::time::timeout(Duration::from_millis(200), schedule.ended()).await;
    assert!(ended.is_err());
}
