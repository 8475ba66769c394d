//! Slots: on time, missed, caught up, and through a stall.

use super::*;

#[test]
fn a_task_runs_on_schedule_and_the_status_tells_of_it() {
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
fn a_slot_missed_while_down_is_caught_up_once() {
    let world = world("schedule = \"0 3 * * *\"\ncatch_up = true");
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
fn without_catch_up_a_missed_slot_is_noted_and_not_run() {
    let world = world("schedule = \"0 3 * * *\"\ncatch_up = false\nmisfire_grace = \"1s\"");
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
fn a_stall_longer_than_the_interval_does_not_end_the_schedule() {
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
