//! `[policies.NAME]`: what policies of every kind have.

use crate::config::keys::SHIPPED_TASKS;
use crate::config::raw::{Raw, RawPolicy};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::{Name, Policy, PolicyKind};
use super::{Fault, Gather};

/// Whether a kind is one that a later version brings.
pub(super) fn is_later_kind(kind: &str) -> bool {
    matches!(kind, "files" | "orphans")
}

impl Gather<'_> {
    pub(super) fn policies(&mut self, raw: &Raw) -> Vec<Policy> {
        let declared = self.tables("policies", raw.policies.as_ref());
        declared.iter().filter_map(|(path, policy)| self.policy(path, policy, raw)).collect()
    }

    fn policy(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<Policy> {
        let name = self.name(table);
        let kind_is_rows = raw.kind.as_deref().map(|kind| self.check(&table.key("kind"), parse_kind(kind)));
        if kind_is_rows == Some(None) {
            // What an unknown kind needs is not known either.
            return None;
        }
        self.refuse_missing(table, raw);
        let task = raw.task.as_ref().map(|task| self.task_reference(table, task, whole));
        if raw.task.is_some() && raw.params.as_ref().is_some_and(|params| !params.is_empty()) {
            let fault = Fault::new("a policy with params runs on request only: a task has no values for them");
            self.refuse(&table.key("task"), Aspect::Value, fault.hint("leave task out"));
        }
        let mode = self.mode(table, raw.mode.as_deref());
        let rows = self.rows(table, raw, whole);
        Some(Policy {
            name: name?,
            task: match task {
                None => None,
                Some(task) => Some(task?),
            },
            enabled: raw.enabled.unwrap_or(true),
            mode: mode?,
            kind: PolicyKind::Rows(rows?),
        })
    }

    fn task_reference(&mut self, table: &KeyPath, written: &str, whole: &Raw) -> Option<Name> {
        let declared = whole.tasks.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        let shipped = SHIPPED_TASKS.iter().map(|(name, _)| *name);
        let mut known: Vec<&str> = shipped.chain(declared.iter().map(|(name, _)| name.as_str())).collect();
        known.dedup();
        self.reference_among(&table.key("task"), written, "tasks", known)
    }

    /// Says in one go what a policy lacks.
    fn refuse_missing(&mut self, table: &KeyPath, raw: &RawPolicy) {
        let is_written = |key: &str| self.loaded.is_written(&table.key(key));
        let mut missing: Vec<&str> = ["kind", "source", "table"].into_iter().filter(|key| !is_written(key)).collect();
        let says_which = ["age", "where", "expires", "keep"].into_iter().any(is_written);
        if !says_which {
            missing.push("age with keep (or expires, or where)");
        }
        if missing.is_empty() {
            return;
        }
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let hint = if raw.kind.is_none() && !is_written("kind") {
            "write kind = \"rows\", source, table, and age with keep, expires or where"
        } else if says_which {
            "a rows policy names its source and its table"
        } else {
            "say which rows may go: age = \"COLUMN\" and keep = \"30d\", or expires = \"COLUMN\", or where = \"…\""
        };
        let fault = Fault::new(format!("{} {verb} missing", missing.join(", "))).hint(hint);
        self.refuse(table, Aspect::Key, fault);
    }
}

fn parse_kind(text: &str) -> Result<(), Fault> {
    match text {
        "rows" => Ok(()),
        later if is_later_kind(later) => {
            Err(Fault::new(format!("kind {later:?} is not supported yet")).hint("this version has kind = \"rows\""))
        }
        other => {
            let hint = did_you_mean(other, ["rows", "files", "orphans"]);
            let hint = hint.unwrap_or_else(|| "write kind = \"rows\"".to_owned());
            Err(Fault::new(format!("there is no kind {other:?}")).hint(hint))
        }
    }
}
