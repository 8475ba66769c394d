//! `protected_by` and `alive`: what keeps a row although it is old enough.

use crate::config::KeyPath;
use crate::config::raw::{RawAlive, RawProtection};

use super::super::super::{Alive, Protection, TableName};
use super::super::Gather;
use super::sql::Scope;

impl Gather<'_> {
    pub(super) fn protections(&mut self, list: &KeyPath, raw: &[RawProtection], scope: &mut Scope) -> Vec<Protection> {
        let read = |gather: &mut Self, path: &KeyPath, raw: &RawProtection| gather.protection(path, raw, scope);
        self.list(list, raw, "entry", read, PartialEq::eq)
    }

    fn protection(&mut self, path: &KeyPath, raw: &RawProtection, scope: &mut Scope) -> Option<Protection> {
        let hint = "write { table = \"…\", on = \"…\" }: which rows of that table keep a row of this one";
        let table = self.required(path, "table", &raw.table, hint);
        let table = self.parsed(path, "table", table, TableName::parse);
        let on = self.required(path, "on", &raw.on, hint);
        let on = on.and_then(|text| self.sql(&path.key("on"), text, scope));
        let condition = raw.r#where.as_ref().and_then(|text| self.sql(&path.key("where"), text, scope));
        Some(Protection { table: table?, on: on?, condition })
    }

    pub(super) fn alive(&mut self, path: &KeyPath, raw: &RawAlive, scope: &mut Scope) -> Option<Alive> {
        let (has_sql, has_command) = (self.is_written(path, "sql"), self.is_written(path, "command"));
        let hint = "write { sql = \"heartbeat_at > :now_minus_2m\" } or { command = [\"/PROGRAM\", \"{id}\"] }";
        if !has_sql && !has_command {
            self.refuse_value(path, "sql or command is missing", hint);
        }
        if has_sql && has_command {
            self.refuse_key(&path.key("command"), "sql and command are both there", "leave one of them out");
        } else if has_sql && self.is_written(path, "timeout") {
            let hint = "leave it out: the statement_timeout of the source counts";
            self.refuse_key(&path.key("timeout"), "timeout has no effect on sql", hint);
        }
        match (&raw.sql, &raw.command) {
            (Some(text), _) => self.sql(&path.key("sql"), text, scope).map(Alive::Sql),
            (None, Some(command)) => self.command_line(path, command, raw.timeout.0).map(Alive::Command),
            (None, None) => None,
        }
    }
}
