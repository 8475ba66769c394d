//! Requests over TCP to the packaged service: its sandbox lets it listen where the operator says, and nowhere else.

use super::camera::Camera;
use super::deb::package;
use super::install::exposure;
use super::machine::{Machine, SOON};
use crate::needs::Need;

#[test]
fn the_packaged_service_answers_over_tcp() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    let camera = Camera::set_up(&machine);
    camera.configure("30d", 100);
    machine.write("/etc/retaind/conf.d/50-tcp.toml", "[server]\nlisten = \"127.0.0.1:8765\"\nrate_limit = \"1/day\"\n");
    machine.sh("chgrp retaind /etc/retaind/conf.d/50-tcp.toml; chmod 640 /etc/retaind/conf.d/50-tcp.toml");
    machine.write(
        "/etc/systemd/system/retaind.service.d/tcp.conf",
        "[Service]\nSocketBindDeny=any\nSocketBindAllow=tcp:8765\n",
    );
    machine.ok(&["systemctl", "daemon-reload"]);
    assert_ne!(machine.run(&["systemctl", "start", "retaind"]).code, Some(0), "there is no token");
    assert_eq!(machine.property("retaind", "ExecMainStatus"), "78");
    assert_eq!(machine.property("retaind", "NRestarts"), "0", "it is not started in vain");

    // As root, and as the service's user.
    let token = machine.ok(&["retaind", "token", "add", "nightly", "--role", "operator"]);
    machine.ok(&["runuser", "-u", "retaind", "--", "retaind", "token", "add", "grafana", "--role", "viewer"]);
    let files = machine.sh("stat --format '%a %U' /var/lib/retaind/tokens /var/lib/retaind/tokens/*");
    assert_eq!(files.lines().collect::<Vec<_>>(), ["700 retaind", "600 retaind", "600 retaind"], "{files}");
    machine.ok(&["systemctl", "start", "retaind"]);
    let ask = |head: &str| {
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/8765; \
             printf 'GET /api/v1/status HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n{head}\\r\\n' >&3; cat <&3"
        );
        machine.ok(&["bash", "-euc", &script])
    };
    let answer = machine.poll("answer", SOON, || Some(ask(&format!("Authorization: Bearer {}\\r\\n", token.trim()))));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(ask("").starts_with("HTTP/1.1 401"));
    machine.ok(&["retaind", "token", "remove", "nightly"]);
    assert!(
        ask(&format!("Authorization: Bearer {}\\r\\n", token.trim())).starts_with("HTTP/1.1 401"),
        "it counts at once"
    );
    assert!(exposure(&machine) <= 1.2);
    machine.ok(&["systemctl", "stop", "retaind"]);
    assert_eq!(machine.property("retaind", "Result"), "success");
}
