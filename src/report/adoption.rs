//! Contents of a store before it is adopted: the page of `retaind adopt`. Gathers nothing itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::style::{BAD, CARE, FAINT, STRONG, paint};
use super::table::Layout;
use crate::policy::Name;
use crate::text::human::{count, counted, instant, size};
use crate::text::printable;

/// Everything that `adopt --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StoreFound {
    /// Name of the store.
    pub store: Name,
    /// Its root.
    pub path: String,
    /// Root of the file system that it is on.
    pub mount_point: String,
    /// Identity of its file system.
    pub file_system: String,
    /// Owner and group of the root.
    pub owner: String,
    /// Permission bits of the root, such as "0755".
    pub mode: String,
    /// Size of that file system, in bytes.
    pub total_bytes: u64,
    /// Bytes that are free there.
    pub available_bytes: u64,
    /// Files, and whatever else is no directory, as far as the time went.
    pub files: u64,
    /// Bytes of those files.
    pub size_bytes: u64,
    /// Number of directories.
    pub directories: u64,
    /// True if all were counted.
    pub complete: bool,
    /// Errors of what could not be read.
    pub unreadable: u64,
    /// The marker that is there.
    pub marker: Option<MarkerFound>,
    /// Why what is in the marker's place is none.
    pub marker_error: Option<String>,
    /// When a store of that name was adopted before.
    pub adopted_before: Option<Timestamp>,
    /// Paths that rows name in it, one for each reference.
    pub references: Vec<ReferenceFound>,
    /// True if it is adopted now.
    pub adopted: bool,
}

/// A marker in a root.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MarkerFound {
    /// Store that the marker names.
    pub store: Name,
    /// Instant of the adoption.
    pub adopted_at: Timestamp,
    /// Why it is not the store's.
    pub mismatch: Option<String>,
}

/// Files that the first rows of a reference name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ReferenceFound {
    /// The reference: source, table and column.
    pub reference: String,
    /// Paths that were looked at.
    pub paths: u64,
    /// There are more.
    pub more: bool,
    /// Those that lead into the store.
    pub inside: u64,
    /// Of those, the ones that lead to something that is there; null where a name tells no path.
    pub found: Option<u64>,
    /// Why nothing is known.
    pub error: Option<String>,
}

impl StoreFound {
    /// True if the store is adopted as it is.
    pub fn is_adopted(&self) -> bool {
        self.marker.as_ref().is_some_and(|marker| marker.mismatch.is_none())
    }

    /// Why something else has to be settled first.
    pub fn objection(&self) -> Option<String> {
        let mismatch = self.marker.as_ref().and_then(|marker| marker.mismatch.clone());
        mismatch.or_else(|| self.marker_error.clone())
    }
}

/// The findings as a page.
pub fn render_found(found: &StoreFound, layout: Layout) -> String {
    let name = found.store.as_str();
    let mut text = match layout {
        Layout::Tables { .. } => format!("{}  {}\n", paint(STRONG, name), printable(&found.path)),
        Layout::Lines => format!("{name}: path {}\n", printable(&found.path)),
    };
    for (title, value) in facts(found) {
        let value = printable(&value);
        match layout {
            Layout::Tables { .. } => {
                let space = " ".repeat(12_usize.saturating_sub(title.len()));
                text.push_str(&format!("  {}{space}{value}\n", paint(FAINT, title)));
            }
            Layout::Lines => text.push_str(&format!("{name}: {title} {value}\n")),
        }
    }
    if let Some(objection) = found.objection() {
        text.push_str(&format!("{}\n", paint(BAD, &printable(&objection))));
    }
    if found.files == 0 && found.complete {
        text.push_str(&format!("{}\n", paint(CARE, "It is empty: perhaps its disk is not mounted")));
    }
    text
}

