//! Every event against its catalog entry, its level, its fields and the house's rules for messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, registry};

use super::*;
use crate::outcome::{Operator, RunId};

const CATALOG: &str = include_str!("../../../systemd/retaind.catalog");
const IDS: &str = include_str!("../message_id.rs");

/// Fields that the journal, or systemd, gives a meaning of their own.
const TAKEN: [&str; 12] = [
    "priority",
    "code_file",
    "code_line",
    "code_func",
    "errno",
    "unit",
    "user_unit",
    "tid",
    "syslog_identifier",
    "invocation_id",
    "documentation",
    "target",
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Line>>>);

#[derive(Clone)]
struct Line {
    level: Level,
    fields: BTreeMap<String, String>,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().to_owned(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line { level: *event.metadata().level(), fields: BTreeMap::new() };
        event.record(&mut line);
        self.0.lock().unwrap().push(line);
    }
}

/// A run that did nothing.
const RUN: RunEvent<'static> = RunEvent {
    run_id: RunId::nil(),
    task: None,
    policies: "events, logs",
    mode: RunMode::Enforce,
    status: Status::Completed,
    cause: None,
    totals: &Totals { rows_deleted: 0, rows_updated: 0, files_deleted: 0, bytes_reclaimed: 0, errors: 0 },
    reported: None,
    blocked: "",
    error: None,
    duration_ms: 1500,
};

const GOES_ON: Event<'static> = Event::RunGoesOn {
    run_id: RunId::nil(),
    task: None,
    policy: None,
    position: (2, 3),
    rows_done: 5000,
    rows_total: Some(20_000),
    files_deleted: 1,
};

