//! The journal of a machine: entries by MESSAGE_ID, with their fields.

use serde_json::Value;

use super::machine::{Machine, SOON};

/// An entry of the journal.
#[derive(Debug, Clone)]
pub struct Entry(Value);

impl Entry {
    /// A field, if the entry has it.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A field that must be there.
    pub fn text(&self, name: &str) -> &str {
        self.field(name).unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }

    /// A field that must be a number.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_else(|error| panic!("{name}: {error} in {}", self.0))
    }

    /// What a person reads.
    pub fn message(&self) -> &str {
        self.text("MESSAGE")
    }
}

impl Machine {
    /// The daemon's entries with that id, oldest first.
    pub fn entries(&self, message_id: &str) -> Vec<Entry> {
        // The sync makes journald write what it has received.
        self.ok(&["journalctl", "--sync"]);
        let id = format!("MESSAGE_ID={message_id}");
        let outcome = self.run(&["journalctl", "--no-pager", "--output=json", "_SYSTEMD_UNIT=retaind.service", &id]);
        outcome.stdout.lines().map(|line| Entry(serde_json::from_str(line).expect("journalctl prints JSON"))).collect()
    }

    /// Waits until there are more than `seen` entries with that id; the newest.
    pub fn entry_after(&self, message_id: &str, seen: usize) -> Entry {
        self.poll(&format!("entry {} with MESSAGE_ID={message_id}", seen + 1), SOON, || {
            let entries = self.entries(message_id);
            (entries.len() > seen).then(|| entries.last().cloned())?
        })
    }
}
