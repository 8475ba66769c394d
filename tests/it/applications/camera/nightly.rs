//! A night at the recorder: checked, planned, run, and nothing left to do; by hand and by schedule.

use super::*;

/// Tasks that are due every second, in the place of the example's.
const EVERY_SECOND: &str = "\
    [tasks.retention-now]\nevery = \"1s\"\n[tasks.log-purge-now]\nevery = \"1s\"\n\
    [policies.detections]\ntask = \"retention-now\"\n[policies.events]\ntask = \"retention-now\"\n\
    [policies.gpu-stats]\ntask = \"retention-now\"\n[policies.logs]\ntask = \"log-purge-now\"\n";

/// The vault's recordings are kept for good.
const KEEP_THE_VAULT: &str = "\
    [policies.detections]\nwhere = \"camera_id <> 'vault'\"\n[policies.events]\nwhere = \"camera_id <> 'vault'\"\n";

for_each_engine! {
    fn the_example_fits_the_recorder(db) {
        let policies = ["policy detections", "policy events", "policy gpu-stats", "policy logs"];
        let places = ["source nvr", "store thumbnails", "store images"];
        assert_fits(&Recorder::new(db), &[&policies[..], &places].concat());
    }

    fn an_undeclared_cascade_is_warned_of(db) {
        let recorder = Recorder::new(db);
        recorder.fragment("20-alone.toml", "[policies.events]\nchildren = []\n");
        let found = recorder.json(&["check", "--json"]);
        let found = found["findings"].as_array().expect("findings").iter();
        let amiss: Vec<_> = found.filter(|finding| finding["level"] != "ok" && finding["subject"] != "user").collect();
        let [cascade] = amiss.as_slice() else { panic!("{amiss:#?}") };
        assert_eq!((&cascade["level"], &cascade["subject"]), (&"warn".into(), &"policy events".into()));
        let message = cascade["message"].as_str().expect("a message");
        assert!(message.contains("detections") && message.contains("ON DELETE CASCADE"), "{message}");
    }

    fn old_recordings_and_thumbnails_go_but_images_stay(db) {
        let recorder = Recorder::new(db);
        plan_and_run(&recorder, &[], WITHOUT_IMAGES, 1);
        assert_left(&recorder.holdings(), survivors(false));
    }

    fn without_a_cascade_the_end_is_the_same(db) {
        let recorder = Recorder::with_schema(db, |schema| {
            assert!(schema.contains(" ON DELETE CASCADE"), "{schema}");
            schema.replace(" ON DELETE CASCADE", "")
        });
        plan_and_run(&recorder, &[], WITHOUT_IMAGES, 1);
        assert_left(&recorder.holdings(), survivors(false));
    }

    fn an_undeclared_cascade_loses_no_file(db) {
        let recorder = Recorder::new(db);
        recorder.fragment("20-alone.toml", "[policies.events]\nchildren = []\n");
        // The policy of the detections says which of their files stay.
        plan_and_run(&recorder, &[], WITHOUT_IMAGES, 1);
        assert_left(&recorder.holdings(), survivors(false));
    }

    fn two_keys_let_the_images_go_too(db) {
        let recorder = Recorder::new(db);
        plan_and_run(&recorder, &IMAGES, WITH_IMAGES, 2);
        assert_left(&recorder.holdings(), survivors(true));
    }

    fn a_fragment_keeps_a_camera_for_good(db) {
        let recorder = Recorder::new(db);
        recorder.fragment("20-vault.toml", KEEP_THE_VAULT);
        let spared = Statistics {
            detections_deleted: WITH_IMAGES.detections_deleted - 1,
            events_deleted: WITH_IMAGES.events_deleted - 1,
            thumbnails_deleted: WITH_IMAGES.thumbnails_deleted - 1,
            images_deleted: WITH_IMAGES.images_deleted - 1,
            space_reclaimed: WITH_IMAGES.space_reclaimed - 1105 - 20_105,
            ..WITH_IMAGES
        };
        plan_and_run(&recorder, &IMAGES, spared, 2);
        let (mut rows, mut files) = survivors(true);
        rows.extend([("detections", "105"), ("events", "4")].map(|(table, id)| (table.to_owned(), id.to_owned())));
        files.extend(["thumbnails", "images"].map(|store| (store.to_owned(), "vault/105.jpg".to_owned())));
        assert_left(&recorder.holdings(), (rows, files));
    }

    fn the_daemon_does_the_same_by_schedule(db) {
        let recorder = Recorder::new(db);
        recorder.fragment("20-now.toml", EVERY_SECOND);
        let before = recorder.holdings();
        let with_images = |arguments: &[&str]| {
            let mut command = recorder.command(arguments);
            command.env("RETAIND__POLICIES__DETECTIONS__FILES__1__ENABLED", "true");
            command.env("RETAIND__POLICIES__EVENTS__CHILDREN__0__FILES__1__ENABLED", "true");
            command
        };
        // So much at a first run waits until somebody has looked.
        let approved = with_images(&["approve", "--all", "--yes"]).output().unwrap();
        assert!(approved.status.success(), "{approved:?}");
        let daemon = Daemon::of(with_images(&["daemon"]));
        let runs = await_runs(&recorder, &["retention-now", "log-purge-now"]);
        assert_eq!(daemon.stop(), Some(0));
        assert_left(&recorder.holdings(), survivors(true));
        runs.iter().for_each(assert_completed);
        let lost = before.lost(&recorder.holdings());
        assert_eq!(Statistics::of_loss(&lost), WITH_IMAGES);
        let with_events: u64 = runs.iter().map(|run| sum(run, Some("events"), "/children/detections")).sum();
        assert_eq!(with_events, WITH_EVENTS, "{runs:#?}");
        let told = runs.iter().map(Statistics::of_result).fold(Statistics::default(), Statistics::plus);
        assert_eq!(told, WITH_IMAGES, "{runs:#?}");
        assert_nothing_left_to_do(&recorder, &IMAGES);
    }
}

