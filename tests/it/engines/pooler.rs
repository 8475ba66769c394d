//! PgBouncer before a private PostgreSQL server.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::scratch::{RunAs, Supervised, scratch_dir};
use super::{Client, Database};

const PORT: u16 = 6432;

/// A pooler that gives out connections to one database's server; it ends when it is dropped.
pub struct Pooler {
    dir: PathBuf,
    database: String,
    process: Mutex<Option<Supervised>>,
}

impl Pooler {
    /// Starts one in such a `pool_mode`, with so many connections to the server for each login.
    pub fn start(db: &Database, pool_mode: &str, pool_size: u32) -> Pooler {
        let dir = scratch_dir("pgbouncer");
        let user = RunAs::server("postgres");
        let users = dir.join("users.txt");
        std::fs::write(&users, "\"retaind\" \"\"\n\"mallory\" \"\"\n").expect("a file");
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\nunix_socket_dir = {}\n\
             auth_type = trust\nauth_file = {}\npool_mode = {pool_mode}\ndefault_pool_size = {pool_size}\n\
             server_reset_query =\n",
            db.server().socket().display(),
            db.server().port().unwrap_or(5432),
            dir.display(),
            users.display(),
        );
        let file = dir.join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("a file");
        user.own(&dir);
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .map(Path::new)
            .into_iter()
            .find(|path| path.exists())
            .expect("pgbouncer is installed (Debian: pgbouncer)");
        let mut command = user.command(program);
        command.arg(&file);
        let mut started = Supervised::start(&command, &dir.join("log"));
        let pooler = Pooler { dir, database: db.name().to_owned(), process: Mutex::new(None) };
        let deadline = Instant::now() + Duration::from_secs(30);
        while Client::connect_postgres(&pooler.dir, PORT, "retaind", &pooler.database).is_err() {
            let log = std::fs::read_to_string(pooler.dir.join("log")).unwrap_or_default();
            assert!(started.is_running() && Instant::now() < deadline, "PgBouncer does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
            // A pooler in statement mode answers as well; what it refuses comes later.
        }
        *pooler.process.lock().unwrap() = Some(started);
        pooler
    }

    /// The url that a configuration wants.
    pub fn url(&self) -> String {
        format!("postgres://retaind@localhost:{PORT}/{}?host={}", self.database, self.dir.display())
    }

    /// The application's connection, through the pooler.
    pub fn connect(&self) -> Client {
        Client::connect_postgres(&self.dir, PORT, "retaind", &self.database).expect("the pooler answers")
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Some(process) = self.process.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).take() {
            process.signal(rustix::process::Signal::KILL);
            process.wait();
        }
    }
}
