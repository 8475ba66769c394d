//! PostgreSQL by its own client, so that nothing of this session stays on a connection that a pooler gives to the next
//! client: every setting is `SET LOCAL` within a transaction, and every statement is unnamed.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error, QueryResult};
use futures_util::future::{join, join3};
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::text_row::TextRow;
use crate::sources::statement::Sql;

/// Begins what only looks; outside of a transaction this is around each query.
const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// An open connection.
pub(super) struct Postgres {
    client: Client,
    driver: JoinHandle<()>,
    /// `SET LOCAL …; …`, for the beginning of each transaction.
    settings: String,
    /// A transaction of the caller's is open, with the settings in it.
    in_transaction: bool,
    /// A call is under way, or was dropped in the middle.
    busy: bool,
}

impl Drop for Postgres {
    /// An idle connection takes its leave of the server by itself; one whose answer is outstanding is cut.
    fn drop(&mut self) {
        if self.busy {
            self.driver.abort();
        }
    }
}

impl Postgres {
    /// Takes a client whose connection the task drives.
    pub(super) fn new(client: Client, driver: JoinHandle<()>) -> Self {
        Self { client, driver, settings: String::new(), in_transaction: false, busy: false }
    }

    /// Replaces the settings of the transactions to come.
    pub(super) fn set_settings(&mut self, settings: String) {
        self.settings = settings;
    }

    /// Begins a transaction of the caller's with the settings in it: `begin` is its first statement, `then` what comes
    /// after them and may return rows. The first values of these. After an error there is no transaction.
    pub(super) async fn begin(&mut self, begin: &str, then: &str) -> QueryResult<Vec<Option<String>>> {
        let text = format!("{begin}; {}; {then}", self.settings);
        let rows = match self.simple(&text).await {
            Ok(rows) => rows,
            Err(error) => {
                // Where the connection is gone, so is the transaction.
                let _ = self.simple("ROLLBACK").await;
                return Err(error);
            }
        };
        self.in_transaction = true;
        Ok(rows.into_iter().map(|row| row.0.into_iter().next().flatten()).collect())
    }

    /// Reads the answer to a query as COPY sends it, within the caller's transaction, which ends with the connection
    /// unless the caller commits it.
    pub(super) async fn copy_out(
        &mut self,
        copy: &str,
    ) -> Result<tokio_postgres::CopyOutStream, tokio_postgres::Error> {
        self.busy = true;
        self.client.copy_out(copy).await
    }

    /// Runs fixed text of our own, which may be several statements; the rows of all of them.
    pub(super) async fn simple(&mut self, text: &str) -> QueryResult<Vec<TextRow>> {
        self.busy = true;
        let answer = self.client.simple_query(text).await;
        self.busy = false;
        if matches!(text, "COMMIT" | "ROLLBACK") {
            self.in_transaction = false;
        }
        Ok(rows_of(answer.map_err(driver_error)?))
    }

    /// Runs a statement that returns rows of texts: within the caller's transaction, or in a read-only one of its own.
    pub(super) async fn rows(&mut self, sql: &Sql) -> QueryResult<Vec<TextRow>> {
        let (text, values) = (sql.text(), values_of(sql));
        self.busy = true;
        let answer = match self.in_transaction {
            true => self.client.query_typed(&text, &typed(&values)).await,
            false => {
                let begin = format!("{BEGIN_READING}; {}", self.settings);
                let typed = typed(&values);
                // Sent at once, in this order: a failure in one makes the server skip what follows up to the COMMIT.
                let (begun, answer, ended) = join3(
                    self.client.batch_execute(&begin),
                    self.client.query_typed(&text, &typed),
                    self.client.batch_execute("COMMIT"),
                )
                .await;
                begun.and(answer).and_then(|rows| ended.map(|()| rows))
            }
        };
        self.busy = false;
        let rows = answer.map_err(driver_error)?;
        rows.iter().map(text_row).collect::<Result<_, _>>().map_err(driver_error)
    }

