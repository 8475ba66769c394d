//! The tests' own way into a database: the drivers used plainly, without anything of retaind.

use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::row::{Field, Row};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};
use mysql_async::prelude::Queryable;

use super::{EngineKind, Server};

/// Rows as text, column by column.
pub type Rows = Vec<Vec<Option<String>>>;
type Error = Box<dyn std::error::Error + Send + Sync>;

/// An open connection.
pub enum Client {
    Postgres(tokio_postgres::Client),
    MariaDb(Box<mysql_async::Conn>),
    Sqlite(Box<SqliteConnection>),
}

impl Client {
    /// Connects over the server's socket; no password is asked for there.
    pub fn connect(server: &Server, user: &str, database: &str) -> Result<Client, Error> {
        match server.kind() {
            EngineKind::Postgres => {
                Self::connect_postgres(&server.socket(), server.port().unwrap_or(5432), user, database)
            }
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => {
                let options = mysql_async::OptsBuilder::default()
                    .socket(Some(server.socket().display().to_string()))
                    .user(Some(user))
                    .db_name(Some(database))
                    .init(vec!["SET time_zone = '+00:00'"]);
                wait(async move { Ok(Client::MariaDb(Box::new(mysql_async::Conn::new(options).await?))) })
            }
            EngineKind::Sqlite => panic!("SQLite has no server"),
        }
    }

    /// Connects to whatever speaks PostgreSQL's protocol on a socket in a directory.
    pub fn connect_postgres(directory: &Path, port: u16, user: &str, database: &str) -> Result<Client, Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(directory).port(port).user(user).dbname(database);
        wait(async move {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            Ok(Client::Postgres(client))
        })
    }

    /// Opens an SQLite file, and creates it where there is none.
    pub fn open(path: &Path) -> Result<Client, Error> {
        let mut connection = SqliteConnection::establish(&path.display().to_string())?;
        connection.batch_execute("PRAGMA busy_timeout = 20000")?;
        Ok(Client::Sqlite(Box::new(connection)))
    }

    /// Runs statements, separated by `;`.
    pub fn execute(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Client::Postgres(client) => wait(async { Ok(client.batch_execute(sql).await?) }),
            Client::MariaDb(connection) => wait(async {
                let mut result = connection.query_iter(sql).await?;
                while !result.is_empty() {
                    result.collect::<mysql_async::Row>().await?;
                }
                Ok(())
            }),
            Client::Sqlite(connection) => Ok(connection.batch_execute(sql)?),
        }
    }

    /// Runs a query; every value comes as the engine writes it as text.
    pub fn query(&mut self, sql: &str) -> Result<Rows, Error> {
        match self {
            Client::Postgres(client) => wait(async {
                let messages = client.simple_query(sql).await?;
                Ok(messages.iter().filter_map(postgres_row).collect())
            }),
            Client::MariaDb(connection) => wait(async {
                let rows: Vec<mysql_async::Row> = connection.query(sql).await?;
                Ok(rows.into_iter().map(mariadb_row).collect())
            }),
            Client::Sqlite(connection) => {
                let rows: Vec<SqliteRow> = diesel::sql_query(sql).load(connection.as_mut())?;
                Ok(rows.into_iter().map(|row| row.0).collect())
            }
        }
    }
}

fn postgres_row(message: &tokio_postgres::SimpleQueryMessage) -> Option<Vec<Option<String>>> {
    match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        }
        _ => None,
    }
}

fn mariadb_row(row: mysql_async::Row) -> Vec<Option<String>> {
    let as_text = |value| match value {
        mysql_async::Value::NULL => None,
        mysql_async::Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        other => Some(other.as_sql(true)),
    };
    row.unwrap().into_iter().map(as_text).collect()
}

struct SqliteRow(Vec<Option<String>>);

impl QueryableByName<Sqlite> for SqliteRow {
    fn build<'a>(row: &impl diesel::row::NamedRow<'a, Sqlite>) -> diesel::deserialize::Result<Self> {
        let text = |column| {
            let field = Row::get(row, column).ok_or("no such column")?;
            diesel::deserialize::FromSql::<diesel::sql_types::Nullable<Text>, Sqlite>::from_nullable_sql(field.value())
        };
        (0..row.field_count()).map(text).collect::<Result<_, _>>().map(Self)
    }
}

/// Runs a future to its end on a runtime of the harness's own, from a thread of its own: a test may itself be async.
fn wait<T: Send>(future: impl Future<Output = Result<T, Error>> + Send) -> Result<T, Error> {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts")
    });
    std::thread::scope(|scope| scope.spawn(|| runtime.block_on(future)).join().expect("the client does not panic"))
}
