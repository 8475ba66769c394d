//! What an operator does and sees: configure, enable, read the journal, reload well and badly.

use std::collections::BTreeSet;

use retaind::telemetry::message_id;

use super::camera::Camera;
use super::deb::package;
use super::machine::{Machine, SOON};
use crate::needs::Need;

#[test]
fn a_recorder_is_cleaned_and_journaled_on_schedule() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    let camera = Camera::set_up(&machine);
    camera.configure("30d", 100);
    camera.record(1..=300, 40);
    camera.record(301..=350, 20);
    camera.record(351..=360, 1);

    // `start` returns when the daemon is ready, and not before.
    machine.ok(&["systemctl", "enable", "--now", "retaind"]);
    assert_eq!(machine.property("retaind", "ActiveState"), "active");
    let ready = machine.entry_after(message_id::READY, 0);
    assert_eq!((ready.number("POLICIES"), ready.text("PRIORITY")), (1, "6"), "{ready:?}");
    assert_eq!(ready.text("SYSLOG_IDENTIFIER"), "retaind");
    assert_eq!(ready.text("_TRANSPORT"), "journal", "the daemon speaks to the journal itself");

    camera.await_left(&(301..=360).collect());
    let run = machine.entry_after(message_id::RUN_FINISHED, 0);
    let first = machine.entries(message_id::RUN_FINISHED).remove(0);
    assert_eq!((first.number("ROWS_DELETED"), first.number("FILES_DELETED")), (300, 300), "{first:?}");
    assert_eq!((first.text("TASK"), first.text("STATUS")), ("retention", "completed"));
    assert!(run.message().contains(run.text("RUN_ID")), "{run:?}");
    assert_eq!(machine.total("rows_deleted"), 300);
    let explained = machine.ok(&["journalctl", "--no-pager", "--catalog", "--unit=retaind"]);
    for sentence in ["Retention daemon is ready", "Nothing needs to be done", "retaind runs"] {
        assert!(explained.contains(sentence), "{sentence:?} is missing in\n{explained}");
    }
    let status = machine.ok(&["systemctl", "status", "retaind"]);
    assert!(status.contains("Status: \"") && status.contains("retention"), "{status}");

    reload_well(&machine, &camera);
    reload_badly(&machine, &camera);

    machine.ok(&["systemctl", "stop", "retaind"]);
    assert_eq!(machine.property("retaind", "Result"), "success");
    for (id, what) in [(message_id::SHUTDOWN_BEGUN, "Shutting down"), (message_id::SHUTDOWN_DONE, "Shut down in")] {
        assert!(machine.entry_after(id, 0).message().starts_with(what));
    }
}

/// A shorter `keep` takes effect without a restart.
fn reload_well(machine: &Machine, camera: &Camera<'_>) {
    let before = machine.property("retaind", "MainPID");
    camera.configure("10d", 100);
    machine.ok(&["systemctl", "reload", "retaind"]);
    let done = machine.entry_after(message_id::RELOAD_DONE, 0);
    assert!(done.text("CHANGES").contains("detections"), "{done:?}");
    camera.await_left(&(351..=360).collect());
    assert_eq!(machine.property("retaind", "MainPID"), before);
}

/// A broken file is refused aloud, and what was in force stays in force until a good one comes.
fn reload_badly(machine: &Machine, camera: &Camera<'_>) {
    camera.configure("0d", 100);
    let refused = machine.run(&["systemctl", "reload", "retaind"]);
    assert_ne!(refused.code, Some(0), "systemctl itself says that the reload failed");
    let entry = machine.entry_after(message_id::RELOAD_FAILED, 0);
    assert!(entry.number("ERRORS") >= 1 && entry.text("PRIORITY") == "3", "{entry:?}");
    let says_so = || machine.property("retaind", "StatusText").to_lowercase().contains("reload failed");
    machine.poll("status line that says so", SOON, || says_so().then_some(()));
    assert_eq!(machine.property("retaind", "ActiveState"), "active");

    camera.record(401..=420, 11);
    camera.record(421..=430, 9);
    let left: BTreeSet<u32> = (351..=360).chain(421..=430).collect();
    camera.await_left(&left);

    camera.configure("8d", 100);
    machine.ok(&["systemctl", "reload", "retaind"]);
    camera.await_left(&(351..=360).collect());
    machine.poll("status line without the failure", SOON, || (!says_so()).then_some(()));
}