fn facts(found: &StoreFound) -> Vec<(&'static str, String)> {
    let least = if found.complete { "" } else { "more than " };
    let mut files = format!(
        "{least}{} in {}, {}",
        counted(found.files, "file"),
        match found.directories {
            1 => "1 directory".to_owned(),
            many => format!("{} directories", count(many)),
        },
        size(found.size_bytes)
    );
    if found.unreadable > 0 {
        files.push_str(&format!("; {} could not be read", count(found.unreadable)));
    }
    let mut facts = vec![
        ("mounted at", format!("{}, {}", found.mount_point, found.file_system)),
        ("owner", format!("{}, mode {}", found.owner, found.mode)),
        ("room", format!("{} of {} are free", size(found.available_bytes), size(found.total_bytes))),
        ("files", files),
    ];
    facts.push(match &found.marker {
        None => ("marker", "none".to_owned()),
        Some(marker) => ("marker", format!("of store {}, adopted {}", marker.store, instant(marker.adopted_at))),
    });
    if let Some(before) = found.adopted_before.filter(|_| !found.is_adopted()) {
        facts.push(("before", format!("a store of that name was adopted {}", instant(before))));
    }
    facts.extend(found.references.iter().map(|each| ("reference", reference_words(each))));
    facts
}

fn reference_words(found: &ReferenceFound) -> String {
    let ReferenceFound { reference, paths, more, inside, found, error } = found;
    if let Some(error) = error {
        return format!("{reference}: {error}");
    }
    let first = if *more { "the first " } else { "" };
    let there = found.map(|found| format!(", {} of them there", count(found))).unwrap_or_default();
    match paths {
        0 => format!("{reference} names no file"),
        _ => {
            format!("{reference}: of {first}{}, {} lead into the store{there}", counted(*paths, "path"), count(*inside))
        }
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    fn found() -> StoreFound {
        StoreFound {
            store: Name::parse("images").unwrap(),
            path: "/srv/im\u{1b}ages".to_owned(),
            mount_point: "/srv".to_owned(),
            file_system: "id 5f".to_owned(),
            owner: "camera:video".to_owned(),
            mode: "0755".to_owned(),
            total_bytes: 2048,
            available_bytes: 1024,
            files: 1204,
            size_bytes: 512,
            directories: 1,
            complete: false,
            unreadable: 2,
            marker: None,
            marker_error: None,
            adopted_before: None,
            references: vec![ReferenceFound {
                reference: "nvr.detections.path".to_owned(),
                paths: 1000,
                more: true,
                inside: 999,
                found: Some(998),
                error: None,
            }],
            adopted: false,
        }
    }

    #[test]
    fn each_finding_is_a_block_or_a_line() {
        let page = strip_str(&render_found(&found(), Layout::Tables { width: 80 })).to_string();
        let expected = "\
images  /srv/im\\x1bages
  mounted at  /srv, id 5f
  owner       camera:video, mode 0755
  room        1.0 KiB of 2.0 KiB are free
  files       more than 1,204 files in 1 directory, 512 B; 2 could not be read
  marker      none
  reference   nvr.detections.path: of the first 1,000 paths, 999 lead into the store, 998 of them there
";
        assert_eq!(page, expected);
        let lines = strip_str(&render_found(&found(), Layout::Lines)).to_string();
        assert!(lines.lines().all(|line| line.starts_with("images: ")), "{lines}");
    }

    #[test]
    fn empty_roots_and_strange_markers_stand_out() {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let mut found = StoreFound { files: 0, complete: true, ..found() };
        found.marker = Some(MarkerFound {
            store: Name::parse("thumbs").unwrap(),
            adopted_at: at,
            mismatch: Some("its marker belongs to store thumbs".to_owned()),
        });
        let page = strip_str(&render_found(&found, Layout::Lines)).to_string();
        for part in ["It is empty", "images: marker of store thumbs, adopted 2026", "\nits marker belongs"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!found.is_adopted() && found.objection().is_some());
    }
}
