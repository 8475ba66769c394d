//! The face-swap service of `config/examples/face-swap.toml`.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::*;
use crate::world::set;

pub const LAYOUT: Layout = Layout {
    name: "face-swap",
    source: "faceswap",
    tables: &[
        Table { name: "images", key: "id", state: &["storage_type"] },
        Table {
            name: "face_swap_tasks",
            key: "id",
            state: &["husband_photo_id", "wife_photo_id", "result_image_id", "status"],
        },
        Table { name: "templates", key: "id", state: &[] },
    ],
    stores: &["storage"],
    small_batches: &["expired-images", "old-results", "session-images"],
};

/// The images that neither the nightly policies nor the session of these tests take.
const KEPT: [&str; 6] = [
    "images 202 temporary",
    "images 204 temporary",
    "images 205 permanent",
    "images 401 result",
    "images 402 result",
    "images 403 result",
];

/// A service whose backup leaves what it was told, or fails.
pub fn service(db: crate::engines::Database, succeeds: bool) -> Application {
    let service = Application::new(db, &LAYOUT);
    let program = service.dir.join("backup");
    let exit = if succeeds { 0 } else { 1 };
    let script = format!("#!/bin/sh\ncat >>{}/backups\nexit {exit}\n", service.dir.display());
    std::fs::write(&program, script).expect("a script is written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
    let fragment = format!("[tasks.cleanup.before]\ncommand = [\"{}\"]\n", program.display());
    service.fragment("15-backup.toml", &fragment);
    service
}

fn backups(service: &Application) -> String {
    std::fs::read_to_string(service.dir.join("backups")).unwrap_or_default()
}

fn expired() -> Value {
    json!({
        "rows_matched": 7, "rows_deleted": 7, "rows_protected": 2, "children": { "face_swap_tasks": 2 },
        "files_matched": 6, "files_deleted": 5, "files_missing": 1, "files_referenced": 1,
        "bytes_reclaimed": 1101 + 1102 + 1103 + 1104 + 1105,
    })
}

fn old_results() -> Value {
    json!({
        "rows_matched": 3, "rows_deleted": 3, "rows_protected": 2, "children": { "face_swap_tasks": 4 },
        "files_matched": 3, "files_deleted": 3,
        "bytes_reclaimed": 1301 + 1302 + 1303,
    })
}

fn nightly() -> [(&'static str, Value); 2] {
    [("expired-images", expired()), ("old-results", old_results())]
}

fn nightly_again() -> [(&'static str, Value); 2] {
    [("expired-images", json!({ "rows_protected": 2 })), ("old-results", json!({ "rows_protected": 2 }))]
}

/// Tasks that lose an image by night.
const DETACHED: [(&str, &str); 6] = [
    ("face_swap_tasks", "1"),
    ("face_swap_tasks", "2"),
    ("face_swap_tasks", "11"),
    ("face_swap_tasks", "12"),
    ("face_swap_tasks", "13"),
    ("face_swap_tasks", "14"),
];

/// Asserts that what a night leaves is there, and nothing else.
pub fn assert_left(left: &Holdings) {
    let images =
        ["images 201 temporary", "images 203 temporary", "images 404 result", "images 405 result", "images 406 result"];
    let others = [
        "templates 1",
        "templates 2",
        "face_swap_tasks 1 - 203 - completed",
        "face_swap_tasks 2 - - - failed",
        "face_swap_tasks 3 201 203 - pending",
        "face_swap_tasks 4 203 202 - processing",
        "face_swap_tasks 11 205 205 - completed",
        "face_swap_tasks 12 205 205 - failed",
        "face_swap_tasks 13 - - - completed",
        "face_swap_tasks 14 - - - completed",
        "face_swap_tasks 21 - - 401 completed",
        "face_swap_tasks 22 - - 402 completed",
        "face_swap_tasks 23 - - 402 completed",
        "face_swap_tasks 24 - - 403 completed",
        "face_swap_tasks 25 403 - - processing",
        "face_swap_tasks 26 - - 404 processing",
        "face_swap_tasks 27 - - 405 completed",
    ];
    let rows = KEPT.iter().chain(&images).chain(&others).map(|row| (*row).to_owned()).collect();
    assert_eq!(left.rows_written(), rows);
    let files = [
        "photos/beach.jpg",
        "photos/g.jpg",
        "photos/h.jpg",
        "photos/i.jpg",
        "photos/j.jpg",
        "photos/k.jpg",
        "photos/stray.jpg",
        "preprocessed/wedding-mask.png",
        "results/r4.png",
        "results/r5.png",
        "results/r6.png",
        "results/r7.png",
        "results/r8.png",
        "results/r9.png",
        "templates/wedding.png",
    ];
    assert_eq!(left.paths("storage"), set(files));
    assert_eq!(left.directories_of("storage"), set(["photos", "preprocessed", "results", "templates"]));
}

/// Passes a night and asserts what it leaves.
pub fn pass_night(service: &Application) {
    let names = ["expired-images", "old-results"];
    Night { arguments: &names, expected: &nightly(), again: &nightly_again(), detached: &DETACHED }.pass(service);
    assert_left(&service.holdings());
}

for_each_engine! {
    fn the_example_fits_the_service(db) {
        let policies = ["policy expired-images", "policy old-results", "policy session-images"];
        assert_fits(&service(db, true), &[&policies[..], &["source faceswap", "store storage"]].concat());
    }

    fn expired_images_go_and_active_tasks_keep_theirs(db) {
        pass_night(&service(db, true));
    }

    fn the_statistics_tell_what_a_night_would_take(db) {
        let service = service(db, true);
        let before = service.holdings();
        let numbers = |arguments: &[&str]| {
            let stats = service.json(arguments);
            let policies = stats["policies"].as_array().expect("policies").clone();
            assert!(policies.iter().all(|policy| policy["precision"] == "exact" && policy["error"].is_null()), "{stats:#}");
            let numbers = policies.iter().map(|policy| json!([policy["policy"], policy["rows_eligible"], policy["rows_protected"]]));
            (numbers.collect::<Value>(), stats)
        };
        let (nightly, stats) = numbers(&["stats", "--json"]);
        assert_eq!(nightly, json!([["expired-images", 7, 2], ["old-results", 3, 2]]));
        assert!(stats["remarks"].to_string().contains("session-images takes parameters"), "{stats:#}");
        // Results have no age of their own: the time is in their tasks.
        let [expired, results] = [&stats["policies"][0], &stats["policies"][1]];
        assert!(expired["overdue_secs"].as_u64().is_some_and(|secs| secs > 0) && results["oldest"].is_null(), "{stats:#}");
        let (with_session, _) = numbers(&["stats", "--json", "--param", "session_id=s-2"]);
        assert_eq!(with_session[2], json!(["session-images", 4, 1]));
        assert_eq!(service.holdings(), before);
        service.json(&["run", "cleanup", "--json"]);
        let (left, stats) = numbers(&["stats", "cleanup", "--json"]);
        assert_eq!(left, json!([["expired-images", 0, 2], ["old-results", 0, 2]]));
        assert_eq!(stats["policies"][0]["last_run"]["rows_deleted"], 7, "{stats:#}");
    }

    fn the_daemon_does_the_same_after_a_backup(db) {
        let service = service(db, true);
        service.fragment("20-now.toml", "[tasks.cleanup-now]\nevery = \"1s\"\n[policies.expired-images]\ntask = \"cleanup-now\"\n\
            [policies.old-results]\ntask = \"cleanup-now\"\n");
        let program = service.dir.join("backup");
        service.fragment("21-backup.toml", &format!("[tasks.cleanup-now.before]\ncommand = [\"{}\"]\n", program.display()));
        let daemon = Daemon::start(&service);
        let runs = await_runs(&service, &["cleanup-now"]);
        assert_eq!(daemon.stop(), Some(0));
        let first = runs.last().expect("a run");
        assert_counts(first, &nightly());
        assert_left(&service.holdings());
        let run_id = first["run_id"].as_str().expect("an id");
        assert!(backups(&service).contains(run_id), "{}", backups(&service));
    }

    fn a_failing_backup_blocks_the_night(db) {
        let service = service(db, false);
        let before = service.holdings();
        let run = service.json_of(4, &["run", "cleanup", "--json"]);
        assert_eq!((&run["status"], &run["totals"]["rows_deleted"]), (&"blocked".into(), &0.into()), "{run:#}");
        assert!(!backups(&service).is_empty(), "the backup was asked for");
        assert_eq!(service.holdings(), before);
    }

    fn a_session_goes_on_request_and_only_that(db) {
        let service = service(db, true);
        let before = service.holdings();
        let all = json!({
            "rows_matched": 4, "rows_deleted": 4, "rows_protected": 1, "children": { "face_swap_tasks": 4 },
            "files_matched": 4, "files_deleted": 4, "bytes_reclaimed": 1103 + 1104 + 1204 + 1205,
        });
        // 205 is the photo of two tasks that are over, twice of each; 202 is needed.
        let arguments = ["session-images", "--param", "session_id=s-2"];
        let again = [("session-images", json!({ "rows_protected": 1 }))];
        Night { arguments: &arguments, expected: &[("session-images", all)], again: &again, detached: &[("face_swap_tasks", "11"), ("face_swap_tasks", "12")] }.pass(&service);
        let after = service.holdings();
        let gone = before.lost(&after);
        let images = ["103", "104", "204", "205"].map(|id| ("images".to_owned(), id.to_owned()));
        assert_eq!(gone.rows, images.into());
        let files = ["photos/c.jpg", "photos/d.jpg", "photos/j.jpg", "photos/k.jpg"];
        let files: Names = files.map(|path| ("storage".to_owned(), path.to_owned())).into();
        assert_eq!(gone.files.into_keys().collect::<Names>(), files);
        assert!(after.rows_written().contains("face_swap_tasks 11 - - 301 completed"));
    }

    fn an_unnamed_session_is_a_mistake(db) {
        let service = service(db, true);
        let before = service.holdings();
        for arguments in [
            &["run", "session-images"][..],
            &["run", "session-images", "--param", "session=s-2"],
            &["run", "session-images", "--param", "session_id=s-2", "--param", "user=1"],
        ] {
            let output = service.command(arguments).output().expect("retaind starts");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
            assert!(stderr.contains("session-images") && stderr.contains("session"), "{arguments:?}: {stderr}");
        }
        let run = service.json(&["run", "session-images", "--param", "session_id=' OR '1' = '1", "--json"]);
        assert_counts(&run, &[("session-images", json!({}))]);
        assert_eq!(service.holdings(), before);
    }

    fn g9_an_unremovable_file_keeps_no_other(db) {
        let service = service(db, true);
        let path = service.root("storage").join("photos/c.jpg");
        std::fs::remove_file(&path).expect("a file is removed");
        std::fs::create_dir(&path).expect("a directory is made");
        std::fs::write(path.join("within"), "x").expect("a file is written");
        service.let_files_settle();
        let run = service.json_of(3, &["run", "expired-images", "old-results", "--json"]);
        let mut isolated = expired();
        isolated["files_deleted"] = 4.into();
        isolated["bytes_reclaimed"] = (1101 + 1102 + 1104 + 1105).into();
        isolated["error_count"] = 1.into();
        // Not forgotten: it is tried again until it is gone.
        isolated["files_pending"] = 1.into();
        assert_counts(&run, &[("expired-images", isolated), ("old-results", old_results())]);
        let error = &run["policies"][0]["errors"][0];
        assert_eq!((&error["key"], &error["path"]), (&"103".into(), &"photos/c.jpg".into()), "{error}");
        let mut left = service.holdings();
        assert_eq!(left.files.remove(&("storage".to_owned(), "photos/c.jpg/within".to_owned())), Some(1));
        assert!(left.directories.remove(&("storage".to_owned(), "photos/c.jpg".to_owned())));
        assert_left(&left);
    }
}
