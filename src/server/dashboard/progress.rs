//! Progress of runs under way, as a bar and in words.

use jiff::Timestamp;
use maud::{Markup, html};

use super::super::control::RunProgress;
use super::words::run_link;
use crate::outcome::RunMode;
use crate::text::human::{between, count, counted, size};

/// Runs that pages need not look at more often than this, in seconds, where none is under way.
const IDLE_SECS: u32 = 15;
const BUSY_SECS: u32 = 2;

/// Seconds until a page looks again.
pub(super) fn look_again(is_busy: bool) -> u32 {
    if is_busy { BUSY_SECS } else { IDLE_SECS }
}

/// Subject of a run in words: its task, or its policies.
pub(super) fn subject(run: &RunProgress) -> String {
    match (&run.task, run.policies.as_slice()) {
        (Some(task), _) => format!("task {task}"),
        (None, [policy]) => format!("policy {policy}"),
        (None, policies) => counted(policies.len() as u64, "policy"),
    }
}

/// A run under way in a list.
pub(super) fn entry(run: &RunProgress, now: Timestamp) -> Markup {
    let doing = if run.mode == RunMode::Plan { "Dry run" } else { "Run" };
    html! {
        li.run {
            p { (doing) " " (run_link(&run.run_id)) " of " (subject(run)) ", for " (between(run.since, now)) }
            (bar(run))
        }
    }
}

/// Bar with the stage and the numbers of a run.
pub(super) fn bar(run: &RunProgress) -> Markup {
    let rows = match run.rows_total {
        Some(total) => format!("{} of {}", count(run.rows_done), counted(total, "row")),
        None => counted(run.rows_done, "row"),
    };
    let files = format!("{} ({})", counted(run.files_deleted, "file"), size(run.bytes_reclaimed));
    html! {
        progress max="100" value=(run.progress) aria-label={ "Progress of the run of " (subject(run)) } { (run.progress) " %" }
        p.stage { (run.progress) " % · " (run.message) ": " (rows) ", " (files) }
    }
}
