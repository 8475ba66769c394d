//! The page of `retaind status`: what is scheduled, what runs, what is pending. Gathers nothing itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::held::HeldPolicy;
use super::matter::{self, Matter};
use super::runs::{RunEntry, reported_words, short_id};
use super::style::{BAD, CARE, FAINT, GOOD, PLAIN, STRONG, of_status, paint, status_words};
use super::table::{Align, Cell, Layout, Table, fit};
use crate::outcome::{Pause, Reported, RunId, RunMode, Status, Subject, Totals};
use crate::policy::{Mode, Name, Trigger};
use crate::text::human::{between, counted, duration, instant, instant_from, length, size};
use crate::text::printable;

/// Everything that `status --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// When this was gathered.
    pub at: Timestamp,
    /// The daemon's mode; with `report` nothing is ever deleted.
    pub mode: Mode,
    /// Directory of the ledger.
    pub state_dir: String,
    /// The daemon that holds the state directory, if one does.
    pub daemon: DaemonState,
    /// In declared order.
    pub tasks: Vec<TaskOverview>,
    /// Policies without a task: they run on request only.
    pub on_request: Vec<Name>,
    /// Runs that are going on.
    pub running: Vec<RunEntry>,
    /// Files whose row is gone and which are still to be removed.
    #[serde(flatten, serialize_with = "with_former_name", deserialize_with = "by_present_name")]
    #[schemars(with = "PendingNames")]
    pub pending: Vec<Pending>,
    /// Tasks and policies that are paused.
    pub paused: Vec<Paused>,
    /// Policies that take nothing until somebody has looked.
    pub held: Vec<HeldPolicy>,
    /// Matters that a person should look at; none when all is well.
    #[serde(flatten, with = "matter")]
    #[schemars(with = "matter::Both")]
    pub attention: Vec<Matter>,
}

/// Names under which pending files are written.
#[derive(Serialize, JsonSchema)]
struct PendingNames<'a> {
    /// Files whose row is gone and which are still to be removed.
    pending: &'a [Pending],
    /// The former name of `pending`.
    owed: &'a [Pending],
}

/// Writes what is pending also as `owed`, as earlier versions named it.
fn with_former_name<S: Serializer>(pending: &[Pending], serializer: S) -> Result<S::Ok, S::Error> {
    PendingNames { pending, owed: pending }.serialize(serializer)
}

fn by_present_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pending>, D::Error> {
    #[derive(Deserialize)]
    struct Names {
        pending: Vec<Pending>,
    }
    Names::deserialize(deserializer).map(|names| names.pending)
}

/// State of the daemon: up or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonState {
    /// True if a daemon holds the state directory.
    pub running: bool,
    /// Its process id, where it is known.
    pub pid: Option<u32>,
    /// The ledger that it has open is not the one at its path any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ledger_lost: bool,
}

/// Something that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Paused {
    #[serde(flatten)]
    pub subject: Subject,
    /// Null where its file cannot be read, which pauses as well.
    pub pause: Option<Pause>,
    /// Error of a file of the pause that cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A task and its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskOverview {
    /// Name of the task.
    pub task: Name,
    /// False where it is switched off.
    pub enabled: bool,
    /// The cron expression, or `every 30m`.
    pub schedule: String,
    /// The policies that are switched on, in the order in which they run.
    pub policies: Vec<Name>,
    /// The next slot; null when the task is switched off or has no policy.
    pub next_due_at: Option<Timestamp>,
    /// When the last slot, whose run did not succeed, is tried again; null where it is not.
    #[serde(default)]
    pub retry_at: Option<Timestamp>,
    /// The task's last run, by whomever; null when it never ran.
    pub last_run: Option<LastRun>,
    /// The oldest known slot that should have been run by now and was not.
    pub overdue_since: Option<Timestamp>,
}

/// The last run of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastRun {
    /// Names the run.
    pub run_id: RunId,
    /// Null while it runs.
    pub status: Option<Status>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null while it runs.
    pub finished_at: Option<Timestamp>,
    /// Milliseconds from its begin to its end; null while it runs.
    pub duration_ms: Option<u64>,
    /// Sums over its policies.
    pub totals: Totals,
    /// Amounts that match in policies that only reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

/// Files that a policy still owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pending {
    /// Name of the policy.
    pub policy: Name,
    /// Number of files that are pending.
    pub files: u64,
    /// Reason that they are not removed yet, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// The words that a schedule is shown in.
pub fn schedule_words(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Cron(expression) => expression.clone(),
        Trigger::Every(every) => format!("every {}", length(*every)),
    }
}

