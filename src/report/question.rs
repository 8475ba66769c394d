//! Sums of a plan and the question about them, for whoever is asked before a run begins.

use super::style::{BAD, CARE, FAINT, PLAIN, STRONG, paint};
use crate::outcome::{PolicyResult, RunMode, RunResult, Status, Tally};
use crate::text::human::{counted, size};
use crate::text::printable;

/// Summary of a run before it begins, a line for each policy: rows, files, bytes.
pub fn render_sums(plan: &RunResult) -> String {
    let widest = plan.policies.iter().map(|policy| policy.policy.as_str().len()).max().unwrap_or(0);
    let mut text = format!("{} would delete\n", paint(STRONG, "This run"));
    for policy in &plan.policies {
        let space = " ".repeat(widest - policy.policy.as_str().len());
        text.push_str(&format!("  {}{space}  {}\n", paint(STRONG, policy.policy.as_str()), words(policy)));
    }
    text
}

/// The question whether to run what was planned; none where a complete plan takes nothing.
pub fn plan_question(plan: &RunResult) -> Option<String> {
    let mut all = Tally::default();
    for tally in plan.policies.iter().map(|policy| &policy.tally) {
        all.rows_deleted += tally.rows_deleted + tally.children.values().sum::<u64>();
        all.rows_updated += tally.rows_updated;
        all.files_deleted += tally.files_deleted;
        all.bytes_reclaimed += tally.bytes_reclaimed + tally.bytes_trashed;
    }
    let is_unknown = plan.policies.iter().any(|policy| matches!(policy.status, Status::Failed | Status::Cancelled));
    let least = if is_unknown { "at least " } else { "" };
    let deleted = deleted(&all);
    let updated = (all.rows_updated > 0).then(|| counted(all.rows_updated, "row"));
    match (deleted.is_empty(), updated) {
        (false, None) => Some(format!("Delete {least}{}?", deleted.join(" and "))),
        (false, Some(updated)) => Some(format!("Delete {least}{}, and update {updated}?", deleted.join(" and "))),
        (true, Some(updated)) => Some(format!("Update {least}{updated}?")),
        (true, None) => is_unknown.then(|| "The plan is not complete. Run all the same?".to_owned()),
    }
}

/// Rows and files of a tally that go, as far as there are any.
fn deleted(tally: &Tally) -> Vec<String> {
    let mut parts = Vec::new();
    if tally.rows_deleted > 0 {
        parts.push(counted(tally.rows_deleted, "row"));
    }
    if tally.files_deleted > 0 {
        parts.push(format!(
            "{} ({})",
            counted(tally.files_deleted, "file"),
            size(tally.bytes_reclaimed + tally.bytes_trashed)
        ));
    }
    parts
}

fn words(policy: &PolicyResult) -> String {
    let tally = &policy.tally;
    match policy.status {
        Status::Blocked => {
            let why = policy.blocked_by.as_deref().map(printable).unwrap_or_default();
            return paint(BAD, &format!("nothing, blocked: {why}"));
        }
        Status::Failed => {
            let why = policy.errors.first().map(|failure| format!(": {}", printable(&failure.error)));
            return paint(BAD, &format!("nobody knows what: it could not be planned{}", why.unwrap_or_default()));
        }
        Status::Completed | Status::CompletedWithErrors | Status::Cancelled => {}
    }
    if policy.mode == RunMode::Report {
        return paint(CARE, "nothing: report mode");
    }
    let mut parts = deleted(tally);
    for (table, rows) in tally.children.iter().filter(|(_, rows)| **rows > 0) {
        parts.push(format!("{} of {} with them", counted(*rows, "row"), printable(table)));
    }
    if tally.rows_updated > 0 {
        parts.push(format!("{} updated, not deleted", counted(tally.rows_updated, "row")));
    }
    if policy.error_count > 0 {
        parts.push(paint(CARE, &counted(policy.error_count, "error")));
    }
    match parts.is_empty() {
        true => paint(FAINT, "nothing"),
        false => paint(PLAIN, &parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::{policy, result};
    use super::*;
    use crate::outcome::Failure;
    use anstream::adapter::strip_str;

    fn idle(name: &str, status: Status) -> PolicyResult {
        let mut idle = policy(name, status);
        idle.tally = Tally::default();
        idle
    }

    #[test]
    fn the_question_sums_what_each_policy_would_delete() {
        let mut events = policy("events", Status::CompletedWithErrors);
        events.tally.children.insert("frames\u{1b}".to_owned(), 40);
        events.error_count = 1;
        let mut jobs = idle("stale-jobs", Status::Completed);
        jobs.tally.rows_updated = 5;
        let mut orphans = idle("orphans", Status::Completed);
        orphans.mode = RunMode::Report;
        let mut over = idle("over", Status::Blocked);
        over.blocked_by = Some("max_rows".to_owned());
        let plan = result(RunMode::Plan, vec![events, jobs, orphans, over, idle("logs", Status::Completed)]);
        let expected = "\
This run would delete
  events      1,204 rows, 800 files (1.2 GiB), 40 rows of frames\\x1b with them, 1 error
  stale-jobs  5 rows updated, not deleted
  orphans     nothing: report mode
  over        nothing, blocked: max_rows
  logs        nothing
";
        assert_eq!(strip_str(&render_sums(&plan)).to_string(), expected);
        let question = plan_question(&plan).unwrap();
        assert_eq!(question, "Delete 1,244 rows and 800 files (1.2 GiB), and update 5 rows?");
    }

    #[test]
    fn a_complete_plan_without_deletions_needs_no_question() {
        let blocked = idle("over", Status::Blocked);
        assert_eq!(plan_question(&result(RunMode::Plan, vec![idle("logs", Status::Completed), blocked])), None);
        let mut down = idle("down", Status::Failed);
        down.errors = vec![Failure { key: None, path: None, reason: None, error: "connection refused".to_owned() }];
        let plan = result(RunMode::Plan, vec![down.clone()]);
        assert_eq!(plan_question(&plan).unwrap(), "The plan is not complete. Run all the same?");
        let sums = strip_str(&render_sums(&plan)).to_string();
        assert!(sums.ends_with("  down  nobody knows what: it could not be planned: connection refused\n"), "{sums}");
        let plan = result(RunMode::Plan, vec![policy("events", Status::Completed), down]);
        assert_eq!(plan_question(&plan).unwrap(), "Delete at least 1,204 rows and 800 files (1.2 GiB)?");
    }
}
