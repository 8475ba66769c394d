//! Real database engines for the tests: private servers that never outlive the test binary, and a fresh database for
//! each test. Nothing here goes through retaind's own connections.
#![allow(dead_code, reason = "the harness offers more than each suite takes")]

mod authority;
mod client;
mod database;
mod mail_server;
mod pooler;
mod programs;
mod receiver;
mod redis_server;
mod scratch;
mod server;
mod standby;

pub use authority::Authority;
pub use client::Client;
pub use database::Database;
pub use mail_server::{MailServer, PASSWORD, USER};
pub use pooler::Pooler;
pub use programs::Product;
pub use receiver::{Manner, Received, Receiver};
pub use redis_server::Redis;
pub use scratch::scratch_dir;
pub use server::{Server, ServerOptions};

/// What a suite runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineKind {
    Postgres,
    MariaDb,
    /// MariaDB with `returning=off` in the url, which is how retaind sees a MySQL server; MySQL itself in `make matrix`.
    MariaDbNoReturning,
    Sqlite,
}

impl EngineKind {
    /// Each of them.
    pub const ALL: [EngineKind; 4] =
        [EngineKind::Postgres, EngineKind::MariaDb, EngineKind::MariaDbNoReturning, EngineKind::Sqlite];

    /// Whether the MySQL dialect is spoken there.
    pub fn is_mysql(self) -> bool {
        matches!(self, EngineKind::MariaDb | EngineKind::MariaDbNoReturning)
    }

    /// Whether the server there is a MySQL, not a MariaDB.
    pub fn is_mysql_proper(self) -> bool {
        self != EngineKind::Sqlite && Product::of(self) == Product::MySql
    }
}

/// Makes a `#[test]` on each engine out of every function: `for_each_engine! { fn name(db) { … } }` becomes
/// `name::postgres`, `name::mariadb`, `name::mariadb_no_returning` and `name::sqlite`; `db` is a fresh
/// [`Database`](crate::engines::Database). An `async fn` gets a multi-threaded runtime.
#[macro_export]
macro_rules! for_each_engine {
    () => {};
    (async fn $name:ident($db:ident) $body:block $($rest:tt)*) => {
        mod $name {
            #[allow(unused_imports, reason = "a suite may need nothing of its parent")]
            use super::*;
            async fn on($db: $crate::engines::Database) $body
            fn start(kind: $crate::engines::EngineKind) {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .expect("a runtime starts");
                runtime.block_on(on($crate::engines::Database::create(kind)));
            }
            $crate::for_each_engine!(@tests start);
        }
        $crate::for_each_engine! { $($rest)* }
    };
    (fn $name:ident($db:ident) $body:block $($rest:tt)*) => {
        mod $name {
            #[allow(unused_imports, reason = "a suite may need nothing of its parent")]
            use super::*;
            fn on($db: $crate::engines::Database) $body
            fn start(kind: $crate::engines::EngineKind) {
                on($crate::engines::Database::create(kind));
            }
            $crate::for_each_engine!(@tests start);
        }
        $crate::for_each_engine! { $($rest)* }
    };
    (@tests $start:ident) => {
        $crate::for_each_engine!(@test $start postgres Postgres);
        $crate::for_each_engine!(@test $start mariadb MariaDb);
        $crate::for_each_engine!(@test $start mariadb_no_returning MariaDbNoReturning);
        $crate::for_each_engine!(@test $start sqlite Sqlite);
    };
    (@test $start:ident $name:ident $kind:ident) => {
        #[test]
        fn $name() {
            needs!($crate::engines::EngineKind::$kind);
            $start($crate::engines::EngineKind::$kind);
        }
    };
}

mod tests {
    use super::*;

    for_each_engine! {
        fn a_fresh_database_holds_what_is_put_there(db) {
            db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(50))");
            db.insert("t", &["id", "name"], vec![vec![Some("1".into()), Some("it's \\ ünïcode".into())], vec![Some("2".into()), None]]);
            db.insert_series("t (id, name)", "n, 'bulk'", 3..=2000);
            assert_eq!(
                db.query("SELECT id, name FROM t WHERE id < 4 ORDER BY id"),
                [
                    [Some("1".to_owned()), Some("it's \\ ünïcode".to_owned())],
                    [Some("2".to_owned()), None],
                    [Some("3".to_owned()), Some("bulk".to_owned())],
                ]
            );
            assert_eq!(db.value("SELECT COUNT(*) FROM t").as_deref(), Some("2000"));
            let other = Database::create(db.kind());
            assert_ne!(other.url(), db.url());
        }

        fn instants_are_utc(db) {
            db.execute(&format!("CREATE TABLE t (id INTEGER, at {})", db.timestamp_type()));
            db.insert_series("t (id, at)", &format!("n, {}", db.instant("86400 * n")), 1..=1);
            let at = db.value("SELECT CAST(at AS CHAR(19)) FROM t");
            assert_eq!(at.as_deref(), Some("1970-01-02 00:00:00"));
        }
    }

    #[test]
    fn a_private_server_dies_and_comes_back() {
        needs!(crate::needs::Need::Server);
        for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
            let server = Server::start(kind, ServerOptions::default());
            let db = Database::on(&server);
            db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
            server.kill();
            assert!(!server.is_running());
            server.restart();
            db.execute("INSERT INTO t VALUES (1)");
            server.stop();
            server.restart();
            assert_eq!(db.value("SELECT id FROM t").as_deref(), Some("1"));
        }
    }
}
