//! The sandbox lets the service know what it needs to judge its clock (F28).

use std::path::Path;

use super::machine::Machine;
use crate::needs::Need;

/// Runs in place of the daemon.
const PROBE: &str = "[Service]
Type=oneshot
Restart=no
WatchdogSec=0
User=daemon
Group=daemon
ExecReload=
ExecStart=
ExecStart=/bin/sh -c 'echo boot=$BOOT_ID; cat /proc/sys/kernel/random/boot_id 2>/dev/null; echo synchronised=$(timedatectl show --property=NTPSynchronized --value)'
";

#[test]
fn f28_the_unit_knows_its_boot_and_synchronisation() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.copy_in(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/retaind.service"),
        "/etc/systemd/system/clock-probe.service",
    );
    machine.write("/etc/systemd/system/clock-probe.service.d/probe.conf", PROBE);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "start", "clock-probe"]);
    let said = machine.ok(&["journalctl", "--unit=clock-probe", "--output=cat"]);
    let boot = machine.ok(&["cat", "/proc/sys/kernel/random/boot_id"]).trim().replace('-', "");
    assert!(said.contains(&format!("boot={boot}\n")), "{said}");
    assert!(said.contains("synchronised=no\n") || said.contains("synchronised=yes\n"), "{said}");
    let after = machine.property("clock-probe", "After");
    assert!(after.split(' ').any(|unit| unit == "time-sync.target"), "{after}");
}
