//! What surrounds the service is broken: its configuration, the sandbox's view of a store, the journal.

use retaind::telemetry::message_id;

use super::camera::Camera;
use super::deb::package;
use super::machine::{Machine, SOON};
use crate::needs::Need;

#[test]
fn a_bad_configuration_fails_once_with_every_error() {
    needs!(Need::Root);
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
fn a_stalling_journal_stalls_no_run() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    let camera = Camera::set_up(&machine);
    camera.configure("30d", 500);
    machine.ok(&["systemctl", "start", "retaind"]);

    // Each refused reload logs its errors one by one: in all more lines than the queue and the socket hold.
    machine.ok(&["systemctl", "kill", "--signal=STOP", "systemd-journald"]);
    for errors in 71..=100 {
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

#[test]
fn sources_down_are_named_and_the_service_ready() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    machine.write("/etc/retaind/credentials/nvr-db", "s3cret-of-nvr");
    machine.write(
        "/etc/systemd/system/retaind.service.d/login.conf",
        "[Service]\nLoadCredential=nvr-db:/etc/retaind/credentials/nvr-db\n",
    );
    machine.write("/etc/retaind/conf.d/10-nvr.toml", UNREACHABLE);
    machine.sh("chgrp retaind /etc/retaind/conf.d/10-nvr.toml && chmod 640 /etc/retaind/conf.d/10-nvr.toml");
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "start", "retaind"]);

    machine.poll("status line that names both sources", SOON, || {
        let line = machine.property("retaind", "StatusText");
        ["egraded", "nvr", "local"].iter().all(|word| line.contains(word)).then_some(())
    });
    machine.poll("both sources in the journal", SOON, || {
        (machine.entries(message_id::SOURCE_DOWN).len() >= 2).then_some(())
    });
    for down in machine.entries(message_id::SOURCE_DOWN) {
        // What the machine answers, and not what a sandbox forbids.
        let answer = if down.text("SOURCE") == "nvr" { "refused" } else { "No such file" };
        assert!(down.text("ERROR").contains(answer), "{down:?}");
    }
    // Both the daemon and the check beside the reload have the credential.
    machine.ok(&["systemctl", "reload", "retaind"]);
    machine.entry_after(message_id::RELOAD_DONE, 0);
    let journal = machine.ok(&["journalctl", "--no-pager", "--output=export"]);
    assert!(!journal.contains("s3cret"), "a password is in the journal");
}

/// A server on this machine over TCP, with a password, and one on a unix socket; nobody answers at either.
const UNREACHABLE: &str = r#"
[sources.nvr]
url = "postgres://retaind@127.0.0.1/nvr?sslmode=disable"
password_credential = "nvr-db"

[sources.local]
url = "postgres://retaind@/nvr?host=/run/postgresql"

[policies.events]
kind = "rows"
task = "retention"
source = "nvr"
table = "events"
age = "started_at"
keep = "30d"

[policies.logs]
kind = "rows"
task = "log-purge"
source = "local"
table = "logs"
age = "at"
keep = "7d"
"#;
