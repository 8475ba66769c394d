//! `children`: rows of other tables that belong to a row, and what becomes of them.

use crate::config::raw::RawChild;
use crate::config::values::Names;
use crate::config::{Aspect, Fault, KeyPath};

use super::super::super::{Child, Ident, OnDelete, TableName};
use super::super::Gather;

impl Gather<'_> {
    /// `ancestors`: the tables above, the policy's own first.
    pub(super) fn children(&mut self, list: &KeyPath, raw: &[RawChild], ancestors: &mut Vec<TableName>) -> Vec<Child> {
        let read = |gather: &mut Self, path: &KeyPath, raw: &RawChild| gather.child(path, raw, ancestors);
        self.list(list, raw, "child", read, |one, other| one.table == other.table && one.is_by(&other.columns))
    }

    fn child(&mut self, path: &KeyPath, raw: &RawChild, ancestors: &mut Vec<TableName>) -> Option<Child> {
        let hint = "write { table = \"…\", column = \"…\" }: the child's table, and its column that names the parent";
        let table = self.required(path, "table", &raw.table, hint);
        let table = self.parsed(path, "table", table, TableName::parse);
        if let Some(table) = &table {
            self.refuse_cycle(&path.key("table"), table, ancestors);
        }
        let column = self.required(path, "column", &raw.column, hint);
        let columns = column.and_then(|names| self.names(&path.key("column"), names));
        let references = raw.references.as_ref().and_then(|names| self.names(&path.key("references"), names));
        if let (Some(columns), Some(references)) = (&columns, &references)
            && columns.len() != references.len()
        {
            let many = |number| if number == 1 { "1 name".to_owned() } else { format!("{number} names") };
            let message = format!("references has {}, column has {}", many(references.len()), many(columns.len()));
            let hint = "write as many, each name of column in the place of the one that it points to";
            self.refuse_value(&path.key("references"), message, hint);
        }
        if raw.on_delete != OnDelete::Delete {
            self.refuse_beneath_what_stays(path, "files", raw.files.is_empty());
            self.refuse_beneath_what_stays(path, "children", raw.children.is_empty());
        }
        let (files, files_off) = self.files(&path.key("files"), &raw.files);
        let files = files.into_iter().map(|(_, file)| file).collect();
        ancestors.extend(table.clone());
        let children = self.children(&path.key("children"), &raw.children, ancestors);
        if table.is_some() {
            ancestors.pop();
        }
        let on_delete = raw.on_delete;
        Some(Child { table: table?, columns: columns?, references, on_delete, files, files_off, children })
    }

    /// Names of columns: at least one, each once.
    fn names(&mut self, path: &KeyPath, names: &Names) -> Option<Vec<Ident>> {
        let mut idents: Vec<Ident> = Vec::new();
        for (index, name) in names.texts.iter().enumerate() {
            let ident = self.check(path, Ident::parse(name))?;
            if idents.contains(&ident) {
                self.refuse(&path.index(index), Aspect::Value, Fault::new(format!("{name} is there twice")));
                return None;
            }
            idents.push(ident);
        }
        if idents.is_empty() {
            self.refuse_value(path, "the list is empty", "write at least one column");
            return None;
        }
        Some(idents)
    }

    fn refuse_cycle(&mut self, path: &KeyPath, table: &TableName, ancestors: &[TableName]) {
        let Some(ancestor) = ancestors.iter().find(|ancestor| may_be_same(ancestor, table)) else { return };
        let hint = if ancestor == table {
            "rows that belong to rows of their own table cannot be declared: leave this child out"
        } else {
            "if these are two tables, write the schema of both"
        };
        self.refuse_value(path, format!("table {table} is a child of itself"), hint);
    }

    fn refuse_beneath_what_stays(&mut self, child: &KeyPath, key: &str, is_empty: bool) {
        if !is_empty {
            let message = format!("the rows of this child stay, and so do their {key}");
            self.refuse_key(&child.key(key), message, format!("leave {key} out, or write on_delete = \"delete\""));
        }
    }
}

/// True if two names may mean one table: one without a schema may be in any.
fn may_be_same(one: &TableName, other: &TableName) -> bool {
    one.table == other.table && (one.schema == other.schema || one.schema.is_none() || other.schema.is_none())
}
