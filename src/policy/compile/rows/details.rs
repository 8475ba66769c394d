//! `details`: what the result shows of each affected row.

use crate::config::KeyPath;
use crate::config::raw::RawDetail;
use crate::config::values::OrTable;

use super::super::super::{AGE_SECS, Detail, Ident, KEEP_SECS, SET_DETAIL};
use super::super::Gather;
use super::sql::Scope;

impl Gather<'_> {
    pub(super) fn details(
        &mut self,
        list: &KeyPath,
        raw: &[OrTable<String, RawDetail>],
        scope: &mut Scope,
    ) -> Vec<Detail> {
        let read = |gather: &mut Self, path: &KeyPath, raw: &_| gather.detail(path, raw, scope);
        self.list(list, raw, "detail", read, |one, other| one.name() == other.name())
    }

    fn detail(&mut self, path: &KeyPath, raw: &OrTable<String, RawDetail>, scope: &mut Scope) -> Option<Detail> {
        let table = match raw {
            OrTable::Plain(column) => return self.check(path, Ident::parse(column)).map(Detail::Column),
            OrTable::Table(table) => table,
        };
        let example = "write { name = \"…\", sql = \"…\" }";
        let name = self.required(path, "name", &table.name, example).cloned();
        let sql = self.required(path, "sql", &table.sql, example);
        let sql = sql.and_then(|text| self.sql(&path.key("sql"), text, scope));
        let name = name?;
        if name.trim().is_empty() || [AGE_SECS, KEEP_SECS, SET_DETAIL].contains(&name.as_str()) {
            let message = format!("{name:?} cannot be the name of an expression");
            self.refuse_value(&path.key("name"), message, "choose another name");
        }
        Some(Detail::Sql { name, sql: sql? })
    }
}
