//! Eligible things of each policy: the page of `retaind stats`. Gathers nothing itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::held::held_words;
use super::store_stats::{StoreStats, render_stores, render_totals};
use super::style::{BAD, CARE, FAINT, PLAIN, STRONG, of_status, paint, status_words};
use super::table::{Align, Cell, Layout, Table, fit};
use crate::outcome::{Held, PolicyTotal, RunId, RunMode, Status};
use crate::policy::{Mode, Name};
use crate::text::human::{between, count, duration, instant, instant_from};
use crate::text::printable;

/// Everything that `stats --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// When this was gathered.
    pub at: Timestamp,
    /// One for each rows policy, in declared order.
    pub policies: Vec<PolicyStats>,
    /// Sums of policies of whatever kind since the ledger began; those that never ran are left out.
    pub totals: Vec<PolicyTotal>,
    /// Stores that these policies are about.
    pub stores: Vec<StoreStats>,
    /// Remarks beside it, for a person.
    pub remarks: Vec<String>,
}

/// Eligible things of one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyStats {
    /// Name of the policy.
    pub policy: Name,
    /// Name of the source.
    pub source: Name,
    /// The table, as the catalog spells it.
    pub table: String,
    /// The mode of its runs; with `report` they delete nothing.
    pub mode: Mode,
    /// Null where not even an estimate could be had.
    pub rows_eligible: Option<u64>,
    /// Precision of that number.
    pub precision: Option<Precision>,
    /// True if a number here is no exact count.
    pub estimated: bool,
    /// The eligible row that has waited longest; null where none is eligible.
    pub oldest: Option<OldestRow>,
    /// For how long the oldest eligible row has been eligible, in seconds.
    pub overdue_secs: Option<u64>,
    /// It is overdue by more than two periods of the policy's schedule.
    pub falling_behind: bool,
    /// Rows that would be eligible if nothing kept them.
    pub rows_protected: Option<u64>,
    /// Precision of `rows_protected`.
    pub protected_precision: Option<Precision>,
    /// Rows that `where` includes, however old they are; without `where` those of the table.
    pub rows_in_scope: Option<u64>,
    /// Precision of `rows_in_scope`.
    pub scope_precision: Option<Precision>,
    /// The newest run that came to the policy; null when there was none.
    pub last_run: Option<LastPolicyRun>,
    /// Reason that the policy is held; null where its next run goes.
    pub held: Option<Held>,
    /// Remarks beside it, for a person.
    pub remarks: Vec<String>,
    /// Why the policy could not be looked at.
    pub error: Option<String>,
}

/// Precision of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    Exact,
    /// Number that the database's planner expects.
    Estimate,
    /// Counted so far when the time was up.
    AtLeast,
}

/// The eligible row that has waited longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OldestRow {
    /// Its age, as the column has it.
    pub value: String,
    /// That age as an instant.
    pub at: Timestamp,
    /// Age of it.
    pub age_secs: u64,
}

/// Newest run of a policy, with its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastPolicyRun {
    /// Names the run.
    pub run_id: RunId,
    /// Mode of that run.
    pub mode: RunMode,
    /// When it began.
    pub started_at: Timestamp,
    /// Null while it runs.
    pub status: Option<Status>,
    /// Rows that it deleted.
    pub rows_deleted: u64,
    /// Rows that it updated.
    pub rows_updated: u64,
    /// Files that it removed.
    pub files_deleted: u64,
    /// Errors of the policy in that run.
    pub error_count: u64,
}

/// The statistics as a page.
pub fn render_stats(stats: &Stats, layout: Layout) -> String {
    use Align::{Left, Right};
    let mut columns = vec![
        ("POLICY", Left),
        ("TABLE", Left),
        ("ELIGIBLE", Right),
        ("OLDEST", Left),
        ("BACKLOG", Left),
        ("PROTECTED", Right),
        ("IN SCOPE", Right),
        ("LAST RUN", Left),
    ];
    let waits = stats.policies.iter().any(|policy| policy.held.is_some());
    if waits {
        columns.push(("HELD", Left));
    }
    let mut table = Table::new(&columns);
    for policy in &stats.policies {
        let mut row = vec![
            Cell::styled(policy.policy.as_str(), STRONG),
            Cell::new(printable(&format!("{}.{}", policy.source, policy.table))),
            number_cell(policy.rows_eligible, policy.precision),
            oldest_cell(policy, stats.at),
            backlog_cell(policy),
            number_cell(policy.rows_protected, policy.protected_precision),
            number_cell(policy.rows_in_scope, policy.scope_precision),
            last_cell(policy.last_run.as_ref(), stats.at),
        ];
        if waits {
            row.push(held_cell(policy.held.as_ref(), stats.at));
        }
        table.push(row);
    }
    let mut page = if stats.policies.is_empty() { String::new() } else { table.render(layout) };
    for policy in &stats.policies {
        let name = &policy.policy;
        for remark in &policy.remarks {
            page.push_str(&format!("{name}: {}\n", printable(remark)));
        }
        if let Some(error) = &policy.error {
            page.push_str(&format!("{name}: {} {}\n", paint(BAD, "error:"), printable(error)));
        }
        if let Some(held) = &policy.held {
            let matter = format!("policy {name} is {}", held_words(name, held));
            page.push_str(&format!("{} {matter}\n", paint(CARE, "attention:")));
        }
        if policy.falling_behind {
            let matter = format!(
                "policy {name} is falling behind: a row has been eligible for {}, more than two periods of its schedule",
                duration(policy.overdue_secs.unwrap_or(0).saturating_mul(1000))
            );
            page.push_str(&format!("{} {matter}\n", paint(CARE, "attention:")));
        }
    }
    page.push_str(&render_totals(&stats.totals, layout));
    page.push_str(&render_stores(&stats.stores, stats.at, layout));
    for remark in &stats.remarks {
        page.push_str(&format!("{}\n", printable(remark)));
    }
    fit(&page, layout)
}

