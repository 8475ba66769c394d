//! Connects to a source and sets the session up: zone UTC, timeouts, quoting, language of messages, durable commits.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, AsyncPgConnection};
use futures_util::future::BoxFuture;
use mysql_async::{DriverError, OptsBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Returning;
use super::cancel::Target;
use super::connection::{Connection, Statement};
use super::sql::Sql;
use crate::policy::{Endpoint, Engine, Host, Server, Source, TlsMode};
use crate::sources::tls;

pub(super) type Cause = Box<dyn Error + Send + Sync>;

/// A connection that is set up, and what was learned of the server on the way.
pub(super) struct Opened {
    pub connection: Connection,
    pub target: Target,
    pub returning: Returning,
    /// Who the server takes us for; `None` on SQLite.
    pub user: Option<String>,
    /// The server's messages are not in English and cannot be made so.
    pub foreign_language: bool,
    /// The server ends a statement that runs for too long; where it does not, the session has to.
    pub server_times_statements: bool,
}

/// Connects and sets up.
pub(super) fn open(source: &Source) -> BoxFuture<'_, Result<Opened, Cause>> {
    match &source.endpoint {
        Endpoint::Postgres(server) => Box::pin(open_postgres(source, server)),
        Endpoint::MySql(server) => Box::pin(open_mysql(source, server)),
        Endpoint::Sqlite { path } => Box::pin(open_sqlite(source, path)),
    }
}

/// How long a transaction may sit idle before the server takes it back: room for the ledger's commit in between, and
/// an end to it when this process hangs.
fn idle_timeout(source: &Source) -> Duration {
    source.statement_timeout.max(Duration::from_secs(60))
}

async fn open_postgres(source: &Source, server: &Server) -> Result<Opened, Cause> {
    let (connection, target) = connect_postgres(source, server).await?;
    let mut connection = Connection::Postgres(Box::new(connection));
    // Rows hidden by row security would make a file look unreferenced: switched off, the query fails instead.
    connection
        .batch(&format!(
            "SET DateStyle = 'ISO, YMD'; SET standard_conforming_strings = on; SET row_security = off; \
             SET lock_timeout = {}; \
             SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}",
            millis(source.lock_timeout),
            millis(source.statement_timeout),
            millis(idle_timeout(source)),
        ))
        .await?;
    let facts = "SELECT current_setting('lc_messages'), current_setting('synchronous_commit'), \
                 current_setting('server_version_num')";
    let facts = ask(&mut connection, Engine::Postgres, facts).await?;
    let [language, synchronous_commit, version] = facts.as_slice() else { return Err(unexpected("settings")) };
    if synchronous_commit == "off" {
        // A commit that the server may forget in a crash must not cost a file.
        connection.batch("SET synchronous_commit = on").await?;
    }
    if version.parse::<u32>().is_ok_and(|version| version >= 120_000) {
        // A generic plan does not know how narrow the range of a batch is.
        connection.batch("SET plan_cache_mode = force_custom_plan").await?;
    }
    let english =
        matches!(language.as_str(), "" | "C" | "POSIX") || language.starts_with("C.") || language.starts_with("en");
    let foreign_language = !english && connection.batch("SET lc_messages = 'C'").await.is_err();
    Ok(Opened {
        connection,
        target,
        returning: Returning::Yes,
        user: Some(server.user.clone()),
        foreign_language,
        server_times_statements: true,
    })
}

/// How to reach a PostgreSQL server, and with what TLS.
fn postgres_config(
    source: &Source,
    server: &Server,
) -> Result<(tokio_postgres::Config, Option<MakeRustlsConnect>), Cause> {
    let mut config = tokio_postgres::Config::new();
    config
        .user(&server.user)
        .dbname(&server.database)
        .application_name("retaind")
        .connect_timeout(source.connect_timeout)
        .tcp_user_timeout(source.statement_timeout.max(Duration::from_secs(30)));
    if let Some(password) = &server.password {
        config.password(password.expose());
    }
    let connector = match &server.host {
        Host::Tcp { name, port } => {
            config.host(name).port(*port);
            tls::postgres_connector(&server.tls)?
        }
        // A socket does not leave the machine; libpq ignores sslmode there, too.
        Host::Unix { path, port } => {
            config.host_path(path).port(*port);
            None
        }
    };
    config.ssl_mode(match (&connector, server.tls.mode) {
        (None, _) => SslMode::Disable,
        (Some(_), TlsMode::Disable | TlsMode::Prefer) => SslMode::Prefer,
        (Some(_), TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull) => SslMode::Require,
    });
    Ok((config, connector))
}

