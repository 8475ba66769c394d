//! Sums of policies since the ledger began, and what is known of stores: the second half of the page of `retaind stats`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::style::{CARE, FAINT, STRONG};
use super::table::{Align, Cell, Layout, Table};
use crate::outcome::PolicyTotal;
use crate::policy::Name;
use crate::text::human::{between, count, counted, instant, size};
use crate::text::printable;

/// Knowledge about a store, which nobody went through for this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoreStats {
    /// Name of the store.
    pub store: Name,
    /// Files that the last look at the whole store saw, less those that went then; null where there was none.
    pub files: Option<u64>,
    /// Directories beside them that rows name as a whole, and whose contents were not looked at.
    pub directories: Option<u64>,
    /// Bytes that these files occupy; null where there are such directories.
    pub bytes: Option<u64>,
    /// True if the bytes are those of a sample, projected to all files.
    pub bytes_estimated: bool,
    /// When this was seen.
    pub seen_at: Option<Timestamp>,
    /// Room on its file system that its user may still fill, now.
    pub available_bytes: Option<u64>,
    /// Size of its file system.
    pub total_bytes: Option<u64>,
    /// Null where the store has none.
    pub trash: Option<StoreTrash>,
    /// Of the last scan for orphans; null where there was none.
    pub orphans: Option<StoreOrphans>,
    /// Why the store could not be asked for its room and its trash.
    pub error: Option<String>,
}

/// Contents of a store's trash, by what runs recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreTrash {
    /// Runs that have something in it.
    pub runs: u64,
    /// Null where one of these runs is not in the ledger any more.
    pub files: Option<u64>,
    /// Bytes that come free when it is emptied; null likewise.
    pub bytes: Option<u64>,
}

/// Orphans that the last scan found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoreOrphans {
    /// Files that no row named.
    pub files: u64,
    /// Bytes that these would free.
    pub bytes: u64,
    /// Of these files, the ones that the scan's run removed.
    pub files_deleted: u64,
    /// When the scan was; of several that share the store, the oldest.
    pub at: Timestamp,
    /// Seconds since then.
    pub age_secs: u64,
}

impl StoreOrphans {
    /// These and those of another scan.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            files_deleted: self.files_deleted + other.files_deleted,
            at: self.at.min(other.at),
            age_secs: self.age_secs.max(other.age_secs),
        }
    }
}

/// The sums as a table; empty where there are none.
pub(super) fn render_totals(totals: &[PolicyTotal], layout: Layout) -> String {
    use Align::{Left, Right};
    if totals.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("IN ALL", Left),
        ("RUNS", Right),
        ("DELETED", Right),
        ("UPDATED", Right),
        ("FILES", Right),
        ("FREED", Right),
        ("SINCE", Left),
    ]);
    for total in totals {
        table.push(vec![
            Cell::styled(total.policy.as_str(), STRONG),
            Cell::new(count(total.runs)),
            Cell::new(count(total.rows_deleted)),
            Cell::new(count(total.rows_updated)),
            Cell::new(count(total.files_deleted)),
            Cell::new(size(total.bytes_reclaimed)),
            Cell::new(instant(total.since)),
        ]);
    }
    apart(&table, layout)
}

/// The stores as a table; empty where there are none.
pub(super) fn render_stores(stores: &[StoreStats], now: Timestamp, layout: Layout) -> String {
    use Align::{Left, Right};
    if stores.is_empty() {
        return String::new();
    }
    let columns =
        [("STORE", Left), ("FILES", Right), ("SIZE", Right), ("FREE", Right), ("TRASH", Left), ("ORPHANS", Left)];
    let mut table = Table::new(&columns);
    for store in stores {
        table.push(vec![
            Cell::styled(store.store.as_str(), STRONG),
            files_cell(store),
            size_cell(store),
            store.available_bytes.map_or_else(unknown, |bytes| Cell::new(size(bytes))),
            trash_cell(store.trash.as_ref()),
            orphans_cell(store.orphans.as_ref(), now),
        ]);
    }
    let mut text = apart(&table, layout);
    for store in stores {
        if let Some(error) = &store.error {
            text.push_str(&format!("{}: {}\n", store.store, printable(error)));
        }
    }
    text
}

/// The table, and on a terminal an empty line before it.
fn apart(table: &Table, layout: Layout) -> String {
    let gap = if layout == Layout::Lines { "" } else { "\n" };
    format!("{gap}{}", table.render(layout))
}

fn unknown() -> Cell {
    Cell::styled("unknown", CARE)
}

