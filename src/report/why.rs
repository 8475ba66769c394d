//! Why a row stays or goes: the page of `retaind why`. Gathers nothing itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::style::{BAD, CARE, FAINT, GOOD, STRONG, paint};
use super::table::{Layout, fit, wrap};
use crate::decide::facts::facts_of;
use crate::decide::files::StaysBehind;
use crate::decide::rows::{ReasonKind, RowReason};
use crate::outcome::Facts;
use crate::policy::Name;
use crate::text::human::instant_from;
use crate::text::printable;

/// Everything that `why --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RowWhy {
    /// When this was asked.
    pub at: Timestamp,
    /// Name of the source.
    pub source: Name,
    /// The table, as the catalog spells it.
    pub table: String,
    /// Key of the row, as text.
    pub key: String,
    /// Every policy that has a say, in declared order.
    pub policies: Vec<PolicyWhy>,
}

/// Answer of one policy.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PolicyWhy {
    /// Name of the policy.
    pub policy: Name,
    /// The row of the policy's own table that this one follows; null where it is of that table itself.
    pub parent: Option<RowName>,
    /// Fate of the row by this policy.
    pub fate: RowFate,
    /// The answer in words.
    pub summary: String,
    /// True if the whole condition of a run holds for the row (or for its parent).
    pub eligible: bool,
    /// From when on its age is no reason any more.
    pub eligible_at: Option<Timestamp>,
    /// The slot that takes it, as far as can be told now.
    pub taken_at: Option<Timestamp>,
    /// Reasons that keep it, the most lasting one first.
    pub reasons: Vec<Reason>,
    /// Number of files.
    pub files: Vec<FileWhy>,
    /// Remarks beside it, for a person.
    pub remarks: Vec<String>,
}

/// A row, as people name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowName {
    /// The table, as the catalog spells it.
    pub table: String,
    /// Key of the row, as text.
    pub key: String,
}

/// Fate of the row in the next runs of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowFate {
    Deleted,
    Updated,
    /// Its column that points to the parent is set to NULL.
    Unlinked,
    Kept,
    /// The policy cannot be looked at.
    Unknown,
}

/// Something that keeps a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// Word of the reason, which stays the same.
    pub reason: ReasonKind,
    /// The reason in words.
    pub message: String,
    /// The row that keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<RowName>,
    /// The numbers and names of the message.
    #[serde(skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
}

impl From<&RowReason> for Reason {
    fn from(reason: &RowReason) -> Self {
        let by = reason.by().map(|(table, key)| RowName { table: table.to_owned(), key: key.to_owned() });
        Self { reason: reason.kind(), message: reason.to_string(), by, facts: facts_of(reason) }
    }
}

/// A file that the row names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileWhy {
    /// Name of the store.
    pub store: Name,
    /// As it lies in the store, or as the row has it where that leads nowhere.
    pub path: String,
    /// True where a whole directory goes.
    pub directory: bool,
    /// True if it goes when the row does.
    pub goes: bool,
    /// Why it stays.
    pub stays: Option<String>,
    /// Word of that reason: `named` by another row, or `unmapped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The column that names it besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named_by: Option<ColumnName>,
}

/// A column, as people name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ColumnName {
    /// The table, as the catalog spells it.
    pub table: String,
    /// The column, as the catalog spells it.
    pub column: String,
}

impl FileWhy {
    /// A file that goes with the row, or stays for a reason.
    pub fn new(store: Name, path: String, directory: bool, stays: Option<StaysBehind>) -> Self {
        let (words, reason) = (stays.as_ref().map(ToString::to_string), stays.as_ref().map(StaysBehind::code));
        let named_by = match stays {
            Some(StaysBehind::Named { table, column }) => Some(ColumnName { table, column }),
            Some(StaysBehind::Unmapped { .. }) | None => None,
        };
        Self { store, path, directory, goes: words.is_none(), stays: words, reason, named_by }
    }
}

/// The answer as a page: a block for each policy, its verdict first.
pub fn render_why(why: &RowWhy, layout: Layout) -> String {
    let blocks: Vec<_> = why.policies.iter().map(|policy| block(policy, why.at, layout)).collect();
    let gap = if layout == Layout::Lines { "" } else { "\n" };
    blocks.join(gap)
}