/// Plans, lists, reports, runs, reads the ledger and plans again; each must tell the same numbers, and what is gone must
/// be what was listed.
fn plan_and_run(recorder: &Recorder, more: &[&str], expected: Statistics, missing: u64) {
    let json = |command: &[&str]| recorder.json(&[command, more].concat());
    let before = recorder.holdings();
    let plan = json(&["plan", "--json"]);
    assert_completed(&plan);
    assert_eq!((&plan["mode"], Statistics::of_result(&plan)), (&"plan".into(), expected));
    let listed = Listing::read(&recorder.stdout(&[&["plan", "--json", "--list"], more].concat()));
    let report = json(&["run", "--mode", "report", "--json"]);
    assert_completed(&report);
    assert_eq!((&report["mode"], Statistics::of_result(&report)), (&"report".into(), Statistics::default()));
    assert_eq!(recorder.holdings(), before, "neither a plan nor a report changes anything");

    let run = json(&["run", "--json"]);
    assert_completed(&run);
    assert_eq!((&run["mode"], &run["trigger"]), (&"enforce".into(), &"cli".into()));
    assert_eq!(Statistics::of_result(&run), expected);
    let lost = before.lost(&recorder.holdings());
    assert_eq!(Statistics::of_loss(&lost), expected);
    assert_eq!(lost, listed);

    assert_same_numbers(&plan, &run, &["/rows_deleted", "/files_deleted", "/bytes_reclaimed"]);
    for foretold in [&plan, &report] {
        assert_same_numbers(
            foretold,
            &run,
            &["/rows_matched", "/children/detections", "/files_matched", "/files_missing"],
        );
    }
    assert_eq!(sum(&run, None, "/files_missing"), missing);
    let id = run["run_id"].as_str().expect("an id");
    assert_eq!(recorder.json(&["runs", id, "--json"]), run, "the ledger tells what the command told");
    assert_nothing_left_to_do(recorder, more);
}

/// Asserts that what was foretold of each policy is what was done.
fn assert_same_numbers(foretold: &Value, run: &Value, places: &[&str]) {
    for policy in ["detections", "events", "gpu-stats", "logs"] {
        for place in places {
            let told = [foretold, run].map(|result| sum(result, Some(policy), place));
            assert_eq!(told[0], told[1], "{place} of {policy}, as {} has it", foretold["mode"]);
        }
    }
}
