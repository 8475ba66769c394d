//! The list of past and present runs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::trigger_words;
use super::style::{BAD, PLAIN, of_status, status_words};
use super::table::{Align, Cell, Layout, Table};
use crate::ledger::RunSummary;
use crate::outcome::{Reported, RunId, RunMode, RunTrigger, Status, Totals};
use crate::policy::Name;
use crate::text::human::{between, count, counted, duration, instant, size};

/// A run in a list, as `runs --json` and `status --json` print it: the head of what `runs ID --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEntry {
    /// Names the run.
    pub run_id: RunId,
    /// Mode of the run.
    pub mode: RunMode,
    /// Who or what started it.
    pub trigger: RunTrigger,
    /// The task that was run as a whole; null when policies were chosen by hand.
    pub task: Option<Name>,
    /// Null while it runs.
    pub status: Option<Status>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null while it runs.
    pub finished_at: Option<Timestamp>,
    /// Null while it runs.
    pub duration_ms: Option<u64>,
    /// Sums over its policies.
    pub totals: Totals,
    /// Amounts that match in policies that only reported: what would have gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<Reported>,
}

impl From<&RunSummary> for RunEntry {
    fn from(run: &RunSummary) -> Self {
        let RunSummary { run_id, mode, trigger, task, status, started_at, finished_at, totals, reported, .. } = run;
        let millis = |end: Timestamp| u64::try_from(end.duration_since(*started_at).as_millis()).unwrap_or(0);
        Self {
            run_id: *run_id,
            mode: *mode,
            trigger: *trigger,
            task: task.clone(),
            status: *status,
            started_at: *started_at,
            finished_at: *finished_at,
            duration_ms: finished_at.map(millis),
            totals: totals.clone(),
            reported: reported.clone(),
        }
    }
}

/// The end of a run's id, which tells it from other runs and is short enough to type.
pub fn short_id(run: &RunId) -> String {
    let id = run.simple().to_string();
    id[id.len() - 8..].to_owned()
}

/// The width from which every number of a run has a column of its own.
const WIDE: usize = 112;

/// Room that a status with what would have gone takes beside.
const REPORTED: usize = 40;

/// The runs as a table, in the order given. `filtered`: others may be there.
pub fn render_runs(runs: &[RunEntry], filtered: bool, now: Timestamp, layout: Layout) -> String {
    use Align::{Left, Right};
    if runs.is_empty() {
        return if filtered { "No such run.\n" } else { "No run so far.\n" }.to_owned();
    }
    let wide = if runs.iter().any(|run| run.reported.is_some()) { WIDE + REPORTED } else { WIDE };
    let is_narrow = matches!(layout, Layout::Tables { width } if width < wide);
    let mut columns = vec![("RUN", Left), ("STARTED", Left), ("TASK", Left), ("BY", Left)];
    if is_narrow {
        columns.push(("RESULT", Left));
    } else {
        columns.extend([("STATUS", Left), ("ROWS", Right), ("FILES", Right), ("SIZE", Right)]);
        columns.extend([("ERRORS", Right), ("TIME", Right)]);
    }
    let mut table = Table::new(&columns);
    for run in runs {
        let mut row = vec![
            Cell::new(short_id(&run.run_id)),
            Cell::new(instant(run.started_at)),
            Cell::new(run.task.as_ref().map_or("-", Name::as_str)),
            Cell::new(trigger_words(run.trigger)),
        ];
        if is_narrow {
            let totals = &run.totals;
            let result = format!(
                "{}: {}, {} ({}), {}, {}",
                ending(run),
                counted(totals.rows_deleted + totals.rows_updated, "row"),
                counted(totals.files_deleted, "file"),
                size(totals.bytes_reclaimed),
                counted(totals.errors, "error"),
                time(run, now)
            );
            row.push(Cell::styled(result, of_status(run.status)));
        } else {
            row.push(Cell::styled(ending(run), of_status(run.status)));
            row.extend(numbers(run, now));
        }
        table.push(row);
    }
    table.render(layout)
}

fn ending(run: &RunEntry) -> String {
    let mode = match run.mode {
        RunMode::Enforce => "",
        RunMode::Report => " (report mode)",
        RunMode::Plan => " (plan)",
    };
    format!("{}{mode}{}", status_words(run.status), run.reported.as_ref().map(reported_words).unwrap_or_default())
}

