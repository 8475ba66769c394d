//! A mail server of the tests' own (Debian's aiosmtpd), which writes down what it takes; killed and started again.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::Authority;
use super::scratch::{Supervised, scratch_dir};
use crate::needs::{Need, assert_named};

const PATIENCE: Duration = Duration::from_secs(90);
pub const USER: &str = "retaind@example.org";
pub const PASSWORD: &str = "s3cret";

/// A mail server for `localhost`; it ends when it is dropped.
pub struct MailServer {
    dir: PathBuf,
    port: u16,
    mode: &'static str,
    process: Option<Supervised>,
}

impl MailServer {
    /// Starts one: TLS by `starttls` or `implicit`, with a certificate of that authority.
    pub fn start(authority: &Authority, mode: &'static str) -> Self {
        assert_named(Need::Program("aiosmtpd"));
        let dir = scratch_dir("mail");
        authority.issue("localhost", &dir);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { dir, port, mode, process: None };
        server.restart();
        server
    }

    /// Starts it again after [`MailServer::kill`].
    pub fn restart(&mut self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail_server.py");
        // Not one of a virtual environment: the module is a package of Debian's.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(self.port.to_string()).arg(&self.dir).args([self.mode, USER, PASSWORD]);
        let log = self.dir.join("log");
        let mut started = Supervised::start(&command, &log);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(started.is_running() && Instant::now() < deadline, "the mail server does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(started);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let process = self.process.take().expect("it runs");
        process.signal(Signal::KILL);
        process.wait();
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Mails that it took, in order.
    pub fn mails(&self) -> Vec<Value> {
        let is_mail = |path: &PathBuf| path.extension().is_some_and(|end| end == "json");
        let entries = std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = entries.filter(is_mail).collect();
        paths.sort();
        paths.iter().map(|path: &PathBuf| read(path)).collect()
    }

    /// Waits until it has taken so many.
    pub fn await_mails(&self, count: usize, log: impl Fn() -> String) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            let own = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "only {} came: {own}\n{}", mails.len(), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}
