//! `protected_by` and `alive`: what keeps a row although it is old enough.

use crate::config::raw::{OnlyTable, RawAlive, RawProtection};
use crate::config::{Aspect, KeyPath};

use super::super::super::{Alive, Protection, TableName};
use super::super::{Fault, Gather};
use super::sql::Scope;

impl Gather<'_> {
    pub(super) fn protections(
        &mut self,
        table: &KeyPath,
        raw: &[OnlyTable<RawProtection>],
        scope: &mut Scope,
    ) -> Vec<Protection> {
        let list = table.key("protected_by");
        let mut protections: Vec<Protection> = Vec::new();
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(protection) = self.protection(&path, entry, scope) else { continue };
            if protections.contains(&protection) {
                self.refuse(&path, Aspect::Value, Fault::new("this entry is there twice").hint("leave one out"));
            }
            protections.push(protection);
        }
        protections
    }

    fn protection(&mut self, path: &KeyPath, raw: &RawProtection, scope: &mut Scope) -> Option<Protection> {
        if self.is_faulty(path) {
            return None;
        }
        let hint = "write { table = \"…\", on = \"…\" }: which rows of that table keep a row of this one";
        let table = self.required(path, "table", raw.table.as_ref(), hint);
        let table = table.and_then(|text| self.check(&path.key("table"), TableName::parse(text)));
        let on = self.required(path, "on", raw.on.as_ref(), hint);
        let on = on.and_then(|text| self.sql(&path.key("on"), text, scope));
        let condition = raw.r#where.as_ref().map(|text| self.sql(&path.key("where"), text, scope));
        let condition = match condition {
            Some(condition) => Some(condition?),
            None => None,
        };
        Some(Protection { table: table?, on: on?, condition })
    }

    pub(super) fn alive(&mut self, path: &KeyPath, raw: &RawAlive, scope: &mut Scope) -> Option<Alive> {
        if self.is_faulty(path) {
            return None;
        }
        let is_written = |key: &str| self.loaded.is_written(&path.key(key));
        let (has_sql, has_command) = (is_written("sql"), is_written("command"));
        let hint = "write { sql = \"heartbeat_at > :now_minus_2m\" } or { command = [\"/PROGRAM\", \"{id}\"] }";
        if !has_sql && !has_command {
            self.refuse(path, Aspect::Value, Fault::new("sql or command is missing").hint(hint));
        }
        if has_sql && has_command {
            let fault = Fault::new("sql and command are both there").hint("leave one of them out");
            self.refuse(&path.key("command"), Aspect::Key, fault);
        } else if has_sql && is_written("timeout") {
            let fault = Fault::new("timeout has no effect on sql");
            let hint = "leave it out: the statement_timeout of the source counts";
            self.refuse(&path.key("timeout"), Aspect::Key, fault.hint(hint));
        }
        match (&raw.sql, &raw.command) {
            (Some(text), _) => self.sql(&path.key("sql"), text, scope).map(Alive::Sql),
            (None, Some(command)) => self.command_line(path, command, raw.timeout.as_ref()).map(Alive::Command),
            (None, None) => None,
        }
    }
}
