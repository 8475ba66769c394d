//! `params`: the parameters that whoever asks for a run must give.

use crate::config::KeyPath;
use crate::config::raw::RawParam;
use crate::config::values::{OrTable, PlainName};

use super::super::super::ParamDeclaration;
use super::super::Gather;
use super::sql::Scope;

impl Gather<'_> {
    /// The declarations, each with its path.
    pub(super) fn params(
        &mut self,
        list: &KeyPath,
        raw: &[OrTable<PlainName, RawParam>],
    ) -> Vec<(KeyPath, ParamDeclaration)> {
        self.list(list, raw, "parameter", Self::param, |(_, one), (_, other)| one.name == other.name)
    }

    fn param(&mut self, path: &KeyPath, raw: &OrTable<PlainName, RawParam>) -> Option<(KeyPath, ParamDeclaration)> {
        let (name, name_path, kind, secret) = match raw {
            OrTable::Plain(name) => (&name.0, path.clone(), None, false),
            OrTable::Table(table) => {
                let name = self.required(path, "name", &table.name, "write { name = \"…\", type = \"…\" }")?;
                (name, path.key("name"), table.r#type, table.secret)
            }
        };
        let name = self.check(&name_path, ParamDeclaration::parse_name(name))?;
        Some((path.clone(), ParamDeclaration { name, kind, secret }))
    }

    /// Refuses a parameter that narrows nothing: whoever gives it thinks that it does.
    pub(super) fn refuse_unused(&mut self, table: &KeyPath, params: &[(KeyPath, ParamDeclaration)], scope: &Scope) {
        if scope.unreadable {
            return;
        }
        for (path, declaration) in params.iter().filter(|(_, declaration)| !scope.used.contains(&declaration.name)) {
            let name = &declaration.name;
            let hint = if self.is_written(table, "where") {
                format!("use :{name} in where, or leave it out of params")
            } else {
                format!("write where = \"{name} = :{name}\", or leave it out of params")
            };
            self.refuse_value(path, format!("nothing uses the parameter {name}"), hint);
        }
    }
}
