//! Slots: on time, missed, caught up, and through a stall.

use super::commands::retaind;
use super::*;

/// A slot each day that is half a day away.
fn far_from_now() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    format!("schedule = \"0 {} * * *\"\n", (now.hour() + 12) % 24)
}

#[test]
fn a_scheduled_run_shows_in_the_status() {
    let world = world("every = \"1s\"");
    world.item(1, 40.0, None, None);
    world.item(2, 1.0, None, None);
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("last: sweep completed at");
    await_runs(&world, 2);
    assert_eq!(world.ids(), crate::world::set([2]));
    daemon.stop();
    let runs = await_runs(&world, 2);
    assert!(runs.iter().all(|run| text(&run[0]) == "schedule" && text(&run[1]) == "completed"), "{runs:?}");
    assert!(log(&world).contains("1 row"), "{}", log(&world));
}

#[test]
fn slots_missed_while_down_are_caught_up_once() {
    let world = world(&format!("{}catch_up = true", far_from_now()));
    Daemon::ready(&world).stop();
    let days_ago = |days: i64| {
        let at = world.clock.now() - jiff::SignedDuration::from_hours(24 * days);
        format!("{at:.9}")
    };
    ledger(&world).execute(&format!("UPDATE tasks SET known_since = '{}'", days_ago(9))).unwrap();
    world.item(1, 40.0, None, None);
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("last: sweep completed");
    assert!(world.ids().is_empty());
    daemon.stop();
    let runs = await_runs(&world, 1);
    assert_eq!(runs, [[Some("catch_up".to_owned()), Some("completed".to_owned())]], "nine slots are one run");
    Daemon::ready(&world).stop();
    assert_eq!(await_runs(&world, 1).len(), 1, "what was caught up is not missed any more");
}

#[test]
fn without_catch_up_a_missed_slot_is_noted() {
    let world = world(&format!("{}catch_up = false\nmisfire_grace = \"1s\"", far_from_now()));
    Daemon::ready(&world).stop();
    ledger(&world).execute("UPDATE tasks SET known_since = '2026-01-01T00:00:00.000000000Z'").unwrap();
    world.item(1, 40.0, None, None);
    let daemon = Daemon::ready(&world);
    let deadline = Instant::now() + PATIENCE;
    while ledger(&world).query("SELECT 1 FROM tasks WHERE last_due_at IS NOT NULL").unwrap().is_empty() {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.stop();
    assert_eq!(world.ids(), crate::world::set([1]));
    assert!(log(&world).contains("Skipped the slot"), "{}", log(&world));
}

#[test]
fn a_long_stall_does_not_end_the_schedule() {
    let world = world("every = \"1s\"");
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("last: sweep completed");
    daemon.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(4));
    let before = await_runs(&world, 1).len();
    daemon.signal(Signal::CONT);
    let after = await_runs(&world, before + 3);
    assert!(after.iter().all(|run| text(&run[1]) == "completed"), "{after:?}");
    daemon.stop();
}

/// Words of the runs: what began them, and how they ended.
fn words(runs: &[Vec<Option<String>>]) -> Vec<(String, String)> {
    runs.iter().map(|run| (text(&run[0]).to_owned(), text(&run[1]).to_owned())).collect()
}

/// A task whose newest slot was missed, so that a start runs it.
fn missed_slot(task: &str) -> World {
    let world = world(&format!("{}{task}", far_from_now()));
    miss_slots(&world, 9);
    world
}

/// Makes the slots of so many days missed ones.
fn miss_slots(world: &World, days: i64) {
    Daemon::ready(world).stop();
    let days_ago = world.clock.now() - jiff::SignedDuration::from_hours(24 * days);
    ledger(world).execute(&format!("UPDATE tasks SET known_since = '{days_ago:.9}'")).unwrap();
}

#[test]
fn a_failed_slot_is_tried_until_it_succeeds() {
    let world = missed_slot("retry = \"1s\"");
    world.item(1, 40.0, None, None);
    world.item(2, 1.0, None, None);
    world.db.execute("ALTER TABLE item RENAME TO gone");
    let daemon = Daemon::ready(&world);
    await_runs(&world, 2);
    let status: serde_json::Value = serde_json::from_slice(&retaind(&world, &["status", "--json"]).stdout).unwrap();
    assert!(status["tasks"].as_array().unwrap().iter().any(|task| task["retry_at"].is_string()), "{status}");
    world.db.execute("ALTER TABLE gone RENAME TO item");
    let deadline = Instant::now() + PATIENCE;
    while world.ids() != crate::world::set([2]) {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(2500));
    daemon.stop();
    let runs = words(&await_runs(&world, 3));
    let ((first, retries), is_failed) = (runs.split_first().unwrap(), |run: &(String, String)| run.1 == "failed");
    let (last, failed) = retries.split_last().unwrap();
    assert_eq!((first.0.as_str(), is_failed(first)), ("catch_up", true), "{runs:?}");
    assert!(failed.iter().all(|run| run.0 == "retry" && is_failed(run)) && !failed.is_empty(), "{runs:?}");
    assert_eq!((last.0.as_str(), last.1.as_str()), ("retry", "completed"), "and none after it: {runs:?}");
}