    /// Runs a statement within the caller's transaction; how many rows it touched.
    pub(super) async fn change(&mut self, sql: &Sql) -> QueryResult<u64> {
        let (text, values) = (sql.text(), values_of(sql));
        self.busy = true;
        let answer = self.client.execute_typed(&text, &typed(&values)).await;
        self.busy = false;
        answer.map_err(driver_error)
    }

    /// Runs the only statement of the caller's transaction and commits it; how many rows it touched.
    pub(super) async fn change_and_commit(&mut self, sql: &Sql) -> QueryResult<u64> {
        let (text, values) = (sql.text(), values_of(sql));
        let typed = typed(&values);
        self.busy = true;
        let (answer, ended) = join(self.client.execute_typed(&text, &typed), self.client.batch_execute("COMMIT")).await;
        self.busy = false;
        self.in_transaction = false;
        answer.and_then(|touched| ended.map(|()| touched)).map_err(driver_error)
    }
}

fn values_of(sql: &Sql) -> Vec<Option<&str>> {
    sql.binds().collect()
}

fn typed<'v>(values: &'v [Option<&'v str>]) -> Vec<(&'v (dyn ToSql + Sync), Type)> {
    values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT)).collect()
}

fn text_row(row: &tokio_postgres::Row) -> Result<TextRow, tokio_postgres::Error> {
    let text = |column| row.try_get::<_, Option<Text>>(column).map(|text| text.map(|text| text.0));
    (0..row.len()).map(text).collect::<Result<_, _>>().map(TextRow)
}

/// A value that the server writes as text: of a text type, or a plan in JSON.
struct Text(String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        String::from_sql(kind, raw).map(Self)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON || <String as FromSql>::accepts(kind)
    }
}

fn rows_of(messages: Vec<SimpleQueryMessage>) -> Vec<TextRow> {
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            Some(TextRow((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect()))
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// An error in diesel's words, as those of the other drivers are.
pub(super) fn driver_error(error: tokio_postgres::Error) -> Error {
    let Some(answer) = error.as_db_error().cloned() else {
        return match error.is_closed() || error.code().is_none() && !is_ours(&error) {
            true => Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand, Box::new(chain_of(&error))),
            false => Error::DeserializationError(Box::new(error)),
        };
    };
    let code = answer.code();
    let kind = match code {
        code if *code == SqlState::UNIQUE_VIOLATION => DatabaseErrorKind::UniqueViolation,
        code if *code == SqlState::FOREIGN_KEY_VIOLATION => DatabaseErrorKind::ForeignKeyViolation,
        code if *code == SqlState::RESTRICT_VIOLATION => DatabaseErrorKind::RestrictViolation,
        code if *code == SqlState::EXCLUSION_VIOLATION => DatabaseErrorKind::ExclusionViolation,
        code if *code == SqlState::T_R_SERIALIZATION_FAILURE => DatabaseErrorKind::SerializationFailure,
        code if *code == SqlState::READ_ONLY_SQL_TRANSACTION => DatabaseErrorKind::ReadOnlyTransaction,
        code if *code == SqlState::NOT_NULL_VIOLATION => DatabaseErrorKind::NotNullViolation,
        code if *code == SqlState::CHECK_VIOLATION => DatabaseErrorKind::CheckViolation,
        _ => DatabaseErrorKind::Unknown,
    };
    Error::DatabaseError(kind, Box::new(Answer(answer)))
}

/// True if a value could not be read or written by the client: the connection goes on.
fn is_ours(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    text.starts_with("error deserializing") || text.starts_with("error serializing")
}

fn chain_of(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// An error that the server answered with.
struct Answer(DbError);

impl DatabaseErrorInformation for Answer {
    fn message(&self) -> &str {
        self.0.message()
    }
    fn details(&self) -> Option<&str> {
        self.0.detail()
    }
    fn hint(&self) -> Option<&str> {
        self.0.hint()
    }
    fn table_name(&self) -> Option<&str> {
        self.0.table()
    }
    fn column_name(&self) -> Option<&str> {
        self.0.column()
    }
    fn constraint_name(&self) -> Option<&str> {
        self.0.constraint()
    }
    fn statement_position(&self) -> Option<i32> {
        None
    }
}
