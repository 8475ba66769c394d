//! A receiver of webhooks: a small HTTP server that writes down what it is sent, and can be slow, busy, gone and back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::Authority;
use super::scratch::scratch_dir;

const PATIENCE: Duration = Duration::from_secs(90);

/// A request that came.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    /// Path and query.
    pub target: String,
    /// Lines of the head behind the first, in lower case before their colon.
    pub headers: Vec<String>,
    pub body: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Answers with a status line and further lines of a head.
    Answers(&'static str),
    /// Answers with a status line, and a page that repeats the request's path and headers.
    Echoes(&'static str),
    /// Takes the connection, and never answers.
    Hangs,
}

/// State that the receiver's threads share.
struct Shared {
    received: Mutex<Vec<Received>>,
    /// The first for the next request, the last for all others.
    manners: Mutex<Vec<Manner>>,
    tls: Option<Arc<ServerConfig>>,
    /// Connections that were taken.
    taken: Mutex<Vec<TcpStream>>,
}

/// A receiver; it ends when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Receiver {
    /// One that answers 200 to all, over plain HTTP.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// One that has a certificate of an authority for `localhost`.
    pub fn start_tls(authority: &Authority) -> Self {
        let (certificate, key) = authority.issue("localhost", &scratch_dir("receiver"));
        let chain: Vec<_> = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Self::start_with(Some(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap())))
    }

    fn start_with(tls: Option<Arc<ServerConfig>>) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let manners = Mutex::new(vec![Manner::Answers("200 OK")]);
        let shared = Arc::new(Shared { received: Mutex::default(), manners, tls, taken: Mutex::default() });
        let mut receiver = Self { address, shared, listening: None };
        receiver.restart();
        receiver
    }

    /// Comes back after [`Receiver::kill`], at the same address.
    pub fn restart(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let listener = loop {
            match TcpListener::bind(self.address) {
                Ok(listener) => break listener,
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let (gone, shared) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.shared));
        let is_gone = Arc::clone(&gone);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_gone.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                shared.taken.lock().unwrap().push(stream.try_clone().unwrap());
                // A request that ends in the middle is of no matter to the test.
                std::thread::spawn(move || shared.take(stream));
            }
        });
        self.listening = Some((gone, thread));
    }

    /// Is gone at once, with its connections.
    pub fn kill(&mut self) {
        let (gone, thread) = self.listening.take().expect("it listens");
        gone.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        thread.join().unwrap();
        for stream in self.shared.taken.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Does so with the next requests, and like the last with all others.
    pub fn behave(&self, manners: &[Manner]) {
        *self.shared.manners.lock().unwrap() = manners.to_vec();
    }

    /// The url of a path there.
    pub fn url(&self, path: &str) -> String {
        let port = self.address.port();
        match self.shared.tls {
            None => format!("http://127.0.0.1:{port}{path}"),
            Some(_) => format!("https://localhost:{port}{path}"),
        }
    }

    /// Everything that came.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    pub fn await_received(&self, count: usize, log: impl Fn() -> String) -> Vec<Received> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            assert!(Instant::now() < deadline, "only {} came: {received:#?}\n{}", received.len(), log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.listening.is_some() {
            self.kill();
        }
    }
}

impl Shared {
    fn take(&self, stream: TcpStream) -> Option<()> {
        let _ = stream.set_read_timeout(Some(PATIENCE));
        match &self.tls {
            None => self.exchange(stream),
            Some(config) => {
                let connection = ServerConnection::new(Arc::clone(config)).ok()?;
                self.exchange(StreamOwned::new(connection, stream))
            }
        }
    }

    fn exchange(&self, stream: impl Read + Write) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let target = lines.first()?.strip_prefix("POST ")?.split(' ').next()?.to_owned();
        let headers: Vec<String> = lines.drain(1..).collect();
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let page = format!("{target} {headers:?}");
        self.received.lock().unwrap().push(Received { at: Instant::now(), target, headers, body });
        let manner = {
            let mut manners = self.manners.lock().unwrap();
            if manners.len() > 1 { manners.remove(0) } else { manners[0].clone() }
        };
        match manner {
            Manner::Hangs => {
                let _ = stream.read(&mut [0]);
            }
            Manner::Answers(head) => answer(stream.get_mut(), head, "ok")?,
            Manner::Echoes(head) => answer(stream.get_mut(), head, &page)?,
        }
        Some(())
    }
}

fn answer(stream: &mut impl Write, head: &str, body: &str) -> Option<()> {
    let length = body.len();
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).ok()?;
    stream.flush().ok()
}
