//! Requests that a page of another server could make a browser send: none of them does anything.

use super::*;

impl Served {
    /// A run, asked for by an operator with these lines of its head in place of those that it should have.
    fn run_with(&self, host: &str, head: &[&str], body: &str) -> Reply {
        let bearer = format!("Authorization: Bearer {}", self.operator);
        let all: Vec<&str> =
            [host, &bearer].into_iter().chain(head.iter().copied()).filter(|l| !l.is_empty()).collect();
        self.send("POST", "/api/v1/run?wait=20s", &all, body)
    }
}

const JSON: &str = "Content-Type: application/json";
const RUN: &str = "{\"names\":[\"items\"]}";

#[test]
fn a_rebound_name_is_refused() {
    let served = Served::start("hosts = [\"NAS.example.org\"]");
    let port = served.address.port();
    let wrong = [
        "".to_owned(),
        "Host: ".to_owned(),
        format!("Host: evil.example:{port}"),
        "Host: nas.example.org.evil.example".to_owned(),
        "Host: xnas.example.org".to_owned(),
        "Host: example.org".to_owned(),
        "Host: 127.0.0.2".to_owned(),
        "Host: 0.0.0.0".to_owned(),
        "Host: [::1]".to_owned(),
        format!("Host: a@127.0.0.1:{port}"),
        "Host: 127.0.0.1\r\nHost: evil.example".to_owned(),
        "Host: 127.0.0.1, evil.example".to_owned(),
    ];
    for host in &wrong {
        let reply = served.run_with(host, &[JSON], RUN);
        let is_refused = (reply.status, &reply.body["code"]) == (421, &json!("misdirected")) || reply.status == 400;
        assert!(is_refused, "{host}: {} {}", reply.status, reply.body);
        assert_ne!(served.send("GET", "/healthz", &[host], "").status, 200, "{host}");
    }
    let absolute = request(
        "POST",
        "http://evil.example/api/v1/run",
        &[&served.host(), JSON, &format!("Authorization: Bearer {}", served.operator)],
        RUN,
    );
    assert_eq!(http::reply(&http::exchange(served.stream(), absolute.as_bytes())).status, 421);
    assert_eq!(served.left().len(), 3);
    for host in [
        "Host: 127.0.0.1",
        "Host: localhost:1",
        "Host: LOCALHOST",
        "Host: nas.example.org",
        "Host: Nas.Example.Org:443",
    ] {
        assert_eq!(served.run_with(host, &[JSON], "{\"names\":[\"items\"],\"mode\":\"plan\"}").status, 200, "{host}");
    }
    served.daemon.stop();
}

#[test]
fn a_page_of_another_server_is_refused() {
    let served = Served::start("hosts = [\"nas.example.org\"]");
    let port = served.address.port();
    let others = [
        "Origin: https://evil.example".to_owned(),
        "Origin: null".to_owned(),
        "Origin: ".to_owned(),
        "Origin: file://".to_owned(),
        format!("Origin: http://127.0.0.1:{}", port ^ 1),
        "Origin: http://127.0.0.1".to_owned(),
        format!("Origin: ftp://127.0.0.1:{port}"),
        format!("Origin: http://127.0.0.1:{port}.evil.example"),
        "Origin: http://nas.example.org:8080".to_owned(),
        "Sec-Fetch-Site: cross-site".to_owned(),
        "Sec-Fetch-Site: same-site".to_owned(),
    ];
    for head in &others {
        let reply = served.run_with(&served.host(), &[JSON, head], RUN);
        assert_eq!((reply.status, &reply.body["code"]), (403, &json!("forbidden")), "{head}");
        let preflight =
            served.send("OPTIONS", "/api/v1/run", &[&served.host(), head, "Access-Control-Request-Method: POST"], "");
        assert!(!(200..300).contains(&preflight.status), "{head}");
        for reply in [reply, preflight] {
            assert!(!reply.head.contains("access-control"), "{}", reply.head);
        }
    }
    assert_eq!(served.left().len(), 3);
    let own = format!("Origin: http://127.0.0.1:{port}");
    for head in [&own, "Origin: https://nas.example.org", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
        let reply = served.run_with(&served.host(), &[JSON, head], "{\"names\":[\"items\"],\"mode\":\"plan\"}");
        assert_eq!(reply.status, 200, "{head}");
        assert!(!reply.head.contains("access-control"), "{}", reply.head);
    }
    served.daemon.stop();
}

#[test]
fn a_body_as_of_a_form_is_refused() {
    let served = Served::start("");
    let types = [
        "",
        "Content-Type: text/plain",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Type: application/jsonp",
        "Content-Type: text/plain; application/json",
    ];
    for of_type in types {
        let reply = served.run_with(&served.host(), &[of_type], RUN);
        assert_eq!((reply.status, &reply.body["code"]), (415, &json!("unsupported_media_type")), "{of_type}");
    }
    assert_eq!(served.left().len(), 3);
    let bearer = format!("Authorization: Bearer {}", served.operator);
    let paused = served.send("POST", "/api/v1/policies/items/pause", &[&served.host(), &bearer], "");
    assert_eq!(paused.status, 200, "without a body it needs no type");
    served.send("POST", "/api/v1/policies/items/resume", &[&served.host(), &bearer], "");
    let socket = served.world.dir.join("state/retaind.sock");
    assert_eq!(
        http::request(&socket, "POST", "/api/v1/run", "{\"names\":[\"items\"],\"mode\":\"plan\"}").status,
        202,
        "nor on the socket"
    );
    let run = served.run_with(&served.host(), &["Content-Type: Application/JSON; charset=utf-8"], RUN);
    assert_eq!((run.status, served.left()), (200, vec!["3".to_owned()]), "{}", run.body);
    served.daemon.stop();
}

#[test]
fn a_page_behind_a_proxy_triggers_nothing() {
    let served = Served::start("");
    let socket = served.world.dir.join("state/retaind.sock");
    let send = |method: &str, path: &str, head: &[&str], body: &str| {
        let all = [&["Host: evil.example"], head].concat();
        http::reply(&http::send(&socket, request(method, path, &all, body).as_bytes()))
    };
    let origin = "Origin: https://evil.example";
    for head in
        [&[origin][..], &[origin, JSON], &["Sec-Fetch-Site: cross-site", "Content-Type: text/plain"], &["Origin: null"]]
    {
        let runs = send("POST", "/api/v1/run", head, RUN);
        assert_eq!((runs.status, &runs.body["code"]), (403, &json!("forbidden")), "{head:?}");
        assert_eq!(send("POST", "/api/v1/policies/items/pause", head, "").status, 403, "{head:?}");
    }
    assert_eq!(served.left().len(), 3);
    assert_eq!(send("GET", "/api/v1/status", &[origin], "").status, 200, "nothing is changed by it");
    assert_eq!(send("POST", "/api/v1/policies/items/pause", &[], "").status, 200, "others ask as they did");
    served.daemon.stop();
}
