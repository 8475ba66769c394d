//! A slip in the configuration on a booted machine: an operator in a hurry reads one line, and knows what to do.

use retaind::telemetry::message_id;

use super::camera::Camera;
use super::deb::package;
use super::machine::{Machine, SOON};
use crate::needs::Need;

#[test]
fn f42_the_status_line_alone_explains_what_is_held() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    let camera = Camera::set_up(&machine);
    camera.configure_carefully("30d", 100);
    camera.record(1..=300, 40);
    camera.record(301..=350, 20);
    machine.ok(&["systemctl", "enable", "--now", "retaind"]);
    camera.await_left(&(301..=350).collect());
    // The run has to come to its end before it counts as agreed to.
    machine.poll("run that ended", SOON, || {
        machine.property("retaind", "StatusText").contains("last: retention completed").then_some(())
    });

    camera.configure_carefully("3d", 100);
    let reload = machine.run(&["systemctl", "reload", "retaind"]);
    assert_ne!(reload.code, Some(0), "systemctl itself says that something is held");
    let journal = machine.ok(&["journalctl", "--unit=retaind", "--output=cat"]);
    assert!(journal.contains("keep 30d → 3d; it goes on with retaind approve detections"), "{journal}");
    let status = machine.ok(&["systemctl", "status", "retaind"]);
    let line = "Status: \"Held: detections (keep 30d → 3d), go on with 'retaind approve'; ";
    assert!(status.contains(line), "{status}");
    let held = machine.entry_after(message_id::POLICY_HELD, 0);
    assert_eq!((held.text("POLICY"), held.text("PRIORITY")), ("detections", "4"), "{held:?}");
    assert_eq!((held.text("REASONS"), held.text("COMMAND")), ("keep 30d → 3d", "retaind approve detections"));
    machine
        .poll("run that was held", SOON, || machine.runs().iter().any(|run| run["status"] == "blocked").then_some(()));
    assert_eq!(camera.rows(), (301..=350).collect());
    assert_eq!(camera.thumbnails(), (301..=350).collect());
    assert_eq!(machine.entries(message_id::POLICY_HELD).len(), 1, "it is reported once");

    // Back to what was agreed to: nobody is asked.
    camera.configure_carefully("30d", 100);
    machine.ok(&["systemctl", "reload", "retaind"]);
    let status = machine.property("retaind", "StatusText");
    assert!(!status.contains("Held"), "{status}");
    machine.ok(&["systemctl", "stop", "retaind"]);
}
