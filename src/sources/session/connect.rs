//! Connects to a source and sets the session up: zone UTC, timeouts, quoting, language of messages, durable commits.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use diesel_async::AsyncMysqlConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use futures_util::future::BoxFuture;
use mysql_async::{DriverError, OptsBuilder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::cancel::Target;
use super::connection::{Connection, Statement};
use super::interrupt::Interrupt;
use super::postgres::Postgres;
use super::returning::Returning;
use super::search_path::{self, SCHEMAS_IN_EFFECT, SearchPath};
use super::text_row::TextRow;
use super::tls;
use crate::policy::{Endpoint, Engine, Host, Server, Source, TlsMode};
use crate::sources::statement::Sql;

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
    /// PostgreSQL only.
    pub postgres: Option<PostgresTerms>,
}

/// Connects and sets up.
pub(super) fn open(source: &Source) -> BoxFuture<'_, Result<Opened, Cause>> {
    match &source.endpoint {
        Endpoint::Postgres(server) => Box::pin(open_postgres(source, server)),
        Endpoint::MySql(server) => Box::pin(open_mysql(source, server)),
        Endpoint::Sqlite { path } => Box::pin(open_sqlite(source, path)),
    }
}

/// Time that a transaction may sit idle before the server takes it back: room for the ledger's commit in between, and
/// an end to it when this process hangs.
fn idle_timeout(source: &Source) -> Duration {
    source.statement_timeout.max(Duration::from_secs(60))
}

async fn open_postgres(source: &Source, server: &Server) -> Result<Opened, Cause> {
    let (client, driver, target) = connect_postgres(source, server).await?;
    let mut connection = Postgres::new(client, driver);
    let facts = postgres_facts(source, &mut connection).await?;
    let english = ["C.", "en"].iter().any(|start| facts.language.starts_with(start))
        || matches!(facts.language.as_str(), "" | "C" | "POSIX");
    let mut settings = settings(source, source.statement_timeout);
    if matches!(facts.synchronous_commit.as_str(), "off" | "on") {
        // A commit that the server may forget in a crash must not cost a file. Other connections of a pool may differ.
        settings.push_str("; SET LOCAL synchronous_commit = on");
    }
    let in_english = "SET LOCAL lc_messages = 'C'";
    let foreign_language = !english && connection.simple(&format!("BEGIN; {in_english}; ROLLBACK")).await.is_err();
    if foreign_language {
        connection.simple("ROLLBACK").await?;
    } else if !english {
        settings.push_str("; ");
        settings.push_str(in_english);
    }
    let terms = PostgresTerms { settings, path: facts.path, relaxed: false };
    connection.set_settings(terms.text());
    Ok(Opened {
        connection: Connection::Postgres(Box::new(connection)),
        target,
        returning: Returning::Yes,
        user: Some(server.user.clone()),
        foreign_language,
        server_times_statements: true,
        postgres: Some(terms),
    })
}

/// Settings with which each transaction of a PostgreSQL session begins.
pub(super) struct PostgresTerms {
    settings: String,
    pub path: SearchPath,
    /// Commits come back before they are durable.
    pub relaxed: bool,
}

impl PostgresTerms {
    /// As statements.
    pub fn text(&self) -> String {
        let commits = if self.relaxed { "; SET LOCAL synchronous_commit = off" } else { "" };
        format!("{}; {}{commits}", self.path.setting(), self.settings)
    }
}

/// Settings that hold for a transaction, so that no other client of a pooled connection inherits them.
fn settings(source: &Source, statement_timeout: Duration) -> String {
    // Rows hidden by row security would make a file look unreferenced: switched off, the query fails instead.
    format!(
        "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL standard_conforming_strings = on; \
         SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL row_security = off; \
         SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; \
         SET LOCAL idle_in_transaction_session_timeout = {}",
        millis(source.lock_timeout),
        if statement_timeout.is_zero() { 0 } else { millis(statement_timeout) },
        millis(idle_timeout(source)),
    )
}

struct PostgresFacts {
    language: String,
    synchronous_commit: String,
    path: SearchPath,
}

/// Reads the facts about a PostgreSQL server, in one transaction of two messages: a pooler that keeps no transaction
/// together is found out here, before anything depends on it.
async fn postgres_facts(source: &Source, connection: &mut Postgres) -> Result<PostgresFacts, Cause> {
    let declared = source.search_path.as_deref();
    let path = declared.map_or("SET LOCAL search_path TO DEFAULT".to_owned(), search_path::declaring);
    let first = format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; {path}; {SCHEMAS_IN_EFFECT}");
    let schemas = connection.simple(&first).await.map_err(without_transactions)?;
    let schemas = schemas.into_iter().next().and_then(|row| row.0.into_iter().next().flatten()).unwrap_or_default();
    let schemas: Vec<String> = serde_json::from_str(&schemas).map_err(|_| unexpected("schemas"))?;
    let schemas: Vec<String> = schemas.into_iter().filter(|name| !name.starts_with("pg_")).collect();
    let second = format!(
        "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL standard_conforming_strings = on; \
         SELECT current_setting('lc_messages'), current_setting('synchronous_commit'), \
         current_setting('transaction_read_only'); {}COMMIT",
        search_path::asking_for_creators(&schemas)
    );
    let mut rows = connection.simple(&second).await.map_err(without_transactions)?.into_iter().map(texts);
    let facts: [String; 3] = rows.next().ok_or_else(|| unexpected("settings"))?;
    let [language, synchronous_commit, read_only] = facts;
    if read_only != "on" {
        return Err(POOLED_BY_STATEMENT.into());
    }
    Ok(PostgresFacts { language, synchronous_commit, path: SearchPath::new(rows, declared.is_some()) })
}

