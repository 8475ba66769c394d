//! The three drivers behind one face: a statement goes in, rows of text or a count come out.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Nullable, Text, Untyped};
use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncMysqlConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;

use super::postgres::Postgres;
use super::text_row::TextRow;
use crate::sources::statement::{Piece, Sql};

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

    /// Runs the only statement of an open transaction, and commits it where the two can be sent at once.
    pub fn execute_and_commit<'a>(&'a mut self, sql: &'a Sql) -> BoxFuture<'a, QueryResult<u64>> {
        match self {
            Connection::Postgres(connection) => Box::pin(connection.change_and_commit(sql)),
            Connection::MySql(_) | Connection::Sqlite(_) => self.execute(Statement { sql, keep: false }),
        }
    }

    /// Begins a transaction; PostgreSQL is sent the session's settings with it, and `then`, to which it answers.
    pub fn begin<'a>(&'a mut self, begin: &'a str, then: &'a str) -> BoxFuture<'a, QueryResult<Vec<Option<String>>>> {
        match self {
            Connection::Postgres(connection) => Box::pin(connection.begin(begin, then)),
            Connection::MySql(_) | Connection::Sqlite(_) => Box::pin(self.batch(begin).map_ok(|()| Vec::new())),
        }
    }

    /// Replaces the settings that each transaction of PostgreSQL begins with.
    pub fn set_settings(&mut self, settings: String) {
        if let Connection::Postgres(connection) = self {
            connection.set_settings(settings);
        }
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