fn logged(event: &Event<'_>) -> Line {
    let log = Log::default();
    tracing::subscriber::with_default(registry().with(log.clone()), || event.emit());
    let lines = log.0.lock().unwrap().clone();
    assert_eq!(lines.len(), 1, "{event:?}");
    lines.into_iter().next().unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Hands every event, in one form or more, to `each`.
fn for_every_event(mut each: impl FnMut(&Event<'_>)) {
    let (nvr, retention) = (name("nvr"), name("retention"));
    let refused = std::io::Error::other("postgres://nvr:s3cret@db/nvr: connection refused");
    let totals = Totals { rows_deleted: 50, files_deleted: 1, bytes_reclaimed: 2048, errors: 2, ..Totals::default() };
    let run = RunEvent { task: Some(&retention), totals: &totals, ..RUN };
    let failed = Some("policy events: postgres://nvr:s3cret@db/nvr: connection refused");
    let ada = Operator { uid: 0, user: Some("root".to_owned()), sudo_user: Some("ada".to_owned()), remote: None };
    let begun = BegunRun {
        run_id: RunId::nil(),
        task: Some(&retention),
        policies: "events, logs",
        mode: RunMode::Enforce,
        trigger: RunTrigger::Schedule,
        by: None,
    };
    let down = ["source nvr is down".to_owned()];
    let ready = Duration::from_millis(12);
    let due_at = "2026-03-01T03:00:00Z".parse().unwrap();
    each(&Event::Ready { duration: ready, tasks: 3, policies: 1, degraded: &[] });
    each(&Event::Ready { duration: ready, tasks: 3, policies: 1, degraded: &down });
    each(&Event::StartFailed { error: &refused });
    each(&Event::ReloadDone { changes: "" });
    each(&Event::ReloadDone { changes: "policy events keeps 60d instead of 30d" });
    each(&Event::ReloadFailed { errors: 2, first: "unknown key kep" });
    each(&Event::RunEnded(run));
    each(&Event::RunEnded(RUN));
    each(&Event::RunEnded(RunEvent { status: Status::CompletedWithErrors, ..run }));
    each(&Event::RunEnded(RunEvent { status: Status::Failed, error: failed, ..run }));
    each(&Event::RunEnded(RunEvent { status: Status::Cancelled, task: None, ..run }));
    each(&Event::RunEnded(RunEvent { status: Status::Blocked, blocked: "events", ..RUN }));
    each(&Event::RunBegun(begun));
    each(&Event::RunBegun(BegunRun { task: None, trigger: RunTrigger::Api, by: Some(&ada), ..begun }));
    each(&GOES_ON);
    each(&Event::GuardBlocked { policy: &retention, run_id: "019a", guard: "2000 rows match, max_rows is 1000" });
    let reasons = "keep 30d → 3d, source postgres://nvr:s3cret@db/nvr";
    each(&Event::PolicyHeld { policy: &retention, reasons, command: "retaind approve retention" });
    let error = "/usr/lib/backup ended with exit code 3: postgres://nvr:s3cret@db/nvr: no space left";
    each(&Event::HookFailed { task: &retention, run_id: "019a", hook: "before", error });
    each(&Event::SourceDown { source: &nvr, error: &refused });
    each(&Event::SourceUp { source: &nvr, down_for: Duration::from_secs(90) });
    each(&Event::Recovered { batches: 1, files_deleted: 2, kept: 0 });
    each(&Event::Recovered { batches: 2, files_deleted: 0, kept: 1 });
    each(&Event::SlotSkipped { task: &retention, due_at, why: "the task was still running" });
    each(&Event::ShutdownBegun { running: 0 });
    each(&Event::ShutdownBegun { running: 1 });
    each(&Event::ShutdownDone { duration: ready, forced: false });
    each(&Event::ShutdownDone { duration: ready, forced: true });
}

fn ids_in_code() -> BTreeSet<String> {
    IDS.lines().filter_map(|line| Some(line.strip_prefix("pub const ")?.split('"').nth(1)?.to_owned())).collect()
}

/// Id of each catalog entry, with its header lines and text.
fn catalog() -> Vec<(String, String)> {
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in CATALOG.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("-- "), entries.last_mut()) {
            (Some(id), _) => entries.push((id.trim().to_owned(), String::new())),
            (None, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => assert!(line.is_empty(), "text before the first entry: {line}"),
        }
    }
    entries
}

#[test]
fn code_and_catalog_have_the_same_ids() {
    let entries = catalog();
    let in_catalog: BTreeSet<String> = entries.iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(in_catalog.len(), entries.len(), "an id stands twice in the catalog");
    assert_eq!(in_catalog, ids_in_code());
    let declared = IDS.lines().filter(|line| line.starts_with("pub const ")).count();
    assert_eq!(declared, in_catalog.len(), "two events share an id");
}

#[test]
fn every_event_has_an_id_and_vice_versa() {
    let mut used = BTreeSet::from([message_id::LINES_LOST.to_owned()]);
    for_every_event(|event| {
        used.insert(logged(event).fields["message_id"].clone());
    });
    assert_eq!(used, ids_in_code());
}

#[test]
fn each_catalog_entry_says_meaning_and_remedy() {
    for (id, text) in catalog() {
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{id}");
        for header in ["Subject: ", "Defined-By: retaind\n", "Documentation: "] {
            assert!(text.contains(header), "{id} lacks {header:?}");
        }
        let (_, body) = text.split_once("\n\n").unwrap();
        assert!(body.trim().split("\n\n").count() >= 2, "{id} says what happened, but not what to do");
    }
}

#[test]
fn catalog_variables_are_fields_of_the_event() {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for_every_event(|event| {
        let line = logged(event);
        let names = line.fields.keys().map(|name| name.to_uppercase());
        fields.entry(line.fields["message_id"].clone()).or_default().extend(names);
    });
    for (id, text) in catalog().into_iter().filter(|(id, _)| id != message_id::LINES_LOST) {
        for variable in text.split('@').skip(1).step_by(2) {
            assert!(fields[&id].contains(variable), "{id} uses @{variable}@, which the event lacks");
        }
    }
}

#[test]
fn messages_are_sentences_without_full_stop_or_password() {
    for_every_event(|event| {
        let line = logged(event);
        let message = &line.fields["message"];
        assert!(message.starts_with(char::is_uppercase) && !message.ends_with('.'), "{message}");
        for (field, value) in &line.fields {
            assert!(!TAKEN.contains(&field.as_str()), "{field} is the journal's own");
            assert!(!value.contains("s3cret"), "{field} tells a password: {value}");
        }
        let whole_task = line.fields.contains_key("status") && line.fields.contains_key("task");
        for identifier in ["policy", "source", "task", "run_id", "guard", "hook", "error"] {
            // A task may have a hundred policies.
            if let Some(value) = line.fields.get(identifier).filter(|_| identifier != "policy" || !whole_task) {
                assert!(message.contains(value), "{identifier} is missing in {message:?}");
            }
        }
    });
}

#[test]
fn the_level_tells_whether_somebody_must_act() {
    let mut levels = Vec::new();
    for_every_event(|event| levels.push(logged(event).level));
    let (i, w, e) = (Level::INFO, Level::WARN, Level::ERROR);
    assert_eq!(levels, [i, w, e, i, i, e, i, i, w, e, w, w, i, i, i, e, w, e, w, i, i, w, w, i, i, i, w]);
}

#[test]
fn a_run_tells_its_sums() {
    let task = name("retention");
    let totals = Totals { rows_deleted: 50, files_deleted: 1, bytes_reclaimed: 2048, errors: 2, ..Totals::default() };
    let run = RunEvent { task: Some(&task), status: Status::CompletedWithErrors, totals: &totals, ..RUN };
    let line = logged(&Event::RunEnded(run));
    assert_eq!(
        line.fields["message"],
        "Run 00000000-0000-0000-0000-000000000000 of task retention completed with errors in 1.5 s: 50 rows and 1 file (2.0 KiB) deleted, 2 errors"
    );
    for (field, value) in
        [("rows_deleted", "50"), ("files_deleted", "1"), ("size_bytes", "2048"), ("duration_ms", "1500")]
    {
        assert_eq!(line.fields[field], value);
    }
}

#[test]
fn a_run_that_updates_rows_says_so() {
    for (rows, said) in [
        ((0, 2), "2 rows updated, 1 file (0 B) deleted"),
        ((3, 2), "2 rows updated, 3 rows and 1 file (0 B) deleted"),
        ((3, 0), "3 rows and 1 file (0 B) deleted"),
    ] {
        let (rows_deleted, rows_updated) = rows;
        let totals = Totals { rows_deleted, rows_updated, files_deleted: 1, ..Totals::default() };
        let message = Event::RunEnded(RunEvent { totals: &totals, ..RUN }).message();
        assert!(message.ends_with(said), "{message}");
    }
}

#[test]
fn a_run_says_what_it_did() {
    let head = "Run 00000000-0000-0000-0000-000000000000";
    let task = name("retention");
    let reported = Reported { rows_eligible: 1200, files_eligible: 1, bytes_eligible: 0 };
    let none = Reported::default();
    let some = Totals { rows_deleted: 3, ..Totals::default() };
    let one_error = Totals { errors: 1, ..Totals::default() };
    let of_task = RunEvent { task: Some(&task), ..RUN };
    let error = Some("policy events: connection refused");
    let (report, status) = (RunMode::Report, Status::Blocked);
    for (run, said) in [
        (RUN, "of events, logs completed in 1.5 s: nothing to do"),
        (of_task, "of task retention completed in 1.5 s: nothing to do"),
        (
            RunEvent { mode: report, reported: Some(&reported), ..of_task },
            "of task retention completed in 1.5 s: would delete 1,200 rows and 1 file (report mode)",
        ),
        (
            RunEvent { mode: report, reported: Some(&none), ..of_task },
            "of task retention completed in 1.5 s: would delete nothing (report mode)",
        ),
        (
            RunEvent { reported: Some(&reported), totals: &some, ..of_task },
            "of task retention completed in 1.5 s: 3 rows and 0 files (0 B) deleted, would delete 1,200 rows and 1 file \
             (policies in report mode)",
        ),
        (RunEvent { status, blocked: "logs", ..of_task }, "of task retention blocked in 1.5 s: blocked or held: logs"),
        (
            RunEvent { status: Status::Failed, totals: &one_error, error, ..of_task },
            "of task retention failed in 1.5 s: nothing deleted, 1 error: policy events: connection refused",
        ),
    ] {
        assert_eq!(run.message(), format!("{head} {said}"));
    }
}

#[test]
fn a_run_says_who_asked_for_it() {
    let id = RunId::nil();
    let ada = Operator { uid: 0, user: Some("root".to_owned()), sudo_user: Some("ada".to_owned()), remote: None };
    let begun = BegunRun {
        run_id: id,
        task: None,
        policies: "events, logs",
        mode: RunMode::Report,
        trigger: RunTrigger::Cli,
        by: Some(&ada),
    };
    let line = logged(&Event::RunBegun(begun));
    assert_eq!(
        line.fields["message"],
        format!("Run {id} begins on request of ada as root, in report mode: events, logs")
    );
    for (field, value) in [("policy", "events, logs"), ("by", "ada as root"), ("trigger", "cli"), ("mode", "report")] {
        assert_eq!(line.fields[field], value);
    }
    let line = logged(&GOES_ON);
    assert_eq!(
        line.fields["message"],
        format!("Run {id} goes on with a hook: 5,000 rows of 20,000 done, 1 file deleted")
    );
    let (events, task) = (name("events"), name("retention"));
    let event = Event::RunGoesOn {
        run_id: id,
        task: Some(&task),
        policy: Some(&events),
        position: (2, 3),
        rows_done: 1,
        rows_total: None,
        files_deleted: 0,
    };
    assert_eq!(
        logged(&event).fields["message"],
        format!("Run {id} of task retention goes on with policy events, 2 of 3: 1 row done, 0 files deleted")
    );
}
