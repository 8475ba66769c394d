//! Facts about a table and its columns: plain data, as the catalog has them.

use crate::policy::{Ident, TableName};
use crate::sources::ColumnType;

/// Facts that the catalog has about a table.
#[derive(Debug, Clone)]
pub struct TableFacts {
    /// As the catalog resolved it; `schema` is always there.
    pub name: TableName,
    /// "table", "partitioned table", "view", "foreign table", …; only the first two may be governed.
    pub relation: String,
    pub columns: Vec<Column>,
    /// Columns of the primary key, else of the shortest unique index over NOT NULL columns; empty: no key.
    pub key: Vec<Ident>,
    /// Columns of every primary key and unique index, of which no two rows have the same values; NULLs aside.
    pub unique: Vec<Vec<Ident>>,
    /// Plain (not partial, not expression, valid) b-tree indexes, primary key and unique ones included.
    pub indexes: Vec<IndexFacts>,
    /// Columns of which one of these, or one over their first characters alone, finds the values that begin with a text.
    pub beginnings: Vec<Ident>,
    /// SQLite only: the table has a rowid.
    pub has_rowid: bool,
}

/// An index and its leading columns in order, as far as an ordered range over their plain values can use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFacts {
    pub name: String,
    pub columns: Vec<Ident>,
    /// No two rows have the same values in `columns`.
    pub unique: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: Ident,
    /// As the catalog writes it ("timestamp with time zone", "datetime(6)", "INTEGER").
    pub declared: String,
    pub kind: ColumnType,
    pub nullable: bool,
    pub generated: bool,
    /// Collation of its texts, as it is written behind COLLATE, where that is known and may take different texts for
    /// equal, or may differ from column to column: always on MySQL; on SQLite where an index has the column.
    pub collation: Option<String>,
}

/// True where a table of the catalog is the one that somebody names.
pub fn is_named(table: &TableName, named: &TableName) -> bool {
    let same = |schema: &Ident| table.schema.as_ref() == Some(schema);
    table.table == named.table && named.schema.as_ref().is_none_or(same)
}
