//! Restoration from the trash: the page of `retaind restore`. Gathers nothing itself.

use schemars::JsonSchema;
use serde::Serialize;

use super::runs::short_id;
use super::style::{BAD, CARE, GOOD, PLAIN, STRONG, paint};
use super::table::{Align, Cell, Layout, Table};
use crate::outcome::RunId;
use crate::policy::Name;
use crate::text::human::{count, counted, size};
use crate::text::printable;

/// Everything that `restore --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Restoration {
    /// Names the run.
    pub run_id: RunId,
    /// The stores in whose trash the run had something.
    pub stores: Vec<StoreRestored>,
    /// Paths that were asked for and that no trash of the run has.
    pub missing: Vec<String>,
    /// A signal came before the end.
    pub stopped: bool,
}

/// Restoration into one store.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StoreRestored {
    /// Name of the store.
    pub store: Name,
    /// Files that are back in their place.
    pub files_restored: u64,
    /// Bytes of those files.
    pub bytes_restored: u64,
    /// Files that stay in the trash: something else is in its place, or it could not be moved.
    pub files_left: u64,
    /// The first of those.
    pub left: Vec<FileLeft>,
    /// Why nothing could be done in the store.
    pub error: Option<String>,
}

/// A file that stays in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileLeft {
    /// From the store's root on.
    pub path: String,
    /// Reason that it stays, in words.
    pub why: String,
}

impl Restoration {
    /// Number of files that were put back.
    pub fn files_restored(&self) -> u64 {
        self.stores.iter().map(|store| store.files_restored).sum()
    }

    /// True if something that was asked for is not back.
    pub fn is_partial(&self) -> bool {
        let lacks = |store: &StoreRestored| store.files_left > 0 || store.error.is_some();
        !self.missing.is_empty() || self.stores.iter().any(lacks)
    }
}

/// Page of a restoration.
pub fn render_restoration(restoration: &Restoration, layout: Layout) -> String {
    use Align::{Left, Right};
    let mut table = Table::new(&[("STORE", Left), ("FILES", Right), ("SIZE", Right), ("LEFT", Right), ("NOTE", Left)]);
    for store in &restoration.stores {
        let left_style = if store.files_left > 0 { CARE } else { PLAIN };
        table.push(vec![
            Cell::styled(store.store.as_str(), STRONG),
            Cell::new(count(store.files_restored)),
            Cell::new(size(store.bytes_restored)),
            Cell::styled(count(store.files_left), left_style),
            Cell::styled(printable(store.error.as_deref().unwrap_or_default()), BAD),
        ]);
    }
    let mut text = table.render(layout);
    for store in &restoration.stores {
        for FileLeft { path, why } in &store.left {
            text.push_str(&format!("{}: {}: {}\n", store.store, printable(path), printable(why)));
        }
        let more = store.files_left.saturating_sub(store.left.len() as u64);
        if more > 0 && !store.left.is_empty() {
            text.push_str(&format!("{}: and {} more\n", store.store, count(more)));
        }
    }
    for path in &restoration.missing {
        text.push_str(&format!("{}: the trash of the run has no such file\n", printable(path)));
    }
    text.push_str(&summary(restoration));
    text
}

fn summary(restoration: &Restoration) -> String {
    let style = if restoration.is_partial() || restoration.stopped { CARE } else { GOOD };
    let back = format!("{} back", counted(restoration.files_restored(), "file"));
    let stopped = if restoration.stopped { "; stopped before the end: the same command goes on" } else { "" };
    format!("{} of run {}{stopped}.\n", paint(style, &back), short_id(&restoration.run_id))
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    #[test]
    fn shows_what_is_back_and_what_is_not() {
        let store = StoreRestored {
            store: Name::parse("images").unwrap(),
            files_restored: 2,
            bytes_restored: 2048,
            files_left: 2,
            left: vec![FileLeft { path: "a\u{1b}.jpg".to_owned(), why: "something else is in its place".to_owned() }],
            error: None,
        };
        let run_id: RunId = "01936bb2-3d1e-7cc0-8c3f-1f2e3d4c5b6a".parse().unwrap();
        let restoration =
            Restoration { run_id, stores: vec![store], missing: vec!["c.jpg".to_owned()], stopped: false };
        let page = strip_str(&render_restoration(&restoration, Layout::Lines)).to_string();
        let expected = "\
images: files 2, size 2.0 KiB, left 2
images: a\\x1b.jpg: something else is in its place
images: and 1 more
c.jpg: the trash of the run has no such file
2 files back of run 3d4c5b6a.
";
        assert_eq!(page, expected);
        assert!(restoration.is_partial());
    }
}
