//! Reads whole columns of a table, row after row, on a connection of its own: as much as there is, in bounded memory.
//! Reads only.
//!
//! The drivers behind diesel hold a whole answer, so PostgreSQL is read by its own client with COPY, MySQL by its own
//! with a streamed answer, and SQLite in a thread of its own.

use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{DefaultLoadingMode, LoadConnection};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use diesel::sqlite::Sqlite;
use diesel::sqlite::SqliteConnection;
use futures_util::{FutureExt, TryStreamExt};
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cancel::Target;
use super::connect::{self, Cause};
use super::connection::Statement;
use super::interrupt::Interrupt;
use super::judge::Judge;
use super::postgres::Postgres;
use super::text_row::sqlite_bytes;
use super::{Sql, kind_of_refusal};
use crate::policy::{Endpoint, Name, Source};
use crate::sources::{ErrorKind, SourceError};

/// Columns that make a path, at most.
const COLUMNS_AT_MOST: usize = 16;
/// Rows that a thread reads ahead, twice.
const ROWS_AHEAD: usize = 2048;

/// A connection for reading columns from end to end. `statement_timeout` bounds the time from one piece of the answer to
/// the next, not the whole.
pub struct Reader {
    source_name: Name,
    patience: Duration,
    client: Client,
    target: Arc<Target>,
    stop: Option<CancellationToken>,
}

enum Client {
    Postgres(Box<Postgres>),
    MySql(Box<mysql_async::Conn>),
    Sqlite(Box<SqliteConnection>, Interrupt),
}

/// Reason that a reading ended early.
enum Failure {
    Silent,
    Cause(Cause),
}

impl<E: Into<Cause>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Cause(error.into())
    }
}

impl Reader {
    /// Connects as a session does.
    pub async fn open(source: &Source) -> Result<Self, SourceError> {
        let failed = |cause: Cause| {
            let judge = Judge {
                engine: source.endpoint.engine(),
                foreign_language: false,
                lock_timeout: source.lock_timeout,
                statement_timeout: source.statement_timeout,
            };
            let kind = kind_of_refusal(&judge, cause.as_ref());
            SourceError::new(&source.name, "connecting for a reading from end to end", kind, cause)
        };
        let (client, target) = match timeout(source.connect_timeout, Client::open(source)).await {
            Ok(opened) => opened.map_err(failed)?,
            Err(_) => return Err(failed(format!("no answer within {:?}", source.connect_timeout).into())),
        };
        let (source_name, target) = (source.name.clone(), Arc::new(target));
        Ok(Self { source_name, patience: source.statement_timeout, client, target, stop: None })
    }

    /// Has a stop end the reading.
    #[must_use]
    pub fn heeding(self, stop: Option<CancellationToken>) -> Self {
        Self { stop, ..self }
    }

    /// Calls `each` with every row of a query that selects `columns` texts and has no bound values, until there are no
    /// more or `each` says so; whether all were read. A reader that was stopped early, or that failed, is closed.
    pub async fn read(
        self,
        operation: &str,
        sql: &Sql,
        columns: usize,
        each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
    ) -> Result<Option<Self>, SourceError> {
        let (source, target, stop) = (self.source_name.clone(), self.target.clone(), self.stop.clone());
        let reading = Box::pin(self.read_on(operation, sql, columns, each));
        let Some(stop) = stop else { return reading.await };
        match stop.run_until_cancelled(reading).await {
            Some(read) => read,
            None => {
                // The connection is given up with the reading; the server would go on with it for nobody.
                target.deliver().await;
                Err(SourceError::new(&source, operation, ErrorKind::Cancelled, "stopped"))
            }
        }
    }

    async fn read_on(
        mut self,
        operation: &str,
        sql: &Sql,
        columns: usize,
        each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
    ) -> Result<Option<Self>, SourceError> {
        let patience = self.patience;
        let read = match &mut self.client {
            Client::Postgres(client) => read_postgres(client, patience, &sql.text(), columns, each).await,
            Client::MySql(connection) => read_mysql(connection, patience, &sql.text(), columns, each).await,
            Client::Sqlite(_, interrupt) => {
                let interrupt = interrupt.clone();
                return self.read_sqlite(interrupt, operation, sql, each).await;
            }
        };
        match read {
            Ok(ControlFlow::Continue(())) => Ok(Some(self)),
            Ok(ControlFlow::Break(())) => Ok(None),
            Err(failure) => Err(self.error(operation, failure)),
        }
    }

    fn error(&self, operation: &str, failure: Failure) -> SourceError {
        let (kind, cause) = match failure {
            Failure::Silent => {
                (ErrorKind::Timeout, format!("nothing came within {:?} (statement_timeout)", self.patience).into())
            }
            Failure::Cause(cause) => (ErrorKind::Other, cause),
        };
        SourceError::new(&self.source_name, operation, kind, cause)
    }

