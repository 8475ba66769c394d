//! What one client may have: connections, answers that go on, and places among those who ask sources.

use std::io::Write;

use super::*;

/// Some minutes' work for each row.
const SLOW: &str = "where = \"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) \
                    SELECT count(*) FROM n) > item.id\"";

/// Beside its usual policy with one that takes minutes to plan.
fn served_slowly() -> Served {
    let mut world = world_served("rate_limit = \"none\"");
    world.declare(&format!(
        "[policies.slow]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n{SLOW}\n"
    ));
    Served::start_in(world)
}

/// Reads to the end of a connection.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // One that is closed while it sends is reset.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// A request whose answer need not be the last of its connection.
fn kept(served: &Served, token: &str, method: &str, path: &str, body: &str) -> String {
    let (host, length) = (served.host(), body.len());
    format!(
        "{method} /api/v1{path} HTTP/1.1\r\n{host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// The same, to be the last one.
fn last(request: &str) -> String {
    request.replacen("\r\n", "\r\nConnection: close\r\n", 1)
}

fn remove(served: &Served, token: &str) {
    call_in(&served.world, &["token", "remove", token]).with(0);
}

fn is_running(served: &Served) -> bool {
    served.get(&served.viewer, "/status").body["progress"].as_array().is_some_and(|runs| runs.len() == 1)
}

#[test]
fn one_address_takes_a_quarter_of_the_connections() {
    let served = Served::start("");
    let mut many: Vec<TcpStream> = (0..80).map(|_| connect(served.address, [127, 0, 0, 9])).collect();
    // The first 64 have places; each of the others is closed without an answer.
    assert!(many.drain(64..).all(|mut stream| rest(&mut stream).is_empty()));
    let answer = |stream: &mut TcpStream| {
        let _ = stream.write_all(last(&kept(&served, &served.viewer, "GET", "/runs", "")).as_bytes());
        rest(stream)
    };
    assert!(many.iter_mut().take(3).all(|stream| answer(stream).starts_with("HTTP/1.1 200")), "{}", log(&served.world));
    assert!(log(&served.world).contains("127.0.0.9 has 64 connections over TCP"), "{}", log(&served.world));
    assert_eq!(served.get(&served.viewer, "/status").status, 200, "another address is answered");
    drop(many);
    let deadline = Instant::now() + PATIENCE;
    while !answer(&mut connect(served.address, [127, 0, 0, 9])).starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "places come free with their connections");
        std::thread::sleep(Duration::from_millis(20));
    }
    served.daemon.stop();
}

#[test]
fn a_refused_request_closes_its_connection() {
    let served = Served::start("");
    let good = kept(&served, &served.viewer, "GET", "/policies", "");
    let answers = |requests: &[&str]| {
        let mut stream = served.stream();
        stream.write_all([requests.concat(), last(&good)].concat().as_bytes()).unwrap();
        let answers = rest(&mut stream);
        answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(answers(&[&good]), ["200", "200"]);
    let nobody = kept(&served, "nobody", "GET", "/policies", "");
    assert_eq!(answers(&[&good, &nobody]), ["200", "401"]);
    let too_much = kept(&served, &served.viewer, "POST", "/policies/items/pause", "");
    assert_eq!(answers(&[&too_much]), ["403"]);
    let elsewhere = good.replace(&served.host(), "Host: elsewhere");
    assert_eq!(answers(&[&elsewhere]), ["421"]);
    served.daemon.stop();
}

#[test]
fn a_removed_token_ends_its_answers() {
    let served = Served::start("rate_limit = \"none\"");
    // In batches of 100 that takes longer than the rest of the test.
    served.world.db.insert_series("item (id, at)", &format!("n, {}", served.world.days_ago(40.0)), 10..=400_000);
    let [follower, waiter] = ["follower", "waiter"].map(|name| add_token(&served.world, name, "operator"));
    let mut waiting = served.stream();
    let run = kept(&served, &waiter, "POST", "/run?wait=10m", "{\"names\":[\"items\"]}");
    waiting.write_all(run.as_bytes()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !is_running(&served) {
        assert!(Instant::now() < deadline, "{}", log(&served.world));
        std::thread::sleep(Duration::from_millis(20));
    }
    let progress = served.get(&served.viewer, "/status").body["progress"][0].clone();
    let events = format!("/runs/{}/events", progress["run_id"].as_str().unwrap());
    let [mut following, mut staying] = [&follower, &served.viewer].map(|token| {
        let mut stream = served.stream();
        stream.write_all(last(&kept(&served, token, "GET", &events, "")).as_bytes()).unwrap();
        stream
    });
    remove(&served, "follower");
    let seen = rest(&mut following);
    assert!(
        seen.starts_with("HTTP/1.1 200") && seen.contains("event: progress") && !seen.contains("event: end"),
        "{seen}"
    );
    remove(&served, "waiter");
    assert_eq!(rest(&mut waiting), "", "there is no answer any more");
    assert!(is_running(&served), "the run itself goes on");
    let cancel = format!("/runs/{}/cancel", progress["run_id"].as_str().unwrap());
    assert_eq!(served.post(&served.operator, &cancel, Value::Null).status, 202);
    let seen = rest(&mut staying);
    assert!(
        seen.contains("event: end") && seen.contains("\"cancelled\""),
        "who keeps their token sees the end: {seen}"
    );
    served.daemon.stop();
}

#[test]
fn who_leaves_gives_back_their_place() {
    let served = served_slowly();
    let slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = served.stream();
            let question = kept(&served, &served.viewer, "GET", "/policies/slow/proposal", "");
            stream.write_all(question.as_bytes()).unwrap();
            stream
        })
        .collect();
    let asked = served.get(&served.operator, "/policies/items/proposal");
    assert_eq!((asked.status, &asked.body["amount"]), (200, &json!(2)), "viewers leave a place to operators");
    drop(slow);
    let asked = served.get(&served.viewer, "/policies/items/proposal");
    assert_eq!((asked.status, &asked.body["amount"]), (200, &json!(2)), "{}", asked.body);
    served.daemon.stop();
}

#[test]
fn whoever_shows_no_token_keeps_no_place() {
    let served = Served::start("");
    let mut stream = served.stream();
    stream.write_all(format!("GET /healthz HTTP/1.1\r\n{}\r\n\r\n", served.host()).as_bytes()).unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    served.daemon.stop();
}
