//! The three drivers behind one face: a statement goes in, rows of text or a count come out.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::{Field, NamedRow, Row};
use diesel::serialize::ToSql;
use diesel::sql_types::{Binary, HasSqlType, Nullable, Text, Untyped};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;

use super::postgres::Postgres;
use crate::sources::sql::builder::{Piece, Sql};

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

/// A statement as diesel takes it.
pub(super) struct Statement<'a> {
    pub sql: &'a Sql,
    /// Keep the prepared statement for next time.
    pub keep: bool,
}

impl<DB> QueryFragment<DB> for Statement<'_>
where
    DB: Backend + HasSqlType<Nullable<Text>>,
    Option<String>: ToSql<Nullable<Text>, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if !self.keep {
            out.unsafe_to_cache_prepared();
        }
        for piece in self.sql.pieces() {
            match piece {
                Piece::Text(text) => out.push_sql(text),
                Piece::Bind(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
            }
        }
        Ok(())
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}

impl<Conn> diesel::RunQueryDsl<Conn> for Statement<'_> {}

/// An open connection of one of the drivers.
pub(super) enum Connection {
    Postgres(Box<Postgres>),
    MySql(Box<AsyncMysqlConnection>),
    Sqlite(Box<SyncConnectionWrapper<SqliteConnection>>),
}

impl Connection {
    /// Runs a statement that returns rows. Boxed, as the others: the drivers' futures are deep and large.
    pub fn load<'a>(&'a mut self, statement: Statement<'a>) -> BoxFuture<'a, QueryResult<Vec<TextRow>>> {
        match self {
            Connection::Postgres(connection) => Box::pin(connection.rows(statement.sql)),
            Connection::MySql(connection) => Box::pin(RunQueryDsl::load(statement, connection.as_mut())),
            Connection::Sqlite(connection) => Box::pin(RunQueryDsl::load(statement, connection.as_mut())),
        }
    }

    /// Runs a statement; how many rows it touched.
    pub fn execute<'a>(&'a mut self, statement: Statement<'a>) -> BoxFuture<'a, QueryResult<u64>> {
        let count: BoxFuture<'a, QueryResult<usize>> = match self {
            Connection::Postgres(connection) => return Box::pin(connection.change(statement.sql)),
            Connection::MySql(connection) => Box::pin(RunQueryDsl::execute(statement, connection.as_mut())),
            Connection::Sqlite(connection) => Box::pin(RunQueryDsl::execute(statement, connection.as_mut())),
        };
        Box::pin(count.map_ok(|count| u64::try_from(count).unwrap_or(u64::MAX)))
    }

    /// Runs fixed text of our own, without values.
    pub fn batch<'a>(&'a mut self, text: &'a str) -> BoxFuture<'a, QueryResult<()>> {
        match self {
            Connection::Postgres(connection) => Box::pin(connection.simple(text).map_ok(drop)),
            Connection::MySql(connection) => Box::pin(connection.batch_execute(text)),
            Connection::Sqlite(connection) => Box::pin(connection.batch_execute(text)),
        }
    }
}
