//! What surrounds the service is broken: its configuration, the sandbox's view of a store, the journal.

use retaind::telemetry::message_id;

use super::camera::Camera;
use super::deb::package;
use super::machine::{Machine, SOON};

#[test]
fn a_bad_configuration_fails_once_and_tells_every_error() {
    let machine = Machine::boot();
    machine.install(package());
    machine.sh("printf '[daemon]\nmodus = \"report\"\n[tasks.a]\nevery = 5\n' >/etc/retaind/retaind.toml");
    assert_ne!(machine.run(&["systemctl", "start", "retaind"]).code, Some(0));
    assert_eq!(machine.property("retaind", "ExecMainStatus"), "78");
    assert_eq!(
        (machine.property("retaind", "ActiveState"), machine.property("retaind", "NRestarts")),
        ("failed".into(), "0".into())
    );
    machine.ok(&["journalctl", "--sync"]);
    let journal = machine.ok(&["journalctl", "--no-pager", "--unit=retaind"]);
    assert!(journal.contains("modus") && journal.contains("every"), "both errors are told:\n{journal}");

    // Mended, it starts at once: nothing counted against it.
    machine.sh("printf '[daemon]\nmode = \"report\"\n' >/etc/retaind/retaind.toml");
    machine.ok(&["systemctl", "start", "retaind"]);
}

#[test]
fn a_journal_that_stalls_does_not_stall_a_run() {
    let machine = Machine::boot();
    machine.install(package());
    let camera = Camera::set_up(&machine);
    camera.configure("30d", 500);
    machine.ok(&["systemctl", "start", "retaind"]);

    // Each refused reload logs its errors one by one: in all more lines than the queue and the socket hold.
    machine.ok(&["systemctl", "kill", "--signal=STOP", "systemd-journald"]);
    for errors in 500..510 {
        let keys: String = (0..errors).map(|number| format!("key{number} = 1\\n")).collect();
        machine.sh(&format!("printf '[daemon]\\n{keys}' >/etc/retaind/retaind.toml"));
        machine.ok(&["systemctl", "kill", "--kill-whom=main", "--signal=HUP", "retaind"]);
        machine.poll("refusal in the status line", SOON, || {
            machine.property("retaind", "StatusText").contains(&format!("({errors} errors)")).then_some(())
        });
    }
    camera.record(1..=500, 40);
    camera.record(501..=502, 1);
    camera.await_left(&(501..=502).collect());
    machine.ok(&["systemctl", "kill", "--signal=CONT", "systemd-journald"]);

    let lost = machine.entry_after(message_id::LINES_LOST, 0);
    assert!(lost.number("LINES") > 0, "{lost:?}");
    camera.configure("30d", 500);
    machine.poll("runs in the ledger", SOON, || (machine.total("rows_deleted") == 500).then_some(()));
    assert_eq!(machine.property("retaind", "NRestarts"), "0");
}