fn number_cell(number: Option<u64>, precision: Option<Precision>) -> Cell {
    match (number, precision) {
        (None, _) | (_, None) => Cell::styled("unknown", CARE),
        (Some(number), Some(Precision::Exact)) => Cell::new(count(number)),
        (Some(number), Some(Precision::Estimate)) => Cell::styled(format!("≈ {}", count(number)), CARE),
        (Some(number), Some(Precision::AtLeast)) => Cell::styled(format!("≥ {}", count(number)), CARE),
    }
}

fn oldest_cell(policy: &PolicyStats, now: Timestamp) -> Cell {
    match &policy.oldest {
        None => Cell::styled("-", FAINT),
        Some(oldest) => Cell::new(format!("{} ({})", instant(oldest.at), between(oldest.at, now))),
    }
}

fn backlog_cell(policy: &PolicyStats) -> Cell {
    match policy.overdue_secs {
        None => Cell::styled("-", FAINT),
        Some(secs) => {
            Cell::styled(duration(secs.saturating_mul(1000)), if policy.falling_behind { BAD } else { PLAIN })
        }
    }
}

fn last_cell(run: Option<&LastPolicyRun>, now: Timestamp) -> Cell {
    let Some(run) = run else { return Cell::styled("never", CARE) };
    let only = if run.mode == RunMode::Report { ", report only" } else { "" };
    let text = format!("{} {}{only}", status_words(run.status), instant_from(run.started_at, now));
    Cell::styled(text, of_status(run.status))
}

fn held_cell(held: Option<&Held>, now: Timestamp) -> Cell {
    match held {
        None => Cell::styled("-", FAINT),
        Some(held) => Cell::styled(format!("for {}: {}", between(held.since, now), printable(&held.brief())), BAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn stats() -> Stats {
        let at: Timestamp = "2025-02-01T00:00:00Z".parse().unwrap();
        let exact = PolicyStats {
            policy: name("events"),
            source: name("nvr"),
            table: "events".to_owned(),
            mode: Mode::Enforce,
            rows_eligible: Some(1204),
            precision: Some(Precision::Exact),
            estimated: false,
            oldest: Some(OldestRow {
                value: "2024-12-01 00:00:00+00".to_owned(),
                at: "2024-12-01T00:00:00Z".parse().unwrap(),
                age_secs: 5_356_800,
            }),
            overdue_secs: Some(2_764_800),
            falling_behind: true,
            rows_protected: Some(0),
            protected_precision: Some(Precision::Exact),
            rows_in_scope: Some(20_000),
            scope_precision: Some(Precision::Exact),
            last_run: Some(LastPolicyRun {
                run_id: "0192f3ab-0000-7000-8000-00000000cafe".parse().unwrap(),
                mode: RunMode::Report,
                started_at: "2025-01-31T00:00:00Z".parse().unwrap(),
                status: Some(Status::Completed),
                rows_deleted: 0,
                rows_updated: 0,
                files_deleted: 0,
                error_count: 0,
            }),
            held: None,
            remarks: Vec::new(),
            error: None,
        };
        let guessed = PolicyStats {
            policy: name("logs"),
            rows_eligible: Some(9_000_000),
            precision: Some(Precision::Estimate),
            estimated: true,
            oldest: None,
            overdue_secs: None,
            falling_behind: false,
            rows_protected: Some(10_000),
            protected_precision: Some(Precision::AtLeast),
            last_run: None,
            error: Some("the server\u{1b}[31m".to_owned()),
            ..exact.clone()
        };
        let guessed = PolicyStats { rows_in_scope: None, scope_precision: None, ..guessed };
        Stats {
            at,
            policies: vec![exact, guessed],
            totals: Vec::new(),
            stores: Vec::new(),
            remarks: vec!["by-hand takes parameters".to_owned()],
        }
    }

    #[test]
    fn estimates_and_policies_that_fall_behind_are_marked() {
        let page = strip_str(&render_stats(&stats(), Layout::Tables { width: 200 })).to_string();
        let expected = "\
POLICY  TABLE          ELIGIBLE  OLDEST                       BACKLOG  PROTECTED  IN SCOPE  LAST RUN
events  nvr.events        1,204  2024-12-01T00:00:00Z (62 d)  32 d             0    20,000  completed 2025-01-31T00:00:00Z \
(1 d ago), report only
logs    nvr.events  ≈ 9,000,000  -                            -         ≥ 10,000   unknown  never
attention: policy events is falling behind: a row has been eligible for 32 d, more than two periods of its schedule
logs: error: the server\\x1b[31m
by-hand takes parameters
";
        assert_eq!(page, expected);
    }

    #[test]
    fn the_json_has_stable_keys() {
        let json = serde_json::to_value(stats()).unwrap();
        assert_eq!(json["policies"][0]["precision"], "exact");
        assert_eq!(json["policies"][1]["protected_precision"], "at_least");
        assert_eq!(json["policies"][0]["oldest"]["age_secs"], 5_356_800);
        assert_eq!(json["policies"][0]["last_run"]["status"], "completed");
        assert_eq!(json["policies"][1]["last_run"], serde_json::Value::Null);
    }
}
