//! The package's life: install, upgrade, remove, purge.

use super::deb::{next_release, package};
use super::machine::{Machine, SOON};
use super::open_files;
use crate::needs::Need;

const LEDGER: &str = "/var/lib/retaind/ledger.db";

#[test]
fn f8_installing_starts_nothing_and_open_files_stay() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    assert_eq!(machine.run(&["systemctl", "is-enabled", "retaind"]).stdout.trim(), "disabled");
    assert_eq!(machine.run(&["systemctl", "is-active", "retaind"]).stdout.trim(), "inactive");
    assert!(!machine.path(LEDGER).exists());

    let owners = machine.ok(&["stat", "--format=%U:%G %a %n", "/etc/retaind/retaind.toml", "/var/lib/retaind"]);
    assert_eq!(owners, "root:retaind 640 /etc/retaind/retaind.toml\nretaind:retaind 700 /var/lib/retaind\n");
    assert_eq!(machine.ok(&["systemd-analyze", "verify", "--man=no", "/lib/systemd/system/retaind.service"]), "");
    for file in [
        "/usr/share/man/man1/retaind.1.gz",
        "/usr/share/man/man1/retaind-config.1.gz",
        "/usr/share/man/man5/retaind.toml.5.gz",
        "/usr/share/retaind/retaind.schema.json",
        "/usr/share/bash-completion/completions/retaind",
        "/usr/share/zsh/vendor-completions/_retaind",
        "/usr/share/fish/vendor_completions.d/retaind.fish",
        "/usr/share/doc/retaind/examples/retaind.service.d/stores.conf",
    ] {
        assert!(machine.path(file).metadata().is_ok_and(|file| file.len() > 100), "{file}");
    }
    let catalog = machine.ok(&["journalctl", "--list-catalog", retaind::telemetry::message_id::GUARD_BLOCKED]);
    assert!(catalog.contains("was blocked by a guard"), "{catalog}");

    // As shipped, the configuration is valid and does nothing.
    machine.ok(&["runuser", "-u", "retaind", "--", "retaind", "check"]);
    machine.ok(&["systemctl", "start", "retaind"]);
    assert!(!machine.property("retaind", "StatusText").is_empty());
    open_files::stay(&machine);
}

/// What `systemd-analyze security` gives the service.
pub(super) fn exposure(machine: &Machine) -> f64 {
    let table = machine.ok(&["systemd-analyze", "security", "retaind.service"]);
    let level =
        table.lines().find_map(|line| line.split_once("exposure level for retaind.service: ")?.1.split(' ').next());
    level.and_then(|level| level.parse().ok()).unwrap_or_else(|| panic!("no exposure level in {table}"))
}

#[test]
fn upgrade_remove_and_purge_keep_ledger_and_decisions() {
    needs!(Need::Root);
    let machine = Machine::boot();
    let work = tempfile::tempdir().unwrap();
    let next = next_release(work.path());
    let pid = || machine.property("retaind", "MainPID");
    machine.install(package());
    machine.sh("echo '# mine' >>/etc/retaind/retaind.toml");

    // A daemon that runs is restarted with the new program; its configuration stays.
    machine.ok(&["systemctl", "start", "retaind"]);
    let before = pid();
    machine.install(&next);
    machine.poll("restarted daemon", SOON, || (!["0", &before].contains(&pid().as_str())).then_some(()));
    assert!(machine.ok(&["cat", "/etc/retaind/retaind.toml"]).ends_with("# mine\n"));
    assert_eq!(machine.ok(&["stat", "--format=%U:%G %a", "/etc/retaind/retaind.toml"]), "root:retaind 640\n");
    assert_eq!(machine.run(&["systemctl", "is-enabled", "retaind"]).stdout.trim(), "disabled");

    // One that was stopped stays so.
    machine.ok(&["systemctl", "stop", "retaind"]);
    machine.sh("sed -i 's/+next$/+next2/' /var/lib/dpkg/status; dpkg --install --force-downgrade /root/retaind.deb");
    assert_eq!(machine.property("retaind", "ActiveState"), "inactive");

    // Removing stops it and leaves configuration and ledger.
    machine.ok(&["systemctl", "enable", "--now", "retaind"]);
    machine.ok(&["dpkg", "--remove", "retaind"]);
    assert_eq!(machine.property("retaind", "MainPID"), "0");
    assert!(!machine.path("/usr/bin/retaind").exists());
    assert!(machine.path("/etc/retaind/retaind.toml").exists() && machine.path(LEDGER).exists());

    // Coming back, it is enabled as the operator had it.
    machine.install(&next);
    assert_eq!(machine.run(&["systemctl", "is-enabled", "retaind"]).stdout.trim(), "enabled");

    let told = machine.ok(&["dpkg", "--purge", "retaind"]);
    assert!(told.contains("the ledger stays in /var/lib/retaind"), "{told}");
    assert!(machine.path(LEDGER).exists() && !machine.path("/etc/retaind").exists());

    machine.install(&next);
    machine.ok(&["env", "RETAIND_PURGE_LEDGER=yes", "dpkg", "--purge", "retaind"]);
    assert!(!machine.path("/var/lib/retaind").exists());
}