/// The overview as a page.
pub fn render_status(overview: &Overview, layout: Layout) -> String {
    let mut page = daemon_line(overview);
    page.push_str(&tasks(overview, layout).render(layout));
    if !overview.on_request.is_empty() {
        let names: Vec<_> = overview.on_request.iter().map(Name::as_str).collect();
        page.push_str(&format!("{} {}\n", paint(FAINT, "On request only:"), names.join(", ")));
    }
    for run in &overview.running {
        let what = run.task.as_ref().map(|task| format!(" of task {task}")).unwrap_or_default();
        let mode = if run.mode == RunMode::Report { ", in report mode" } else { "" };
        page.push_str(&format!(
            "Running: {}{what}, since {} ({}){mode}\n",
            short_id(&run.run_id),
            instant(run.started_at),
            between(run.started_at, overview.at)
        ));
    }
    for Paused { subject, pause, .. } in &overview.paused {
        let by = pause.as_ref().map(|Pause { since, by, reason }| {
            let reason = reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
            format!(" since {} by {}{reason}", instant(*since), printable(&by.to_string()))
        });
        page.push_str(&format!("Paused: {subject}{}\n", by.unwrap_or_default()));
    }
    for pending in &overview.pending {
        page.push_str(&format!("Pending for {}: {}\n", pending.policy, counted(pending.files, "file")));
    }
    for matter in &overview.attention {
        page.push_str(&format!("{} {}\n", paint(CARE, "attention:"), matter.message));
    }
    fit(&page, layout)
}

fn daemon_line(overview: &Overview) -> String {
    let daemon = match overview.daemon {
        DaemonState { running: true, pid: Some(pid), .. } => paint(GOOD, &format!("running (process {pid})")),
        DaemonState { running: true, pid: None, .. } => paint(GOOD, "running"),
        DaemonState { running: false, .. } => paint(BAD, "not running: nothing is done on schedule"),
    };
    let mode = match overview.mode {
        Mode::Enforce => "enforce".to_owned(),
        // A run of another process goes on under the configuration that it began with.
        Mode::Report if overview.running.iter().any(|run| run.mode == RunMode::Enforce) => {
            paint(CARE, "report (but a run that began before may still delete)")
        }
        Mode::Report => paint(CARE, "report (nothing is deleted)"),
    };
    format!("{} {daemon}; mode {mode}\n", paint(STRONG, "Daemon"))
}

fn tasks(overview: &Overview, layout: Layout) -> Table {
    use Align::Left;
    let mut table =
        Table::new(&[("TASK", Left), ("SCHEDULE", Left), ("POLICIES", Left), ("NEXT", Left), ("LAST RUN", Left)]);
    for task in &overview.tasks {
        let names: Vec<_> = task.policies.iter().map(Name::as_str).collect();
        let policies = match (layout, names.len()) {
            (_, 0) => "none".to_owned(),
            (Layout::Tables { .. }, 3..) => counted(names.len() as u64, "policy"),
            _ => names.join(" "),
        };
        table.push(vec![
            Cell::styled(task.task.as_str(), if task.enabled { STRONG } else { FAINT }),
            Cell::new(&task.schedule),
            Cell::new(policies),
            next_cell(task, overview.at),
            last_cell(task, overview.at),
        ]);
    }
    table
}

fn next_cell(task: &TaskOverview, now: Timestamp) -> Cell {
    match (task.enabled, task.overdue_since, task.retry_at, task.next_due_at) {
        (false, ..) => Cell::styled("switched off", FAINT),
        (true, Some(since), ..) => Cell::styled(format!("overdue since {}", instant(since)), BAD),
        (true, None, Some(at), _) => Cell::styled(format!("retry at {}", instant_from(at, now)), CARE),
        (true, None, None, Some(at)) => Cell::new(instant_from(at, now)),
        (true, None, None, None) => Cell::styled("-", FAINT),
    }
}

fn last_cell(task: &TaskOverview, now: Timestamp) -> Cell {
    let Some(run) = &task.last_run else {
        let matters = task.enabled && !task.policies.is_empty();
        return Cell::styled("never", if matters { CARE } else { PLAIN });
    };
    let mut text = format!("{} {}", status_words(run.status), instant_from(run.started_at, now));
    if let Some(duration_ms) = run.duration_ms {
        text.push_str(&format!(", took {}", duration(duration_ms)));
    }
    let totals = &run.totals;
    let rows = counted(totals.rows_deleted + totals.rows_updated, "row");
    let files = counted(totals.files_deleted, "file");
    text.push_str(&format!(", {rows}, {files} ({})", size(totals.bytes_reclaimed)));
    text.push_str(&run.reported.as_ref().map(reported_words).unwrap_or_default());
    if totals.errors > 0 {
        text.push_str(&format!(", {}", counted(totals.errors, "error")));
    }
    Cell::styled(text, of_status(run.status))
}