/// The reason, where it is a pooler that allows no transactions.
fn without_transactions(error: diesel::result::Error) -> Cause {
    match error.to_string().contains("statement pooling mode") {
        true => POOLED_BY_STATEMENT.into(),
        false => Box::new(error),
    }
}

const POOLED_BY_STATEMENT: &str = "a connection pooler that keeps no transaction together (pool_mode = statement) \
     stands between retaind and PostgreSQL, and every deletion needs transactions: connect to the server itself, or set \
     pool_mode = transaction or session for this database";

fn texts<const N: usize>(row: TextRow) -> [String; N] {
    let mut values = row.0.into_iter().map(Option::unwrap_or_default);
    std::array::from_fn(|_| values.next().unwrap_or_default())
}

/// Address, login and TLS by which a PostgreSQL server is reached.
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

async fn connect_postgres(source: &Source, server: &Server) -> Result<(Client, JoinHandle<()>, Target), Cause> {
    let (config, connector) = postgres_config(source, server)?;
    let (client, driver): (_, BoxFuture<'static, Result<(), tokio_postgres::Error>>) = match connector.clone() {
        None => {
            let (client, driver) = config.connect(NoTls).await?;
            (client, Box::pin(driver))
        }
        Some(connector) => {
            let (client, driver) = config.connect::<MakeRustlsConnect>(connector).await?;
            (client, Box::pin(driver))
        }
    };
    let token = client.cancel_token();
    // What ends the connection is told to whoever waits for an answer.
    let driver = tokio::spawn(async move { drop(driver.await) });
    Ok((client, driver, Target::Postgres { token, host: server.host.clone(), tls: connector }))
}

/// A connection for reading from end to end. Statements may take as long as they need.
pub(super) async fn open_postgres_reader(source: &Source, server: &Server) -> Result<(Postgres, Target), Cause> {
    let (client, driver, target) = connect_postgres(source, server).await?;
    let mut connection = Postgres::new(client, driver);
    let PostgresFacts { path, .. } = postgres_facts(source, &mut connection).await?;
    let terms = PostgresTerms { settings: settings(source, Duration::ZERO), path, relaxed: false };
    connection.set_settings(terms.text());
    Ok((connection, target))
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
                    "max_statement_time = {statement_secs:.3}, idle_transaction_timeout = {}, \
                     max_recursive_iterations = 4294967295",
                    idle_timeout(source).as_secs()
                )
            } else {
                format!(
                    "max_execution_time = {}, cte_max_recursion_depth = 4294967295",
                    millis(source.statement_timeout)
                )
            }
        ))
        .await?;
    // A server that logs statements refuses to change rows at READ COMMITTED. At REPEATABLE READ a question about other
    // rows would be answered as of the beginning of the transaction, and not as of when the rows were locked.
    let logs_statements = matches!(binlog.as_str(), "1" | "ON") && binlog_format == "STATEMENT";
    let isolation = if logs_statements { "SERIALIZABLE" } else { "READ COMMITTED" };
    connection.batch(&format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")).await?;
    let returning = if is_mariadb && server.returning { Returning::Yes } else { Returning::No };
    Ok(Opened {
        connection,
        target,
        returning,
        user: Some(user.clone()),
        foreign_language: false,
        server_times_statements: is_mariadb,
        postgres: None,
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
    let (interrupt, uri) = (Interrupt::default(), sqlite_uri(path));
    let opening = tokio::task::spawn_blocking({
        let interrupt = interrupt.clone();
        move || interrupt.open(&uri)
    });
    let mut connection = Connection::Sqlite(Box::new(SyncConnectionWrapper::new(opening.await??)));
    connection.batch(&format!("PRAGMA busy_timeout = {}", millis(source.lock_timeout))).await?;
    connection.batch("PRAGMA foreign_keys = ON").await?;
    // A commit that is forgotten in a power cut must not cost a file.
    connection.batch("PRAGMA synchronous = FULL").await?;
    // The first look into the file: it fails here where this is no database.
    ask(&mut connection, Engine::Sqlite, "SELECT CAST(COUNT(*) AS TEXT) FROM sqlite_master").await?;
    Ok(Opened {
        connection,
        target: Target::Sqlite(interrupt),
        returning: Returning::Yes,
        user: None,
        foreign_language: false,
        server_times_statements: false,
        postgres: None,
    })
}

/// Characters that are percent-encoded in a path: all but those that may stand in it as they are.
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
