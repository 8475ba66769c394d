//! `children`: rows of other tables that belong to a row, and what becomes of them.

use crate::config::keys;
use crate::config::raw::{Names, OnlyTable, Raw, RawChild};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::super::{Child, Ident, OnDelete, TableName};
use super::super::{Fault, Gather};

impl Gather<'_> {
    /// `ancestors`: the tables above, the policy's own first.
    pub(super) fn children(
        &mut self,
        list: &KeyPath,
        raw: &[OnlyTable<RawChild>],
        ancestors: &mut Vec<TableName>,
        whole: &Raw,
    ) -> Vec<Child> {
        let mut children: Vec<Child> = Vec::new();
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(child) = self.child(&path, entry, ancestors, whole) else { continue };
            if children.iter().any(|other| other.table == child.table && other.is_by(&child.columns)) {
                self.refuse(&path, Aspect::Value, Fault::new("this child is there twice").hint("leave one out"));
            }
            children.push(child);
        }
        children
    }

    fn child(&mut self, path: &KeyPath, raw: &RawChild, ancestors: &mut Vec<TableName>, whole: &Raw) -> Option<Child> {
        if self.is_faulty(path) {
            return None;
        }
        let hint = "write { table = \"…\", column = \"…\" }: the child's table, and its column that names the parent";
        let table = self.required(path, "table", raw.table.as_ref(), hint);
        let table = table.and_then(|text| self.check(&path.key("table"), TableName::parse(text)));
        if let Some(table) = &table {
            self.refuse_cycle(&path.key("table"), table, ancestors);
        }
        let column = self.required(path, "column", raw.column.as_ref(), hint);
        let columns = column.and_then(|names| self.names(&path.key("column"), names));
        let references = raw.references.as_ref().map(|names| self.names(&path.key("references"), names));
        if let (Some(columns), Some(Some(references))) = (&columns, &references)
            && columns.len() != references.len()
        {
            let many = |number| if number == 1 { "1 name".to_owned() } else { format!("{number} names") };
            let fault = format!("references has {}, column has {}", many(references.len()), many(columns.len()));
            let hint = "write as many, each name of column in the place of the one that it points to";
            self.refuse(&path.key("references"), Aspect::Value, Fault::new(fault).hint(hint));
        }
        let on_delete = raw.on_delete.as_deref().unwrap_or(keys::ON_DELETE);
        let on_delete = self.check(&path.key("on_delete"), parse_on_delete(on_delete));
        let files = raw.files.as_deref().unwrap_or_default();
        let grandchildren = raw.children.as_deref().unwrap_or_default();
        if let Some(OnDelete::SetNull | OnDelete::KeepParent) = on_delete {
            self.refuse_beneath_what_stays(path, "files", files.is_empty());
            self.refuse_beneath_what_stays(path, "children", grandchildren.is_empty());
        }
        let (files, files_off) = self.files(&path.key("files"), files, whole);
        let files = files.into_iter().map(|(_, file)| file).collect();
        ancestors.extend(table.clone());
        let children = self.children(&path.key("children"), grandchildren, ancestors, whole);
        if table.is_some() {
            ancestors.pop();
        }
        let references = match references {
            Some(columns) => Some(columns?),
            None => None,
        };
        Some(Child { table: table?, columns: columns?, references, on_delete: on_delete?, files, files_off, children })
    }

    /// Names of columns: at least one, each once.
    fn names(&mut self, path: &KeyPath, names: &Names) -> Option<Vec<Ident>> {
        let mut idents: Vec<Ident> = Vec::new();
        for (index, name) in names.0.iter().enumerate() {
            let ident = self.check(path, Ident::parse(name))?;
            if idents.contains(&ident) {
                self.refuse(&path.index(index), Aspect::Value, Fault::new(format!("{name} is there twice")));
                return None;
            }
            idents.push(ident);
        }
        if idents.is_empty() {
            let fault = Fault::new("the list is empty").hint("write at least one column");
            self.refuse(path, Aspect::Value, fault);
            return None;
        }
        Some(idents)
    }

    fn refuse_cycle(&mut self, path: &KeyPath, table: &TableName, ancestors: &[TableName]) {
        let Some(ancestor) = ancestors.iter().find(|ancestor| may_be_same(ancestor, table)) else { return };
        let fault = Fault::new(format!("table {table} is a child of itself"));
        let hint = if ancestor == table {
            "rows that belong to rows of their own table cannot be declared: leave this child out"
        } else {
            "if these are two tables, write the schema of both"
        };
        self.refuse(path, Aspect::Value, fault.hint(hint));
    }

    fn refuse_beneath_what_stays(&mut self, child: &KeyPath, key: &str, is_empty: bool) {
        if !is_empty {
            let fault = Fault::new(format!("the rows of this child stay, and so do their {key}"));
            self.refuse(
                &child.key(key),
                Aspect::Key,
                fault.hint(format!("leave {key} out, or write on_delete = \"delete\"")),
            );
        }
    }
}

/// True if two names may mean one table: one without a schema may be in any.
fn may_be_same(one: &TableName, other: &TableName) -> bool {
    one.table == other.table && (one.schema == other.schema || one.schema.is_none() || other.schema.is_none())
}

fn parse_on_delete(text: &str) -> Result<OnDelete, Fault> {
    match text {
        "delete" => Ok(OnDelete::Delete),
        "set-null" => Ok(OnDelete::SetNull),
        "keep-parent" => Ok(OnDelete::KeepParent),
        other => {
            let tame = other.replace([' ', '_'], "-");
            let hint = did_you_mean(&tame, ["delete", "set-null", "keep-parent"]);
            let hint = hint.unwrap_or_else(|| "there are \"delete\", \"set-null\" and \"keep-parent\"".to_owned());
            Err(Fault::new(format!("there is no on_delete {other:?}")).hint(hint))
        }
    }
}
