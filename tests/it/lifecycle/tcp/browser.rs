//! Pages of somebody else in a browser that can reach the daemon: what they make it send does nothing, even with a token.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::engines::scratch_dir;
use crate::needs::Need;

const CHROMIUM: &str = "chromium-headless-shell";

/// Answers on this machine under the name of an attacker: with a page at first, and then, as if the name had been made to
/// lead there, with whatever the daemon answers.
pub(super) fn attack(page: String, daemon: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (page, counted) = (page.clone(), Arc::clone(&counted));
            std::thread::spawn(move || answer(stream, &page, daemon, &counted));
        }
    });
    (address, asked)
}

/// Answers one request: the page at `/`, and by way of the daemon what is for its API.
fn answer(mut stream: TcpStream, page: &str, daemon: SocketAddr, asked: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    if !head.contains(" /api/") {
        let length = page.len();
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{page}"
        );
        let _ = stream.write_all(text.as_bytes());
        return;
    }
    asked.fetch_add(1, Ordering::Relaxed);
    let mut onward = TcpStream::connect(daemon).unwrap();
    onward.write_all(head.replace("keep-alive", "close").as_bytes()).unwrap();
    let mut backward = onward.try_clone().unwrap();
    std::thread::spawn(move || std::io::copy(&mut reader, &mut onward));
    let _ = std::io::copy(&mut backward, &mut stream);
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// A page that tries each of these in turn, and then shows what came of them.
pub(super) fn page(tries: &[String]) -> String {
    let tries = tries.join(",\n");
    format!(
        "<body><pre id=out></pre><iframe name=hidden></iframe><script>
        const form = (action, type, fields) => new Promise(done => {{
            const made = Object.assign(document.createElement('form'), {{ method: 'POST', action, enctype: type, target: 'hidden' }});
            for (const [name, value] of fields) made.append(Object.assign(document.createElement('input'), {{ name, value }}));
            document.body.append(made);
            made.submit();
            setTimeout(() => done({{ status: 'sent' }}), 300);
        }});
        (async () => {{
            const tries = [{tries}];
            for (const attempt of tries)
                out.textContent += await attempt().then(answer => answer.type === 'opaque' ? 'opaque ' : answer.status + ' ', () => 'refused ');
            out.textContent += 'end';
        }})();
        </script></body>"
    )
}

/// Opens a page, waits for what it does, and returns what it shows.
fn open(url: &str) -> String {
    let profile = scratch_dir("chromium");
    let output = Command::new(CHROMIUM)
        .args(["--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
        .arg("--host-resolver-rules=MAP evil.example 127.0.0.1")
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .output()
        .expect("Chromium starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = dom.split_once("<pre id=\"out\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    shown
        .map(|(shown, _)| shown.to_owned())
        .unwrap_or_else(|| panic!("{dom} {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_page_in_a_browser_triggers_nothing() {
    needs!(Need::Program(CHROMIUM));
    let served = Served::start("rate_limit = \"none\"");
    let (daemon, token) = (served.address, &served.operator);
    let run = r#"JSON.stringify({names: ['items']})"#;
    let across = |options: &str| {
        format!("() => fetch('http://{daemon}/api/v1/run', {{ method: 'POST', body: {run}, {options} }})")
    };
    let bearer = format!("'Authorization': 'Bearer {token}'");
    let mut tries: Vec<String> = [
        "mode: 'no-cors'".to_owned(),
        "mode: 'no-cors', credentials: 'include', headers: { 'Content-Type': 'text/plain' }".to_owned(),
        format!("mode: 'no-cors', headers: {{ 'Content-Type': 'application/json', {bearer} }}"),
        "mode: 'cors'".to_owned(),
        format!("mode: 'cors', headers: {{ 'Content-Type': 'application/json', {bearer} }}"),
    ]
    .iter()
    .map(|options| across(options))
    .collect();
    for of_type in ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"] {
        tries.push(format!(
            "() => form('http://{daemon}/api/v1/run', '{of_type}', [['{{\"names\":[\"items\"],\"x\":\"', '\"}}']])"
        ));
    }
    // Of its own origin a page may send whatever it wants, as soon as its name leads to the daemon.
    let rebound = tries.len();
    for path in ["run", "policies/items/pause", "reload"] {
        let body = if path == "run" { format!("body: {run},") } else { String::new() };
        tries.push(format!(
            "() => fetch('/api/v1/{path}', {{ method: 'POST', {body} headers: {{ 'Content-Type': 'application/json', {bearer} }} }})"
        ));
    }
    let (attacker, asked) = attack(page(&tries), daemon);
    let shown = open(&format!("http://evil.example:{}/", attacker.port()));
    let came: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(came[..5], ["opaque", "opaque", "opaque", "refused", "refused"], "they were sent: {shown}");
    assert_eq!(came[rebound..], ["421", "421", "421", "end"], "{shown}");
    // A browser asks once more after a 421.
    assert!(asked.load(Ordering::Relaxed) >= 3, "the daemon was asked under the attacker's name");
    assert_eq!(served.left().len(), 3);
    assert_eq!(served.get(&served.viewer, "/runs").body["runs"], json!([]));
    assert_eq!(served.get(&served.viewer, "/status").body["paused"], json!([]));
    let audit = ledger(&served.world).query("SELECT action FROM audit WHERE action NOT LIKE 'token%'").unwrap();
    assert!(audit.is_empty(), "{audit:?}");
    // Under its own name the same requests do something: the page is no dud.
    let shown = open(&format!("http://localhost:{}/", attacker.port()));
    let came: Vec<&str> = shown.split_whitespace().collect();
    assert_eq!(came[rebound..], ["202", "200", "200", "end"], "{shown}");
    served.daemon.stop();
}