async fn connect_postgres(source: &Source, server: &Server) -> Result<(AsyncPgConnection, Target), Cause> {
    let (config, connector) = postgres_config(source, server)?;
    let (connection, token) = match connector.clone() {
        None => {
            let (client, driver) = config.connect(NoTls).await?;
            let token = client.cancel_token();
            (AsyncPgConnection::try_from_client_and_connection(client, driver).await?, token)
        }
        Some(connector) => {
            let (client, driver) = config.connect::<MakeRustlsConnect>(connector).await?;
            let token = client.cancel_token();
            (AsyncPgConnection::try_from_client_and_connection(client, driver).await?, token)
        }
    };
    Ok((connection, Target::Postgres { token, host: server.host.clone(), tls: connector }))
}

/// The driver's own client, for what diesel has no words for; the task keeps it going. Statements may take as long as
/// they need.
pub(super) async fn open_postgres_client(
    source: &Source,
    server: &Server,
) -> Result<(tokio_postgres::Client, JoinHandle<()>), Cause> {
    let (config, connector) = postgres_config(source, server)?;
    let (client, driver): (_, BoxFuture<'static, Result<(), tokio_postgres::Error>>) = match connector {
        None => {
            let (client, driver) = config.connect(NoTls).await?;
            (client, Box::pin(driver))
        }
        Some(connector) => {
            let (client, driver) = config.connect::<MakeRustlsConnect>(connector).await?;
            (client, Box::pin(driver))
        }
    };
    // What ends the connection is told to whoever waits for an answer.
    let driver = tokio::spawn(async move { drop(driver.await) });
    let settings = format!(
        "SET standard_conforming_strings = on; SET row_security = off; SET lock_timeout = {}; \
         SET statement_timeout = 0; SET default_transaction_read_only = on",
        millis(source.lock_timeout)
    );
    client.batch_execute(&settings).await?;
    Ok((client, driver))
}