fn nothing() -> Cell {
    Cell::styled("-", FAINT)
}

fn files_cell(store: &StoreStats) -> Cell {
    match (store.files, store.directories) {
        (None, _) => unknown(),
        (Some(files), None | Some(0)) => Cell::new(count(files)),
        (Some(files), Some(directories)) => {
            Cell::new(format!("{} and {}", count(files), counted(directories, "directory")))
        }
    }
}

fn size_cell(store: &StoreStats) -> Cell {
    match store.bytes {
        None => unknown(),
        Some(bytes) if store.bytes_estimated => Cell::styled(format!("≈ {}", size(bytes)), CARE),
        Some(bytes) => Cell::new(size(bytes)),
    }
}

fn trash_cell(trash: Option<&StoreTrash>) -> Cell {
    match trash {
        None => nothing(),
        Some(StoreTrash { runs: 0, .. }) => Cell::new("empty"),
        Some(StoreTrash { files: Some(files), bytes: Some(bytes), .. }) => {
            Cell::new(format!("{}, {}", counted(*files, "file"), size(*bytes)))
        }
        Some(StoreTrash { runs, .. }) => Cell::styled(format!("of {}, size unknown", counted(*runs, "run")), CARE),
    }
}

fn orphans_cell(orphans: Option<&StoreOrphans>, now: Timestamp) -> Cell {
    let Some(found) = orphans else { return nothing() };
    let ago = between(found.at, now);
    let deleted = match found.files_deleted {
        0 => String::new(),
        all if all == found.files => ", all deleted".to_owned(),
        some => format!(", {} deleted", count(some)),
    };
    let size = if found.bytes == 0 { String::new() } else { format!(", {}", size(found.bytes)) };
    Cell::new(format!("{}{size}{deleted} ({ago} ago)", counted(found.files, "file")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn stores() -> Vec<StoreStats> {
        let at: Timestamp = "2025-01-31T22:00:00Z".parse().unwrap();
        let known = StoreStats {
            store: name("thumbs"),
            files: Some(120_431),
            directories: Some(0),
            bytes: Some(3 << 30),
            bytes_estimated: true,
            seen_at: Some(at),
            available_bytes: Some(5 << 30),
            total_bytes: Some(9 << 30),
            trash: Some(StoreTrash { runs: 2, files: Some(1), bytes: Some(2048) }),
            orphans: Some(StoreOrphans { files: 1, bytes: 512, files_deleted: 1, at, age_secs: 7200 }),
            error: None,
        };
        let never = StoreStats {
            store: name("outputs"),
            files: None,
            directories: None,
            bytes: None,
            bytes_estimated: false,
            seen_at: None,
            available_bytes: None,
            total_bytes: None,
            trash: None,
            orphans: None,
            error: Some("the store did not answer in time".to_owned()),
        };
        let whole =
            StoreStats { store: name("jobs"), files: Some(3), directories: Some(1), bytes: None, ..known.clone() };
        vec![known, never, whole]
    }

    #[test]
    fn nothing_unknown_passes_for_a_number() {
        let now: Timestamp = "2025-02-01T00:00:00Z".parse().unwrap();
        let page = strip_str(&render_stores(&stores(), now, Layout::Tables { width: 120 })).to_string();
        let expected = "\
STORE FILES SIZE FREE TRASH ORPHANS
thumbs 120,431 ≈ 3.0 GiB 5.0 GiB 1 file, 2.0 KiB 1 file, 512 B, all deleted (2 h ago)
outputs unknown unknown unknown - -
jobs 3 and 1 directory unknown 5.0 GiB 1 file, 2.0 KiB 1 file, 512 B, all deleted (2 h ago)
outputs: the store did not answer in time";
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = page.lines().filter(|line| !line.is_empty()).map(words).collect();
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn sums_fit_a_narrow_terminal() {
        let total = PolicyTotal {
            policy: name("events"),
            runs: 1204,
            rows_deleted: 9_000_000,
            rows_updated: 0,
            files_deleted: 1,
            bytes_reclaimed: 7 << 30,
            since: "2025-01-01T00:00:00Z".parse().unwrap(),
        };
        let page = strip_str(&render_totals(&[total], Layout::Tables { width: 80 })).to_string();
        let expected = "
IN ALL   RUNS    DELETED  UPDATED  FILES    FREED  SINCE
events  1,204  9,000,000        0      1  7.0 GiB  2025-01-01T00:00:00Z
";
        assert_eq!(page, expected);
        assert_eq!(render_totals(&[], Layout::Lines), "");
    }
}
