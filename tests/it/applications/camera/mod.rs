//! The camera recorder of `config/examples/camera-nvr.toml`, from the shipped file to what is left of its rows and
//! files, on every engine and by the binary alone.

mod nightly;
mod recorder;
mod statistics;

use serde_json::Value;

use super::{Daemon, Holdings, Listing, Names, assert_completed, assert_fits, await_runs, number, sum};
pub use recorder::LAYOUT;
use recorder::Recorder;
use statistics::Statistics;

/// The two keys that let the original images go with their detections: those that go by age, and those that go with an
/// event.
const IMAGES: [&str; 4] = [
    "--set",
    "policies.detections.files[1].enabled=true",
    "--set",
    "policies.events.children[0].files[1].enabled=true",
];

/// Detections that are young and go with their events.
const WITH_EVENTS: u64 = 3;

/// What the example does to the recorder when the images stay.
const WITHOUT_IMAGES: Statistics = Statistics {
    events_deleted: 5,
    detections_deleted: 13 + 1200 + WITH_EVENTS,
    gpu_stats_deleted: 4 + 1200,
    logs_deleted: 5,
    thumbnails_deleted: 9 + 121 + 1,
    images_deleted: 0,
    space_reclaimed: 8_846 + 64 * 121 + 1301,
};

/// The same when they go.
const WITH_IMAGES: Statistics = Statistics {
    images_deleted: 9 + 121 + 2,
    space_reclaimed: WITHOUT_IMAGES.space_reclaimed + 180_958 + 512 * 121 + 20_301 + 20_302,
    ..WITHOUT_IMAGES
};

/// The rows and files that the example leaves; everything else of the recorder goes.
fn survivors(images_go: bool) -> (Names, Names) {
    let named = |kind: &str, names: &[&str]| -> Vec<(String, String)> {
        names.iter().map(|name| (kind.to_owned(), (*name).to_owned())).collect()
    };
    let rows = [
        named("cameras", &["gate", "vault", "yard"]),
        named("detections", &["201", "202", "203", "204", "205", "206"]),
        named("events", &["6", "7", "8", "9"]),
        named("gpu_stats", &["5", "6", "7"]),
        named("logs", &["6", "7"]),
    ];
    let thumbnails =
        ["gate/202.jpg", "gate/204.jpg", "gate/206.jpg", "yard/201.jpg", "yard/nobody.jpg", "yard/shared.jpg"];
    let images = [
        "gate/104.jpg",
        "gate/202.jpg",
        "gate/204.jpg",
        "gate/stray.jpg",
        "yard/201.jpg",
        "yard/203.jpg",
        "yard/205.jpg",
    ];
    let mut files: Names = named("thumbnails", &thumbnails).into_iter().collect();
    files.extend(named("images", &images));
    if !images_go {
        let of_old = ["gate/102", "gate/103", "gate/113", "vault/105", "yard/101", "yard/106", "yard/107", "yard/110"];
        let of_old = of_old.iter().chain(&["gate/301", "gate/302"]).map(|path| format!("{path}.jpg"));
        let of_patrol = (100..=220).map(|frame| format!("patrol/{frame}.jpg"));
        let paths = of_old.chain(of_patrol).chain(["yard/burst.jpg".to_owned()]);
        files.extend(paths.map(|path| ("images".to_owned(), path)));
    }
    (rows.into_iter().flatten().collect(), files)
}

/// Asserts that exactly the survivors are left.
fn assert_left(left: &Holdings, (rows, files): (Names, Names)) {
    assert_eq!(left.row_names(), rows);
    assert_eq!(left.file_names(), files);
}

/// Asserts that a plan finds nothing any more.
fn assert_nothing_left_to_do(recorder: &Recorder, more: &[&str]) {
    let plan = recorder.json(&[&["plan", "--json"], more].concat());
    assert_completed(&plan);
    assert_eq!(Statistics::of_result(&plan), Statistics::default());
    assert_eq!((sum(&plan, None, "/rows_matched"), sum(&plan, None, "/files_matched")), (0, 0), "{plan:#}");
    assert_eq!(recorder.stdout(&[&["plan", "--json", "--list"], more].concat()), "");
}
