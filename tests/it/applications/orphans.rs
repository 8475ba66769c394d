//! Files that no row of an application names: counted by the shipped examples as they are, and removed once they are told
//! to.

use serde_json::{Value, json};

use super::*;
use crate::engines::Database;

/// An application whose files are all old.
fn application(db: Database, layout: &'static Layout) -> Application {
    let application = Application::new(db, layout);
    application.age_files(9);
    application
}

/// Runs policies of orphans: as the example has them they only report, then by the same numbers they remove. `gone` are
/// store, path and size of what goes; each policy is expected to take so many of them.
fn pass(application: &Application, policies: &[(&str, u64)], arguments: &[&str], gone: &[(&str, &str, u64)]) {
    let before = application.holdings();
    let expected = |done: bool| -> Vec<(&str, Value)> {
        let counts = policies.iter().map(|(policy, files)| {
            let mine =
                gone.iter().filter(|(place, ..)| policy.ends_with(place) || policy.ends_with(&format!("-{place}")));
            let size: u64 = mine.map(|(_, _, size)| size).sum();
            let done = if done {
                json!({ "files_matched": files, "files_deleted": files, "bytes_reclaimed": size })
            } else {
                json!({ "files_matched": files })
            };
            (*policy, done)
        });
        counts.collect()
    };
    let report = application.json(&[&["run", "--json"], arguments].concat());
    assert_counts(&report, &expected(false));
    assert_eq!(sum(&report, None, "/bytes_matched"), gone.iter().map(|(_, _, size)| size).sum::<u64>());
    assert_eq!(application.holdings(), before, "the example reports and removes nothing");

    let enforce: String =
        policies.iter().map(|(policy, _)| format!("[policies.{policy}]\nmode = \"enforce\"\n")).collect();
    application.fragment("30-enforce.toml", &enforce);
    let listing = Listing::read(&application.stdout(&[&["plan", "--json", "--list"], arguments].concat()));
    let run = application.json(&[&["run", "--json"], arguments].concat());
    assert_completed(&run);
    assert_counts(&run, &expected(true));
    let lost = before.difference(&application.holdings());
    assert_eq!(lost, listing);
    let store = |place: &str| application.store_of(place).to_owned();
    let files: Names = gone.iter().map(|(place, path, _)| (store(place), (*path).to_owned())).collect();
    assert_eq!(lost.files.into_keys().collect::<Names>(), files);
    let again = application.json(&[&["run", "--json"], arguments].concat());
    assert_eq!(number(&again, "/totals/files_deleted"), 0, "{again:#}");
}

/// Runs what a service calls everything, one task, with its orphans told to go; what that leaves, with the orphans put back
/// into the books, whose absence is asserted.
fn everything(application: &Application, code: i32, policies: &[&str], orphans: &[(&str, &str, u64)]) -> Holdings {
    let are_orphans = policies.iter().filter(|policy| policy.starts_with("orphan-"));
    let enforce: String = are_orphans.map(|policy| format!("[policies.{policy}]\nmode = \"enforce\"\n")).collect();
    application.fragment("30-enforce.toml", &enforce);
    let run = application.json_of(code, &["run", "cleanup", "--json"]);
    let done: Vec<&str> =
        run["policies"].as_array().expect("policies").iter().filter_map(|policy| policy["policy"].as_str()).collect();
    assert_eq!((done.as_slice(), &run["task"]), (policies, &json!("cleanup")), "{run:#}");
    let mut left = application.holdings();
    for (store, path, size) in orphans {
        let name = ((*store).to_owned(), (*path).to_owned());
        assert_eq!(left.files.insert(name, *size), None, "{path} is gone");
        if let Some((directory, _)) = path.rsplit_once('/') {
            left.directories.insert(((*store).to_owned(), directory.to_owned()));
        }
    }
    left
}

