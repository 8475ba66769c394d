//! Stopped, killed and hung in the middle of a purge: rows and files agree, and the ledger knows.

use std::time::{Duration, Instant};

use retaind::telemetry::message_id;
use serde_json::Value;

use super::camera::Camera;
use super::deb::package;
use super::machine::{Machine, SOON};
use crate::needs::Need;

/// Enough for a purge in batches of ten to last longer than it takes to look and act.
const DETECTIONS: u32 = 6_000;
const BATCH: u32 = 10;
const KILLS: u32 = 3;

#[test]
fn an_interrupted_purge_loses_and_leaks_nothing() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    machine.write("/etc/systemd/system/retaind.service.d/restart.conf", "[Service]\nRestartSec=100ms\n");
    let camera = Camera::set_up(&machine);
    camera.configure("30d", BATCH);
    camera.record(1..=DETECTIONS, 40);
    camera.record(DETECTIONS + 1..=DETECTIONS + 5, 1);
    let total = DETECTIONS as usize + 5;
    let gone = || total - camera.rows().len();

    machine.ok(&["systemctl", "start", "retaind"]);
    camera.await_purging(total);
    let begun = Instant::now();
    machine.ok(&["systemctl", "stop", "retaind"]);
    assert!(begun.elapsed() < Duration::from_secs(4), "the stop took {:?}", begun.elapsed());
    assert_eq!(machine.property("retaind", "Result"), "success");
    assert!(machine.entry_after(message_id::SHUTDOWN_DONE, 0).number("DURATION_MS") < 2000);
    assert_eq!(camera.rows(), camera.thumbnails());
    let cancelled = machine.entry_after(message_id::RUN_CANCELLED, 0);
    assert_eq!(cancelled.number("ROWS_DELETED") as usize, gone(), "{cancelled:?}");
    let run = &machine.runs()[0];
    assert_eq!((run["status"].as_str(), run["trigger"].as_str()), (Some("cancelled"), Some("schedule")), "{run}");
    assert_eq!(run["totals"]["rows_deleted"].as_u64(), Some(gone() as u64));
    assert_eq!(run["totals"]["files_deleted"].as_u64(), Some(gone() as u64));

    // Killed again and again, it comes back by itself and makes good what it left.
    machine.ok(&["systemctl", "start", "retaind"]);
    for restart in 1..=KILLS {
        camera.await_purging(camera.rows().len());
        machine.ok(&["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "retaind"]);
        machine.poll("restart by systemd", SOON, || {
            let came_back = machine.property("retaind", "NRestarts") == restart.to_string();
            (came_back && machine.property("retaind", "ActiveState") == "active").then_some(())
        });
    }
    camera.configure("30d", 1000);
    machine.ok(&["systemctl", "reload", "retaind"]);
    camera.await_left(&(DETECTIONS + 1..=DETECTIONS + 5).collect());
    // The last run is recorded a moment after its last file is gone.
    machine.poll("end of the last run", SOON, || (machine.runs()[0]["status"] != Value::Null).then_some(()));
    assert_eq!(machine.total("rows_deleted"), u64::from(DETECTIONS), "{:?}", machine.runs());
    // A file that was removed in the instant before a kill is found missing afterwards, and counted as that.
    let files = machine.total("files_deleted");
    let (most, unsure) = (u64::from(DETECTIONS), u64::from(KILLS * BATCH));
    assert!((most - unsure..=most).contains(&files), "{files}: {:?}", machine.runs());
}

#[test]
fn the_watchdog_restarts_a_hanging_daemon() {
    needs!(Need::Root);
    let machine = Machine::boot();
    machine.install(package());
    machine
        .write("/etc/systemd/system/retaind.service.d/watchdog.conf", "[Service]\nWatchdogSec=1s\nRestartSec=100ms\n");
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "start", "retaind"]);
    let before = machine.property("retaind", "MainPID");
    // Three periods: a daemon at work is left alone.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(machine.property("retaind", "MainPID"), before);

    machine.ok(&["systemctl", "kill", "--kill-whom=main", "--signal=STOP", "retaind"]);
    machine.poll("restart by the watchdog", SOON, || {
        let restarted = machine.property("retaind", "NRestarts") == "1";
        (restarted && machine.property("retaind", "ActiveState") == "active").then_some(())
    });
    assert_ne!(machine.property("retaind", "MainPID"), before);
}
