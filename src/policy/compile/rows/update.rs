//! `action` and `set`: rows that are updated instead of deleted.

use crate::config::keys;
use crate::config::raw::{Named, RawPolicy, RawSetValue};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::super::{Action, Assignment, Ident, OwnedFile, SetValue};
use super::super::{Fault, Gather};
use super::sql::Scope;

impl Gather<'_> {
    pub(super) fn action(&mut self, table: &KeyPath, raw: &RawPolicy, scope: &mut Scope) -> Action {
        let set_path = table.key("set");
        let assignments = raw.set.as_ref().map(|set| self.assignments(&set_path, set, scope)).unwrap_or_default();
        let has_set = self.loaded.is_written(&set_path);
        // A word that is not known may have meant either.
        let path = table.key("action");
        let word = raw.action.as_deref().unwrap_or(keys::ACTION);
        let Some(is_update) = self.check(&path, parse_action(word)) else { return Action::Delete };
        if is_update && !has_set {
            let fault = Fault::new("action = \"update\" needs set").hint("write set = { COLUMN = VALUE }");
            self.refuse(&path, Aspect::Value, fault);
        } else if !is_update && has_set && !self.is_faulty(&path) {
            let fault = Fault::new("set has no effect on rows that are deleted");
            self.refuse(&set_path, Aspect::Key, fault.hint("write action = \"update\", or leave set out"));
        }
        if is_update { Action::Update(assignments) } else { Action::Delete }
    }

    fn assignments(&mut self, path: &KeyPath, set: &Named<RawSetValue>, scope: &mut Scope) -> Vec<Assignment> {
        if set.0.is_empty() && !self.is_faulty_within(path) {
            let fault = Fault::new("nothing is set").hint("write set = { COLUMN = VALUE }");
            self.refuse(path, Aspect::Value, fault);
        }
        set.0.iter().filter_map(|(column, value)| self.assignment(&path.key(column), column, value, scope)).collect()
    }

    fn assignment(
        &mut self,
        path: &KeyPath,
        column: &str,
        value: &RawSetValue,
        scope: &mut Scope,
    ) -> Option<Assignment> {
        let column = Ident::parse(column).map_err(|message| self.refuse(path, Aspect::Key, message.into())).ok();
        let value = match value {
            RawSetValue::Text(text) if text.contains('\0') => {
                self.refuse(path, Aspect::Value, Fault::new("the text has a NUL character"));
                None
            }
            RawSetValue::Text(text) => Some(SetValue::Text(text.clone())),
            RawSetValue::Whole(number) => Some(SetValue::Number(number.to_string())),
            RawSetValue::Decimal(number) => Some(SetValue::Number(number.to_string())),
            RawSetValue::Flag(flag) => Some(SetValue::Flag(*flag)),
            RawSetValue::Sql(raw) => {
                let hint = "write { sql = \"CURRENT_TIMESTAMP\" }";
                let text = self.required(path, "sql", raw.sql.as_ref(), hint);
                text.and_then(|text| self.sql(&path.key("sql"), text, scope)).map(SetValue::Sql)
            }
        };
        Some(Assignment { column: column?, value: value? })
    }

    pub(super) fn refuse_children_of_an_update(&mut self, table: &KeyPath, raw: &RawPolicy, action: &Action) {
        let has_children = raw.children.as_ref().is_some_and(|children| !children.is_empty());
        if has_children && matches!(action, Action::Update(_)) {
            let fault = Fault::new("an updated row stays, and so do its children");
            self.refuse(&table.key("children"), Aspect::Key, fault.hint("leave children out"));
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
            let fault = Fault::new("the updated row would not show that this file is no longer its own");
            let columns: Vec<&str> = file.path.columns().iter().map(|column| column.as_str()).collect();
            let hint =
                format!("set a column to a literal, such as status = \"expired\", or set {}", columns.join(" or "));
            self.refuse(path, Aspect::Value, fault.hint(hint));
        }
    }
}

/// True if rows are updated.
fn parse_action(text: &str) -> Result<bool, Fault> {
    match text {
        "delete" => Ok(false),
        "update" => Ok(true),
        other => {
            let hint = did_you_mean(other, ["delete", "update"]);
            let hint = hint.unwrap_or_else(|| "there are \"delete\" and \"update\"".to_owned());
            Err(Fault::new(format!("there is no action {other:?}")).hint(hint))
        }
    }
}
