//! Why a file of a store stays or goes: the page of `retaind why STORE PATH`. Gathers nothing itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::style::{BAD, CARE, GOOD, STRONG, paint};
use super::table::{Layout, fit};
use super::why::{beside, verdict};
use crate::decide::facts::facts_of;
use crate::decide::files::{FileReason, FileReasonKind};
use crate::outcome::Facts;
use crate::policy::Name;
use crate::text::human::{instant_from, size};
use crate::text::printable;

/// Everything that `why STORE PATH --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FileAnswer {
    /// When this was asked.
    pub at: Timestamp,
    /// Name of the store.
    pub store: Name,
    /// From the store's root on.
    pub path: String,
    /// Kind of what is at the path.
    pub found: FoundAs,
    /// Null for what is no file.
    pub size_bytes: Option<u64>,
    /// When it was last changed.
    pub changed_at: Option<Timestamp>,
    /// Number of its names.
    pub links: Option<u32>,
    /// Rows that name it, the first few of each reference.
    pub named_by: Vec<NamingRow>,
    /// Every policy of files or orphans that goes through the store, in declared order.
    pub policies: Vec<PolicyOnFile>,
    /// Remarks beside it, for a person.
    pub remarks: Vec<String>,
}

/// Kind of what is at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundAs {
    File,
    Directory,
    Link,
    Pipe,
    Socket,
    Device,
    Missing,
}

/// A row that names a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamingRow {
    /// Name of the source.
    pub source: Name,
    /// The table, as the catalog spells it.
    pub table: String,
    /// Key of the row, as text.
    pub key: String,
    /// The column, or the template of columns, that names it.
    pub column: String,
    /// The policies that take the file together with the row.
    pub policies: Vec<Name>,
}

/// Answer of one policy.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PolicyOnFile {
    /// Name of the policy.
    pub policy: Name,
    /// Kind of the policy: rows, files or orphans.
    pub kind: &'static str,
    /// Fate of the file by this policy.
    pub fate: FileFate,
    /// The answer in words.
    pub summary: String,
    /// The rule by which it goes: a key of the configuration, or that no row names it.
    pub goes_for: Option<&'static str>,
    /// From when on its age is no reason any more.
    pub eligible_at: Option<Timestamp>,
    /// The slot that takes it, as far as can be told now.
    pub taken_at: Option<Timestamp>,
    /// Reasons that keep it, the most lasting one first.
    pub reasons: Vec<WhyKept>,
    /// Remarks beside it, for a person.
    pub remarks: Vec<String>,
}

/// Fate of the file in the next run of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFate {
    Removed,
    /// Moved into the trash.
    Trashed,
    Kept,
    /// It cannot be told.
    Unknown,
}

/// Something that keeps a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WhyKept {
    /// Word of the reason, which stays the same.
    pub reason: FileReasonKind,
    /// The reason in words.
    pub message: String,
    /// The numbers and names of the message.
    #[serde(skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
}

impl From<&FileReason> for WhyKept {
    fn from(reason: &FileReason) -> Self {
        Self { reason: reason.kind(), message: reason.to_string(), facts: facts_of(reason) }
    }
}

/// The answer as a page: the file, who names it, and a block for each policy.
pub fn render_why_file(answer: &FileAnswer, layout: Layout) -> String {
    let mut text = head(answer, layout);
    for policy in &answer.policies {
        if layout != Layout::Lines {
            text.push('\n');
        }
        text.push_str(&block(policy, answer.at, layout));
    }
    text
}

fn head(answer: &FileAnswer, layout: Layout) -> String {
    let name = format!("{}: {}", answer.store, printable(&answer.path));
    let mut text = fit(&format!("{}  {}\n", paint(STRONG, &name), found_words(answer)), layout);
    let named = answer.named_by.iter().map(|row| {
        let NamingRow { source, table, key, column, policies } = row;
        let with: Vec<_> = policies.iter().map(Name::as_str).collect();
        let with = match with.as_slice() {
            [] => String::new(),
            [policy] => format!("; policy {policy} takes it together with the row"),
            with => format!("; policies {} take it together with the row", with.join(", ")),
        };
        format!("by row {key} of {source}.{table} in {column}{with}")
    });
    let lines = named.map(|words| ("named", words)).chain(answer.remarks.iter().map(|words| ("note", words.clone())));
    for (title, words) in lines {
        let words = printable(&words);
        match layout {
            Layout::Tables { width } => text.push_str(&beside(title, &words, width)),
            Layout::Lines => text.push_str(&format!("{name}: {title} {words}\n")),
        }
    }
    text
}

