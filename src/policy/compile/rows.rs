//! `[policies.NAME]`, of kind `rows`.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::config::keys::{self, SHIPPED_TASKS};
use crate::config::raw::{Raw, RawFileColumn, RawKeep, RawPolicy, Table};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::{
    Action, AgeColumn, Condition, FilePath, Fraction, Ident, Keep, Name, OwnedFile, Param, Policy, PolicyKind,
    RowsPolicy, TableName,
};
use super::value::{LONGEST_KEEP, parse_duration};
use super::{Fault, Gather, position_of_twin};

/// More rows than this in one transaction are no small batch.
const LARGEST_BATCH: i64 = 100_000;

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
            missing.push("age with keep (or where)");
        }
        if missing.is_empty() {
            return;
        }
        let verb = if missing.len() == 1 { "is" } else { "are" };
        let hint = if raw.kind.is_none() && !is_written("kind") {
            "write kind = \"rows\", source, table, and age with keep or where"
        } else if says_which {
            "a rows policy names its source and its table"
        } else {
            "say which rows may go: age = \"COLUMN\" and keep = \"30d\", or where = \"…\""
        };
        let fault = Fault::new(format!("{} {verb} missing", missing.join(", "))).hint(hint);
        self.refuse(table, Aspect::Key, fault);
    }

    fn rows(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<RowsPolicy> {
        let source = raw
            .source
            .as_ref()
            .and_then(|name| self.reference(&table.key("source"), name, "sources", whole.sources.as_ref()));
        let name = raw.table.as_ref().and_then(|text| self.check(&table.key("table"), TableName::parse(text)));
        let age = raw.age.as_ref().and_then(|text| self.check(&table.key("age"), Ident::parse(text)));
        let keep = self.keep(table, raw.keep.as_ref());
        let condition = raw.r#where.as_ref().and_then(|text| self.check(&table.key("where"), parse_condition(text)));
        self.refuse_mismatch(table, raw, condition.as_ref());
        let files = self.files(table, raw.files.as_deref().unwrap_or_default(), whole);
        let batch = self.count(&table.key("batch"), raw.batch.unwrap_or(keys::BATCH), LARGEST_BATCH);
        let max_rows = raw.max_rows.and_then(|number| self.count(&table.key("max_rows"), number, i64::MAX));
        let max_fraction = raw.max_fraction.and_then(|share| self.fraction(table, share));
        Some(RowsPolicy {
            source: source?,
            table: name?,
            age: age.map(|column| AgeColumn { column, format: None, expires: false }),
            keep: keep.map(Keep::For),
            condition,
            params: Vec::new(),
            protections: Vec::new(),
            alive: None,
            action: Action::Delete,
            files,
            children: Vec::new(),
            details: Vec::new(),
            batch: batch.and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?))?,
            max_rows: max_rows.and_then(|number| NonZeroU64::new(number.unsigned_abs())),
            max_fraction,
        })
    }

    fn keep(&mut self, table: &KeyPath, raw: Option<&RawKeep>) -> Option<Duration> {
        let path = table.key("keep");
        match raw? {
            RawKeep::For(text) => self.check(&path, parse_duration("keep", &text.0, LONGEST_KEEP)),
            RawKeep::ByColumn(_) => {
                let fault = Fault::new("a table of durations is not supported yet");
                self.refuse(&path, Aspect::Value, fault.hint("write one duration: keep = \"30d\""));
                None
            }
        }
    }

    /// Refuses what makes no sense together: of `age`, `keep` and `where`, each may need another.
    fn refuse_mismatch(&mut self, table: &KeyPath, raw: &RawPolicy, condition: Option<&Condition>) {
        let is_written = |key: &str| self.loaded.is_written(&table.key(key));
        let (age, keep) = (is_written("age"), is_written("keep"));
        let uses_cutoff = condition.is_some_and(|condition| condition.uses(&Param::Cutoff));
        // A condition that could not be read may use anything.
        let unreadable = is_written("where") && condition.is_none();
        if age && !keep {
            let fault = Fault::new("age needs keep").hint("write keep = \"30d\" beside it");
            self.refuse(&table.key("age"), Aspect::Key, fault);
        }
        if keep && !age && raw.expires.is_none() && !uses_cutoff && !unreadable {
            let fault = Fault::new("keep has no effect: nothing says how old a row is");
            let hint = "add age = \"COLUMN\", or use :cutoff in where";
            self.refuse(&table.key("keep"), Aspect::Key, fault.hint(hint));
        }
        if uses_cutoff && !keep {
            let fault = Fault::new("where uses :cutoff, and there is no keep to compute it from");
            self.refuse(&table.key("where"), Aspect::Value, fault.hint("add keep = \"30d\""));
        }
    }

    fn fraction(&mut self, table: &KeyPath, share: f64) -> Option<Fraction> {
        let fault =
            || Fault::new(format!("{share} is no share")).hint("write a number above 0 and up to 1: 0.9 is 90 %");
        self.check(&table.key("max_fraction"), Fraction::new(share).ok_or_else(fault))
    }

    fn files(&mut self, table: &KeyPath, raw: &[Table<RawFileColumn>], whole: &Raw) -> Vec<OwnedFile> {
        let list = table.key("files");
        let mut all = Vec::new();
        let mut switched_on = Vec::new();
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(file) = self.file_column(&path, entry, whole) else { continue };
            if entry.enabled.unwrap_or(true) {
                switched_on.push(file.clone());
            }
            all.push(file);
            if position_of_twin(&all, all.len() - 1).is_some() {
                self.refuse(&path, Aspect::Value, Fault::new("this entry is there twice").hint("leave one out"));
            }
        }
        switched_on
    }

    fn file_column(&mut self, path: &KeyPath, raw: &RawFileColumn, whole: &Raw) -> Option<OwnedFile> {
        if self.is_faulty(path) {
            return None;
        }
        let hint = "write { store = \"…\", column = \"…\" }";
        let store = self.required(path, "store", raw.store.as_ref(), hint);
        // A path in the place of a column is refused as not supported yet.
        let column = if raw.path.is_some() { None } else { self.required(path, "column", raw.column.as_ref(), hint) };
        let store = store.and_then(|name| self.reference(&path.key("store"), name, "stores", whole.stores.as_ref()));
        let column = column.and_then(|text| self.check(&path.key("column"), Ident::parse(text)));
        Some(OwnedFile { store: store?, path: FilePath::Column(column?), directory: false })
    }
}

/// A condition whose every parameter is known.
fn parse_condition(text: &str) -> Result<Condition, String> {
    let condition = Condition::parse(text)?;
    let unknown = condition.params().find_map(|param| match param {
        Param::Named(name) => Some(format!("the parameter :{name} is not known; there are :now and :cutoff")),
        Param::Now | Param::Cutoff | Param::NowMinus(_) => None,
    });
    unknown.map_or(Ok(condition), Err)
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
