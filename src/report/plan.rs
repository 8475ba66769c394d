//! Shows a plan: for each policy what a run would do, how near its guards are, and a few of the rows.

use super::result::{failures, remarks, reported};
use super::style::{BAD, CARE, FAINT, GOOD, PLAIN, STRONG, paint};
use super::table::{Layout, fit};
use crate::outcome::{GuardReading, PolicyResult, RunMode, RunResult, Sample, Status};
use crate::text::human::{count, counted, instant, share, size};
use crate::text::printable;

/// Rows of a sample that a page shows.
const SAMPLE_SHOWN: usize = 5;
/// Files of one sampled row that a page shows.
const FILES_SHOWN: usize = 3;

/// A plan as a page.
pub fn render_plan(result: &RunResult, layout: Layout) -> String {
    let mut page = String::new();
    for policy in &result.policies {
        match layout {
            Layout::Tables { .. } => page.push_str(&block(policy, layout)),
            Layout::Lines => page.push_str(&lines(policy)),
        }
    }
    page.push_str(&plan_summary(result));
    fit(&page, layout)
}

/// The last lines of a plan: the sums, and that nothing was deleted.
pub fn plan_summary(result: &RunResult) -> String {
    let totals = &result.totals;
    let mut text = format!(
        "{} would delete {} and {} ({})",
        paint(STRONG, "A run"),
        counted(totals.rows_deleted, "row"),
        counted(totals.files_deleted, "file"),
        size(totals.bytes_reclaimed)
    );
    if totals.rows_updated > 0 {
        text.push_str(&format!(" and update {}", counted(totals.rows_updated, "row")));
    }
    let count_of =
        |is: &dyn Fn(&PolicyResult) -> bool| result.policies.iter().filter(|policy| is(policy)).count() as u64;
    let with = |status: Status| count_of(&|policy| policy.status == status && policy.held.is_none());
    let held = count_of(&|policy| policy.held.is_some());
    if held > 0 {
        text.push_str(&paint(BAD, &format!("; {} held", counted(held, "policy"))));
    }
    for (status, style, words) in [
        (Status::Blocked, BAD, "blocked by a guard"),
        (Status::Failed, BAD, "could not be planned"),
        (Status::Cancelled, CARE, "cancelled"),
        (Status::CompletedWithErrors, CARE, "planned with errors"),
    ] {
        if with(status) > 0 {
            text.push_str(&paint(style, &format!("; {} {words}", counted(with(status), "policy"))));
        }
    }
    if let Some(reported) = reported(result) {
        text.push_str(&format!("; {reported}"));
    }
    text.push_str(".\nThis was a plan: nothing was deleted.\n");
    text
}

fn block(policy: &PolicyResult, layout: Layout) -> String {
    let mut text = format!("{}  {}\n", paint(STRONG, policy.policy.as_str()), verdict(policy));
    let mut fact = |title: &str, value: String| {
        text.push_str(&format!(
            "  {}{}{value}\n",
            paint(FAINT, title),
            " ".repeat(9_usize.saturating_sub(title.len()))
        ));
    };
    if let Some(cutoff) = policy.cutoff {
        fact("cutoff", instant(cutoff));
    }
    if policy.is_about_rows() {
        fact("rows", count(policy.tally.rows_matched));
    }
    fact("files", files(policy));
    for (index, guard) in policy.guards.iter().enumerate() {
        fact(if index == 0 { "guards" } else { "" }, guard_words(guard));
    }
    for (index, sample) in policy.sample.iter().take(SAMPLE_SHOWN).enumerate() {
        fact(if index == 0 { "sample" } else { "" }, sample_words(sample));
    }
    let matched = if policy.is_about_rows() { policy.tally.rows_matched } else { policy.tally.files_matched };
    let more = matched.saturating_sub(policy.sample.len().min(SAMPLE_SHOWN) as u64);
    if !policy.sample.is_empty() && more > 0 {
        let hint = format!("… and {} more; all of them: retaind plan --list {}", count(more), policy.policy);
        fact("", paint(FAINT, &hint));
    }
    // The heading names the policy.
    text.push_str(&remarks(policy, "", layout));
    text.push_str(&failures(policy, "", layout));
    text.push('\n');
    text
}

fn lines(policy: &PolicyResult) -> String {
    let cutoff = policy.cutoff.map(|cutoff| format!(", cutoff {}", instant(cutoff))).unwrap_or_default();
    let rows = match policy.is_about_rows() {
        true => format!("{}, ", counted(policy.tally.rows_matched, "row")),
        false => String::new(),
    };
    let mut text = format!("{}: {}{cutoff}, {}files {}\n", policy.policy, verdict(policy), rows, files(policy));
    for guard in &policy.guards {
        text.push_str(&format!("{}: guard {}\n", policy.policy, guard_words(guard)));
    }
    for sample in policy.sample.iter().take(SAMPLE_SHOWN) {
        text.push_str(&format!("{}: sample {}\n", policy.policy, sample_words(sample)));
    }
    let subject = format!("{}: ", policy.policy);
    text.push_str(&remarks(policy, &subject, Layout::Lines));
    text.push_str(&failures(policy, &subject, Layout::Lines));
    text
}

