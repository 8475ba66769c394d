//! Rows as every driver gives them: columns that the statement cast to text.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::mysql::Mysql;
use diesel::row::{Field, NamedRow, Row};
use diesel::sql_types::{Binary, Nullable, Text};
use diesel::sqlite::Sqlite;

/// A row of columns that the statement cast to text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow(pub Vec<Option<String>>);

impl TextRow {
    /// Reads each column as bytes, and these as text.
    fn read<'a, DB: Backend>(
        row: &impl NamedRow<'a, DB>,
        bytes: impl Fn(usize) -> deserialize::Result<Option<Vec<u8>>>,
    ) -> deserialize::Result<Self> {
        let text = |column| Ok(bytes(column)?.map(super::invalid_text::read));
        (0..row.field_count()).map(text).collect::<deserialize::Result<_>>().map(Self)
    }
}

impl QueryableByName<Mysql> for TextRow {
    fn build<'a>(row: &impl NamedRow<'a, Mysql>) -> deserialize::Result<Self> {
        Self::read(row, |column| {
            let field = Row::get(row, column).ok_or(TOO_FEW)?;
            <Option<Vec<u8>> as FromSql<Nullable<Binary>, Mysql>>::from_nullable_sql(field.value())
        })
    }
}

impl QueryableByName<Sqlite> for TextRow {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        Self::read(row, |column| sqlite_bytes(row, column))
    }
}

const TOO_FEW: &str = "the row has fewer columns than it says";

/// The bytes of a value of SQLite: a text in UTF-8, whatever the database's own encoding is, and as it is where it is no
/// text.
pub(super) fn sqlite_bytes<'a>(row: &impl NamedRow<'a, Sqlite>, column: usize) -> deserialize::Result<Option<Vec<u8>>> {
    let field = Row::get(row, column).ok_or(TOO_FEW)?;
    let Some(value) = field.value() else { return Ok(None) };
    match <String as FromSql<Text, Sqlite>>::from_sql(value) {
        Ok(text) if !text.contains(char::REPLACEMENT_CHARACTER) => Ok(Some(text.into_bytes())),
        // What is not text, or was replaced in it, is only told by the bytes.
        Ok(_) | Err(_) => field.value().map(<Vec<u8> as FromSql<Binary, Sqlite>>::from_sql).transpose(),
    }
}
