//! A hot standby of a private PostgreSQL server.

use std::sync::{Arc, Mutex};

use super::programs::postgres_program;
use super::scratch::{run, scratch_dir};
use super::server::{Inner, Server, run_as};
use super::{Client, EngineKind};

impl Server {
    /// Copies a running server and starts the copy, which follows it and takes no changes.
    pub fn standby(&self) -> Server {
        let dir = scratch_dir("standby");
        let (user, data) = (run_as(EngineKind::Postgres), dir.join("data"));
        user.own(&dir);
        run(user
            .command(&postgres_program("pg_basebackup"))
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--username=postgres", "--host"])
            .arg(self.socket())
            .arg("--pgdata")
            .arg(&data)
            .current_dir(&dir));
        let arguments = vec![
            "-D".to_owned(),
            data.display().to_string(),
            "-c".to_owned(),
            format!("unix_socket_directories={}", dir.display()),
            "-c".to_owned(),
            "listen_addresses=".to_owned(),
            "-c".to_owned(),
            "max_connections=200".to_owned(),
            "-c".to_owned(),
            "fsync=off".to_owned(),
        ];
        let inner = Inner { kind: EngineKind::Postgres, dir, port: None, arguments, process: Mutex::new(None) };
        let standby = Server { inner: Arc::new(inner) };
        standby.restart();
        standby
    }

    /// Makes a standby a server of its own, which takes changes.
    pub fn promote(&self) {
        let mut client = Client::connect(self, self.superuser(), self.system_database()).expect("the standby answers");
        client.execute("SELECT pg_promote()").expect("it is promoted");
    }

    /// The url of a database of this server.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://retaind@localhost:5432/{database}?host={}", self.socket().display())
    }
}
