//! The harness against itself: what it says of a machine is so.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::machine::{Machine, SOON};
use crate::needs::Need;

#[test]
fn a_machine_boots_sandboxes_and_leaves_nothing_behind() {
    needs!(Need::Root);
    let machine = Machine::boot();
    assert_eq!(machine.ok(&["cat", "/proc/1/comm"]).trim(), "systemd");
    assert_eq!(machine.run(&["sh", "-c", "echo out; echo err >&2; exit 7"]).code, Some(7));
    assert_eq!(machine.sh("ls /sys/class/net").trim(), "lo", "no way out of the machine");

    machine.write("/srv/data/open/file", "x");
    machine.write("/etc/systemd/system/probe.service", SANDBOXED);
    machine.ok(&["systemctl", "start", "probe"]);
    assert!(!machine.path("/srv/data/open/file").exists(), "ReadWritePaths= opens the directory");
    machine.poll("refusal in the journal", SOON, || {
        machine.ok(&["journalctl", "--unit=probe"]).contains("Read-only file system").then_some(())
    });

    let never = || machine.poll("miracle", Duration::from_millis(50), || None::<()>);
    let message = catch_unwind(AssertUnwindSafe(never)).unwrap_err().downcast::<String>().unwrap();
    assert!(message.starts_with("no miracle after 50ms"), "{message}");

    let (init, root) = (machine.init(), machine.path("/"));
    drop(machine);
    assert!(!fs::exists(format!("/proc/{init}")).unwrap() && !root.exists());
}

/// Removes a file in the directory that is open to it, and fails to write beside it.
const SANDBOXED: &str = "[Service]
Type=oneshot
ProtectSystem=strict
ReadWritePaths=/srv/data/open
PrivateUsers=yes
ExecStart=/bin/rm /srv/data/open/file
ExecStart=-/usr/bin/touch /srv/data/closed
";
