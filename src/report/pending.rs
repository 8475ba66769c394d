//! Pending files: the pages of `retaind pending`, `pending retry` and `pending forget`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::runs::short_id;
use super::style::STRONG;
use super::table::{Align, Cell, Layout, Table, fit};
use crate::outcome::RunId;
use crate::policy::{Name, StorePath};
use crate::text::human::{counted, instant};
use crate::text::printable;

/// Files whose rows are gone and that are still to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PendingFiles {
    /// Number of all of them.
    pub files_pending: u64,
    /// The first of them, the oldest first.
    pub pending: Vec<PendingFile>,
}

/// File, or a whole directory, whose row is gone and that is still to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PendingFile {
    /// Store that it is in.
    pub store: Name,
    /// Path from the store's root on.
    pub path: StorePath,
    /// True where it is a directory with all that is in it.
    pub directory: bool,
    /// Policy by which its row went.
    pub policy: Name,
    /// Run that took its row.
    pub run_id: RunId,
    /// Source of the row.
    pub source: Name,
    /// Table of the row.
    pub table: String,
    /// Key of the row.
    pub key: String,
    /// Instant since which it is pending.
    pub since: Timestamp,
    /// Word of the reason that it is still there: `already_running`, `not_removed` where an attempt failed, `not_tried` where its
    /// run ended before it came to it, or a word of `.errors[].reason`.
    pub reason: String,
    /// The reason in words.
    pub why: String,
}

/// Result of another attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// Batches of rows whose files were gone through.
    pub batches_settled: u64,
    /// Files that were removed, or moved into the trash.
    pub files_deleted: u64,
    /// Files that were not there any more.
    pub files_missing: u64,
    /// Files that stay for good, because a row names them.
    pub files_referenced: u64,
    #[serde(flatten)]
    pub left: PendingFiles,
}

/// File that is not pending any more, and stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// Store that it is in.
    pub store: Name,
    /// Path from the store's root on.
    pub path: StorePath,
    /// Rows that owned it.
    pub rows: Vec<ForgottenRow>,
}

/// Row that owned a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForgottenRow {
    /// Policy by which it went.
    pub policy: Name,
    /// Run that took it.
    pub run_id: RunId,
    /// Key of the row.
    pub key: String,
}

/// Pending files as a page.
pub fn render_pending(files: &PendingFiles, layout: Layout) -> String {
    if files.files_pending == 0 {
        return "No file is pending.\n".to_owned();
    }
    let advice = "`retaind pending retry` tries to remove them now, as the next run of their policy does; `retaind pending \
                  forget STORE/PATH` leaves one alone for good.\n";
    format!("{}{}", listed(files, layout), fit(advice, layout))
}

/// Result of another attempt as a page.
pub fn render_retried(retried: &Retried, layout: Layout) -> String {
    let Retried { batches_settled: _, files_deleted, files_missing, files_referenced, left } = retried;
    let parts = [
        (*files_deleted, "deleted"),
        (*files_missing, "not there any more"),
        (*files_referenced, "kept, because a row names it"),
        (left.files_pending, "still pending"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(files, _)| *files > 0)
        .map(|(files, what)| {
            let what = if files > 1 { what.replace("names it", "names them") } else { what.to_owned() };
            format!("{} {what}", counted(files, "file"))
        })
        .collect();
    let sums = if parts.is_empty() { "No file was pending.\n".to_owned() } else { format!("{}.\n", parts.join("; ")) };
    let page = fit(&sums, layout);
    if left.pending.is_empty() { page } else { page + &listed(left, layout) }
}

fn listed(PendingFiles { files_pending, pending }: &PendingFiles, layout: Layout) -> String {
    use Align::Left;
    let columns = [("FILE", Left), ("POLICY", Left), ("RUN", Left), ("SINCE", Left), ("WHY", Left)];
    let mut table = Table::new(&columns);
    for file in pending {
        let PendingFile { store, path, directory, policy, run_id, since, why, .. } = file;
        let end = if *directory { "/" } else { "" };
        table.push(vec![
            Cell::styled(printable(&format!("{store}/{path}{end}")), STRONG),
            Cell::new(policy.as_str()),
            Cell::new(short_id(run_id)),
            Cell::new(instant(*since)),
            Cell::new(printable(why)),
        ]);
    }
    let more = files_pending.saturating_sub(pending.len() as u64);
    let more = if more > 0 { format!("… and {}\n", counted(more, "more file")) } else { String::new() };
    table.render(layout) + &more
}