#[cfg(test)]
mod tests {
    use super::super::matter::MatterCode;
    use super::*;
    use anstream::adapter::strip_str;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn overview() -> Overview {
        let task = |task: &str, policies: &[&str]| TaskOverview {
            task: name(task),
            enabled: true,
            schedule: "0 3 * * *".to_owned(),
            policies: policies.iter().map(|policy| name(policy)).collect(),
            next_due_at: Some(at("2025-02-01T03:00:00Z")),
            retry_at: None,
            last_run: None,
            overdue_since: None,
        };
        let ran = LastRun {
            run_id: "0192f3ab-0000-7000-8000-00000000cafe".parse().unwrap(),
            status: Some(Status::CompletedWithErrors),
            started_at: at("2025-01-31T03:00:00.5Z"),
            finished_at: Some(at("2025-01-31T03:00:03.8Z")),
            duration_ms: Some(3_300),
            totals: Totals { rows_deleted: 1204, errors: 2, ..Totals::default() },
            reported: None,
        };
        Overview {
            at: at("2025-02-01T01:00:00Z"),
            mode: Mode::Report,
            state_dir: "/var/lib/retaind".to_owned(),
            daemon: DaemonState { running: true, pid: Some(42), ledger_lost: false },
            tasks: vec![
                TaskOverview { last_run: Some(ran), ..task("retention", &["a", "b"]) },
                TaskOverview { overdue_since: Some(at("2025-01-31T03:00:00Z")), ..task("log-purge", &["c"]) },
                TaskOverview { enabled: false, next_due_at: None, ..task("orphan-scan", &[]) },
            ],
            on_request: vec![name("by-hand")],
            running: vec![super::super::runs::tests::entry(None)],
            pending: vec![Pending { policy: name("a"), files: 3, waits_for: None }],
            paused: Vec::new(),
            held: Vec::new(),
            attention: vec![Matter::of_task(
                MatterCode::Overdue,
                &name("log-purge"),
                "task log-purge is overdue".to_owned(),
            )],
        }
    }

    #[test]
    fn the_page_makes_never_and_overdue_visible() {
        let page = strip_str(&render_status(&overview(), Layout::Tables { width: 200 })).to_string();
        let expected = "\
Daemon running (process 42); mode report (but a run that began before may still delete)
TASK         SCHEDULE   POLICIES  NEXT                                LAST RUN
retention    0 3 * * *  a b       2025-02-01T03:00:00Z (in 2 h)       completed with errors 2025-01-31T03:00:00Z \
(21 h 59 min ago), took 3.3 s, 1,204 rows, 0 files (0 B), 2 errors
log-purge    0 3 * * *  c         overdue since 2025-01-31T03:00:00Z  never
orphan-scan  0 3 * * *  none      switched off                        never
On request only: by-hand
Running: 0000beef of task retention, since 2025-01-31T03:00:00Z (21 h 59 min)
Pending for a: 3 files
attention: task log-purge is overdue
";
        assert_eq!(page, expected);
    }

    #[test]
    fn without_a_terminal_a_task_is_a_line() {
        let page = strip_str(&render_status(&overview(), Layout::Lines)).to_string();
        let line = "log-purge: schedule 0 3 * * *, policies c, next overdue since 2025-01-31T03:00:00Z, last run never";
        assert!(page.lines().any(|shown| shown == line), "{page}");
    }

    #[test]
    fn no_task_is_wider_than_the_terminal() {
        for width in [80, 100, 160] {
            let page = strip_str(&render_status(&overview(), Layout::Tables { width })).to_string();
            let tasks: Vec<&str> = page.lines().skip(1).take_while(|line| !line.starts_with("On request")).collect();
            assert!(tasks.iter().all(|line| line.chars().count() <= width), "{width}: {page}");
            assert!(tasks.iter().any(|line| line.contains("1,204")), "{width}: {page}");
        }
    }

    #[test]
    fn what_is_written_as_json_is_read_back() {
        let matter = Matter::of_task(MatterCode::Overdue, &name("log-purge"), "it is overdue".to_owned());
        let subject = Subject::Task(name("retention"));
        let paused = Paused { subject, pause: None, error: Some("unreadable".to_owned()) };
        let overview = Overview { attention: vec![matter], paused: vec![paused], ..overview() };
        let json = serde_json::to_string(&overview).unwrap();
        assert_eq!(serde_json::from_str::<Overview>(&json).unwrap(), overview);
    }

    #[test]
    fn the_json_has_stable_keys() {
        let json = serde_json::to_value(overview()).unwrap();
        assert_eq!(json["daemon"], serde_json::json!({ "running": true, "pid": 42 }));
        assert_eq!(json["mode"], "report");
        assert_eq!(json["tasks"][0]["last_run"]["status"], "completed_with_errors");
        assert_eq!(json["tasks"][1]["overdue_since"], "2025-01-31T03:00:00Z");
        assert_eq!(json["pending"], json["owed"]);
        assert_eq!(json["pending"], serde_json::json!([{ "policy": "a", "files": 3 }]));
        assert_eq!(json["attention"], serde_json::json!(["task log-purge is overdue"]));
        let codes = serde_json::json!([{
            "code": "overdue", "level": "critical", "task": "log-purge", "policy": null,
            "message": "task log-purge is overdue",
        }]);
        assert_eq!(json["attention_codes"], codes);
    }
}
