//! Sources that come and go, the watchdog, and the quiet of an idle daemon.

use super::*;

#[test]
fn a_source_down_degrades_until_found_again() {
    let world = world("every = \"1h\"");
    let path = world.db.path().to_owned();
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    let mut daemon = Daemon::start(&world);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    assert!(status_of(&ready).unwrap().starts_with("Degraded: source app is down"), "{ready}");
    std::fs::rename(&aside, &path).unwrap();
    daemon.await_message("recovered", |message| status_of(message).is_some_and(|status| status.starts_with("Idle")));
    assert!(log(&world).contains("Source app is up again"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_failing_run_notices_a_lost_source() {
    let world = world("every = \"1s\"");
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("last: sweep completed");
    let path = world.db.path().to_owned();
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    daemon.await_status("Degraded: source app is down");
    std::fs::rename(&aside, &path).unwrap();
    daemon.await_message("recovered", |message| {
        status_of(message).is_some_and(|status| status.starts_with("Idle") && status.contains("sweep completed"))
    });
    daemon.stop();
}

#[test]
fn the_watchdog_is_told_twice_in_its_period() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::start_with(&world, &[("WATCHDOG_USEC", "1000000")]);
    daemon.await_message("READY=1", |message| message.contains("READY=1"));
    let began = Instant::now();
    for _ in 0..5 {
        daemon.await_message("WATCHDOG=1", |message| message.contains("WATCHDOG=1"));
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    daemon.stop();
}

/// Times that any thread of the process was woken.
fn wakes(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map(|thread| switches(&thread.unwrap().path().join("status"))).sum()
}

fn switches(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

#[test]
fn nothing_wakes_an_idle_daemon() {
    let mut world = world("schedule = \"0 3 29 2 *\"\nping = \"http://127.0.0.1:9/\"");
    world.declare("[notify.ops]\nwebhook = { url = \"http://127.0.0.1:9/\" }");
    let daemon = Daemon::ready(&world);
    // Idle threads of the start are kept for ten seconds.
    std::thread::sleep(Duration::from_secs(12));
    let before = wakes(daemon.child.id());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(wakes(daemon.child.id()), before);
    daemon.stop();
}