/// Amounts that would have gone, to be put behind a status.
pub(super) fn reported_words(Reported { rows_eligible, files_eligible, .. }: &Reported) -> String {
    let rows = (*rows_eligible > 0).then(|| counted(*rows_eligible, "row"));
    let files = (*files_eligible > 0).then(|| counted(*files_eligible, "file"));
    let all: Vec<String> = rows.into_iter().chain(files).collect();
    format!(", would delete {}", if all.is_empty() { "nothing".to_owned() } else { all.join(" and ") })
}

/// Duration, so far where it still runs.
fn time(run: &RunEntry, now: Timestamp) -> String {
    run.duration_ms.map_or_else(|| between(run.started_at, now), duration)
}

/// Rows, files, size, errors and time.
fn numbers(run: &RunEntry, now: Timestamp) -> [Cell; 5] {
    let Totals { rows_deleted, rows_updated, files_deleted, bytes_reclaimed, errors } = &run.totals;
    [
        Cell::new(count(rows_deleted + rows_updated)),
        Cell::new(count(*files_deleted)),
        Cell::new(size(*bytes_reclaimed)),
        Cell::styled(count(*errors), if *errors > 0 { BAD } else { PLAIN }),
        Cell::new(time(run, now)),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    pub fn entry(status: Option<Status>) -> RunEntry {
        RunEntry {
            run_id: "0192f3ab-0000-7000-8000-00000000beef".parse().unwrap(),
            mode: RunMode::Enforce,
            trigger: RunTrigger::Schedule,
            task: Some(Name::parse("retention").unwrap()),
            status,
            started_at: "2025-01-31T03:00:00.9Z".parse().unwrap(),
            finished_at: status.map(|_| "2025-01-31T03:00:04.2Z".parse().unwrap()),
            duration_ms: status.map(|_| 3_300),
            totals: Totals { rows_deleted: 1204, files_deleted: 800, bytes_reclaimed: 2048, ..Totals::default() },
            reported: None,
        }
    }

    #[test]
    fn runs_show_their_short_id_and_sums() {
        let runs = [entry(Some(Status::Completed)), RunEntry { task: None, ..entry(None) }];
        let now = "2025-01-31T03:01:00.9Z".parse().unwrap();
        let page = strip_str(&render_runs(&runs, false, now, Layout::Tables { width: 120 })).to_string();
        let expected = "\
RUN       STARTED               TASK       BY        STATUS      ROWS  FILES     SIZE  ERRORS   TIME
0000beef  2025-01-31T03:00:00Z  retention  schedule  completed  1,204    800  2.0 KiB       0  3.3 s
0000beef  2025-01-31T03:00:00Z  -          schedule  running    1,204    800  2.0 KiB       0  1 min
";
        assert_eq!(page, expected);
        let narrow = strip_str(&render_runs(&runs[..1], false, now, Layout::Tables { width: 80 })).to_string();
        let expected = "\
RUN       STARTED               TASK       BY        RESULT
0000beef  2025-01-31T03:00:00Z  retention  schedule  completed: 1,204 rows,
                                                     800 files (2.0 KiB),
                                                     0 errors, 3.3 s
";
        assert_eq!(narrow, expected);
        assert_eq!(render_runs(&[], false, now, Layout::Lines), "No run so far.\n");
        assert_eq!(render_runs(&[], true, now, Layout::Lines), "No such run.\n");
    }

    #[test]
    fn a_report_shows_what_would_go() {
        let now = "2025-01-31T03:01:00.9Z".parse().unwrap();
        let page = |reported: Reported| {
            let run = RunEntry {
                mode: RunMode::Report,
                totals: Totals::default(),
                reported: Some(reported),
                ..entry(Some(Status::Completed))
            };
            strip_str(&render_runs(&[run], false, now, Layout::Lines)).to_string()
        };
        let some = page(Reported { rows_eligible: 10, files_eligible: 1, bytes_eligible: 0 });
        assert!(some.contains("status completed (report mode), would delete 10 rows and 1 file, rows 0"), "{some}");
        assert!(page(Reported::default()).contains("(report mode), would delete nothing, "));
    }

    #[test]
    fn the_json_of_a_run_has_stable_keys() {
        let json = serde_json::to_value(entry(None)).unwrap();
        let expected = serde_json::json!({
            "run_id": "0192f3ab-0000-7000-8000-00000000beef",
            "mode": "enforce",
            "trigger": "schedule",
            "task": "retention",
            "status": null,
            "started_at": "2025-01-31T03:00:00.9Z",
            "finished_at": null,
            "duration_ms": null,
            "totals": {
                "rows_deleted": 1204, "rows_updated": 0, "files_deleted": 800, "bytes_reclaimed": 2048, "errors": 0
            },
        });
        assert_eq!(json, expected);
    }
}
