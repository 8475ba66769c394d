//! Shows the result of a run: what went, what stayed and why. Shows numbers as they are and computes none.

use std::collections::BTreeMap;

use super::held::held_words;
use super::style::{BAD, CARE, FAINT, PLAIN, STRONG, of_status, paint, status_words};
use super::table::{Align, Cell, Layout, Table, fit};
use crate::outcome::{Cause, Failure, HookPoint, PolicyResult, RunMode, RunResult, RunTrigger, Wait};
use crate::text::human::{count, counted, duration, instant, size};
use crate::text::printable;

/// Errors and details of one policy that a page shows; `--json` has up to 100.
const SHOWN: usize = 10;

/// A finished (or still running) run as a page.
pub fn render_run(result: &RunResult, layout: Layout) -> String {
    let mut page = header(result);
    if !result.policies.is_empty() {
        page.push_str(&policies(result).render(layout));
    }
    for policy in &result.policies {
        let subject = format!("{}: ", policy.policy);
        page.push_str(&remarks(policy, &subject, layout));
        page.push_str(&failures(policy, &subject, layout));
    }
    // What failed before the first policy is what blocked each of them, and was said there.
    for failure in result.hook_errors.iter().filter(|failure| failure.hook == HookPoint::After) {
        let subject = format!("{} hook: ", failure.hook.word());
        page.push_str(&line(&subject, &format!("{} {}", paint(BAD, "error:"), printable(&failure.error)), layout));
    }
    page.push_str(&summary(result));
    fit(&page, layout)
}

fn header(result: &RunResult) -> String {
    let task = result.task.as_ref().map(|task| format!(" of task {task}")).unwrap_or_default();
    let line = format!("Run {}{task}, started {} by {}", result.run_id, instant(result.started_at), asker(result));
    format!("{}\n", paint(FAINT, &line))
}

/// Trigger of a run, the person behind it, and what was given along.
fn asker(result: &RunResult) -> String {
    let trigger = trigger_words(result.trigger);
    let requested = result.requested.as_ref().map(|requested| format!(" for {}", printable(&requested.to_string())));
    format!("{trigger}{}", requested.unwrap_or_default())
}

/// Trigger of a run, in words.
pub(super) fn trigger_words(trigger: RunTrigger) -> &'static str {
    match trigger {
        RunTrigger::Cli => "command",
        RunTrigger::Schedule => "schedule",
        RunTrigger::CatchUp => "catch-up",
        RunTrigger::Retry => "retry",
        RunTrigger::Api => "api",
    }
}

fn policies(result: &RunResult) -> Table {
    use Align::{Left, Right};
    let changes = result.policies.iter().any(|policy| policy.tally.rows_updated > 0);
    let mut columns = vec![("POLICY", Left), ("STATUS", Left), ("MATCHED", Right), ("DELETED", Right)];
    if changes {
        columns.push(("UPDATED", Right));
    }
    columns.extend([("FILES", Right), ("MISSING", Right), ("SIZE", Right), ("ERRORS", Right), ("TIME", Right)]);
    let mut table = Table::new(&columns);
    for policy in &result.policies {
        let tally = &policy.tally;
        let mode = if policy.mode == RunMode::Report { " (report mode)" } else { "" };
        let mut row = vec![
            Cell::styled(policy.policy.as_str(), STRONG),
            Cell::styled(format!("{}{mode}", status_words(Some(policy.status))), of_status(Some(policy.status))),
        ];
        // Only policies of rows count rows.
        let rows = |number: u64| Cell::new(if policy.is_about_rows() { count(number) } else { "–".to_owned() });
        row.push(if policy.is_about_rows() { rows(tally.rows_matched) } else { Cell::new(count(tally.files_matched)) });
        row.push(rows(tally.rows_deleted));
        if changes {
            row.push(rows(tally.rows_updated));
        }
        let errors = if policy.error_count > 0 { BAD } else { PLAIN };
        row.extend([
            Cell::new(count(tally.files_deleted)),
            Cell::new(count(tally.files_missing)),
            Cell::new(size(tally.bytes_reclaimed)),
            Cell::styled(count(policy.error_count), errors),
            Cell::new(duration(policy.duration_ms)),
        ]);
        table.push(row);
    }
    table
}

/// Notes about a policy beyond its numbers; each line begins with `subject`.
pub(super) fn remarks(policy: &PolicyResult, subject: &str, layout: Layout) -> String {
    remarks_of(policy).iter().map(|remark| line(subject, remark, layout)).collect()
}

