//! `[policies.NAME]`: what policies of every kind have, and which keys belong to which kind.

use crate::config::KeyPath;
use crate::config::form::Form;
use crate::config::raw::{Raw, RawPolicy};
use crate::config::words::KindWord;

use super::super::{Mode, Policy, PolicyKind};
use super::Gather;
use super::declared::Section;

impl Gather<'_> {
    pub(super) fn policies(&mut self, raw: &Raw) -> Vec<Policy> {
        let declared = self.tables("policies", &raw.policies);
        declared.iter().filter_map(|(path, policy)| self.policy(path, policy, raw)).collect()
    }

    fn policy(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<Policy> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let kind = self.kind(table, raw)?;
        let task = raw.task.as_ref().and_then(|task| self.reference(&table.key("task"), task, Section::Tasks));
        let default_mode = if kind == KindWord::Orphans { Mode::Report } else { Mode::Enforce };
        let kind = match kind {
            KindWord::Rows => {
                self.refuse_missing(table, raw);
                self.refuse_task_of_params(table, raw);
                self.rows(table, raw).map(PolicyKind::Rows)
            }
            KindWord::Files => self.files_policy(table, raw).map(PolicyKind::Files),
            KindWord::Orphans => self.orphans_policy(table, raw, whole).map(PolicyKind::Orphans),
        };
        Some(Policy {
            name: name?,
            task,
            enabled: raw.enabled,
            mode: raw.mode.unwrap_or(default_mode),
            max_growth: raw.max_growth.0,
            description: raw.description.clone(),
            owner: raw.owner.clone(),
            kind: kind?,
        })
    }

    /// The kind, with the keys that only others have refused. One that is not told is taken for rows, so that all that
    /// is missing is said at once, unless what is there says that it is none.
    fn kind(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<KindWord> {
        let Some(kind) = raw.kind else {
            if self.is_written(table, "kind") {
                return None;
            }
            if !self.is_written(table, "store") {
                return Some(KindWord::Rows);
            }
            let hint =
                "write kind = \"files\" (files by age, number or size) or kind = \"orphans\" (files that no row names)";
            self.refuse_key(table, "kind is missing", hint);
            return None;
        };
        for key in RawPolicy::KIND.keys() {
            let is_foreign = !key.of.is_empty() && !key.of.contains(&kind.word());
            if is_foreign && self.is_written(table, key.name) {
                let message = format!("policies of kind {} have no {}", kind.word(), key.name);
                self.refuse_key(&table.key(key.name), message, foreign_hint(kind, key.of, key.name));
            }
        }
        Some(kind)
    }

    fn refuse_task_of_params(&mut self, table: &KeyPath, raw: &RawPolicy) {
        if raw.task.is_some() && !raw.params.is_empty() {
            let message = "a policy with params runs on request only: a task has no values for them";
            self.refuse_value(&table.key("task"), message, "leave task out");
        }
    }

    /// Says in one go what a policy of rows lacks.
    fn refuse_missing(&mut self, table: &KeyPath, raw: &RawPolicy) {
        let is_written = |key: &str| self.is_written(table, key);
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
        self.refuse_key(table, format!("{} {verb} missing", missing.join(", ")), hint);
    }
}

/// The text to write instead of a key of another kind.
fn foreign_hint(kind: KindWord, of: &[&str], key: &str) -> String {
    let hint = match (kind, key) {
        (KindWord::Files | KindWord::Orphans, "max_rows") => "write max_files instead",
        (KindWord::Rows, "max_files") => "write max_rows instead",
        (KindWord::Files | KindWord::Orphans, "age" | "age_format" | "earliest" | "expires") => {
            "leave it out: a file's age is that of its last change"
        }
        (KindWord::Files | KindWord::Orphans, "grace") => "write keep instead",
        (KindWord::Files | KindWord::Orphans, "where" | "files") => {
            "write match = \"**/*.log\" and exclude to say which files"
        }
        (KindWord::Orphans, "source" | "table") => "leave it out: the store's references say which rows name its files",
        _ => {
            let of: Vec<String> = of.iter().map(|word| format!("{word:?}")).collect();
            return format!("leave it out: it belongs to kind = {}", of.join(" and "));
        }
    };
    hint.to_owned()
}
