//! What a reload changes, what it refuses, and what it leaves alone.

use super::*;

#[test]
fn a_good_reload_takes_effect() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    world.item(1, 40.0, None, None);
    edit(&world, "every = \"1h\"", "every = \"1s\"");
    daemon.reload();
    daemon.await_status("last: sweep completed");
    assert!(world.ids().is_empty());
    assert!(log(&world).contains("task sweep: every 1h → 1s"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn g10_a_bad_reload_leaves_the_old_configuration_running() {
    let world = world("every = \"1s\"");
    let mut daemon = Daemon::ready(&world);
    edit(&world, "keep = \"30d\"", "keeep = \"30d\"\nbatch = \"many\"\n[policies.second]\n");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Reload failed"), "{ready}");
    let log_now = log(&world);
    assert!(log_now.contains("keeep") && log_now.contains("second"), "every error is told: {log_now}");
    let runs = await_runs(&world, 0).len();
    await_runs(&world, runs + 2);
    daemon.await_status("Reload failed");
    edit(&world, "keeep = \"30d\"\nbatch = \"many\"\n[policies.second]\n", "keep = \"30d\"");
    let ready = daemon.reload();
    assert!(!ready.to_lowercase().contains("reload failed"), "{ready}");
    daemon.stop();
}

#[test]
fn the_state_directory_does_not_move_while_running() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    std::fs::create_dir(world.dir.join("elsewhere")).unwrap();
    edit(&world, "/state\"", "/elsewhere\"");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Reload failed"), "{ready}");
    assert!(log(&world).contains("needs a restart"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn d4_a_reload_that_deletes_more_says_so() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    edit(&world, "keep = \"30d\"", "keep = \"7d\"");
    daemon.reload();
    let log = log(&world);
    assert!(log.contains("may delete more than before: keep 30d → 7d"), "{log}");
    daemon.stop();
}

#[test]
fn a_run_keeps_the_configuration_it_began_with() {
    let world = world("every = \"1s\"");
    fill(&world, 100_000);
    let mut daemon = Daemon::ready(&world);
    await_purge(&world, 100_000);
    edit(&world, "every = \"1s\"", "every = \"1h\"");
    daemon.reload();
    let runs = await_runs(&world, 1);
    assert_eq!(text(&runs[0][1]), "completed");
    assert!(world.ids().is_empty(), "the run went on to its end");
    daemon.stop();
}

#[test]
fn three_quick_reloads_end_ready() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    for _ in 0..3 {
        daemon.signal(Signal::HUP);
    }
    daemon.await_message("RELOADING=1", |message| message.contains("RELOADING=1"));
    daemon.await_message("READY=1", |message| message.contains("READY=1"));
    // Quiet for a moment, then every reload that was announced was also ended.
    while daemon.next_message(Instant::now() + Duration::from_millis(500)).is_some() {}
    let count = |what: &str| daemon.told.iter().filter(|message| message.contains(what)).count();
    assert_eq!(count("RELOADING=1") + 1, count("READY=1"));
    daemon.stop();
}
