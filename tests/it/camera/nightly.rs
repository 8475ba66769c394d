//! A night at the recorder: checked, planned, run, and nothing left to do; by hand and by schedule.

use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// Tasks that are due every second, in the place of the example's.
const EVERY_SECOND: &str = "\
    [tasks.retention-now]\nevery = \"1s\"\n[tasks.log-purge-now]\nevery = \"1s\"\n\
    [policies.detections]\ntask = \"retention-now\"\n[policies.events]\ntask = \"retention-now\"\n\
    [policies.gpu-stats]\ntask = \"retention-now\"\n[policies.logs]\ntask = \"log-purge-now\"\n";

/// The vault's recordings are kept for good.
const KEEP_THE_VAULT: &str = "\
    [policies.detections]\nwhere = \"camera_id <> 'vault'\"\n[policies.events]\nwhere = \"camera_id <> 'vault'\"\n";

for_each_engine! {
    fn the_example_fits_the_recorder_but_for_the_cascade(db) {
        let recorder = Recorder::new(db);
        let found = recorder.json(&["check", "--json"]);
        let found = found["findings"].as_array().expect("findings");
        // These tests may run as root, of whom a check warns.
        let amiss: Vec<_> =
            found.iter().filter(|finding| finding["level"] != "ok" && finding["subject"] != "user").collect();
        let [cascade] = amiss.as_slice() else { panic!("{amiss:#?}") };
        assert_eq!((&cascade["level"], &cascade["subject"]), (&"warn".into(), &"policy events".into()));
        let message = cascade["message"].as_str().expect("a message");
        assert!(message.contains("detections") && message.contains("ON DELETE CASCADE"), "{message}");
        let subjects: BTreeSet<&str> = found.iter().filter_map(|finding| finding["subject"].as_str()).collect();
        for part in ["detections", "events", "gpu-stats", "logs"].map(|policy| format!("policy {policy}")) {
            assert!(subjects.contains(part.as_str()), "{part} was not looked at: {found:#?}");
        }
        for part in ["source nvr", "store thumbnails", "store images"] {
            assert!(subjects.contains(part), "{part} was not looked at: {found:#?}");
        }
    }

    fn old_recordings_go_with_their_thumbnails_and_images_stay(db) {
        let recorder = Recorder::new(db);
        plan_and_run(&recorder, &[], WITHOUT_IMAGES, 1);
        assert_left(&recorder.holdings(), survivors(false));
    }

    fn one_key_lets_the_images_go_too(db) {
        let recorder = Recorder::new(db);
        plan_and_run(&recorder, &["--set", IMAGES], WITH_IMAGES, 2);
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
        plan_and_run(&recorder, &["--set", IMAGES], spared, 2);
        let (mut rows, mut files) = survivors(true);
        rows.extend([("detections", "105"), ("events", "4")].map(|(table, id)| (table.to_owned(), id.to_owned())));
        files.extend(["thumbnails", "images"].map(|store| (store.to_owned(), "vault/105.jpg".to_owned())));
        assert_left(&recorder.holdings(), (rows, files));
    }

    fn the_daemon_does_the_same_by_schedule(db) {
        let recorder = Recorder::new(db);
        recorder.fragment("20-now.toml", EVERY_SECOND);
        let before = recorder.holdings();
        let daemon = Daemon::start(&recorder);
        let runs = await_runs(&recorder, &["retention-now", "log-purge-now"]);
        daemon.stop();
        assert_left(&recorder.holdings(), survivors(true));
        let lost = before.lost(&recorder.holdings());
        assert_eq!(Statistics::of_loss(&lost), WITH_IMAGES);
        let told = runs.iter().map(Statistics::of_result).fold(Statistics::default(), Statistics::plus);
        assert_eq!(told, WITH_IMAGES, "{runs:#?}");
        assert_nothing_left_to_do(&recorder, &["--set", IMAGES]);
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
    let listed = read_list(&recorder.stdout(&[&["plan", "--json", "--list"], more].concat()));
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
        assert_same_numbers(foretold, &run, &["/rows_matched", "/files_matched", "/files_missing"]);
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

/// The rows and files of a listing, each of which must be there once.
fn read_list(listing: &str) -> Holdings {
    let mut listed = Holdings::default();
    for line in listing.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| entry[key].as_str().unwrap_or_else(|| panic!("{key}: {line}")).to_owned();
        let is_new = match text("kind").as_str() {
            "row" => listed.rows.insert((text("table"), text("key"))),
            _ => {
                let size = entry["size_bytes"].as_u64().expect("a size");
                listed.files.insert((text("store"), text("path")), size).is_none()
            }
        };
        assert!(is_new && text("mode") == "enforce", "{line}");
    }
    listed
}

/// The daemon, in which images are switched on by the environment.
struct Daemon(Child);

impl Daemon {
    fn start(recorder: &Recorder) -> Self {
        let mut command = recorder.command(&["daemon"]);
        command.env("RETAIND__POLICIES__DETECTIONS__FILES__1__ENABLED", "true");
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the daemon starts"))
    }

    /// Asks it to stop, and waits until it has.
    fn stop(mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).expect("it runs");
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.0.try_wait().expect("a status") {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "the daemon does not stop"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the ledger has a run of each task that ended; every run so far, as `runs ID --json` tells it.
fn await_runs(recorder: &Recorder, tasks: &[&str]) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    let runs = loop {
        let runs = recorder.json(&["runs", "--json"]);
        let runs = runs.as_array().expect("a list").clone();
        let ended = |task: &&str| runs.iter().any(|run| run["task"] == **task && run["finished_at"].is_string());
        if tasks.iter().all(ended) {
            break runs;
        }
        assert!(Instant::now() < deadline, "{runs:#?}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let ended = runs.iter().filter(|run| run["finished_at"].is_string());
    ended
        .map(|run| {
            assert_eq!((&run["status"], &run["trigger"]), (&"completed".into(), &"schedule".into()), "{run:#}");
            recorder.json(&["runs", run["run_id"].as_str().expect("an id"), "--json"])
        })
        .collect()
}
