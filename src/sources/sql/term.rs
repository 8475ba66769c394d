//! A column as statements use it: what to select and how to bind a value of its type.

use super::dialect::Typed;
use crate::policy::{Ident, TableName};
use crate::sources::statement::SqlPart;
use crate::sources::{Column, ColumnType, Sql};

/// A column as statements use it: what to select and how to bind a value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    name: Name,
    typed: Typed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Column(Ident),
    /// SQLite's row number, by the one of its three names that no column hides; where a row of PostgreSQL lies.
    RowId(&'static str),
}

impl SqlPart for &Term {
    fn write(self, sql: &mut Sql) {
        match &self.name {
            Name::Column(ident) => sql.ident(ident),
            Name::RowId(name) => sql.push(*name),
        };
    }
}

impl SqlPart for &&Term {
    fn write(self, sql: &mut Sql) {
        sql.push(*self);
    }
}

impl Term {
    /// A column of the catalog.
    pub fn column(column: &Column) -> Self {
        let (declared, collation) = (column.declared.clone(), column.collation.clone());
        Self { name: Name::Column(column.name.clone()), typed: Typed { kind: column.kind, declared, collation } }
    }

    fn place_of(name: &'static str, declared: &str, kind: ColumnType) -> Self {
        Self { name: Name::RowId(name), typed: Typed { kind, declared: declared.to_owned(), collation: None } }
    }

    /// SQLite's row number, unless columns hide all its names.
    pub fn row_id(columns: &[Column]) -> Option<Self> {
        let hidden = |name: &str| columns.iter().any(|column| column.name.as_str().eq_ignore_ascii_case(name));
        let name = ["_rowid_", "rowid", "oid"].into_iter().find(|name| !hidden(name))?;
        Some(Self::place_of(name, "INTEGER", ColumnType::Integer))
    }

    /// The terms for where a row of PostgreSQL lies: its block and line, and its partition where the table has several.
    pub fn place(partitioned: bool) -> Vec<Self> {
        let terms = [("tableoid", "oid"), ("ctid", "tid")]
            .map(|(name, declared)| Self::place_of(name, declared, ColumnType::Other));
        terms.into_iter().skip(usize::from(!partitioned)).collect()
    }

    /// True if it tells where a row of PostgreSQL lies.
    pub fn is_place(&self) -> bool {
        matches!(self.name, Name::RowId("ctid" | "tableoid"))
    }

    /// True if MySQL orders it by the numbers of its values, but compares it as text: a walk would go in circles.
    pub fn is_enumerated(&self) -> bool {
        let declared = self.typed.declared.to_ascii_lowercase();
        declared.starts_with("enum(") || declared.starts_with("set(")
    }

    /// The column's name.
    pub fn name(&self) -> String {
        match &self.name {
            Name::Column(ident) => ident.to_string(),
            Name::RowId(name) => (*name).to_owned(),
        }
    }

    /// Meaning of the column's type.
    pub fn kind(&self) -> ColumnType {
        self.typed.kind
    }

    /// The column's type as the catalog has it.
    pub(crate) fn typed(&self) -> &Typed {
        &self.typed
    }

    /// Writes the bare column.
    pub fn push(&self, sql: &mut Sql) {
        sql.push(self);
    }

    /// Writes the column with its table: in ORDER BY a bare name would be that of a column of the result, which is a
    /// text.
    pub fn push_of(&self, sql: &mut Sql, table: &TableName) {
        sql.table(table).push(".").push(self);
    }

    /// Writes the column as text.
    pub fn push_text(&self, sql: &mut Sql) {
        self.push_in(sql, sql.dialect().text(&self.typed));
    }

    /// Writes a text in which the column is `@raw`.
    pub(crate) fn push_in(&self, sql: &mut Sql, template: &str) {
        sql.template(template, |sql, _| self.push(sql));
    }

    /// Writes the first characters of the column as text: what is shown to people, or is too long if it goes on, is not
    /// fetched whole.
    pub fn push_beginning(&self, sql: &mut Sql, chars: usize) {
        let is_short =
            self.is_place() || !matches!(self.kind(), ColumnType::Text | ColumnType::Binary | ColumnType::Other);
        if is_short && !sql.traits().stores_anything {
            return self.push_text(sql);
        }
        let (before, behind) = sql.traits().beginning;
        sql.push(before).with(|sql| self.push_text(sql)).push(behind).push(&chars.to_string()).push(")");
    }

    /// Writes a bound value, read from text as the column's type, so that an index on the column serves.
    pub fn push_value(&self, sql: &mut Sql, value: &str) {
        let (before, behind) = sql.dialect().value(&self.typed, value);
        sql.bind_in((&before, &behind), value.to_owned());
    }

    /// Writes a value of the column's type that needs no binding: an instant that was written here.
    pub(crate) fn push_constant(&self, sql: &mut Sql, value: &str) {
        let (before, behind) = sql.dialect().value(&self.typed, value);
        sql.push(&before).push("'").push(&value.replace('\'', "''")).push("'").push(&behind);
    }

    /// Writes a NULL of the column's type, where it needs one.
    pub fn push_null(&self, sql: &mut Sql) {
        match sql.traits().types_null {
            true => sql.push("(NULL)::").push(&self.typed.declared),
            false => sql.push("NULL"),
        };
    }
}

/// Names, separated by commas, for people.
pub(crate) fn joined(idents: &[Ident]) -> String {
    idents.iter().map(Ident::as_str).collect::<Vec<_>>().join(", ")
}
