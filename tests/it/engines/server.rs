//! Private PostgreSQL and MariaDB servers: set up, started, stopped, killed and started again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::programs::Product;
use super::scratch::{RunAs, Supervised, run, scratch_dir};
use super::{Authority, Client, EngineKind};
use crate::needs::{Need, assert_named};

/// How a private server is set up.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// Serve TLS on 127.0.0.1 with a certificate of this authority for this host name.
    pub tls: Option<(Authority, String)>,
    /// Write through to the disk, as a production server does; for measurements. Without it a commit still outlives
    /// the server, only not the machine.
    pub durable: bool,
    /// More settings, as the server's command line takes them after `--` (`max_connections=5`).
    pub settings: Vec<String>,
}

/// A server that is ours alone. Cheap to clone; it ends when the last clone is dropped, and with the test binary at the
/// latest.
#[derive(Clone)]
pub struct Server {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) kind: EngineKind,
    pub(super) dir: PathBuf,
    /// Where TLS was asked for.
    pub(super) port: Option<u16>,
    pub(super) arguments: Vec<String>,
    pub(super) process: Mutex<Option<Supervised>>,
}

impl Server {
    /// The server that tests share. Both kinds start, at once, when the first of them is asked for.
    pub fn shared(kind: EngineKind) -> Server {
        assert_named(Need::Server);
        static SHARED: OnceLock<(Server, Server)> = OnceLock::new();
        let (postgres, mariadb) = SHARED.get_or_init(|| {
            let mariadb = std::thread::spawn(|| Server::start(EngineKind::MariaDb, ServerOptions::default()));
            let postgres = Server::start(EngineKind::Postgres, ServerOptions::default());
            (postgres, mariadb.join().expect("MariaDB starts"))
        });
        match Product::of(kind) {
            Product::Postgres => postgres.clone(),
            Product::MariaDb => mariadb.clone(),
            Product::MySql => {
                static MYSQL: OnceLock<Server> = OnceLock::new();
                MYSQL.get_or_init(|| Server::start(kind, ServerOptions::default())).clone()
            }
        }
    }

    /// Sets up and starts a server of our own.
    pub fn start(kind: EngineKind, options: ServerOptions) -> Server {
        assert_named(Need::Server);
        let (dir, arguments, port) = match Product::of(kind) {
            Product::Postgres => set_up_postgres(&options),
            product => set_up_mysql(product, &options),
        };
        let server = Server { inner: Arc::new(Inner { kind, dir, port, arguments, process: Mutex::new(None) }) };
        server.restart();
        server.set_up_login();
        server
    }