fn found_words(answer: &FileAnswer) -> String {
    let what = match answer.found {
        FoundAs::File => "a file",
        FoundAs::Directory => "a directory",
        FoundAs::Link => "a symbolic link",
        FoundAs::Pipe => "a named pipe",
        FoundAs::Socket => "a socket",
        FoundAs::Device => "a device",
        FoundAs::Missing => return paint(CARE, "is not there"),
    };
    let size = answer.size_bytes.map(|bytes| format!(" of {}", size(bytes))).unwrap_or_default();
    let changed = answer.changed_at.map(|at| format!(", changed {}", instant_from(at, answer.at))).unwrap_or_default();
    let links = match answer.links {
        Some(links) if links > 1 => format!(", with {links} names: its room is free when all are gone"),
        Some(_) | None => String::new(),
    };
    format!("{what}{size}{changed}{links}")
}

fn block(policy: &PolicyOnFile, now: Timestamp, layout: Layout) -> String {
    let style = match policy.fate {
        FileFate::Removed | FileFate::Trashed => GOOD,
        FileFate::Kept => CARE,
        FileFate::Unknown => BAD,
    };
    let mut facts = Vec::new();
    if let Some(at) = policy.eligible_at {
        facts.push(("old enough", instant_from(at, now)));
    }
    facts.extend(policy.reasons.iter().skip(1).map(|reason| ("also kept", reason.message.clone())));
    facts.extend(policy.remarks.iter().map(|remark| ("note", remark.clone())));
    verdict(policy.policy.as_str(), style, &policy.summary, facts, layout)
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    #[test]
    fn the_file_comes_before_each_policys_verdict() {
        let name = |text: &str| Name::parse(text).unwrap();
        let at: Timestamp = "2025-02-01T00:00:00Z".parse().unwrap();
        let reason = |reason, message: &str| WhyKept { reason, message: message.to_owned(), facts: Facts::new() };
        let answer = FileAnswer {
            at,
            store: name("images"),
            path: "a\u{1b}.jpg".to_owned(),
            found: FoundAs::File,
            size_bytes: Some(2048),
            changed_at: Some("2025-01-31T00:00:00Z".parse().unwrap()),
            links: Some(2),
            named_by: vec![NamingRow {
                source: name("nvr"),
                table: "item".to_owned(),
                key: "7".to_owned(),
                column: "path".to_owned(),
                policies: vec![name("items")],
            }],
            policies: vec![PolicyOnFile {
                policy: name("lost"),
                kind: "orphans",
                fate: FileFate::Kept,
                summary: "kept: row 7 of nvr.item names it".to_owned(),
                eligible_at: None,
                goes_for: None,
                taken_at: None,
                reasons: vec![
                    reason(FileReasonKind::Named, "row 7 of nvr.item names it"),
                    reason(FileReasonKind::TooYoung, "too young"),
                ],
                remarks: Vec::new(),
            }],
            remarks: Vec::new(),
        };
        let page = strip_str(&render_why_file(&answer, Layout::Tables { width: 100 })).to_string();
        let expected = "\
images: a\\x1b.jpg  a file of 2.0 KiB, changed 2025-01-31T00:00:00Z (1 d ago), with 2 names: its
  room is free when all are gone
  named      by row 7 of nvr.item in path; policy items takes it together with the row

lost  kept: row 7 of nvr.item names it
  also kept  too young
";
        assert_eq!(page, expected);
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!((&json["found"], &json["policies"][0]["reasons"][0]["reason"]), (&"file".into(), &"named".into()));
    }
}
