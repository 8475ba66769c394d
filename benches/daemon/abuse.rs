//! Somebody who abuses the TCP port: connections that say nothing, some that say a byte now and then, and requests that are none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

/// Connections that say nothing.
const IDLE: usize = 1000;
/// Those of them that are made anew when they are closed: as many as one address may have.
const LET_IN: usize = 64;
/// Connections that say a byte now and then.
const SLOW: usize = 50;
/// Pause between two requests that are none.
const PAUSE: Duration = Duration::from_millis(10);
/// Pause between two bytes of the slow ones, and looks at the idle ones.
const SLOW_PAUSE: Duration = Duration::from_millis(500);
/// Summary of it in words.
pub const WORDS: &str = "1,000 idle connections, 50 that send two bytes each second";

/// Abuse that goes on until it is ended.
pub struct Abuse {
    over: Arc<AtomicBool>,
    thrown: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Abuse {
    /// Begins, and waits until the idle connections are there.
    pub fn begin(address: SocketAddr, token: &str) -> Self {
        let (over, thrown) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let begin = format!("POST /api/v1/run HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n");
        let mut idle: Vec<Option<TcpStream>> = (0..IDLE).map(|_| connect(address, 1)).collect();
        let waits = {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::thread::sleep(SLOW_PAUSE);
                    // Whatever is beyond this the daemon closes at once.
                    for stream in idle.iter_mut().take(LET_IN).filter(|stream| is_over(stream.as_ref())) {
                        *stream = connect(address, 1);
                    }
                }
            })
        };
        let drips = {
            let (over, begin) = (Arc::clone(&over), begin.clone());
            std::thread::spawn(move || {
                let mut slow: Vec<Option<TcpStream>> = (0..SLOW).map(|_| None).collect();
                while !over.load(Ordering::Relaxed) {
                    for stream in &mut slow {
                        if stream.as_mut().is_none_or(|open| open.write_all(b"a").is_err()) {
                            let new = connect(address, 2);
                            *stream = new.filter(|mut open| open.write_all(begin.as_bytes()).is_ok());
                        }
                    }
                    std::thread::sleep(SLOW_PAUSE);
                }
            })
        };
        let throws = {
            let (over, thrown) = (Arc::clone(&over), Arc::clone(&thrown));
            std::thread::spawn(move || {
                for number in 0_usize.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let text = malformed(&begin, number);
                    if let Some(mut stream) = connect(address, 3)
                        && stream.write_all(&text).is_ok()
                    {
                        let _ = stream.shutdown(std::net::Shutdown::Write);
                        let _ = stream.read_to_end(&mut Vec::new());
                        thrown.fetch_add(1, Ordering::Relaxed);
                    }
                    std::thread::sleep(PAUSE);
                }
            })
        };
        Self { over, thrown, threads: vec![waits, drips, throws] }
    }

    /// Ends, and says how many malformed requests there were.
    pub fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // A panic in it has been printed.
            let _ = thread.join();
        }
        self.thrown.load(Ordering::Relaxed)
    }
}

fn malformed(begin: &str, number: usize) -> Vec<u8> {
    match number % 5 {
        0 => (0..500_u16).map(|byte| (byte * 7) as u8).collect(),
        1 => format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(20_000)).into_bytes(),
        2 => format!("{begin}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{{").into_bytes(),
        3 => format!("{begin}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{\"names\":").into_bytes(),
        _ => begin.replace("Bearer retaind_", "Bearer x").into_bytes().into_iter().chain(*b"\r\n").collect(),
    }
}

/// True if there is no such connection any more.
fn is_over(stream: Option<&TcpStream>) -> bool {
    let Some(stream) = stream else { return true };
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    !looked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// A connection from an address of this machine.
fn connect(to: SocketAddr, from: u8) -> Option<TcpStream> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).ok()?;
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 1, from], 0))).ok()?;
    rustix::net::connect(&socket, &to).ok()?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(15))).ok()?;
    Some(stream)
}
