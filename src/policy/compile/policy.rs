//! `[policies.NAME]`: what policies of every kind have, and which keys belong to which kind.

use std::num::NonZeroU64;

use crate::config::keys;
use crate::config::raw::{Raw, RawPolicy};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::{Name, Policy, PolicyKind};
use super::declared::Section;
use super::{Fault, Gather};

/// The kinds of policy, before what is in them is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rows,
    Files,
    Orphans,
}

const KINDS: [Kind; 3] = [Kind::Rows, Kind::Files, Kind::Orphans];

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Rows => "rows",
            Kind::Files => "files",
            Kind::Orphans => "orphans",
        }
    }
}

/// Keys that not every kind has.
const KEYS_OF: [(&[Kind], &[&str]); 3] = [
    (
        &[Kind::Rows],
        &[
            "source",
            "table",
            "age",
            "age_format",
            "earliest",
            "expires",
            "grace",
            "where",
            "params",
            "protected_by",
            "alive",
            "allow_time_independent",
            "action",
            "set",
            "files",
            "children",
            "details",
            "batch",
            "max_rows",
        ],
    ),
    (&[Kind::Files, Kind::Orphans], &["store", "match", "exclude", "max_files"]),
    (&[Kind::Files], &["keep_last", "max_total", "min_free", "per", "prune_empty", "open", "bypass_trash"]),
];

impl Gather<'_> {
    pub(super) fn policies(&mut self, raw: &Raw) -> Vec<Policy> {
        let declared = self.tables("policies", raw.policies.as_ref());
        declared.iter().filter_map(|(path, policy)| self.policy(path, policy, raw)).collect()
    }

    fn policy(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<Policy> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let kind = self.kind(table, raw)?;
        let task = raw.task.as_ref().map(|task| self.task_reference(table, task));
        let default_mode = if kind == Kind::Orphans { keys::ORPHANS_MODE } else { keys::MODE };
        let mode = self.mode(table, raw.mode.as_deref(), default_mode);
        let max_growth = self.count(&table.key("max_growth"), raw.max_growth.unwrap_or(keys::MAX_GROWTH), i64::MAX);
        let kind = match kind {
            Kind::Rows => {
                self.refuse_missing(table, raw);
                self.refuse_task_of_params(table, raw);
                self.rows(table, raw, whole).map(PolicyKind::Rows)
            }
            Kind::Files => self.files_policy(table, raw, whole).map(PolicyKind::Files),
            Kind::Orphans => self.orphans_policy(table, raw, whole).map(PolicyKind::Orphans),
        };
        Some(Policy {
            name: name?,
            task: match task {
                None => None,
                Some(task) => Some(task?),
            },
            enabled: raw.enabled.unwrap_or(true),
            mode: mode?,
            max_growth: max_growth.and_then(|factor| NonZeroU64::new(factor.unsigned_abs()))?,
            kind: kind?,
        })
    }

    /// The kind, with the keys that only others have refused. One that is not told is taken for rows, so that all that
    /// is missing is said at once, unless what is there says that it is none.
    fn kind(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<Kind> {
        let is_written = |key: &str| self.loaded.is_written(&table.key(key));
        let Some(text) = &raw.kind else {
            if is_written("kind") || !is_written("store") {
                return Some(Kind::Rows);
            }
            let hint =
                "write kind = \"files\" (files by age, number or size) or kind = \"orphans\" (files that no row names)";
            self.refuse(table, Aspect::Key, Fault::new("kind is missing").hint(hint));
            return None;
        };
        // What an unknown kind needs is not known either.
        let kind = self.check(&table.key("kind"), parse_kind(text))?;
        for (kinds, keys) in KEYS_OF.iter().filter(|(kinds, _)| !kinds.contains(&kind)) {
            for key in keys.iter().filter(|key| self.loaded.is_written(&table.key(key))) {
                let fault = Fault::new(format!("policies of kind {} have no {key}", kind.word()));
                self.refuse(&table.key(key), Aspect::Key, fault.hint(foreign_hint(kind, kinds, key)));
            }
        }
        Some(kind)
    }

    fn refuse_task_of_params(&mut self, table: &KeyPath, raw: &RawPolicy) {
        if raw.task.is_some() && raw.params.as_ref().is_some_and(|params| !params.is_empty()) {
            let fault = Fault::new("a policy with params runs on request only: a task has no values for them");
            self.refuse(&table.key("task"), Aspect::Value, fault.hint("leave task out"));
        }
    }

    fn task_reference(&mut self, table: &KeyPath, written: &str) -> Option<Name> {
        self.reference(&table.key("task"), written, Section::Tasks)
    }

    /// Says in one go what a policy of rows lacks.
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

/// What to write instead of a key of another kind.
fn foreign_hint(kind: Kind, kinds: &[Kind], key: &str) -> String {
    match (kind, key) {
        (Kind::Files | Kind::Orphans, "max_rows") => return "write max_files instead".to_owned(),
        (Kind::Rows, "max_files") => return "write max_rows instead".to_owned(),
        (Kind::Files | Kind::Orphans, "age" | "age_format" | "earliest" | "expires") => {
            return "leave it out: a file's age is that of its last change".to_owned();
        }
        (Kind::Files | Kind::Orphans, "grace") => return "write keep instead".to_owned(),
        (Kind::Files | Kind::Orphans, "where" | "files") => {
            return "write match = \"**/*.log\" and exclude to say which files".to_owned();
        }
        (Kind::Orphans, "source" | "table") => {
            return "leave it out: the store's references say which rows name its files".to_owned();
        }
        _ => {}
    }
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("{:?}", kind.word())).collect();
    format!("leave it out: it belongs to kind = {}", kinds.join(" and "))
}

fn parse_kind(text: &str) -> Result<Kind, Fault> {
    KINDS.into_iter().find(|kind| kind.word() == text).ok_or_else(|| {
        let hint = did_you_mean(text, KINDS.map(Kind::word));
        let hint = hint.unwrap_or_else(|| "write \"rows\", \"files\" or \"orphans\"".to_owned());
        Fault::new(format!("there is no kind {text:?}")).hint(hint)
    })
}