fn block(policy: &PolicyWhy, now: Timestamp, layout: Layout) -> String {
    let name = policy.policy.as_str();
    let style = match policy.fate {
        RowFate::Deleted | RowFate::Updated | RowFate::Unlinked => GOOD,
        RowFate::Kept => CARE,
        RowFate::Unknown => BAD,
    };
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(at) = policy.eligible_at {
        facts.push(("old enough", instant_from(at, now)));
    }
    facts.extend(policy.reasons.iter().skip(1).map(|reason| ("also kept", reason.message.clone())));
    facts.extend(policy.files.iter().map(|file| (if file.directory { "directory" } else { "file" }, file_words(file))));
    facts.extend(policy.remarks.iter().map(|remark| ("note", remark.clone())));
    verdict(name, style, &policy.summary, facts, layout)
}

/// A policy, what it says, and what is to be said beside it.
pub(super) fn verdict(
    name: &str,
    style: anstyle::Style,
    summary: &str,
    facts: Vec<(&str, String)>,
    layout: Layout,
) -> String {
    let summary = paint(style, &printable(summary));
    let mut text = match layout {
        Layout::Tables { .. } => fit(&format!("{}  {summary}\n", paint(STRONG, name)), layout),
        Layout::Lines => format!("{name}: {summary}\n"),
    };
    for (title, value) in facts {
        let value = printable(&value);
        match layout {
            Layout::Lines => text.push_str(&format!("{name}: {title}: {value}\n")),
            Layout::Tables { width } => text.push_str(&beside(title, &value, width)),
        }
    }
    text
}

/// Words beside their title, which wrap below themselves.
pub(super) fn beside(title: &str, words: &str, width: usize) -> String {
    const INDENT: usize = 11;
    let mut text = String::new();
    for (number, line) in wrap(words, width.saturating_sub(INDENT + 2).max(20)).iter().enumerate() {
        let title = if number == 0 { title } else { "" };
        let space = " ".repeat(INDENT.saturating_sub(title.len()));
        text.push_str(&format!("  {}{space}{line}\n", paint(FAINT, title)));
    }
    text
}

fn file_words(file: &FileWhy) -> String {
    let FileWhy { store, path, stays, .. } = file;
    match stays {
        None => format!("{store}: {path} goes with the row"),
        Some(why) => format!("{store}: {path} stays: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn why() -> RowWhy {
        let name = |text: &str| Name::parse(text).unwrap();
        let at: Timestamp = "2025-02-01T00:00:00Z".parse().unwrap();
        let reason =
            |reason, message: &str| Reason { reason, message: message.to_owned(), by: None, facts: Facts::new() };
        let named = StaysBehind::Named { table: "item".to_owned(), column: "image".to_owned() };
        let policy = PolicyWhy {
            policy: name("items"),
            parent: None,
            fate: RowFate::Kept,
            summary: "kept: protected by row 7 of \u{1b}hold".to_owned(),
            eligible: false,
            eligible_at: Some("2025-02-03T00:00:00Z".parse().unwrap()),
            taken_at: None,
            reasons: vec![reason(ReasonKind::Protected, "protected"), reason(ReasonKind::TooYoung, "too young: 1 d")],
            files: vec![FileWhy::new(name("thumbs"), "a.jpg".to_owned(), false, Some(named))],
            remarks: vec!["its last run was blocked".to_owned()],
        };
        RowWhy { at, source: name("app"), table: "item".to_owned(), key: "1".to_owned(), policies: vec![policy] }
    }

    #[test]
    fn each_policy_is_a_block_verdict_first() {
        let page = strip_str(&render_why(&why(), Layout::Tables { width: 60 })).to_string();
        let expected = "\
items  kept: protected by row 7 of \\x1bhold
  old enough 2025-02-03T00:00:00Z (in 2 d)
  also kept  too young: 1 d
  file       thumbs: a.jpg stays: another row names it, in
             image of item
  note       its last run was blocked
";
        assert_eq!(page, expected);
        let lines = strip_str(&render_why(&why(), Layout::Lines)).to_string();
        assert!(lines.lines().all(|line| line.starts_with("items: ")), "{lines}");
    }

    #[test]
    fn the_json_has_stable_words() {
        let json = serde_json::to_value(why()).unwrap();
        assert_eq!(json["policies"][0]["fate"], "kept");
        assert_eq!(json["policies"][0]["reasons"][1]["reason"], "too_young");
    }
}
