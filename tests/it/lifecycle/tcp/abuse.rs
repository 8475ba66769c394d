//! Whatever comes over TCP disturbs neither a run nor whoever asks on the socket.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

/// Malformed requests that are sent.
const MALFORMED: u64 = 10_000;
/// Bytes of memory that the daemon may have beyond those that it has at rest.
const ROOM: u64 = 80 << 20;

/// Numbers that look random and are the same each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.next() % most + 1).map(|_| self.next() as u8).collect()
    }
}

fn malformed(noise: &mut Noise, host: &str, bearer: &str) -> Vec<u8> {
    let good =
        request("POST", "/api/v1/run", &[host, bearer, "Content-Type: application/json"], "{\"names\":[\"none\"]}");
    let head = format!("POST /api/v1/run HTTP/1.1\r\n{host}\r\n{bearer}\r\nContent-Type: application/json\r\n");
    match noise.next() % 8 {
        0 => noise.bytes(2000),
        1 => good.as_bytes()[..(noise.next() as usize % good.len()).max(1)].to_vec(),
        2 => {
            let mut bytes = good.into_bytes();
            let place = noise.next() as usize % bytes.len();
            bytes[place] = noise.next() as u8;
            // Never a run by chance.
            bytes.truncate(bytes.len() - 1);
            bytes
        }
        3 => format!("GET /{} HTTP/1.1\r\n{host}\r\n\r\n", "a".repeat(20_000)).into_bytes(),
        4 => format!("GET / HTTP/1.1\r\n{host}\r\n{}\r\n", "x: y\r\n".repeat(500)).into_bytes(),
        5 => [format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &noise.bytes(300)].concat(),
        6 => format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{{").into_bytes(),
        _ => format!("{head}Content-Length: 99999999999\r\nContent-Length: 1\r\n\r\n{{").into_bytes(),
    }
}

/// Sends a request, and does not care for the answer.
fn throw(mut stream: TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn abuse_over_tcp_disturbs_no_run() {
    let served = Served::start("");
    served.world.db.insert_series("item (id, at)", &format!("n, {}", served.world.days_ago(40.0)), 10..=60_000);
    let (at_rest, mut most) = (resident(&served.daemon), 0);
    let socket = served.world.dir.join("state/retaind.sock");
    let begun = http::request(&socket, "POST", "/api/v1/run", "{\"names\":[\"items\"]}").body;
    let slow: Vec<TcpStream> = (0..50).map(|_| connect(served.address, [127, 0, 0, 2])).collect();
    let (address, host, bearer) = (served.address, served.host(), format!("Authorization: Bearer {}", served.operator));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thrower in 0..4 {
            let (host, bearer) = (&host, &bearer);
            scope.spawn(move || {
                let mut noise = Noise(0x9e37_79b9 + thrower);
                for _ in 0..MALFORMED / 4 {
                    throw(connect(address, [127, 0, 0, 1]), &malformed(&mut noise, host, bearer));
                }
            });
        }
        // A byte now and then, of a head or of a body that never ends.
        scope.spawn(|| {
            let head = format!("POST /api/v1/run HTTP/1.1\r\n{host}\r\n{bearer}\r\nContent-Length: 100\r\n\r\n");
            let texts = ["GET / HTTP/1.1\r\nHost: lo", &head];
            slow.iter().enumerate().for_each(|(at, mut stream)| drop(stream.write_all(texts[at % 2].as_bytes())));
            while !done.load(Ordering::Relaxed) {
                slow.iter().for_each(|mut stream| drop(stream.write_all(b"a")));
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        scope.spawn(|| {
            let _idle = connect_many(address, 1000);
            while !done.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let path = format!("/api/v1/runs/{}", begun["run_id"].as_str().unwrap());
        loop {
            let began = Instant::now();
            let run = http::request(&socket, "GET", &path, "");
            assert_eq!(run.status, 200, "{}", run.body);
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            most = most.max(resident(&served.daemon));
            if run.body["status"] != "running" {
                assert_eq!(run.body["status"], "completed", "{}", run.body);
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        done.store(true, Ordering::Relaxed);
    });
    most = most.max(resident(&served.daemon));
    assert!(most < at_rest + ROOM, "{} MiB, and {} MiB at rest", most >> 20, at_rest >> 20);
    assert_eq!(served.left(), ["3"]);
    assert_eq!(served.get(&served.viewer, "/runs").body["runs"].as_array().unwrap().len(), 1, "no other run began");
    served.daemon.stop();
}

#[test]
fn slow_and_idle_clients_are_cut_off() {
    let served = Served::start("");
    let bearer = format!("Authorization: Bearer {}", served.operator);
    let head =
        format!("POST /api/v1/run HTTP/1.1\r\n{}\r\n{bearer}\r\nContent-Type: application/json\r\n", served.host());
    let texts = ["", "GET / HTTP/1.1\r\nHost: lo", &format!("{head}Content-Length: 20\r\n\r\n{{\"names\":")];
    let began = Instant::now();
    let streams = texts.map(|text| {
        let mut stream = served.stream();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    });
    let [_, _, body] = streams.map(|mut stream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!((5..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(served.left().len(), 3);
    served.daemon.stop();
}

#[test]
fn connections_over_tcp_leave_the_socket_its_own() {
    let served = Served::start("");
    let _idle = connect_many(served.address, 300);
    let socket = served.world.dir.join("state/retaind.sock");
    let began = Instant::now();
    assert_eq!(http::request(&socket, "GET", "/api/v1/status", "").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(served.get(&served.viewer, "/status").status, 200, "and whoever waits for room gets it in time");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    served.daemon.stop();
}

#[test]
fn a_client_that_leaves_leaves_nothing_behind() {
    let mut served = Served::start("rate_limit = \"none\"");
    let bearer = format!("Authorization: Bearer {}", served.operator);
    let head = [&served.host(), &bearer, "Content-Type: application/json"];
    let run = request("POST", "/api/v1/run", &head, "{\"names\":[\"items\"]}");
    // From other addresses: whoever has as many connections as one address may is not answered until these are gone.
    for mut stream in connect_many(served.address, 200) {
        stream.write_all(run.as_bytes()).unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = served.get(&served.viewer, "/status").body["progress"].clone();
        if progress == json!([]) {
            break;
        }
        assert!(Instant::now() < deadline, "{progress}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(served.left(), ["3"]);
    served.hear();
    served.daemon.stop();
}