#[test]
fn a_slot_cut_short_goes_on_after_start() {
    let rows = 30_000;
    let world = missed_slot("retry = \"1s\"");
    fill(&world, rows);
    let daemon = Daemon::ready(&world);
    await_purge(&world, rows);
    daemon.stop();
    assert_eq!(words(&await_runs(&world, 1)), [("catch_up".to_owned(), "cancelled".to_owned())]);
    assert!(!world.ids().is_empty());
    let daemon = Daemon::ready(&world);
    await_runs(&world, 2);
    daemon.stop();
    assert_eq!(words(&await_runs(&world, 2))[1], ("retry".to_owned(), "completed".to_owned()));
    assert!(world.ids().is_empty());
}

#[test]
fn a_cancelled_slot_is_not_tried_again() {
    let rows = 30_000;
    let world = missed_slot("retry = \"1s\"");
    fill(&world, rows);
    let daemon = Daemon::ready(&world);
    await_purge(&world, rows);
    let runs = ledger(&world).query("SELECT run_id FROM runs").unwrap();
    assert!(retaind(&world, &["cancel", text(&runs[0][0])]).status.success());
    await_runs(&world, 1);
    std::thread::sleep(Duration::from_millis(2500));
    daemon.stop();
    Daemon::ready(&world).stop();
    assert_eq!(words(&await_runs(&world, 1)), [("catch_up".to_owned(), "cancelled".to_owned())]);
}

/// The window that ends at an instant and has been open for an hour then.
fn window_to(end: jiff::Timestamp) -> String {
    let end = end.to_zoned(jiff::tz::TimeZone::UTC);
    let begin = &end - jiff::SignedDuration::from_hours(1);
    format!("window = \"{}-{}\"\n", begin.strftime("%H:%M"), end.strftime("%H:%M"))
}

#[test]
fn outside_its_window_a_task_awaits_requests() {
    let now = jiff::Timestamp::now();
    let far = window_to(now + jiff::SignedDuration::from_hours(12));
    let world = world(&format!("every = \"1s\"\n{far}"));
    world.item(1, 40.0, None, None);
    world.item(2, 1.0, None, None);
    let mut daemon = Daemon::ready(&world);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(world.ids(), crate::world::set([1, 2]));
    let status: serde_json::Value = serde_json::from_slice(&retaind(&world, &["status", "--json"]).stdout).unwrap();
    let task = status["tasks"].as_array().unwrap().iter().find(|task| task["task"] == "sweep").unwrap();
    let next: jiff::Timestamp = task["next_due_at"].as_str().unwrap().parse().unwrap();
    assert!(next > now + jiff::SignedDuration::from_hours(10), "{task}");
    assert_eq!(task.get("overdue_since").filter(|since| !since.is_null()), None, "{task}");
    assert_eq!(retaind(&world, &["run", "sweep"]).status.code(), Some(0));
    assert_eq!(world.ids(), crate::world::set([2]));
    world.item(1, 40.0, None, None);
    edit(&world, &far, "");
    daemon.reload();
    await_runs(&world, 2);
    daemon.stop();
    assert_eq!(world.ids(), crate::world::set([2]));
}

#[test]
fn a_run_stops_when_its_window_closes() {
    // The next full minute that leaves time to begin.
    let soon = jiff::Timestamp::now().as_second() + 8;
    let closes = jiff::Timestamp::from_second((soon / 60 + 1) * 60).unwrap();
    let rows = 20_000;
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.daemon("approve_changes = false");
    world.declare(&format!(
        "[tasks.sweep]\nevery = \"20d\"\n{}\n[policies.items]\nkind = \"rows\"\ntask = \"sweep\"\nsource = \"app\"\n\
         table = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 10\npace = {{ pause = \"100ms\" }}\n",
        window_to(closes)
    ));
    fill(&world, rows);
    miss_slots(&world, 30);
    let daemon = Daemon::ready(&world);
    await_purge(&world, rows);
    let deadline = Instant::now() + Duration::from_secs(75);
    let cause = || ledger(&world).query("SELECT cause FROM runs WHERE cause IS NOT NULL").unwrap();
    while cause().is_empty() {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(100));
    }
    let late = jiff::Timestamp::now().duration_since(closes);
    assert!(late >= jiff::SignedDuration::ZERO && late < jiff::SignedDuration::from_secs(5), "{late}");
    assert_eq!(cause()[0][0].as_deref(), Some("window"));
    daemon.stop();
    let gone = rows as usize - world.ids().len();
    assert!(gone > 0 && gone < rows as usize, "{gone}");
    assert!(log(&world).contains("window"), "{}", log(&world));
}