    /// Starts it again after [`Server::stop`] or [`Server::kill`], and waits until it answers.
    pub fn restart(&self) {
        let mut process = self.inner.process.lock().unwrap();
        assert!(process.is_none(), "the server runs already");
        let mut command = run_as(self.inner.kind).command(&self.product().server());
        command.args(&self.inner.arguments);
        let mut started = Supervised::start(&command, &self.log());
        let deadline = Instant::now() + Duration::from_secs(60);
        while Client::connect(self, self.superuser(), self.system_database()).is_err() {
            let running = started.is_running();
            assert!(
                running && Instant::now() < deadline,
                "{:?} does not answer:\n{}",
                self.inner.kind,
                self.log_text()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        *process = Some(started);
    }

    /// Ends it in good order.
    pub fn stop(&self) {
        let signal = if self.inner.kind == EngineKind::Postgres { Signal::INT } else { Signal::TERM };
        self.end(signal);
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&self) {
        self.end(Signal::KILL);
    }

    /// Ends it at once, leaving nothing behind but its data, which it does not put in order.
    pub fn abandon(&self) {
        self.end(if self.inner.kind == EngineKind::Postgres { Signal::QUIT } else { Signal::KILL });
    }

    /// Stops answering, connections included, until [`Server::thaw`]: what a hung host looks like.
    pub fn freeze(&self) {
        self.signal_all(Signal::STOP);
    }

    /// Undoes [`Server::freeze`].
    pub fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    /// Whether its process is there.
    pub fn is_running(&self) -> bool {
        self.inner.process.lock().unwrap().as_mut().is_some_and(Supervised::is_running)
    }

    pub fn kind(&self) -> EngineKind {
        self.inner.kind
    }

    /// Its program.
    pub fn product(&self) -> Product {
        Product::of(self.inner.kind)
    }

    /// The TCP port on 127.0.0.1, where TLS was asked for.
    pub fn port(&self) -> Option<u16> {
        self.inner.port
    }

    /// PostgreSQL: the directory of the socket. MariaDB: the socket.
    pub fn socket(&self) -> PathBuf {
        match self.inner.kind {
            EngineKind::Postgres => self.inner.dir.clone(),
            _ => self.inner.dir.join("mariadb.sock"),
        }
    }

    /// The directory of its data.
    pub fn data(&self) -> PathBuf {
        self.inner.dir.join("data")
    }

    /// The login that may do anything, over the socket.
    pub fn superuser(&self) -> &'static str {
        if self.inner.kind == EngineKind::Postgres { "postgres" } else { "root" }
    }

    /// A database that is always there.
    pub fn system_database(&self) -> &'static str {
        if self.inner.kind == EngineKind::Postgres { "postgres" } else { "mysql" }
    }

    /// What the server wrote so far.
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    fn log(&self) -> PathBuf {
        self.inner.dir.join("log")
    }

    fn end(&self, signal: Signal) {
        let process = self.inner.process.lock().unwrap().take().expect("the server runs");
        end(process, signal);
    }

    fn signal_all(&self, signal: Signal) {
        let process = self.inner.process.lock().unwrap();
        let process = process.as_ref().expect("the server runs");
        process.signal(signal);
        for child in process.children() {
            let _ = rustix::process::kill_process(child, signal);
        }
    }