/// True if a run would delete nothing, whatever matches: then only that is known of the files.
fn is_idle(policy: &PolicyResult) -> bool {
    policy.mode == RunMode::Report || policy.status == Status::Blocked
}

/// Verdict of a plan about a policy, with its style.
pub fn verdict(policy: &PolicyResult) -> String {
    match policy.status {
        Status::Completed | Status::CompletedWithErrors if policy.mode == RunMode::Report => {
            paint(CARE, "report mode: a run deletes nothing")
        }
        Status::Completed if policy.tally.rows_matched + policy.tally.files_matched == 0 => {
            paint(GOOD, "nothing to do")
        }
        Status::Completed => paint(GOOD, "ready to run"),
        Status::CompletedWithErrors => paint(CARE, "ready to run, with errors"),
        Status::Failed => paint(BAD, "could not be planned"),
        Status::Cancelled => paint(CARE, "cancelled: the numbers are not complete"),
        Status::Blocked if policy.held.is_some() => paint(BAD, "is held"),
        Status::Blocked => paint(BAD, "would be blocked"),
    }
}

fn files(policy: &PolicyResult) -> String {
    let tally = &policy.tally;
    if is_idle(policy) || tally.files_matched == 0 {
        return count(tally.files_matched);
    }
    let mut text = format!("{} ({})", count(tally.files_deleted), size(tally.bytes_reclaimed));
    if tally.files_missing > 0 {
        text.push_str(&format!(", {} already gone", count(tally.files_missing)));
    }
    text
}

/// Reading of a guard with its limit and margin, with its style.
pub fn guard_words(guard: &GuardReading) -> String {
    let number = |value: f64| match guard.guard.as_str() {
        name if name.ends_with("_fraction") => share(value),
        name if name.ends_with("_secs") => format!("{value:.1} s"),
        _ => count(value.max(0.0).round() as u64),
    };
    let (style, margin) = if guard.value > guard.limit {
        (BAD, format!("exceeded by {}", number(guard.value - guard.limit)))
    } else {
        let near = guard.limit > 0.0 && guard.value / guard.limit > 0.8;
        (if near { CARE } else { PLAIN }, format!("margin {}", number(guard.limit - guard.value)))
    };
    let margin = paint(style, &margin);
    format!("{}: {} of at most {}, {margin}", guard.guard, number(guard.value), number(guard.limit))
}

fn sample_words(sample: &Sample) -> String {
    let key = printable(&sample.key);
    if sample.files.is_empty() {
        return format!("key {key}");
    }
    let files: Vec<_> = sample.files.iter().take(FILES_SHOWN).map(|file| printable(file)).collect();
    let more = match sample.files.len().saturating_sub(FILES_SHOWN) {
        0 => String::new(),
        more => format!(" and {}", counted(more as u64, "more file")),
    };
    // What no row stands behind has no key.
    let key = if key.is_empty() { String::new() } else { format!("key {key}: ") };
    format!("{key}{}{more}", files.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::{policy, result};
    use super::*;
    use crate::outcome::RunMode;
    use anstream::adapter::strip_str;

    fn plan() -> RunResult {
        let mut over = policy("events", Status::Blocked);
        over.guards = vec![GuardReading { guard: "max_fraction".to_owned(), value: 0.95, limit: 0.9 }];
        over.blocked_by = Some("max_fraction".to_owned());
        over.sample.clear();
        over.tally.rows_deleted = 0;
        over.tally.files_deleted = 0;
        over.tally.bytes_reclaimed = 0;
        result(RunMode::Plan, vec![policy("detections", Status::Completed), over])
    }

    #[test]
    fn a_plan_shows_each_policy_as_a_block() {
        let page = strip_str(&render_plan(&plan(), Layout::Tables { width: 80 })).to_string();
        let expected = "\
detections  ready to run
  cutoff   2025-01-01T03:00:00Z
  rows     1,204
  files    800 (1.2 GiB), 3 already gone
  guards   max_rows: 1,204 of at most 1,000,000, margin 998,796
  sample   key 17: a/\\x1b[31mb.jpg
           … and 1,203 more; all of them: retaind plan --list detections

events  would be blocked
  cutoff   2025-01-01T03:00:00Z
  rows     1,204
  files    803
  guards   max_fraction: 95.0 % of at most 90.0 %, exceeded by 5.0 %
  blocked: max_fraction

A run would delete 1,204 rows and 800 files (1.2 GiB); 1 policy blocked by a
  guard.
This was a plan: nothing was deleted.
";
        assert_eq!(page, expected);
    }

    #[test]
    fn without_a_terminal_every_line_names_its_policy() {
        let page = strip_str(&render_plan(&plan(), Layout::Lines)).to_string();
        let expected = "\
detections: ready to run, cutoff 2025-01-01T03:00:00Z, 1,204 rows, files 800 (1.2 GiB), 3 already gone
detections: guard max_rows: 1,204 of at most 1,000,000, margin 998,796
detections: sample key 17: a/\\x1b[31mb.jpg
";
        assert!(page.starts_with(expected), "{page}");
    }
}
