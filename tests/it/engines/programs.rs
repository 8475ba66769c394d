//! Programs of the servers: the system's, or newer ones that the environment names, as `make matrix` does.
//!
//! `RETAIND_IT_POSTGRES` is a directory with `postgres` and `initdb`; `RETAIND_IT_MARIADB` and `RETAIND_IT_MYSQL` are
//! roots beneath which the packages were unpacked. With MySQL there, the tests of MariaDB without RETURNING run on it.

use std::path::{Path, PathBuf};

use super::EngineKind;

/// A kind of server program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    Postgres,
    MariaDb,
    MySql,
}

impl Product {
    /// The program behind an engine; panics on SQLite, which has none.
    pub fn of(kind: EngineKind) -> Self {
        match kind {
            EngineKind::Postgres => Product::Postgres,
            EngineKind::MariaDb => Product::MariaDb,
            EngineKind::MariaDbNoReturning if named("RETAIND_IT_MYSQL").is_some() => Product::MySql,
            EngineKind::MariaDbNoReturning => Product::MariaDb,
            EngineKind::Sqlite => panic!("SQLite has no server"),
        }
    }

    /// The server itself.
    pub fn server(self) -> PathBuf {
        match self {
            Product::Postgres => postgres_program("postgres"),
            Product::MariaDb => match named("RETAIND_IT_MARIADB") {
                Some(root) => root.join("usr/sbin/mariadbd"),
                None => ["/usr/sbin/mariadbd", "/usr/bin/mariadbd"]
                    .map(PathBuf::from)
                    .into_iter()
                    .find(|path| path.exists())
                    .expect("mariadbd is installed (Debian: mariadb-server)"),
            },
            Product::MySql => mysql_root().join("usr/sbin/mysqld"),
        }
    }

    /// What makes a data directory. MySQL's server does so itself.
    pub fn installer(self) -> PathBuf {
        match self {
            Product::Postgres => postgres_program("initdb"),
            Product::MariaDb => match named("RETAIND_IT_MARIADB") {
                Some(root) => root.join("usr/bin/mariadb-install-db"),
                None => PathBuf::from("mariadb-install-db"),
            },
            Product::MySql => self.server(),
        }
    }

    /// Options that lead the server and the installer to what else belongs to them.
    pub fn places(self) -> Vec<String> {
        match self {
            Product::Postgres => vec![],
            Product::MariaDb => match named("RETAIND_IT_MARIADB") {
                Some(root) => vec![format!("--basedir={}", root.join("usr").display())],
                None => vec![],
            },
            Product::MySql => {
                let root = mysql_root();
                vec![
                    format!("--lc-messages-dir={}", root.join("usr/share/mysql").display()),
                    format!("--plugin-dir={}", root.join("usr/lib/mysql/plugin").display()),
                    "--secure-file-priv=NULL".to_owned(),
                ]
            }
        }
    }
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn mysql_root() -> PathBuf {
    named("RETAIND_IT_MYSQL").expect("RETAIND_IT_MYSQL names where MySQL was unpacked")
}

/// A program of PostgreSQL: of the version that the environment names, or else of the newest that is installed.
pub(super) fn postgres_program(name: &str) -> PathBuf {
    if let Some(programs) = named("RETAIND_IT_POSTGRES") {
        return programs.join(name);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed (Debian: postgresql)");
    versions
        .filter_map(|version| version.ok()?.file_name().into_string().ok()?.parse::<u32>().ok())
        .map(|version| (version, PathBuf::from(format!("/usr/lib/postgresql/{version}/bin/{name}"))))
        .filter(|(_, program)| Path::exists(program))
        .max()
        .map(|(_, program)| program)
        .expect("PostgreSQL is installed (Debian: postgresql)")
}
