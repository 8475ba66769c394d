//! Foreign keys that point to a table, and what the database does by them.

use super::listing::cells;
use super::table::is_named;
use crate::policy::{Child, Ident, TableName};
use crate::sources::TextRow;

/// A foreign key of some table that points to ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundForeignKey {
    /// The table that points; `schema` is always there.
    pub table: TableName,
    /// Its columns, in the order of `referenced`.
    pub columns: Vec<Ident>,
    /// Our columns.
    pub referenced: Vec<Ident>,
    /// The partitioned table that it is a part of, with a foreign key of its own.
    pub partition_of: Option<TableName>,
    pub on_delete: ForeignKeyAction,
}

/// Action of the database itself on the rows that point to a deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKeyAction {
    /// The deletion fails, at once or at the commit (NO ACTION, RESTRICT).
    Forbid,
    Cascade,
    SetNull,
    SetDefault,
}

impl InboundForeignKey {
    /// True if a declared child is what this foreign key makes, by itself or as a part of it.
    pub fn is_of(&self, child: &Child) -> bool {
        let is_it = |table: &TableName| is_named(table, &child.table);
        child.is_by(&self.columns) && (is_it(&self.table) || self.partition_of.as_ref().is_some_and(is_it))
    }
}

impl ForeignKeyAction {
    /// As the SQL standard spells the actions.
    fn parse(text: &str) -> Self {
        match text {
            "CASCADE" => ForeignKeyAction::Cascade,
            "SET NULL" => ForeignKeyAction::SetNull,
            "SET DEFAULT" => ForeignKeyAction::SetDefault,
            _ => ForeignKeyAction::Forbid,
        }
    }
}

/// Collects rows of (schema, table, constraint, column, referenced column, action) and perhaps (schema, table) of what the
/// table is a partition of, a constraint's rows being neighbours.
pub(super) fn collect_inbound(rows: Vec<TextRow>) -> Vec<InboundForeignKey> {
    let mut keys: Vec<(String, InboundForeignKey)> = Vec::new();
    for row in rows {
        let [schema, table, constraint, column, referenced, action, of_schema, of_table] = cells(row);
        let identity = format!("{schema}\0{table}\0{constraint}");
        let parsed = (Ident::parse(&schema), Ident::parse(&table), Ident::parse(&column), Ident::parse(&referenced));
        let (Ok(schema), Ok(table), Ok(column), Ok(referenced)) = parsed else { continue };
        match keys.last_mut() {
            Some((last, key)) if *last == identity => {
                key.columns.push(column);
                key.referenced.push(referenced);
            }
            _ => {
                let table = TableName { schema: Some(schema), table };
                let on_delete = ForeignKeyAction::parse(&action);
                let (columns, referenced) = (vec![column], vec![referenced]);
                let of = Ident::parse(&of_schema).ok().zip(Ident::parse(&of_table).ok());
                let partition_of = of.map(|(schema, table)| TableName { schema: Some(schema), table });
                keys.push((identity, InboundForeignKey { table, columns, referenced, partition_of, on_delete }));
            }
        }
    }
    keys.into_iter().map(|(_, key)| key).collect()
}