    async fn read_sqlite(
        self,
        interrupt: Interrupt,
        operation: &str,
        sql: &Sql,
        each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
    ) -> Result<Option<Self>, SourceError> {
        let (sender, mut pieces) = mpsc::channel(1);
        let (sql, patience) = (sql.clone(), self.patience);
        interrupt.reset();
        // Also where this future is dropped: the thread would read on for nobody.
        let interrupt = InterruptOnDrop(interrupt);
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = self;
            let read = match &mut reader.client {
                Client::Sqlite(connection, _) => send_rows(connection, &sql, &sender),
                Client::Postgres(_) | Client::MySql(_) => Ok(()),
            };
            (reader, read)
        });
        let mut flow = ControlFlow::Continue(());
        let mut silent = false;
        while flow.is_continue() {
            let piece: Vec<BytesRow> = match timeout(patience, pieces.recv()).await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(_) => {
                    silent = true;
                    interrupt.0.set();
                    break;
                }
            };
            flow = piece.iter().try_for_each(|row| {
                let values: Vec<_> = row.0.iter().map(Option::as_deref).collect();
                each_text(&values, each)
            });
        }
        drop(pieces);
        match reading.await {
            Ok((reader, _)) if silent => Err(reader.error(operation, Failure::Silent)),
            Ok((reader, Ok(()))) => Ok(flow.is_continue().then_some(reader)),
            Ok((reader, Err(error))) => Err(reader.error(operation, error.into())),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Client {
    async fn open(source: &Source) -> Result<(Self, Target), Cause> {
        match &source.endpoint {
            Endpoint::Postgres(server) => {
                let (connection, target) = connect::open_postgres_reader(source, server).await?;
                Ok((Client::Postgres(Box::new(connection)), target))
            }
            Endpoint::MySql(server) => {
                let mut connection = connect::connect_mysql(server).await?;
                connection.query_drop("SET NAMES utf8mb4").await?;
                // MariaDB's time for a statement is meant for statements that change something.
                let is_mariadb: Option<String> = connection.query_first("SELECT VERSION()").await?;
                if is_mariadb.is_some_and(|version| version.contains("MariaDB")) {
                    connection.query_drop("SET SESSION max_statement_time = 0").await?;
                }
                let target = Target::MySql { login: connection.opts().clone(), connection_id: connection.id() };
                Ok((Client::MySql(Box::new(connection)), target))
            }
            Endpoint::Sqlite { path } => {
                let (path, busy) = (path.clone(), source.lock_timeout);
                let interrupt = Interrupt::default();
                let of_connection = interrupt.clone();
                let opening = tokio::task::spawn_blocking(move || open_sqlite(&path, busy, &of_connection));
                let client = Client::Sqlite(Box::new(opening.await??), interrupt.clone());
                Ok((client, Target::Sqlite(interrupt)))
            }
        }
    }
}

/// Ends what a connection of SQLite is in when nobody waits for it any more.
struct InterruptOnDrop(Interrupt);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

fn open_sqlite(path: &Path, busy: Duration, interrupt: &Interrupt) -> Result<SqliteConnection, Cause> {
    use diesel::connection::SimpleConnection;
    let mut connection = interrupt.open(&connect::sqlite_uri(path))?;
    connection.batch_execute(&format!("PRAGMA query_only = ON; PRAGMA busy_timeout = {}", busy.as_millis().max(1)))?;
    Ok(connection)
}

async fn read_postgres(
    client: &mut Postgres,
    patience: Duration,
    select: &str,
    columns: usize,
    each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
) -> Result<ControlFlow<()>, Failure> {
    // A reading that stops early takes the connection with it, and the server rolls back what changed nothing.
    let began = client.begin("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", "");
    timeout(patience, began).await.map_err(|_| Failure::Silent)??;
    let copy = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
    let pieces = timeout(patience, client.copy_out(copy.as_str())).await.map_err(|_| Failure::Silent)??;
    let mut pieces = pin!(pieces);
    let mut head = COPY_HEAD_BYTES;
    loop {
        // What has come already needs no clock.
        let piece = match pieces.try_next().now_or_never() {
            Some(piece) => piece?,
            None => timeout(patience, pieces.try_next()).await.map_err(|_| Failure::Silent)??,
        };
        let piece = piece.ok_or("the server broke off in the middle of its answer")?;
        // The server sends whole rows; before the first comes the head of the format.
        let rows = piece.get(head..).ok_or(UNEXPECTED)?;
        head = 0;
        match each_row(rows, columns, each)? {
            None => {}
            Some(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
            Some(ControlFlow::Continue(())) => break,
        }
    }
    timeout(patience, client.simple("COMMIT")).await.map_err(|_| Failure::Silent)??;
    Ok(ControlFlow::Continue(()))
}

/// Signature, flags and an empty extension, as PostgreSQL's manual has it for COPY in binary format.
const COPY_HEAD_BYTES: usize = 19;
const UNEXPECTED: &str = "the server answered in another format than it was asked for";

/// Takes whole rows of COPY's binary format: each begins with its number of columns, -1 after the last row, and each column
/// with its number of bytes, -1 for NULL. None where more rows are to come.
fn each_row(
    mut bytes: &[u8],
    columns: usize,
    each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
) -> Result<Option<ControlFlow<()>>, Failure> {
    while let Some((count, mut rest)) = bytes.split_first_chunk() {
        match i16::from_be_bytes(*count) {
            -1 => return Ok(Some(ControlFlow::Continue(()))),
            count if usize::try_from(count) == Ok(columns) => {}
            _ => return Err(UNEXPECTED.into()),
        }
        let mut values = [None; COLUMNS_AT_MOST];
        for text in values.get_mut(..columns).ok_or("the path of a reference has too many columns")? {
            let (length, after) = rest.split_first_chunk().ok_or(UNEXPECTED)?;
            rest = after;
            if let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) {
                let (value, after) = rest.split_at_checked(length).ok_or(UNEXPECTED)?;
                *text = Some(value);
                rest = after;
            }
        }
        bytes = rest;
        if each_text(&values[..columns], each).is_break() {
            return Ok(Some(ControlFlow::Break(())));
        }
    }
    Ok(None)
}

/// Tells a row as texts; bytes that are no text come as U+FFFD.
fn each_text(
    values: &[Option<&[u8]>],
    each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
) -> ControlFlow<()> {
    let mut texts = [None; COLUMNS_AT_MOST];
    let mut all_read = values.len() <= COLUMNS_AT_MOST;
    for (text, value) in texts.iter_mut().zip(values) {
        *text = value.and_then(|value| std::str::from_utf8(value).ok());
        all_read &= text.is_some() == value.is_some();
    }
    if all_read {
        return each(&texts[..values.len()]);
    }
    let lossy: Vec<_> = values.iter().map(|value| value.map(String::from_utf8_lossy)).collect();
    let texts: Vec<_> = lossy.iter().map(Option::as_deref).collect();
    each(&texts)
}

async fn read_mysql(
    connection: &mut mysql_async::Conn,
    patience: Duration,
    select: &str,
    columns: usize,
    each: &mut (dyn FnMut(&[Option<&str>]) -> ControlFlow<()> + Send),
) -> Result<ControlFlow<()>, Failure> {
    let mut rows = timeout(patience, connection.query_iter(select)).await.map_err(|_| Failure::Silent)??;
    loop {
        let row = timeout(patience, rows.next()).await.map_err(|_| Failure::Silent)??;
        let Some(row) = row else { return Ok(ControlFlow::Continue(())) };
        let values: Vec<_> = (0..columns).map(|column| bytes_of(row.as_ref(column))).collect();
        if each_text(&values, each).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

fn bytes_of(value: Option<&mysql_async::Value>) -> Option<&[u8]> {
    match value? {
        mysql_async::Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// A row of SQLite as bytes: what it holds as a text may be none.
struct BytesRow(Vec<Option<Vec<u8>>>);

impl QueryableByName<Sqlite> for BytesRow {
    fn build<'a>(row: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        let value = |column| sqlite_bytes(row, column);
        (0..row.field_count()).map(value).collect::<deserialize::Result<_>>().map(Self)
    }
}

/// Sends the rows in pieces, until nobody wants more.
fn send_rows(
    connection: &mut SqliteConnection,
    sql: &Sql,
    pieces: &mpsc::Sender<Vec<BytesRow>>,
) -> Result<(), diesel::result::Error> {
    let statement = Statement { sql, keep: false };
    let rows = LoadConnection::<DefaultLoadingMode>::load(connection, statement)?;
    let mut piece = Vec::with_capacity(ROWS_AHEAD);
    for row in rows {
        piece.push(BytesRow::build(&row?).map_err(diesel::result::Error::DeserializationError)?);
        if piece.len() == ROWS_AHEAD
            && pieces.blocking_send(std::mem::replace(&mut piece, Vec::with_capacity(ROWS_AHEAD))).is_err()
        {
            return Ok(());
        }
    }
    // Where nobody wants them any more, the last ones do not matter either.
    let _ = pieces.blocking_send(piece);
    Ok(())
}