async fn open_mysql(source: &Source, server: &Server) -> Result<Opened, Cause> {
    let driver = connect_mysql(server).await?;
    let target = Target::MySql { login: driver.opts().clone(), connection_id: driver.id() };
    let mut connection = Connection::MySql(Box::new(AsyncMysqlConnection::try_from(driver).await?));
    let facts =
        "SELECT VERSION(), CURRENT_USER(), CAST(@@global.log_bin AS CHAR), CAST(@@session.binlog_format AS CHAR)";
    let facts = ask(&mut connection, Engine::MySql, facts).await?;
    let [version, user, binlog, binlog_format] = facts.as_slice() else { return Err(unexpected("settings")) };
    let is_mariadb = version.contains("MariaDB");
    let statement_secs = source.statement_timeout.as_secs_f64();
    let lock_secs = source.lock_timeout.as_millis().div_ceil(1000).max(1);
    connection
        .batch(&format!(
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION', \
             lc_messages = 'en_US', autocommit = 1, lock_wait_timeout = {lock_secs}, \
             innodb_lock_wait_timeout = {lock_secs}, {}",
            if is_mariadb {
                format!(
                    "max_statement_time = {statement_secs:.3}, idle_transaction_timeout = {}",
                    idle_timeout(source).as_secs()
                )
            } else {
                format!("max_execution_time = {}", millis(source.statement_timeout))
            }
        ))
        .await?;
    // A server that logs statements refuses to change rows at READ COMMITTED.
    let logs_statements = binlog == "1" && binlog_format == "STATEMENT";
    let isolation = if logs_statements { "REPEATABLE READ" } else { "READ COMMITTED" };
    connection.batch(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")).await?;
    let returning = if is_mariadb && server.returning { Returning::Yes } else { Returning::No };
    Ok(Opened {
        connection,
        target,
        returning,
        user: Some(user.clone()),
        foreign_language: false,
        server_times_statements: is_mariadb,
    })
}

pub(super) async fn connect_mysql(server: &Server) -> Result<mysql_async::Conn, Cause> {
    let mut options = OptsBuilder::default()
        .user(Some(&server.user))
        .pass(server.password.as_ref().map(|password| password.expose()))
        .db_name(Some(&server.database))
        .client_found_rows(true)
        // diesel-async keeps the statements.
        .stmt_cache_size(0)
        // The driver would leave a TLS connection to this machine for the socket that the server names.
        .prefer_socket(false);
    match &server.host {
        Host::Unix { path, .. } => options = options.socket(Some(path.display().to_string())),
        Host::Tcp { name, port } => {
            options = options
                .ip_or_hostname(name)
                .tcp_port(*port)
                .tcp_keepalive(Some(30_000_u32))
                .ssl_opts(tls::mysql_options(&server.tls)?);
        }
    }
    match mysql_async::Conn::new(options.clone()).await {
        Err(mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
            if server.tls.mode == TlsMode::Prefer =>
        {
            Ok(mysql_async::Conn::new(options.ssl_opts(None)).await?)
        }
        other => Ok(other?),
    }
}

async fn open_sqlite(source: &Source, path: &Path) -> Result<Opened, Cause> {
    // SQLite would create an empty database for a mistyped path, in which everything looks unreferenced.
    if !fs::metadata(path)?.is_file() {
        return Err(Box::new(io::Error::other("it is not a file")));
    }
    let driver = SyncConnectionWrapper::<SqliteConnection>::establish(&sqlite_uri(path)).await?;
    let mut connection = Connection::Sqlite(Box::new(driver));
    connection.batch(&format!("PRAGMA busy_timeout = {}", millis(source.lock_timeout))).await?;
    connection.batch("PRAGMA foreign_keys = ON").await?;
    // A commit that is forgotten in a power cut must not cost a file.
    connection.batch("PRAGMA synchronous = FULL").await?;
    // The first look into the file: it fails here where this is no database.
    ask(&mut connection, Engine::Sqlite, "SELECT CAST(COUNT(*) AS TEXT) FROM sqlite_master").await?;
    Ok(Opened {
        connection,
        target: Target::Sqlite,
        returning: Returning::Yes,
        user: None,
        foreign_language: false,
        server_times_statements: false,
    })
}

/// What may stand in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The path as a URI that opens an existing file only.
pub(super) fn sqlite_uri(path: &Path) -> String {
    let authority = if path.is_absolute() { "//" } else { "" };
    format!("file:{authority}{}?mode=rw", percent_encode(path.as_os_str().as_encoded_bytes(), PLAIN))
}

/// The columns of the only row of a fixed query; NULL as "".
async fn ask(connection: &mut Connection, engine: Engine, text: &str) -> Result<Vec<String>, Cause> {
    let mut sql = Sql::new(engine);
    sql.push(text);
    let rows = connection.load(Statement { sql: &sql, keep: false }).await?;
    let row = rows.into_iter().next().ok_or_else(|| unexpected("rows"))?;
    Ok(row.0.into_iter().map(Option::unwrap_or_default).collect())
}

fn unexpected(what: &str) -> Cause {
    format!("the server answered with other {what} than were asked for").into()
}

/// Whole milliseconds, never zero, which would switch the timeout off.
fn millis(duration: Duration) -> u128 {
    duration.as_millis().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_path_stays_a_path() {
        assert_eq!(
            sqlite_uri(Path::new("/a b/c?mode=rwc#d%20.db")),
            "file:///a%20b/c%3Fmode%3Drwc%23d%2520.db?mode=rw"
        );
        assert_eq!(sqlite_uri(Path::new("a.db")), "file:a.db?mode=rw");
    }

    #[test]
    fn no_timeout_is_switched_off_by_rounding() {
        assert_eq!(millis(Duration::from_micros(10)), 1);
    }
}