/// Notes about a policy beyond its numbers, each with its style; the first says what stopped it, where something did.
pub fn remarks_of(policy: &PolicyResult) -> Vec<String> {
    let tally = &policy.tally;
    let mut remarks = Vec::new();
    if let Some(held) = &policy.held {
        remarks.push((BAD, held_words(&policy.policy, held)));
    } else if let Some(why) = &policy.blocked_by {
        remarks.push((BAD, format!("blocked: {}", printable(why))));
    }
    if tally.rows_protected > 0 {
        remarks.push((PLAIN, format!("{} kept: still needed", counted(tally.rows_protected, "row"))));
    }
    if tally.rows_without_time > 0 {
        remarks.push((PLAIN, format!("{} kept: without a time", counted(tally.rows_without_time, "row"))));
    }
    if tally.rows_unmapped > 0 {
        let rows = counted(tally.rows_unmapped, "row");
        remarks.push((
            CARE,
            format!(
                "{rows} kept: paths of theirs are not of their store; set its path or strip_prefix right, or let such rows \
                 go without their files: outside = \"release\""
            ),
        ));
    }
    for (table, rows) in &tally.children {
        let went = if policy.mode == RunMode::Enforce { "went" } else { "would go" };
        remarks.push((PLAIN, format!("{} of {} {went} with them", counted(*rows, "row"), printable(table))));
    }
    if tally.files_referenced > 0 {
        let kept = counted(tally.files_referenced, "file");
        remarks.push((PLAIN, format!("{kept} kept: still named by another row")));
    }
    if tally.files_outside > 0 {
        let paths = counted(tally.files_outside, "path");
        remarks.push((PLAIN, format!("{paths} of rows that go not of their store: released, no file was touched")));
    }
    if tally.files_pending > 0 {
        let pending = counted(tally.files_pending, "file");
        remarks.push((CARE, format!("{pending} still pending: removing is tried again before the next run")));
    }
    if policy.more_to_do {
        let took = if policy.mode == RunMode::Plan { "takes" } else { "took" };
        let rows = counted(tally.rows_deleted + tally.rows_updated, "row");
        remarks.push((PLAIN, format!("a run {took} {rows} (at_most); the rest is the next run's")));
    }
    remarks.extend(waited(&policy.waited_ms).map(|waited| (PLAIN, waited)));
    remarks.extend(of_files(policy));
    remarks.extend(policy.notes.iter().map(|note| (PLAIN, printable(note).into_owned())));
    remarks.into_iter().map(|(style, remark)| paint(style, &remark)).collect()
}

/// Time that was waited between batches, with the largest part first.
fn waited(waited_ms: &BTreeMap<Wait, u64>) -> Option<String> {
    let mut parts: Vec<_> = waited_ms.iter().collect();
    parts.sort_by_key(|(_, time)| std::cmp::Reverse(**time));
    let parts: Vec<_> = parts.iter().map(|(wait, time)| format!("{} for {}", duration(**time), wait.thing())).collect();
    (!parts.is_empty()).then(|| format!("waited between batches: {}", parts.join(", ")))
}

/// Notes about files that went, or lie in the trash, or should be there and are not.
fn of_files(policy: &PolicyResult) -> Vec<(anstyle::Style, String)> {
    let (tally, mut remarks) = (&policy.tally, Vec::new());
    if tally.files_scanned > 0 {
        let (of, files) = (counted(tally.files_scanned, "file"), count(tally.files_matched));
        remarks.push((PLAIN, format!("{files} of {of} match, {}", size(tally.bytes_matched))));
    }
    if tally.files_recently_changed > 0 {
        let files = counted(tally.files_recently_changed, "file");
        remarks.push((PLAIN, format!("{files} written long enough ago stay: made or changed since (see age_by)")));
    }
    if tally.files_trashed > 0 && policy.mode == RunMode::Enforce {
        let (files, bytes) = (counted(tally.files_trashed, "file"), size(tally.bytes_trashed));
        remarks.push((
            PLAIN,
            format!("{files} in the trash: {bytes} come free when it is emptied; `retaind restore` puts them back"),
        ));
    }
    if tally.references_outside > 0 {
        let outside = counted(tally.references_outside, "path");
        remarks.push((
            CARE,
            format!("{outside} of rows lead out of the store: files with the name that one ends with stay"),
        ));
        for paths in policy.outside.iter().take(SHOWN) {
            let (rows, example) = (counted(paths.rows, "row"), printable(&paths.example));
            remarks.push((FAINT, format!("outside: {example} ({rows} of {})", printable(&paths.reference))));
        }
    }
    if tally.files_alike > 0 {
        let alike = counted(tally.files_alike, "file");
        remarks.push((CARE, format!("{alike} kept: a row without a file names it in another spelling")));
        for file in policy.alike.iter().take(SHOWN) {
            let named = file.named.as_ref().map(|named| format!(" (named as {})", printable(&named.path)));
            remarks.push((FAINT, format!("kept: {}{}", printable(&file.path), named.unwrap_or_default())));
        }
    }
    if tally.references_missing > 0 {
        let missing = counted(tally.references_missing, "file");
        remarks.push((CARE, format!("{missing} named by rows and not there: nothing is done about that")));
        for file in policy.missing.iter().take(SHOWN) {
            remarks
                .push((FAINT, format!("missing: {} (named by {})", printable(&file.path), printable(&file.reference))));
        }
    }
    remarks
}

