//! `params`: the parameters that whoever asks for a run must give.

use crate::config::raw::RawParam;
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::super::{ParamDeclaration, ParamKind};
use super::super::{Fault, Gather};
use super::sql::Scope;

impl Gather<'_> {
    /// The declarations, each with its path.
    pub(super) fn params(&mut self, list: &KeyPath, raw: &[RawParam]) -> Vec<(KeyPath, ParamDeclaration)> {
        let mut declared: Vec<(KeyPath, ParamDeclaration)> = Vec::new();
        for (index, raw) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(declaration) = self.param(&path, raw) else { continue };
            if declared.iter().any(|(_, other)| other.name == declaration.name) {
                self.refuse(&path, Aspect::Value, Fault::new("this parameter is there twice").hint("leave one out"));
            }
            declared.push((path, declaration));
        }
        declared
    }

    fn param(&mut self, path: &KeyPath, raw: &RawParam) -> Option<ParamDeclaration> {
        let (name, name_path, kind) = match raw {
            // What was no parameter at all was complained about.
            RawParam::Table(_) if self.is_faulty(path) => return None,
            RawParam::Name(name) => (name, path.clone(), None),
            RawParam::Table(table) => {
                let name = self.required(path, "name", table.name.as_ref(), "write { name = \"…\", type = \"…\" }")?;
                (name, path.key("name"), table.r#type.as_ref())
            }
        };
        let name = self.check(&name_path, ParamDeclaration::parse_name(name));
        let kind = match kind {
            Some(text) => Some(self.check(&path.key("type"), parse_kind(text))?),
            None => None,
        };
        Some(ParamDeclaration { name: name?, kind })
    }

    /// Refuses a parameter that narrows nothing: whoever gives it thinks that it does.
    pub(super) fn refuse_unused(&mut self, table: &KeyPath, params: &[(KeyPath, ParamDeclaration)], scope: &Scope) {
        if scope.unreadable {
            return;
        }
        for (path, declaration) in params.iter().filter(|(_, declaration)| !scope.used.contains(&declaration.name)) {
            let name = &declaration.name;
            let hint = if self.loaded.is_written(&table.key("where")) {
                format!("use :{name} in where, or leave it out of params")
            } else {
                format!("write where = \"{name} = :{name}\", or leave it out of params")
            };
            self.refuse(path, Aspect::Value, Fault::new(format!("nothing uses the parameter {name}")).hint(hint));
        }
    }
}

fn parse_kind(text: &str) -> Result<ParamKind, Fault> {
    ParamKind::parse(text).ok_or_else(|| {
        let words: Vec<&str> = ParamKind::ALL.iter().map(|kind| kind.word()).collect();
        let hint = did_you_mean(text, words.iter().copied());
        Fault::new(format!("there is no type {text:?}"))
            .hint(hint.unwrap_or_else(|| format!("there are {}", words.join(", "))))
    })
}
