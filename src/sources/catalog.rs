//! Facts about a table, read from the catalog.

use super::{Session, SourceError};
use crate::policy::{Ident, TableName};

/// What the catalog knows of a table.
#[derive(Debug, Clone)]
pub struct TableFacts {
    /// As the catalog resolved it; `schema` is always there.
    pub name: TableName,
    /// "table", "partitioned table", "view", "foreign table", …; only the first two may be governed.
    pub relation: String,
    pub columns: Vec<Column>,
    /// Columns of the primary key, else of the shortest unique index over NOT NULL columns; empty: no key.
    pub key: Vec<Ident>,
    /// Plain (not partial, not expression, valid) b-tree indexes, primary key and unique ones included.
    pub indexes: Vec<IndexFacts>,
    /// SQLite only: the table has a rowid.
    pub has_rowid: bool,
}

/// An index and its columns in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFacts {
    pub name: String,
    pub columns: Vec<Ident>,
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
}

/// What a column's type means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// An instant: PostgreSQL timestamptz, MySQL TIMESTAMP.
    TimestampTz,
    /// Date and time without zone: PostgreSQL timestamp, MySQL DATETIME.
    Timestamp,
    Date,
    Integer,
    Text,
    Uuid,
    Binary,
    Other,
    /// SQLite stores any value in any column; declared TIMESTAMP, DATETIME or DATE.
    SqliteDateTime,
}

/// What the login may do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    pub select: bool,
    pub delete: bool,
    pub update: bool,
}

impl TableFacts {
    /// Reads them; `None` where there is no such relation (or none that this login may see).
    pub async fn load(_session: &mut Session, _table: &TableName) -> Result<Option<Self>, SourceError> {
        todo!()
    }
}

impl Privileges {
    /// Asks the server (SQLite: whether the file and its directory may be written).
    pub async fn load(_session: &mut Session, _table: &TableFacts) -> Result<Self, SourceError> {
        todo!()
    }
}
