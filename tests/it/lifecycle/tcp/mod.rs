//! The daemon's answers over TCP: who is let in, what is refused, and what disturbs nobody.

mod abuse;
mod browser;
mod dashboard;
mod described;
mod limits;
mod metrics;
mod origins;
mod prometheus;
mod rate;
mod tls;
mod tokens;

use std::net::{SocketAddr, TcpStream};

use rustix::net::{self, AddressFamily, SocketType};
use serde_json::{Value, json};

use super::*;
use crate::cli::call_in;
use crate::http::{self, Reply};

/// A daemon that answers over TCP, with a token of each role. Rows 1 and 2 of its world are old, 3 is young.
struct Served {
    world: World,
    daemon: Daemon,
    address: SocketAddr,
    operator: String,
    viewer: String,
}

impl Served {
    /// With these keys of `[server]` beside `listen`.
    fn start(keys: &str) -> Self {
        Self::start_in(world_served(keys))
    }

    fn start_in(world: World) -> Self {
        let [operator, viewer] = ["operator", "viewer"].map(|role| add_token(&world, role, role));
        let daemon = Daemon::ready(&world);
        Self { address: address(&world), world, daemon, operator, viewer }
    }

    fn stream(&self) -> TcpStream {
        connect(self.address, [127, 0, 0, 1])
    }

    /// Sends a request with these lines of its head, and whatever else each has to have.
    fn send(&self, method: &str, path: &str, head: &[&str], body: &str) -> Reply {
        http::reply(&http::exchange(self.stream(), request(method, path, head, body).as_bytes()))
    }

    /// Sends a request as clients do that know what they are doing.
    fn ask(&self, token: &str, method: &str, path: &str, body: Value) -> Reply {
        let bearer = format!("Authorization: Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = [self.host(), bearer, "Content-Type: application/json".to_owned()];
        self.send(method, &format!("/api/v1{path}"), &head.each_ref().map(String::as_str), &body)
    }

    fn get(&self, token: &str, path: &str) -> Reply {
        self.ask(token, "GET", path, Value::Null)
    }

    fn post(&self, token: &str, path: &str, body: Value) -> Reply {
        self.ask(token, "POST", path, body)
    }

    /// Reads what the service manager was told, or the daemon would wait for that.
    fn hear(&mut self) {
        while self.daemon.next_message(Instant::now() + Duration::from_millis(100)).is_some() {}
    }

    /// Loads the configuration anew.
    fn reload(&mut self) {
        self.hear();
        let ready = self.daemon.reload();
        assert!(!status_of(&ready).unwrap_or_default().contains("failed"), "{ready}");
    }

    fn host(&self) -> String {
        format!("Host: {}", self.address)
    }

    fn left(&self) -> Vec<String> {
        let rows = self.world.db.query("SELECT id FROM item ORDER BY id");
        rows.into_iter().map(|row| row[0].clone().unwrap()).collect()
    }
}

/// A connection from an address of this machine.
fn connect(to: SocketAddr, from: [u8; 4]) -> TcpStream {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    net::bind(&socket, &SocketAddr::from((from, 0))).unwrap();
    net::connect(&socket, &to).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Connections from as many addresses as it takes for none to have more than it may.
fn connect_many(to: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count).map(|number| connect(to, [127, 0, 1, (number / 50) as u8])).collect()
}

fn world_served(keys: &str) -> World {
    let mut world = world("every = \"20d\"");
    world.declare(&format!("[server]\nlisten = \"127.0.0.1:0\"\n{keys}\n"));
    fill(&world, 2);
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(4.0)), 3..=3);
    world
}

fn add_token(world: &World, name: &str, role: &str) -> String {
    call_in(world, &["token", "add", name, "--role", role]).with(0).stdout.trim().to_owned()
}

/// The address that the daemon has found a port for.
fn address(world: &World) -> SocketAddr {
    let log = log(world);
    let (_, rest) = log.split_once("://").unwrap_or_else(|| panic!("{log}"));
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

fn request(method: &str, path: &str, head: &[&str], body: &str) -> String {
    let head = head.iter().map(|line| format!("{line}\r\n")).collect::<String>();
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\n{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// A world in which each number has something to show: rows that went and one that cannot, orphans, and SQL that fails.
fn eventful() -> World {
    let mut world = world_served("rate_limit = \"none\"");
    world.declare(
        "[policies.strays]\nkind = \"orphans\"\nstore = \"images\"\ntask = \"sweep\"\nmode = \"report\"\nkeep = \"24h\"\n\
         [policies.wrong]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
         where = \"json_extract('{', '$.a') = id\"\n\
         [notify.ops]\nwebhook = { url = \"http://127.0.0.1:9/\" }\n",
    );
    world.put("images", "kept.jpg", 10);
    world.item(4, 1.0, None, Some("kept.jpg"));
    world.db.execute("INSERT INTO item (id, at) VALUES (5, 'never')");
    world.config_file();
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    world
}
