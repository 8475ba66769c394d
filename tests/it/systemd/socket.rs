//! The socket of the packaged service: who may ask, and what the answer needs.

use super::camera::Camera;
use super::deb::package;
use super::install::exposure;
use super::machine::{Machine, SOON};
use crate::needs::Need;

#[test]
fn the_group_may_ask_and_read_nothing() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    let camera = Camera::set_up(&machine);
    camera.configure("30d", 100);
    camera.record(1..=20, 40);
    camera.record(21..=30, 20);
    machine.sh("useradd --create-home ada; usermod --append --groups retaind-ctl ada; useradd --create-home bob");
    let ada = |words: &[&str]| machine.run(&[&["runuser", "-u", "ada", "--"], words].concat());
    assert_ne!(ada(&["retaind", "cancel"]).code, Some(0), "no command starts the daemon");
    assert_eq!(machine.property("retaind", "ActiveState"), "inactive");

    machine.ok(&["systemctl", "start", "retaind"]);
    assert_eq!(machine.sh("stat --format '%a %U %G' /run/retaind/retaind.sock").trim(), "660 retaind retaind-ctl");
    assert_ne!(ada(&["cat", "/etc/retaind/retaind.toml"]).code, Some(0));
    let status = ada(&["retaind", "status", "--json"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.stdout.contains("\"differs_from_disk\": false"), "{status:?}");
    assert_eq!(ada(&["retaind", "pause", "detections", "--reason", "a look"]).code, Some(0));
    assert_eq!(ada(&["retaind", "run", "detections"]).code, Some(4), "a paused policy is blocked");
    assert_eq!(camera.rows().len(), 30);
    let page = machine.ok(&["retaind", "status"]);
    assert!(page.contains("Paused: policy detections") && page.contains("ada: a look"), "{page}");
    assert_eq!(ada(&["retaind", "resume", "detections"]).code, Some(0));
    let run = ada(&["retaind", "run", "detections"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    camera.await_left(&(21..=30).collect());

    let bob = machine.run(&["runuser", "-u", "bob", "--", "retaind", "pause", "detections"]);
    assert_ne!(bob.code, Some(0), "{bob:?}");
    assert!(!machine.ok(&["retaind", "status"]).contains("Paused"));
    assert!(exposure(&machine) <= 1.2);

    machine.ok(&["systemctl", "restart", "retaind"]);
    machine.poll("answer", SOON, || (ada(&["retaind", "status"]).code == Some(0)).then_some(()));
    machine.ok(&["systemctl", "stop", "retaind"]);
    assert_eq!(machine.property("retaind", "Result"), "success");
}
