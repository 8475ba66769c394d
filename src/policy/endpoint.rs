//! Address of a source, and the way to reach it.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::text::shell_word;

/// The three database engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Postgres,
    MySql,
    Sqlite,
}

impl Engine {
    /// True if its databases are files, without a server.
    pub fn is_file(self) -> bool {
        self == Engine::Sqlite
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Postgres => "PostgreSQL",
            Engine::MySql => "MySQL",
            Engine::Sqlite => "SQLite",
        })
    }
}

/// A parsed source url.
#[derive(Debug, Clone)]
pub enum Endpoint {
    Postgres(Server),
    MySql(Server),
    Sqlite { path: PathBuf },
}

impl Endpoint {
    /// The engine that answers there.
    pub fn engine(&self) -> Engine {
        match self {
            Endpoint::Postgres(_) => Engine::Postgres,
            Endpoint::MySql(_) => Engine::MySql,
            Endpoint::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// The server; none where the database is a file.
    pub fn server(&self) -> Option<&Server> {
        match self {
            Endpoint::Postgres(server) | Endpoint::MySql(server) => Some(server),
            Endpoint::Sqlite { .. } => None,
        }
    }

    /// The server, to be changed.
    pub(super) fn server_mut(&mut self) -> Option<&mut Server> {
        match self {
            Endpoint::Postgres(server) | Endpoint::MySql(server) => Some(server),
            Endpoint::Sqlite { .. } => None,
        }
    }

    /// The file that the database is; none where there is a server.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Endpoint::Postgres(_) | Endpoint::MySql(_) => None,
            Endpoint::Sqlite { path } => Some(path),
        }
    }

    /// True if names without a schema are looked up along a search path.
    pub(super) fn has_search_path(&self) -> bool {
        matches!(self, Endpoint::Postgres(_))
    }

    /// True if the server knows how far its replicas are behind.
    pub(super) fn tells_of_replicas(&self) -> bool {
        matches!(self, Endpoint::Postgres(_))
    }

    /// Identity of the database: engine, place and database, without user, password or options. An intent remembers it,
    /// so that a recovery never asks the wrong database.
    pub fn identity(&self) -> String {
        match self {
            Endpoint::Postgres(server) => format!("postgres:{}/{}", server.host, server.database),
            Endpoint::MySql(server) => format!("mysql:{}/{}", server.host, server.database),
            Endpoint::Sqlite { path } => format!("sqlite:{}", path.display()),
        }
    }

    /// The command by which an administrator of the machine sends statements there.
    pub fn administration(&self) -> String {
        let here = ["localhost", "127.0.0.1", "::1"];
        let database = |server: &Server| shell_word(&server.database).into_owned();
        match self {
            Endpoint::Sqlite { path } => {
                let path = path.to_string_lossy();
                let path = shell_word(&path);
                // What root writes beside the file, nobody else could write.
                format!("runuser -u \"$(stat -c %U -- {path})\" -- sqlite3 -bail {path}")
            }
            Endpoint::Postgres(server) => {
                let psql = "psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1";
                let (run, place) = match &server.host {
                    Host::Unix { path, port } => (
                        "runuser -u postgres -- ",
                        format!("--host={} --port={port}", shell_word(&path.to_string_lossy())),
                    ),
                    Host::Tcp { name, port } if here.contains(&name.as_str()) => {
                        ("runuser -u postgres -- ", format!("--port={port}"))
                    }
                    Host::Tcp { name, port } => {
                        ("", format!("--host={} --port={port} --username=postgres", shell_word(name)))
                    }
                };
                format!("{run}{psql} {place} --dbname={}", database(server))
            }
            Endpoint::MySql(server) => {
                let place = match &server.host {
                    Host::Unix { path, .. } => format!("--socket={}", shell_word(&path.to_string_lossy())),
                    Host::Tcp { name, .. } if here.contains(&name.as_str()) => "--host=localhost".to_owned(),
                    Host::Tcp { name, port } => {
                        format!("--host={} --port={port} --user=root --password", shell_word(name))
                    }
                };
                format!("mysql {place} --database={}", database(server))
            }
        }
    }

    /// A url by which it could be reached, without the password.
    pub fn url(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let (scheme, server) = match self {
            Endpoint::Postgres(server) => ("postgres", server),
            Endpoint::MySql(server) => ("mysql", server),
            Endpoint::Sqlite { path } => return format!("sqlite:{}", encode(&path.to_string_lossy())),
        };
        let Server { host, user, database, tls, returning, .. } = server;
        let (address, mut query) = match (host, self) {
            (Host::Tcp { name, port }, _) if name.contains(':') => (format!("[{name}]:{port}"), Vec::new()),
            (Host::Tcp { name, port }, _) => (format!("{}:{port}", encode(name)), Vec::new()),
            (Host::Unix { path, port: _ }, Endpoint::MySql(_)) => {
                ("localhost".to_owned(), vec![format!("socket={}", encode(&path.to_string_lossy()))])
            }
            (Host::Unix { path, port }, _) => (
                "localhost".to_owned(),
                vec![format!("host={}", encode(&path.to_string_lossy())), format!("port={port}")],
            ),
        };
        if matches!(host, Host::Tcp { .. }) || tls.mode != TlsMode::Disable {
            query.push(format!("sslmode={}", tls.mode.word()));
        }
        query.extend(tls.root_cert.iter().map(|path| format!("sslrootcert={}", encode(&path.to_string_lossy()))));
        query.extend((!returning).then(|| "returning=off".to_owned()));
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("{scheme}://{}@{address}/{}{query}", encode(user), encode(database))
    }
}

/// Everything that means something in a url.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A database server and the database on it.
#[derive(Debug, Clone)]
pub struct Server {
    pub host: Host,
    pub user: String,
    pub password: Option<Secret>,
    /// The password is a credential that was not passed to this process.
    pub lacks_password: bool,
    pub database: String,
    pub tls: Tls,
    /// MySQL: whether `DELETE … RETURNING` may be used where the server has it; the url parameter `returning=off`
    /// switches it off. Always on for PostgreSQL.
    pub returning: bool,
}

/// Address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Tcp {
        name: String,
        port: u16,
    },
    /// PostgreSQL: the directory of the socket and the port in its name. MySQL: the socket itself, port unused.
    Unix {
        path: PathBuf,
        port: u16,
    },
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Tcp { name, port } => write!(f, "{name}:{port}"),
            Host::Unix { path, port } => write!(f, "{}:{port}", path.display()),
        }
    }
}

/// `sslmode` and `sslrootcert` of a url.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    pub mode: TlsMode,
    /// PEM file of the authorities to trust instead of the system's.
    pub root_cert: Option<PathBuf>,
}

/// The words of libpq's `sslmode` that are told apart here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    Disable,
    /// TLS where the server offers it, unverified.
    #[default]
    Prefer,
    /// TLS or nothing, unverified.
    Require,
    /// TLS, the chain verified, the host name not.
    VerifyCa,
    /// TLS, chain and host name verified.
    VerifyFull,
}

impl TlsMode {
    /// libpq's word.
    pub fn word(self) -> &'static str {
        match self {
            TlsMode::Disable => "disable",
            TlsMode::Prefer => "prefer",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => "verify-full",
        }
    }
}

/// A password: never shown by `Debug`, `Display` or serialization.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The password itself, for the one call that logs in with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
