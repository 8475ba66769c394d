//! Logs of another user, some of them open, under the service as it is shipped and with the drop-in that `check` prints.

use std::collections::BTreeSet;

use serde_json::Value;

use super::install::exposure;
use super::machine::{Machine, SOON};

const LOGS: &str = r#"
[stores.logs]
path = "/srv/logs"

[tasks.rotated]
every = "1s"

[policies.old-logs]
kind = "files"
task = "rotated"
store = "logs"
match = "*.log"
keep = "1s"
"#;

/// What nobody holds goes, what another user holds stays, and what cannot be known stays.
pub(super) fn stay(machine: &Machine) {
    set_up(machine);
    machine.ok(&["systemctl", "restart", "retaind"]);
    // The service's own file can be asked about as it is: when it is gone, the older ones were looked at.
    await_left(machine, &["held.log", "quiet.log"]);
    assert!(exposure(machine) <= 1.2);

    machine.write("/etc/systemd/system/retaind.service.d/lease.conf", &drop_in(machine));
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "restart", "retaind"]);
    await_left(machine, &["held.log"]);
    assert!(exposure(machine) <= 1.2, "with the drop-in");
    assert_eq!(blindness(machine), None, "nothing is lacking any more");

    // Let go of, it goes as well.
    machine.ok(&["systemctl", "stop", "holder"]);
    await_left(machine, &[]);
}

/// A directory of the user `app` with three logs: one that is open, one that is not, and one of the service's own user.
fn set_up(machine: &Machine) {
    machine.sh("useradd --system app && usermod --append --groups app retaind && mkdir /srv/logs");
    machine.sh("cd /srv/logs && echo held >held.log && echo quiet >quiet.log");
    machine.sh("chown -R app:app /srv/logs && chmod 2770 /srv/logs && chmod 640 /srv/logs/*");
    let holds = "exec sleep infinity >>/srv/logs/held.log";
    machine.ok(&["systemd-run", "--quiet", "--unit=holder", "--uid=app", "sh", "-c", holds]);
    machine.poll("process that holds a log", SOON, || {
        (machine.run(&["pgrep", "-u", "app", "-x", "sleep"]).code == Some(0)).then_some(())
    });

    machine.write("/etc/retaind/conf.d/10-logs.toml", LOGS);
    machine.write("/etc/systemd/system/retaind.service.d/logs.conf", "[Service]\nReadWritePaths=/srv/logs\n");
    machine.sh("chgrp retaind /etc/retaind/conf.d/10-logs.toml && chmod 640 /etc/retaind/conf.d/10-logs.toml");
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["runuser", "-u", "retaind", "--", "retaind", "adopt", "logs", "--yes"]);
    machine.ok(&["runuser", "-u", "retaind", "--", "sh", "-c", "echo own >/srv/logs/own.log"]);
}

fn await_left(machine: &Machine, names: &[&str]) {
    let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let left = || -> BTreeSet<String> {
        let listed = machine.ok(&["find", "/srv/logs", "-name", "*.log", "-printf", "%f\n"]);
        listed.lines().map(str::to_owned).collect()
    };
    machine.poll(&format!("run that leaves {names:?}"), SOON, || {
        let left = left();
        assert!(left.is_superset(&names), "{left:?} is left, and not {names:?}");
        (left == names).then_some(())
    });
}

/// The drop-in, as `check` prints it.
fn drop_in(machine: &Machine) -> String {
    let fix = blindness(machine).expect("a warning that files may be open");
    let lines = fix.lines().skip_while(|line| *line != "[Service]").take_while(|line| !line.starts_with("or "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// What `check` says is to be done about files that may be open, if anything.
fn blindness(machine: &Machine) -> Option<String> {
    let printed = machine.ok(&["runuser", "-u", "retaind", "--", "retaind", "check", "--json"]);
    let found: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let findings = found["findings"].as_array().expect("findings");
    let about = |finding: &&Value| finding["message"].as_str().is_some_and(|message| message.contains("is open"));
    findings.iter().find(about).and_then(|finding| Some(finding["fix"].as_str()?.to_owned()))
}