    /// The login that retaind uses: `retaind`, without a password over the socket, with `secret` over TCP.
    fn set_up_login(&self) {
        let mut client = Client::connect(self, self.superuser(), self.system_database()).expect("the server answers");
        let statements: &[&str] = match self.inner.kind {
            EngineKind::Postgres => &["CREATE ROLE retaind LOGIN PASSWORD 'secret'"],
            _ => &[
                "CREATE USER retaind@localhost",
                "GRANT ALL ON *.* TO retaind@localhost",
                "CREATE USER retaind@'127.0.0.1' IDENTIFIED BY 'secret'",
                "GRANT ALL ON *.* TO retaind@'127.0.0.1'",
            ],
        };
        for statement in statements {
            client.execute(statement).expect("a login is set up");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(process) = self.process.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).take() {
            end(process, Signal::KILL);
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Ends a server, and waits until every process of it is gone.
fn end(process: Supervised, signal: Signal) {
    let children = process.children();
    process.signal(Signal::CONT);
    process.signal(signal);
    process.wait();
    for child in children {
        let _ = rustix::process::kill_process(child, Signal::KILL);
        // PostgreSQL does not start again before each of them has let go of its memory.
        while is_alive(child) {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub(super) fn run_as(kind: EngineKind) -> RunAs {
    RunAs::server(if kind == EngineKind::Postgres { "postgres" } else { "mysql" })
}

/// Whether a process is there and has not ended; one that waits to be collected has.
fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn set_up_postgres(options: &ServerOptions) -> (PathBuf, Vec<String>, Option<u16>) {
    let dir = scratch_dir("postgres");
    let user = run_as(EngineKind::Postgres);
    user.own(&dir);
    let data = dir.join("data");
    fresh_data(Product::Postgres, &data, |data| {
        let options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let mut installer = user.command(&Product::Postgres.installer());
        installer.args(options).args(["--no-instructions", "-D"]).arg(data);
        installer
    });
    let mut settings = vec![
        format!("unix_socket_directories={}", dir.display()),
        "max_connections=200".to_owned(),
        "shared_buffers=128MB".to_owned(),
        "max_wal_size=4GB".to_owned(),
    ];
    if !options.durable {
        settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
    }
    let port = options.tls.as_ref().map(|(authority, host)| {
        let port = free_port();
        let (certificate, key) = authority.issue(host, &dir);
        user.own(&dir);
        let hba = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), hba).expect("pg_hba.conf");
        settings.extend([
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ]);
        port
    });
    if port.is_none() {
        settings.push("listen_addresses=".to_owned());
    }
    settings.extend(options.settings.iter().cloned());
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
    (dir, arguments, port)
}

/// Makes a data directory: a copy of the product's first one, which `installer` makes where it is told to.
fn fresh_data(product: Product, data: &Path, installer: impl FnOnce(&Path) -> Command) {
    static FIRST: [OnceLock<PathBuf>; 3] = [const { OnceLock::new() }; 3];
    let first = FIRST[product as usize].get_or_init(|| {
        let dir = scratch_dir("first");
        let kind = if product == Product::Postgres { EngineKind::Postgres } else { EngineKind::MariaDb };
        run_as(kind).own(&dir);
        run(installer(&dir.join("data")).current_dir(&dir));
        dir.join("data")
    });
    run(Command::new("cp").args(["--archive", "--sparse=always"]).arg(first).arg(data));
}

/// MariaDB or MySQL.
fn set_up_mysql(product: Product, options: &ServerOptions) -> (PathBuf, Vec<String>, Option<u16>) {
    let dir = scratch_dir("mariadb");
    let user = run_as(EngineKind::MariaDb);
    let (data, temporary) = (dir.join("data"), dir.join("tmp"));
    std::fs::create_dir(&temporary).expect("mkdir in our own directory");
    user.own(&dir);
    let mut common = vec![
        "--no-defaults".to_owned(),
        // Two servers that share one trip over each other's temporary tables.
        format!("--tmpdir={}", temporary.display()),
        "--skip-log-bin".to_owned(),
    ];
    common.extend(product.places());
    let install: &[&str] = match product {
        Product::MySql => {
            common.push("--innodb-redo-log-capacity=64M".to_owned());
            // Series of test rows are made by recursion.
            common.push("--cte-max-recursion-depth=100000000".to_owned());
            &["--initialize-insecure"]
        }
        _ => {
            common.push("--innodb-log-file-size=64M".to_owned());
            &["--auth-root-authentication-method=normal", "--skip-test-db"]
        }
    };
    fresh_data(product, &data, |data| {
        let mut installer = user.command(&product.installer());
        installer.args(&common).arg(format!("--datadir={}", data.display())).args(install);
        installer
    });
    let mut arguments = common;
    arguments.extend([
        format!("--datadir={}", data.display()),
        format!("--socket={}", dir.join("mariadb.sock").display()),
        format!("--pid-file={}", dir.join("pid").display()),
        "--innodb-buffer-pool-size=128M".to_owned(),
        "--max-connections=200".to_owned(),
        "--skip-name-resolve".to_owned(),
    ]);
    if !options.durable {
        arguments.extend(["--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=OFF"].map(str::to_owned));
    }
    let port = options.tls.as_ref().map(|(authority, host)| {
        let port = free_port();
        let (certificate, key) = authority.issue(host, &dir);
        user.own(&dir);
        arguments.extend([
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={port}"),
            format!("--ssl-cert={}", certificate.display()),
            format!("--ssl-key={}", key.display()),
        ]);
        port
    });
    if port.is_none() {
        arguments.push("--skip-networking".to_owned());
    }
    arguments.extend(options.settings.iter().map(|setting| format!("--{setting}")));
    (dir, arguments, port)
}
