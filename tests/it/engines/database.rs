//! A database for one test: made empty, filled and read through the harness's own client, dropped at the end.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use retaind::policy::{Endpoint, Host, Name, Secret, Source, Tls};

use super::client::Rows;
use super::{Client, EngineKind, Server, scratch_dir};

/// A fresh database.
pub struct Database {
    kind: EngineKind,
    place: Place,
    /// Opened when it is first needed, and again after the server went away.
    client: Mutex<Option<Client>>,
}

enum Place {
    Server { server: Server, name: String },
    File(PathBuf),
}

impl Database {
    /// On the shared server of that kind; SQLite: a new file.
    pub fn create(kind: EngineKind) -> Database {
        match kind {
            EngineKind::Sqlite => {
                let path = scratch_dir("sqlite").join("source.db");
                let database = Database { kind, place: Place::File(path), client: Mutex::new(None) };
                database.execute("PRAGMA journal_mode = WAL");
                database
            }
            _ => Self::create_on(kind, &Server::shared(kind)),
        }
    }

    /// On a private server.
    pub fn on(server: &Server) -> Database {
        Self::create_on(server.kind(), server)
    }

    fn create_on(kind: EngineKind, server: &Server) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut client =
            Client::connect(server, server.superuser(), server.system_database()).expect("the server answers");
        let create = match kind {
            EngineKind::Postgres => format!("CREATE DATABASE {name} OWNER retaind"),
            _ => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"),
        };
        client.execute(&create).expect("a database is created");
        Database { kind, place: Place::Server { server: server.clone(), name }, client: Mutex::new(None) }
    }

    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Whether a MariaDB plays MySQL's part.
    fn lacks_returning(&self) -> bool {
        self.kind == EngineKind::MariaDbNoReturning && !self.kind.is_mysql_proper()
    }

    /// The database's name on its server; SQLite: `main`.
    pub fn name(&self) -> &str {
        match &self.place {
            Place::Server { name, .. } => name,
            Place::File(_) => "main",
        }
    }

    /// The server; panics on SQLite, which has none.
    pub fn server(&self) -> &Server {
        match &self.place {
            Place::Server { server, .. } => server,
            Place::File(_) => panic!("SQLite has no server"),
        }
    }

    /// The file; panics on servers, which have many.
    pub fn path(&self) -> &std::path::Path {
        match &self.place {
            Place::File(path) => path,
            Place::Server { .. } => panic!("a server's database is not a file"),
        }
    }

    /// The url that a configuration wants, over the unix socket: no password needed.
    pub fn url(&self) -> String {
        self.url_as("retaind")
    }

    /// The same for another login.
    pub fn url_as(&self, user: &str) -> String {
        match (&self.place, self.kind) {
            (Place::File(path), _) => format!("sqlite:{}", path.display()),
            (Place::Server { server, name }, EngineKind::Postgres) => {
                let port = server.port().unwrap_or(5432);
                format!("postgres://{user}@localhost:{port}/{name}?host={}", server.socket().display())
            }
            (Place::Server { server, name }, _) => {
                let returning = if self.lacks_returning() { "&returning=off" } else { "" };
                format!("mysql://{user}@localhost/{name}?socket={}{returning}", server.socket().display())
            }
        }
    }

    /// The url over TCP with TLS, without the password (which is `secret`); `parameters` as after the `?`.
    pub fn url_without_password(&self, host: &str, parameters: &str) -> String {
        let scheme = if self.kind == EngineKind::Postgres { "postgres" } else { "mysql" };
        let port = self.server().port().expect("the server was started with TLS");
        format!("{scheme}://retaind@{host}:{port}/{}?{parameters}", self.name())
    }

    /// The source as a configuration with [`Database::url`] compiles to, with short timeouts.
    pub fn source(&self) -> Source {
        let endpoint = match &self.place {
            Place::File(path) => Endpoint::Sqlite { path: path.clone() },
            Place::Server { server, .. } => {
                let host = Host::Unix { path: server.socket(), port: server.port().unwrap_or(5432) };
                self.endpoint(host, None, Tls::default())
            }
        };
        Source {
            name: Name::parse("nvr").expect("a name"),
            endpoint,
            lock_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            max_connections: std::num::NonZeroU32::MIN,
            timezone: jiff::tz::TimeZone::UTC,
            search_path: None,
            pace: retaind::policy::Pace::default(),
        }
    }

    /// The same over TCP, with the password and such TLS.
    pub fn source_over_tcp(&self, host: &str, tls: Tls) -> Source {
        let port = self.server().port().expect("the server was started with TLS");
        let host = Host::Tcp { name: host.to_owned(), port };
        Source { endpoint: self.endpoint(host, Some(Secret::new("secret".to_owned())), tls), ..self.source() }
    }

    fn endpoint(&self, host: Host, password: Option<Secret>, tls: Tls) -> Endpoint {
        let server = retaind::policy::Server {
            host,
            user: "retaind".to_owned(),
            password,
            lacks_password: false,
            database: self.name().to_owned(),
            tls,
            returning: !self.lacks_returning(),
        };
        if self.kind == EngineKind::Postgres { Endpoint::Postgres(server) } else { Endpoint::MySql(server) }
    }

    /// Runs statements, separated by `;`, as the owner; panics where one fails.
    pub fn execute(&self, sql: &str) {
        self.with_client(sql, |client| client.execute(sql));
    }

    /// Runs a query; every value comes as text.
    pub fn query(&self, sql: &str) -> Rows {
        self.with_client(sql, |client| client.query(sql))
    }

    /// The only value of the only row.
    pub fn value(&self, sql: &str) -> Option<String> {
        let rows = self.query(sql);
        assert!(rows.len() == 1 && rows[0].len() == 1, "{sql}: one value expected, got {rows:?}");
        rows[0][0].clone()
    }

    /// The first column of every row, as identities to assert on.
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.query(sql).into_iter().map(|row| row[0].clone().unwrap_or_else(|| "NULL".to_owned())).collect()
    }

    /// A connection of one's own, for locks and transactions.
    pub fn connect(&self) -> Client {
        self.connect_as("retaind")
    }

    /// The same for another login; on SQLite all are one.
    pub fn connect_as(&self, user: &str) -> Client {
        match &self.place {
            Place::File(path) => Client::open(path),
            Place::Server { server, name } => Client::connect(server, user, name),
        }
        .expect("the database answers")
    }

    /// A connection of the server's superuser.
    pub fn connect_as_superuser(&self) -> Client {
        self.connect_as(self.server().superuser())
    }

    /// Inserts rows, 500 a statement, in one transaction.
    pub fn insert(&self, table: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<Option<String>>>) {
        let mut client = self.connect();
        client.execute("BEGIN").expect("BEGIN");
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let values: Vec<String> = rows.by_ref().take(500).map(|row| self.tuple(&row)).collect();
            let insert = format!("INSERT INTO {table} ({}) VALUES {}", columns.join(", "), values.join(", "));
            client.execute(&insert).unwrap_or_else(|error| panic!("{error:?}: {insert:.200}"));
        }
        client.execute("COMMIT").expect("COMMIT");
    }

    /// Inserts a row for each number of a series, on the server: `into` is `table (columns)`, `values` are expressions
    /// over `n`. The way to a million rows in seconds.
    pub fn insert_series(&self, into: &str, values: &str, series: RangeInclusive<u64>) {
        let (first, last) = (series.start(), series.end());
        self.execute(&match self.kind {
            EngineKind::Postgres => {
                format!("INSERT INTO {into} SELECT {values} FROM generate_series({first}::bigint, {last}) AS series(n)")
            }
            EngineKind::Sqlite => format!(
                "WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last}) \
                 INSERT INTO {into} SELECT {values} FROM series"
            ),
            _ if self.kind.is_mysql_proper() => format!(
                "INSERT INTO {into} WITH RECURSIVE series(n) AS \
                 (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last}) SELECT {values} FROM series"
            ),
            _ => format!(
                "INSERT INTO {into} SELECT {values} FROM (SELECT seq AS n FROM seq_{first}_to_{last}) AS series"
            ),
        });
    }

    /// The usual column type of an instant.
    pub fn timestamp_type(&self) -> &'static str {
        match self.kind {
            EngineKind::Postgres => "timestamptz",
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "datetime(6)",
            EngineKind::Sqlite => "TIMESTAMP",
        }
    }

    /// SQL for the instant so many seconds after 1970, from an integer expression.
    pub fn instant(&self, epoch_secs: &str) -> String {
        match self.kind {
            EngineKind::Postgres => format!("to_timestamp({epoch_secs})"),
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => format!("FROM_UNIXTIME({epoch_secs})"),
            EngineKind::Sqlite => format!("datetime({epoch_secs}, 'unixepoch')"),
        }
    }

    /// Asks again and again until the query's only value is as expected.
    pub fn wait_for(&self, sql: &str, expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let value = self.value(sql);
            if value.as_deref() == Some(expected) {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}: {value:?} never became {expected}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn tuple(&self, row: &[Option<String>]) -> String {
        let values: Vec<String> = row.iter().map(|value| self.literal(value.as_deref())).collect();
        format!("({})", values.join(", "))
    }

    fn literal(&self, value: Option<&str>) -> String {
        match value {
            None => "NULL".to_owned(),
            Some(value) if self.kind.is_mysql() => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")),
            Some(value) => format!("'{}'", value.replace('\'', "''")),
        }
    }

    fn with_client<T>(
        &self,
        sql: &str,
        work: impl FnOnce(&mut Client) -> Result<T, Box<dyn std::error::Error + Send + Sync>>,
    ) -> T {
        let mut client = self.client.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A connection from before a restart of the server is of no use, so each is tried out first.
        if client.as_mut().is_some_and(|client| client.query("SELECT 1").is_err()) {
            *client = None;
        }
        let client = client.get_or_insert_with(|| self.connect());
        work(client).unwrap_or_else(|error| panic!("{:?}: {error:?}: {sql:.500}", self.kind))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        *self.client.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
        match &self.place {
            Place::File(path) => {
                if let Some(dir) = path.parent() {
                    let _ = std::fs::remove_dir_all(dir);
                }
            }
            Place::Server { server, name } => {
                if let Ok(mut client) = Client::connect(server, server.superuser(), server.system_database()) {
                    let force = if self.kind == EngineKind::Postgres { " WITH (FORCE)" } else { "" };
                    let _ = client.execute(&format!("DROP DATABASE {name}{force}"));
                }
            }
        }
    }
}
