//! A private Redis on a unix socket: set up, killed, frozen and started again.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use redis::{Client, Connection};
use rustix::process::Signal;

use super::scratch::{RunAs, Supervised, scratch_dir};
use crate::needs::{Need, assert_named};

/// A Redis that is ours alone, empty at each start; it ends when it is dropped.
pub struct Redis {
    dir: PathBuf,
    password: Option<&'static str>,
    process: Mutex<Option<Supervised>>,
}

impl Redis {
    /// Sets up one, with this password.
    pub fn start(password: Option<&'static str>) -> Redis {
        assert_named(Need::Server);
        let dir = scratch_dir("redis");
        RunAs::server("redis").own(&dir);
        let redis = Redis { dir, password, process: Mutex::new(None) };
        redis.restart();
        redis
    }

    /// Starts it again after [`Redis::kill`], and waits until it answers.
    pub fn restart(&self) {
        let program = Path::new("/usr/bin/redis-server");
        assert!(program.exists(), "redis-server is installed (Debian: redis-server)");
        let mut command = RunAs::server("redis").command(program);
        command.args(["--port", "0", "--save", "", "--unixsocketperm", "777", "--dir"]).arg(&self.dir);
        command.arg("--unixsocket").arg(self.socket());
        command.args(self.password.iter().flat_map(|password| ["--requirepass", password]));
        let mut started = Supervised::start(&command, &self.dir.join("log"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.try_connect().is_none() {
            let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(started.is_running() && Instant::now() < deadline, "Redis does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        *self.process.lock().unwrap() = Some(started);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        let process = self.process.lock().unwrap().take().expect("it runs");
        process.signal(Signal::CONT);
        process.signal(Signal::KILL);
        process.wait();
    }

    /// Stops answering until [`Redis::thaw`].
    pub fn freeze(&self) {
        self.process.lock().unwrap().as_ref().expect("it runs").signal(Signal::STOP);
    }

    /// Undoes [`Redis::freeze`].
    pub fn thaw(&self) {
        self.process.lock().unwrap().as_ref().expect("it runs").signal(Signal::CONT);
    }

    /// The url that a configuration wants, without a password.
    pub fn url(&self) -> String {
        format!("unix://{}?db=0", self.socket().display())
    }

    /// A connection of the test's own.
    pub fn connect(&self) -> Connection {
        self.try_connect().expect("it answers")
    }

    fn try_connect(&self) -> Option<Connection> {
        let password = self.password.map(|password| format!("&pass={password}")).unwrap_or_default();
        let mut connection = Client::open(format!("{}{password}", self.url())).ok()?.get_connection().ok()?;
        redis::cmd("PING").exec(&mut connection).ok()?;
        Some(connection)
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.process.lock().is_ok_and(|process| process.is_some()) {
            self.kill();
        }
    }
}
