//! Changes that a reload would make: the page of `retaind diff`. Gathers nothing itself.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::approval::{Amounts, amounts_words};
use super::style::{BAD, CARE, FAINT, paint};
use crate::policy::Name;
use crate::text::human::instant;
use crate::text::printable;

/// Configuration with which that on disk is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparedWith {
    /// Configuration that the last daemon works by.
    InForce,
    /// No daemon has ever run: what was approved of each policy.
    Approved,
}

/// Everything that `diff --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// Configuration that the one on disk is compared with.
    pub compared_with: ComparedWith,
    /// One of each thing that differs, in words: "policy items: keep 30d → 3d".
    pub changes: Vec<String>,
    /// Policies that would wait for an approval.
    pub held: Vec<WouldHold>,
    /// Policies that differ, with what they would take; where that was asked for.
    pub amounts: Vec<AmountsChange>,
}

/// A policy that would wait for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WouldHold {
    /// Name of the policy.
    pub policy: Name,
    /// Why, in words, one for each reason.
    pub reasons: Vec<String>,
    /// Since when it waits already; null where it does not yet.
    pub since: Option<Timestamp>,
    /// Command line by which it goes on.
    pub command: String,
}

/// Amounts that a policy would take before and after the change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AmountsChange {
    /// Name of the policy.
    pub policy: Name,
    /// True where rows are counted, and not files.
    pub is_about_rows: bool,
    /// Null where it is new, or could not be counted.
    pub old: Option<Amounts>,
    /// Null where it is gone, or could not be counted.
    pub new: Option<Amounts>,
    /// Why something could not be counted.
    pub unknown: Option<String>,
}

/// Page of the differences.
pub fn render_difference(difference: &Difference) -> String {
    let mut text = String::new();
    if difference.compared_with == ComparedWith::Approved {
        let remark = "No daemon has run by this ledger: this is compared with what was approved";
        text.push_str(&format!("{}\n", paint(FAINT, remark)));
    }
    for change in &difference.changes {
        text.push_str(&format!("{}\n", printable(change)));
    }
    if difference.changes.is_empty() {
        text.push_str("Nothing differs\n");
    }
    for change in &difference.amounts {
        text.push_str(&format!("policy {}: {}\n", change.policy, change_words(change)));
    }
    text.push_str(&render_held(difference));
    text
}

/// Policies that would be held, a line each; nothing where nothing would be.
pub fn render_held(difference: &Difference) -> String {
    let mut text = String::new();
    for WouldHold { policy, reasons, since, command } in &difference.held {
        let reasons = reasons.join(", ");
        let since = since.map(|since| format!(" since {}", instant(since))).unwrap_or_default();
        let held = paint(BAD, &format!("policy {policy} is held{since}: {}", printable(&reasons)));
        text.push_str(&format!("{held}; it goes on with {}\n", paint(CARE, command)));
    }
    text
}

fn change_words(change: &AmountsChange) -> String {
    let words = |amounts: Amounts| amounts_words(amounts, change.is_about_rows);
    let text = match (change.old, change.new) {
        (Some(old), Some(new)) => format!("takes {} instead of {}", words(new), words(old)),
        (None, Some(new)) => format!("takes {}", words(new)),
        (Some(old), None) => format!("took {}", words(old)),
        (None, None) => "what it takes is not known".to_owned(),
    };
    match &change.unknown {
        Some(why) => format!("{text} ({})", printable(why)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    #[test]
    fn each_change_and_each_hold_has_a_line() {
        let items = Name::parse("items").unwrap();
        let rows = |rows| Some(Amounts { rows, ..Amounts::default() });
        let difference = Difference {
            compared_with: ComparedWith::InForce,
            changes: vec!["policy items: keep 30d → 3d".to_owned(), "+ task weekly".to_owned()],
            held: vec![WouldHold {
                policy: items.clone(),
                reasons: vec!["keep 30d → 3d".to_owned()],
                since: None,
                command: "retaind approve items".to_owned(),
            }],
            amounts: vec![AmountsChange {
                policy: items,
                is_about_rows: true,
                old: rows(0),
                new: rows(26_762),
                unknown: None,
            }],
        };
        let page = strip_str(&render_difference(&difference)).to_string();
        let expected = "\
policy items: keep 30d → 3d
+ task weekly
policy items: takes 26,762 rows instead of 0 rows
policy items is held: keep 30d → 3d; it goes on with retaind approve items
";
        assert_eq!(page, expected);
    }
}