/// The first errors of a policy, each with its key and path; each line begins with `subject`.
pub(super) fn failures(policy: &PolicyResult, subject: &str, layout: Layout) -> String {
    let mut text = String::new();
    for failure in policy.errors.iter().take(SHOWN) {
        let shown = format!("{} {}", paint(BAD, "error:"), failure_words(failure));
        text.push_str(&line(subject, &shown, layout));
    }
    let more = policy.error_count.saturating_sub(SHOWN.min(policy.errors.len()) as u64);
    if more > 0 {
        let more = format!("… and {}; --json shows up to 100", counted_more(more, "error"));
        text.push_str(&line(subject, &paint(FAINT, &more), layout));
    }
    text
}

fn counted_more(number: u64, noun: &str) -> String {
    let counted = counted(number, noun);
    match counted.split_once(' ') {
        Some((number, noun)) => format!("{number} more {noun}"),
        None => counted,
    }
}

fn failure_words(failure: &Failure) -> String {
    let mut words = Vec::new();
    if let Some(key) = &failure.key {
        words.push(format!("key {}", printable(key)));
    }
    if let Some(path) = &failure.path {
        words.push(printable(path).into_owned());
    }
    let error = printable(&failure.error);
    if words.is_empty() { error.into_owned() } else { format!("{}: {error}", words.join(", ")) }
}

/// Errors and remarks are never cut or wrapped by us: a terminal wraps, and a copied line stays whole.
fn line(subject: &str, text: &str, layout: Layout) -> String {
    match layout {
        Layout::Tables { .. } => format!("  {subject}{text}\n"),
        Layout::Lines => format!("{subject}{text}\n"),
    }
}

/// The last line: how it ended, and what it did.
pub fn summary(result: &RunResult) -> String {
    let status = paint(of_status(result.status), status_words(result.status));
    let ended = match result.status {
        None => format!("Run is {status}"),
        Some(_) => format!("Run {status}{} in {}", result.cause.map_or("", Cause::words), duration(result.duration_ms)),
    };
    let totals = &result.totals;
    let mut did = Vec::new();
    if result.mode == RunMode::Enforce {
        did.push(format!(
            "{} and {} deleted",
            counted(totals.rows_deleted, "row"),
            counted(totals.files_deleted, "file")
        ));
        if totals.rows_updated > 0 {
            did.push(format!("{} updated", counted(totals.rows_updated, "row")));
        }
        did.push(format!("{} reclaimed", size(totals.bytes_reclaimed)));
    }
    if let Some(reported) = reported(result) {
        did.push(reported);
    }
    for emptied in &result.trash_emptied {
        let files = counted(emptied.files, "file");
        did.push(format!(
            "{files} ({}) removed from the trash of store {}",
            size(emptied.bytes_reclaimed),
            emptied.store
        ));
    }
    did.push(counted(totals.errors, "error"));
    format!("{ended}: {}\n", did.join(", "))
}

