//! Hooks under the daemon: a failure is told once, and a shutdown does not wait for them.

use super::*;
use crate::world::set;

/// A world whose task has a `before` of this script, where `$1` is the world's directory.
fn hooked(script: &str) -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.item(1, 40.0, None, None);
    let dir = world.dir.display().to_string();
    let before = format!("before = {{ command = [\"/bin/sh\", \"-c\", '''{script}''', \"hook\", \"{dir}\"] }}");
    declare(&mut world, &format!("every = \"1s\"\n{before}"));
    world
}

fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

fn wait_for(world: &World, is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "{}", log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_failed_before_is_reported_once_and_retried() {
    let mut world = hooked("env > $1/env; echo no space left; test -e $1/space");
    // A second policy, which is blocked as well.
    let more =
        "[policies.more]\nkind = \"rows\"\ntask = \"sweep\"\nsource = \"app\"\ntable = \"item\"\nwhere = \"id < 0\"\n";
    world.declare(more);
    let daemon = Daemon::ready(&world);
    let runs = await_runs(&world, 1);
    assert_eq!((text(&runs[0][0]), text(&runs[0][1])), ("schedule", "blocked"));
    assert_eq!(world.ids(), set([1]));
    let environment = std::fs::read_to_string(world.dir.join("env")).unwrap();
    assert!(!environment.contains("NOTIFY_SOCKET"), "{environment}");
    assert!(environment.contains("RETAIND_POLICIES=items,more"), "{environment}");
    std::fs::write(world.dir.join("space"), "").unwrap();
    wait_for(&world, || world.ids().is_empty());
    daemon.stop();
    let blocked = ledger(&world).query("SELECT run_id FROM runs WHERE status = 'blocked'").unwrap().len();
    let log = log(&world);
    assert_eq!(log.matches("The before hook of task sweep failed in run ").count(), blocked, "{log}");
    assert!(log.contains("/bin/sh ended with exit code 1: no space left"), "{log}");
    assert!(!log.contains("was blocked in run"), "{log}");
}

#[test]
fn a_shutdown_ends_a_hook_and_its_run() {
    let world = hooked("trap : TERM; echo $$ > $1/pid; while :; do sleep 1; done");
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("(before hook)");
    let pid = || std::fs::read_to_string(world.dir.join("pid")).unwrap_or_default();
    wait_for(&world, || pid().ends_with('\n'));
    assert!(is_alive(&pid()));
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end_within(Duration::from_secs(3)).code(), Some(0));
    assert!(!is_alive(&pid()));
    let runs = ledger(&world).query("SELECT status, cause FROM runs").unwrap();
    assert_eq!((text(&runs[0][0]), text(&runs[0][1])), ("cancelled", "signal"));
    assert_eq!(world.ids(), set([1]));
}