for_each_engine! {
    fn a_full_cleanup_of_the_service_has_orphans(db) {
        let service = face_swap::service(db, true);
        service.age_files(9);
        let policies = ["expired-images", "old-results", "orphan-photos", "orphan-templates", "orphan-preprocessed", "orphan-results"];
        face_swap::assert_left(&everything(&service, 0, &policies, &[("storage", "photos/stray.jpg", 1300)]));
    }

    fn a_full_cleanup_of_jobs_has_orphans(db) {
        let service = application(db, &media_jobs::LAYOUT);
        let policies = ["completed-jobs", "failed-jobs", "orphan-uploads", "orphan-outputs"];
        let orphans = [("uploads", "stray.mp4", 1100), ("outputs", "nobody/video.mp4", 2100)];
        media_jobs::assert_left(&everything(&service, 0, &policies, &orphans));
    }

    fn every_cleanup_of_the_drop_has_orphans(db) {
        let drop = application(db, &file_drop::LAYOUT);
        let policies = ["expired-files", "old-downloads", "orphan-uploads"];
        file_drop::assert_left(&everything(&drop, 3, &policies, &[("uploads", "stray", 400)]));
        let status = drop.json(&["status", "--json"]);
        let tasks = status["tasks"].as_array().expect("tasks").iter();
        let cleanup: Vec<_> = tasks.filter(|task| task["task"] == "cleanup").collect();
        assert!(cleanup.len() == 1 && cleanup[0]["schedule"] == "every 1 h", "{status:#}");
    }

    fn the_recorder_reports_sizes_of_unnamed_files(db) {
        let recorder = application(db, &camera::LAYOUT);
        let policies = [("orphan-thumbnails", 1), ("orphan-images", 1)];
        let gone = [("thumbnails", "yard/nobody.jpg", 1300), ("images", "gate/stray.jpg", 20_300)];
        pass(&recorder, &policies, &["orphan-thumbnails", "orphan-images"], &gone);
    }

    fn the_face_swap_service_cleans_four_categories_together(db) {
        let service = Application::new(db, &face_swap::LAYOUT);
        service.put("storage", "results/lost.png", 51);
        service.put("storage", "results/old/lost.png", 52);
        service.put("storage", "templates/lost.png", 53);
        service.put("storage", "backup/not-ours.tar", 54);
        service.age_files(9);
        let policies = [("orphan-photos", 1), ("orphan-templates", 1), ("orphan-preprocessed", 0), ("orphan-results", 2)];
        // Most templates are orphans here, which is a matter of few files.
        service.fragment("20-few.toml", "[policies.orphan-templates]\nmax_fraction = 1.0\n");
        let gone = [
            ("photos", "photos/stray.jpg", 1300),
            ("templates", "templates/lost.png", 53),
            ("results", "results/lost.png", 51),
            ("results", "results/old/lost.png", 52),
        ];
        let names: Vec<&str> = policies.iter().map(|(policy, _)| *policy).collect();
        pass(&service, &policies, &names, &gone);
    }

    fn the_media_service_cleans_only_uploads_and_outputs(db) {
        let service = Application::new(db, &media_jobs::LAYOUT);
        service.put("outputs", "nobody/frames/1.png", 77);
        service.put("outputs", "gone-too/video.mp4", 78);
        service.age_files(9);
        service.put("outputs", "in-the-making/part.mp4", 79);
        service.let_files_settle();
        let policies = [("orphan-uploads", 1), ("orphan-outputs", 3)];
        let gone = [
            ("uploads", "stray.mp4", 1100),
            ("outputs", "nobody/video.mp4", 2100),
            ("outputs", "nobody/frames/1.png", 77),
            ("outputs", "gone-too/video.mp4", 78),
        ];
        pass(&service, &policies, &["orphan-uploads", "orphan-outputs"], &gone);
        let directories = service.holdings();
        assert!(!directories.directories_of("outputs").contains("nobody"), "a directory goes as a whole");
    }

    fn the_file_drop_cleans_by_path(db) {
        let drop = application(db, &file_drop::LAYOUT);
        pass(&drop, &[("orphan-uploads", 1)], &["orphan-uploads"], &[("uploads", "stray", 400)]);
    }

    fn the_file_drop_cleans_by_name_alone(db) {
        let drop = application(db, &file_drop::LAYOUT);
        drop.db.execute("UPDATE files SET path = 'https://old.example/x/i' WHERE id = 101");
        let by_name = "[stores.uploads]\nreferences = [{ source = \"drop\", table = \"files\", column = \"path\", match = \"name\" }]\n";
        drop.fragment("20-names.toml", by_name);
        pass(&drop, &[("orphan-uploads", 1)], &["orphan-uploads"], &[("uploads", "stray", 400)]);
    }
}