/// Amounts that match in policies that only report.
pub(super) fn reported(result: &RunResult) -> Option<String> {
    let reporting = || result.policies.iter().filter(|policy| policy.mode == RunMode::Report);
    reporting().next()?;
    let rows = reporting().map(|policy| policy.tally.rows_matched).sum();
    let files = reporting().map(|policy| policy.tally.files_matched).sum();
    Some(format!("nothing deleted in report mode, where {} and {} match", counted(rows, "row"), counted(files, "file")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::outcome::{GuardReading, HookFailure, Sample, Status, Tally, Totals};
    use crate::policy::Name;
    use anstream::adapter::strip_str;

    pub fn policy(name: &str, status: Status) -> PolicyResult {
        PolicyResult {
            cutoff: Some("2025-01-01T03:00:00.5Z".parse().unwrap()),
            duration_ms: 3_249,
            tally: Tally {
                rows_matched: 1204,
                rows_deleted: 1204,
                files_matched: 803,
                files_deleted: 800,
                files_missing: 3,
                bytes_reclaimed: 1_288_490_188,
                ..Tally::default()
            },
            guards: vec![GuardReading { guard: "max_rows".to_owned(), value: 1204.0, limit: 1_000_000.0 }],
            sample: vec![Sample { key: "17".to_owned(), files: vec!["a/\u{1b}[31mb.jpg".to_owned()] }],
            ..PolicyResult::new(Name::parse(name).unwrap(), "rows", RunMode::Enforce, status)
        }
    }

    pub fn result(mode: RunMode, policies: Vec<PolicyResult>) -> RunResult {
        RunResult {
            run_id: "0192f3ab-0000-7000-8000-00000000beef".parse().unwrap(),
            mode,
            trigger: RunTrigger::Cli,
            task: None,
            status: Some(Status::of_run(&policies, false)),
            started_at: "2025-01-31T03:00:00.9Z".parse().unwrap(),
            finished_at: Some("2025-01-31T03:00:04.2Z".parse().unwrap()),
            duration_ms: 3_300,
            totals: Totals::of(&policies),
            policies,
            hook_errors: Vec::new(),
            trash_emptied: Vec::new(),
            cause: None,
            requested: None,
            plan_digest: None,
        }
    }

    #[test]
    fn each_policy_has_a_row_and_its_errors() {
        let mut failed = policy("events", Status::CompletedWithErrors);
        failed.error_count = 12;
        failed.errors = (0..12)
            .map(|n| Failure {
                key: Some(format!("k{n}\n")),
                path: Some("a/b.jpg".to_owned()),
                reason: None,
                error: "permission denied (os error 13)".to_owned(),
            })
            .collect();
        failed.tally.files_pending = 1;
        let result = result(RunMode::Enforce, vec![policy("detections", Status::Completed), failed]);
        let page = strip_str(&render_run(&result, Layout::Tables { width: 100 })).to_string();
        let expected_start = "\
Run 0192f3ab-0000-7000-8000-00000000beef, started 2025-01-31T03:00:00Z by command
POLICY      STATUS                 MATCHED  DELETED  FILES  MISSING     SIZE  ERRORS   TIME
detections  completed                1,204    1,204    800        3  1.2 GiB       0  3.2 s
events      completed with errors    1,204    1,204    800        3  1.2 GiB      12  3.2 s
  events: 1 file still pending: removing is tried again before the next run
  events: error: key k0\\n, a/b.jpg: permission denied (os error 13)
";
        assert!(page.starts_with(expected_start), "{page}");
        let expected_end = "\
  events: … and 2 more errors; --json shows up to 100
Run completed with errors in 3.3 s: 2,408 rows and 1,600 files deleted, 2.4 GiB reclaimed, 12 errors
";
        assert!(page.ends_with(expected_end), "{page}");
    }

    #[test]
    fn a_hook_that_failed_is_shown_once() {
        let failure = |hook| HookFailure { hook, error: "/x ended with exit code 3: \u{1b}[31mno".to_owned() };
        let mut after = result(RunMode::Enforce, vec![policy("events", Status::Completed)]);
        after.hook_errors = vec![failure(HookPoint::After)];
        let page = strip_str(&render_run(&after, Layout::Lines)).to_string();
        assert!(page.contains("\nafter hook: error: /x ended with exit code 3: \\x1b[31mno\n"), "{page}");
        let mut blocked = policy("events", Status::Blocked);
        blocked.blocked_by = Some("before hook: /x ended with exit code 3".to_owned());
        let mut before = result(RunMode::Enforce, vec![blocked]);
        before.hook_errors = vec![failure(HookPoint::Before)];
        let page = strip_str(&render_run(&before, Layout::Lines)).to_string();
        assert_eq!(page.matches("before hook").count(), 1, "{page}");
    }

    #[test]
    fn without_a_terminal_a_policy_is_a_line() {
        let mut blocked = policy("events", Status::Blocked);
        blocked.blocked_by = Some("max_rows: more than 1,000 rows are eligible".to_owned());
        blocked.mode = RunMode::Report;
        blocked.tally = Tally { rows_matched: 1204, files_matched: 803, ..Tally::default() };
        let mut result = result(RunMode::Report, vec![blocked]);
        result.cause = Some(Cause::Signal);
        result.status = Some(Status::Cancelled);
        let page = strip_str(&render_run(&result, Layout::Lines)).to_string();
        let expected = "\
Run 0192f3ab-0000-7000-8000-00000000beef, started 2025-01-31T03:00:00Z by command
events: status blocked (report mode), matched 1,204, deleted 0, files 0, missing 0, size 0 B, errors 0, time 3.2 s
events: blocked: max_rows: more than 1,000 rows are eligible
Run cancelled by a signal in 3.3 s: nothing deleted in report mode, where 1,204 rows and 803 files match, 0 errors
";
        assert_eq!(page, expected);
    }
}
