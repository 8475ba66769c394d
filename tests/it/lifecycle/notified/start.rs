//! A start that fails: said at once, once for the same reason, and over when the daemon is there.

use super::*;

fn fail(world: &World) {
    let mut daemon = Daemon::start_as_configured(world, &[]);
    assert!(!daemon.end_within(PATIENCE).success(), "{}", log(world));
}

#[test]
fn a_start_that_fails_is_said_once() {
    let receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    notify(&mut world, &receiver, "");
    world.config_file();
    edit(&world, "keep = \"30d\"", "keep = \"soon\"");
    fail(&world);
    fail(&world);
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["start_failed", "firing", "retaind"]]);
    assert!(word(&notices[0], "/message").contains("policies.items.keep"), "{:#}", notices[0]);
    // For another reason.
    edit(&world, "keep = \"soon\"", "keep = \"later\"");
    fail(&world);
    assert_eq!(receiver.received().len(), 2);
    edit(&world, "keep = \"later\"", "keep = \"30d\"");
    let daemon = Daemon::ready_without_config(&world);
    let notices = await_notices(&receiver, 3, &world);
    assert_eq!(heads(&notices[1..]), [["start_failed", "firing", "retaind"], ["start_failed", "resolved", "retaind"]]);
    assert_eq!(notices[0]["since"], notices[2]["since"]);
    daemon.stop();
    Daemon::ready_without_config(&world).stop();
    assert_eq!(receiver.received().len(), 3);
}

#[test]
fn an_unusable_ledger_is_said_without_it() {
    let mut receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    notify(&mut world, &receiver, "");
    world.config_file();
    let path = world.dir.join("state/ledger.db");
    std::fs::write(&path, "this is no database, and was never meant to be one").unwrap();
    // Nobody hears it the first time.
    receiver.kill();
    fail(&world);
    receiver.restart();
    fail(&world);
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["start_failed", "firing", "retaind"]]);
    std::fs::remove_file(&path).unwrap();
    let daemon = Daemon::ready_without_config(&world);
    assert_eq!(heads(&await_notices(&receiver, 2, &world)[1..]), [["start_failed", "resolved", "retaind"]]);
    // One beside it is no failure.
    fail(&world);
    assert_eq!(receiver.received().len(), 2);
    daemon.stop();
}
