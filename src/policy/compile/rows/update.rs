//! `action` and `set`: rows that are updated instead of deleted.

use crate::config::form::Named;
use crate::config::raw::{RawPolicy, RawSetSql};
use crate::config::values::{OrTable, Scalar};
use crate::config::words::ActionWord;
use crate::config::{Aspect, Fault, KeyPath};

use super::super::super::{Action, Assignment, Ident, OwnedFile, SetValue};
use super::super::Gather;
use super::sql::Scope;

/// A value of `set`.
type RawValue = OrTable<Scalar, RawSetSql>;

impl Gather<'_> {
    pub(super) fn action(&mut self, table: &KeyPath, raw: &RawPolicy, scope: &mut Scope) -> Action {
        let set_path = table.key("set");
        let assignments = raw.set.as_ref().map(|set| self.assignments(&set_path, set, scope)).unwrap_or_default();
        let has_set = self.is_written(table, "set");
        let path = table.key("action");
        match raw.action {
            // A word that is not known may have meant either.
            _ if self.is_faulty(&path) => {}
            ActionWord::Update if !has_set => {
                self.refuse_value(&path, "action = \"update\" needs set", "write set = { COLUMN = VALUE }");
            }
            ActionWord::Delete if has_set => {
                let hint = "write action = \"update\", or leave set out";
                self.refuse_key(&set_path, "set has no effect on rows that are deleted", hint);
            }
            ActionWord::Update | ActionWord::Delete => {}
        }
        if raw.action == ActionWord::Update { Action::Update(assignments) } else { Action::Delete }
    }

    fn assignments(&mut self, path: &KeyPath, set: &Named<RawValue>, scope: &mut Scope) -> Vec<Assignment> {
        if set.is_empty() && !self.is_faulty_within(path) {
            self.refuse_value(path, "nothing is set", "write set = { COLUMN = VALUE }");
        }
        set.iter().filter_map(|(column, value)| self.assignment(&path.key(column), column, value, scope)).collect()
    }

    fn assignment(&mut self, path: &KeyPath, column: &str, value: &RawValue, scope: &mut Scope) -> Option<Assignment> {
        let column = Ident::parse(column).map_err(|message| self.refuse(path, Aspect::Key, message.into())).ok();
        let value = match value {
            OrTable::Plain(Scalar::Text(text)) if text.contains('\0') => {
                self.refuse(path, Aspect::Value, Fault::new("the text has a NUL character"));
                None
            }
            OrTable::Plain(Scalar::Text(text)) => Some(SetValue::Text(text.clone())),
            OrTable::Plain(Scalar::Number(number)) => Some(SetValue::Number(number.clone())),
            OrTable::Plain(Scalar::Flag(flag)) => Some(SetValue::Flag(*flag)),
            OrTable::Table(raw) => {
                let text = self.required(path, "sql", &raw.sql, "write { sql = \"CURRENT_TIMESTAMP\" }");
                text.and_then(|text| self.sql(&path.key("sql"), text, scope)).map(SetValue::Sql)
            }
        };
        Some(Assignment { column: column?, value: value? })
    }

    pub(super) fn refuse_children_of_an_update(&mut self, table: &KeyPath, raw: &RawPolicy, action: &Action) {
        if !raw.children.is_empty() && matches!(action, Action::Update(_)) {
            let message = "an updated row stays, and so do its children";
            self.refuse_key(&table.key("children"), message, "leave children out");
        }
    }

    /// After a crash the row must show whether it was updated, and with it whether its file may go. It does where a
    /// literal was set, or where it names another file.
    pub(super) fn refuse_files_an_update_keeps(&mut self, files: &[(KeyPath, OwnedFile)], action: &Action) {
        let Action::Update(assignments) = action else { return };
        if assignments.iter().any(|assignment| !matches!(assignment.value, SetValue::Sql(_))) {
            return;
        }
        let is_set = |column: &&Ident| assignments.iter().any(|assignment| assignment.column == **column);
        for (path, file) in files.iter().filter(|(_, file)| !file.path.columns().iter().any(is_set)) {
            let columns: Vec<&str> = file.path.columns().iter().map(|column| column.as_str()).collect();
            let hint =
                format!("set a column to a literal, such as status = \"expired\", or set {}", columns.join(" or "));
            self.refuse_value(path, "the updated row would not show that this file is no longer its own", hint);
        }
    }
}
