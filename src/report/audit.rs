//! The audit: the pages of `retaind audit`.

use serde_json::Value;

use super::style::{BAD, FAINT, GOOD, STRONG, paint};
use super::table::{Align, Cell, Layout, Table};
pub use crate::ledger::{AuditEntry, VerifiedAudit};
use crate::text::human::{count, counted, instant};
use crate::text::printable;

/// Entries as a table, in the order given.
pub fn render_audit(entries: &[AuditEntry], layout: Layout) -> String {
    use Align::{Left, Right};
    if entries.is_empty() {
        return "Nothing was asked for so far.\n".to_owned();
    }
    let columns = [("NUMBER", Right), ("AT", Left), ("BY", Left), ("ACTION", Left), ("OF", Left), ("WITH", Left)];
    let mut table = Table::new(&columns);
    for entry in entries {
        let AuditEntry { number, at, by, action, subject, detail, hash: _ } = entry;
        let by = by.as_ref().map_or_else(|| "retaind".to_owned(), ToString::to_string);
        table.push(vec![
            Cell::new(count(*number)),
            Cell::new(instant(*at)),
            Cell::new(printable(&by)),
            Cell::styled(printable(&action.replace('_', " ")), STRONG),
            Cell::new(printable(subject)),
            Cell::new(printable(&audit_words(detail).unwrap_or_else(|| "-".to_owned()))),
        ]);
    }
    table.render(layout)
}

/// Details of an entry in words; none where they say nothing.
pub fn audit_words(detail: &Value) -> Option<String> {
    let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join(", "));
    match detail {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Array(items) => {
            joined(items.iter().filter_map(|item| audit_words(item.get("policy").unwrap_or(item))).collect())
        }
        Value::Object(fields) => {
            // Only a program compares those.
            let is_hash = |value: &Value| value.as_str().is_some_and(|text| text.len() == 64);
            let fields = fields.iter().filter(|(key, value)| *key != "fingerprint" || !is_hash(value));
            joined(fields.filter_map(|(key, value)| Some(format!("{key} {}", audit_words(value)?))).collect())
        }
        other => Some(other.to_string()),
    }
}

/// Verdict on the record as a page.
pub fn render_verified(verified: &VerifiedAudit, _: Layout) -> String {
    let VerifiedAudit { entries, number, head, broken } = verified;
    let good = counted(*entries, "entry");
    match broken {
        Some(broken) => {
            let what = format!("Entry {} is not as it was written: {}.", count(broken.number), printable(&broken.why));
            format!("{}\nBefore it, {good} are.\n", paint(BAD, &what))
        }
        None if *number == 0 => "Nothing was recorded so far.\n".to_owned(),
        None => {
            let hash = paint(FAINT, &format!("Entry {} has the hash {head}", count(*number)));
            format!("{}\n{hash}\n", paint(GOOD, &format!("All as it was written: {good}.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use serde_json::json;

    use super::*;
    use crate::ledger::BrokenEntry;
    use crate::outcome::Operator;

    #[test]
    fn an_entry_says_who_did_what_with_what() {
        let operator =
            Operator { uid: 1000, user: Some("root".to_owned()), sudo_user: Some("ada".to_owned()), remote: None };
        let entry = |by, action: &str, subject: &str, detail| AuditEntry {
            number: 7,
            at: "2026-01-31T03:00:00Z".parse().unwrap(),
            by,
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail,
            hash: "ab".to_owned(),
        };
        let policy = |name: &str| json!({ "policy": name, "fingerprint": "cd".repeat(32) });
        let policies = [policy("events"), policy("logs")];
        let detail =
            json!({ "mode": "enforce", "overrides": {}, "params": { "id": "42" }, "policies": policies, "task": null });
        let entries =
            [entry(Some(operator), "run", "run 0199", detail), entry(None, "confirm_clock", "clock", json!({}))];
        let page = strip_str(&render_audit(&entries, Layout::Lines)).to_string();
        for words in ["by ada as root", "params id 42", "policies events, logs", "confirm clock", "by retaind"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("cdcd") && !page.contains("overrides") && !page.contains("task"), "{page}");
    }

    #[test]
    fn a_broken_record_names_its_first_broken_entry() {
        let whole = VerifiedAudit { entries: 3, number: 12, head: "beef".to_owned(), broken: None };
        let page = strip_str(&render_verified(&whole, Layout::Lines)).to_string();
        assert_eq!(page, "All as it was written: 3 entries.\nEntry 12 has the hash beef\n");
        let broken = Some(BrokenEntry { number: 13, why: "it is not what was written".to_owned() });
        let page = strip_str(&render_verified(&VerifiedAudit { broken, ..whole }, Layout::Lines)).to_string();
        assert_eq!(page, "Entry 13 is not as it was written: it is not what was written.\nBefore it, 3 entries are.\n");
    }
}
