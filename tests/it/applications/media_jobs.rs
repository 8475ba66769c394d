//! The media-processing service of `config/examples/media-jobs.toml`.

use serde_json::{Value, json};

use super::*;
use crate::world::set;

pub const LAYOUT: Layout = Layout {
    name: "media-jobs",
    source: "media",
    tables: &[
        Table { name: "jobs", key: "id", state: &["status"] },
        Table { name: "job_metrics", key: "id", state: &["job_id"] },
    ],
    stores: &["uploads", "outputs"],
    small_batches: &["completed-jobs", "failed-jobs"],
};

const EVERY_SECOND: &str = "[tasks.cleanup]\nevery = \"1s\"\n";

fn completed() -> Value {
    json!({
        "rows_matched": 7, "rows_deleted": 7, "children": { "job_metrics": 4 },
        "files_matched": 14, "files_deleted": 10, "files_missing": 4, "files_referenced": 1,
        "bytes_reclaimed": 1001 + 1002 + 1003 + 1007 + 2001 + 11 + 12 + 2002 + 2003 + 2006,
    })
}

fn failed() -> Value {
    json!({
        "rows_matched": 2, "rows_deleted": 2, "children": { "job_metrics": 3 },
        "files_matched": 4, "files_deleted": 4,
        "bytes_reclaimed": 1010 + 1011 + 2011 + 2012,
    })
}

const NONE: fn() -> Value = || json!({});

/// Asserts that what a full cleanup leaves is there, and nothing else.
pub fn assert_left(left: &Holdings) {
    let rows = [
        "jobs young-1 completed",
        "jobs young-2 completed",
        "jobs untimed completed",
        "jobs failed-3 failed",
        "jobs running-1 running",
        "jobs running-2 running",
        "jobs pending-1 pending",
        "job_metrics 11 young-1",
        "job_metrics 12 untimed",
        "job_metrics 13 failed-3",
        "job_metrics 14 running-1",
        "job_metrics 15 running-2",
    ];
    assert_eq!(left.rows_written(), rows.map(str::to_owned).into());
    let uploads = [
        "eight.mp4",
        "fifteen.mp4",
        "fourteen.mp4",
        "nine.mp4",
        "shared.mp4",
        "stray.mp4",
        "thirteen.mp4",
        "twelve.mp4",
    ];
    assert_eq!(left.paths("uploads"), set(uploads));
    let outputs = [
        "failed-3/log.txt",
        "nobody/video.mp4",
        "running-1/part.mp4",
        "running-2/part.mp4",
        "untimed/video.mp4",
        "young-1/video.mp4",
        "young-2/video.mp4",
    ];
    assert_eq!(left.paths("outputs"), set(outputs));
    let directories = ["failed-3", "nobody", "running-1", "running-2", "untimed", "young-1", "young-2"];
    assert_eq!(left.directories_of("outputs"), set(directories));
}

for_each_engine! {
    fn the_example_fits_the_service(db) {
        let parts = ["policy completed-jobs", "policy failed-jobs", "source media", "store uploads", "store outputs"];
        assert_fits(&Application::new(db, &LAYOUT), &parts);
    }

    fn old_jobs_go_with_metrics_upload_and_outputs(db) {
        let service = Application::new(db, &LAYOUT);
        let orphans = [("orphan-uploads", NONE()), ("orphan-outputs", NONE())];
        let expected = [&[("completed-jobs", completed()), ("failed-jobs", failed())], &orphans[..]].concat();
        let again = [&[("completed-jobs", NONE()), ("failed-jobs", NONE())], &orphans[..]].concat();
        Night { arguments: &[], expected: &expected, again: &again, detached: &[] }.pass(&service);
        assert_left(&service.holdings());
    }

    fn the_daemon_does_the_same_by_schedule(db) {
        let service = Application::new(db, &LAYOUT);
        service.fragment("20-now.toml", EVERY_SECOND);
        let daemon = Daemon::start(&service);
        let runs = await_runs(&service, &["cleanup"]);
        assert_eq!(daemon.stop(), Some(0));
        let first = runs.last().expect("a run");
        let orphans = [("orphan-uploads", NONE()), ("orphan-outputs", NONE())];
        assert_counts(first, &[&[("completed-jobs", completed()), ("failed-jobs", failed())], &orphans[..]].concat());
        assert_left(&service.holdings());
    }

    fn a_named_policy_runs_alone_with_longer_keep(db) {
        let service = Application::new(db, &LAYOUT);
        let longer = ["failed-jobs", "--set", "policies.failed-jobs.keep=14d"];
        let one = json!({
            "rows_matched": 1, "rows_deleted": 1, "children": { "job_metrics": 1 },
            "files_matched": 2, "files_deleted": 2, "bytes_reclaimed": 1010 + 2011,
        });
        Night { arguments: &longer, expected: &[("failed-jobs", one)], again: &[("failed-jobs", NONE())], detached: &[] }
            .pass(&service);
        let jobs = service.db.column("SELECT id FROM jobs WHERE status <> 'completed' ORDER BY id");
        assert_eq!(jobs, ["failed-2", "failed-3", "pending-1", "running-1", "running-2"]);
        assert_eq!(service.db.value("SELECT COUNT(*) FROM jobs WHERE status = 'completed'").as_deref(), Some("10"));
    }

    fn g4_outputs_that_lead_elsewhere_stay(db) {
        let service = Application::new(db, &LAYOUT);
        let elsewhere = service.dir.join("elsewhere");
        std::fs::create_dir(&elsewhere).expect("a directory is made");
        std::fs::write(elsewhere.join("precious"), "x").expect("a file is written");
        std::os::unix::fs::symlink(&elsewhere, service.root("outputs").join("done-7")).expect("a link is made");
        std::os::unix::fs::symlink(&elsewhere, service.root("outputs").join("done-1/frames/all")).expect("likewise");
        service.let_files_settle();
        let run = service.json_of(3, &["run", "completed-jobs", "--json"]);
        assert_eq!(run["status"], "completed_with_errors");
        let [policy] = run["policies"].as_array().expect("policies").as_slice() else { panic!("{run:#}") };
        assert_eq!((number(policy, "/rows_deleted"), number(policy, "/error_count")), (7, 1), "{policy:#}");
        let error = &policy["errors"][0];
        assert_eq!((&error["key"], &error["path"]), (&"done-7".into(), &"done-7".into()), "{policy:#}");
        assert!(elsewhere.join("precious").exists());
        // A link within the directory goes as what it is.
        assert!(!service.holdings().directories_of("outputs").contains("done-1"));
    }
}
