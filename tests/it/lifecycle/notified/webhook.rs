//! Webhooks: their form, their signature, and a receiver that is slow, busy, gone and back.

use std::process::Command;

use super::*;
use crate::engines::Authority;

#[test]
fn a_signature_is_what_openssl_says() {
    let authority = Authority::create();
    let receiver = Receiver::start_tls(&authority);
    let mut world = world("every = \"20d\"");
    let (url, key) = (secret(&world, "url", &receiver.url("/hook")), secret(&world, "key", "s3cret\n"));
    let token = secret(&world, "token", "t0ken");
    world.declare(&format!(
        "max_rows = 1\n[notify.ops]\nwebhook = {{ url_file = \"{url}\", secret_file = \"{key}\", token_file = \
         \"{token}\", tls_ca = \"{}\" }}",
        authority.root_cert().display()
    ));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let received = receiver.await_received(1, || log(&world)).remove(0);
    assert_eq!((received.target.as_str(), received.header("authorization")), ("/hook", Some("Bearer t0ken")));
    let signature = received.header("retaind-signature").unwrap().to_owned();
    let (at, signature) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let signed = world.dir.join("signed");
    std::fs::write(&signed, format!("{at}.{}", received.body)).unwrap();
    let openssl = Command::new("openssl").args(["dgst", "-sha256", "-hmac", "s3cret", "-r"]).arg(&signed).output();
    let made = String::from_utf8(openssl.unwrap().stdout).unwrap();
    assert_eq!(made.split(' ').next(), Some(signature));
    assert_eq!(received.header("retaind-id"), Some(word(&received.json(), "/id")));
    let shown = [log(&world), call_in(&world, &["check"]).stdout, call_in(&world, &["config", "show"]).stdout];
    for text in shown {
        assert!(!text.contains("s3cret") && !text.contains("t0ken") && !text.contains("/hook"), "{text}");
    }
    daemon.stop();
}

#[test]
fn a_page_of_errors_gives_no_secret_away() {
    let receiver = Receiver::start();
    receiver.behave(&[Manner::Echoes("404 Not Found")]);
    let mut world = world(&format!("every = \"20d\"\nping = \"{}\"", receiver.url("/ping/s3cret")));
    let (url, token) = (secret(&world, "url", &receiver.url("/hook/s3cret")), secret(&world, "token", "t0ken"));
    world.declare(&format!(
        "max_rows = 1\n[notify.ops]\nwebhook = {{ url_file = \"{url}\", token_file = \"{token}\" }}"
    ));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    await_undelivered(&world);
    receiver.await_received(2, || log(&world));
    let deadline = Instant::now() + PATIENCE;
    let errors = loop {
        let errors = ledger(&world).query("SELECT error FROM outbox WHERE error IS NOT NULL").unwrap();
        if errors.len() >= 2 {
            break errors;
        }
        assert!(Instant::now() < deadline, "{errors:?} {}", log(&world));
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(errors.iter().flatten().flatten().all(|error| error.contains("404")), "{errors:?}");
    let status = crate::cli::call_as_written(&world, &["status", "--json"]);
    let tested = crate::cli::call_as_written(&world, &["notify", "test", "ops", "--json"]);
    assert!(word(&tested.json(), "/answer").contains("404"), "{}", tested.stdout);
    for text in [log(&world), format!("{errors:?}"), status.stdout, tested.stdout] {
        assert!(!text.contains("s3cret") && !text.contains("t0ken") && !text.contains("/hook"), "{text}");
    }
    daemon.stop();
}

#[test]
fn a_stranger_with_another_certificate_hears_nothing() {
    let receiver = Receiver::start_tls(&Authority::create());
    let ca = Authority::create().root_cert();
    let world = blocked(&receiver, "every = \"20d\"", &format!("tls_ca = \"{}\"", ca.display()));
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let deadline = Instant::now() + PATIENCE;
    while !log(&world).contains("cannot be delivered") {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(receiver.received().is_empty());
    assert_eq!(waiting(&world), 1);
    daemon.stop();
}

#[test]
fn each_preset_has_its_servers_shape() {
    let receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    let token = secret(&world, "token", "t0ken");
    world.declare("max_rows = 1");
    for (format, path) in [("ntfy", "/ops"), ("gotify", "/push/"), ("slack", "/services/T0/B0")] {
        let url = receiver.url(path);
        world.declare(&format!(
            "[notify.{format}]\nwebhook = {{ url = \"{url}\", format = \"{format}\", token_file = \"{token}\" }}"
        ));
    }
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let received = receiver.await_received(3, || log(&world));
    let of =
        |target: &str| received.iter().find(|each| each.target == target).unwrap_or_else(|| panic!("{received:#?}"));
    let (ntfy, gotify, slack) = (of("/"), of("/push/message"), of("/services/T0/B0"));
    let body = ntfy.json();
    assert_eq!(
        (&body["topic"], &body["priority"], &body["tags"]),
        (&json!("ops"), &json!(4), &json!(["rotating_light"]))
    );
    assert!(word(&body, "/title").contains("items") && word(&body, "/message").contains("items"), "{body:#}");
    assert_eq!(ntfy.header("authorization"), Some("Bearer t0ken"));
    let body = gotify.json();
    assert_eq!((&body["priority"], gotify.header("x-gotify-key")), (&json!(8), Some("t0ken")));
    assert!(word(&body, "/title").contains("items") && word(&body, "/message").contains("items"), "{body:#}");
    assert!(word(&slack.json(), "/text").contains("items"), "{}", slack.body);
    assert_eq!(slack.json().as_object().unwrap().len(), 1);
    daemon.stop();
}

#[test]
fn a_receiver_killed_in_a_run_delays_nothing() {
    const MANY: u64 = 4000;
    let mut receiver = Receiver::start();
    let mut world = blocked(&receiver, "every = \"20d\"", "");
    world.declare("[policies.purge]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 100");
    world.declare("[notify.other]\nwebhook = { url = \"PLACE\" }");
    let other = Receiver::start();
    let config = world.config_file();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("PLACE", &other.url("/"))).unwrap();
    receiver.behave(&[Manner::Hangs]);
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 3..=MANY);
    let daemon = Daemon::ready_without_config(&world);
    run(&world, "sweep");
    receiver.await_received(1, || log(&world));
    other.await_received(1, || log(&world));
    // The message is on its way to one that hangs.
    let began = Instant::now();
    assert_eq!(post(&world, "/run", json!({ "names": ["purge"] })).status, 202);
    await_purge(&world, MANY);
    receiver.kill();
    await_runs(&world, 2);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(world.ids().is_empty());
    await_undelivered(&world);
    // The daemon is killed, and both come back.
    drop(daemon);
    assert_eq!(waiting(&world), 1);
    receiver.behave(&[Manner::Answers("204 No Content")]);
    receiver.restart();
    let daemon = Daemon::ready_without_config(&world);
    let received = receiver.await_received(2, || log(&world));
    await_waiting(&world, 0);
    let ids: Vec<_> = received.iter().map(|each| each.header("retaind-id").unwrap()).collect();
    assert_eq!((ids[0], &received[0].body), (ids[1], &received[1].body));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((receiver.received().len(), other.received().len()), (2, 1));
    assert!(!matters(&world).contains(&"undelivered".to_owned()), "{:?}", matters(&world));
    daemon.stop();
}

#[test]
fn who_asks_to_wait_is_waited_for() {
    let receiver = Receiver::start();
    receiver.behave(&[Manner::Answers("429 Too Many Requests\r\nRetry-After: 5"), Manner::Answers("200 OK")]);
    let world = blocked(&receiver, "every = \"20d\"", "");
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let received = receiver.await_received(2, || log(&world));
    let waited = received[1].at - received[0].at;
    assert!(waited >= Duration::from_millis(4900), "{waited:?}");
    await_waiting(&world, 0);
    let page = crate::http::send(
        &world.dir.join("state/retaind.sock"),
        b"GET /metrics HTTP/1.1\r\nHost: retaind\r\nConnection: close\r\n\r\n",
    );
    for number in [
        "retaind_notifications_total{destination=\"ops\",result=\"delivered\"} 1",
        "retaind_notifications_total{destination=\"ops\",result=\"failed\"} 1",
        "retaind_notifications_total{destination=\"ops\",result=\"dropped\"} 0",
        "retaind_notifications_pending{destination=\"ops\"} 0",
    ] {
        assert!(page.lines().any(|line| line == number), "{number}: {page}");
    }
    daemon.stop();
}

#[test]
fn what_is_refused_holds_up_nothing_behind_it() {
    let receiver = Receiver::start();
    receiver.behave(&[Manner::Answers("400 Bad Request"), Manner::Answers("200 OK")]);
    let mut world = blocked(&receiver, "every = \"20d\"", "");
    world.declare("[policies.other]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nmax_rows = 1");
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    receiver.await_received(1, || log(&world));
    run(&world, "other");
    let received = receiver.await_received(3, || log(&world));
    let subjects: Vec<_> = received.iter().map(|each| word(&each.json(), "/subject/name").to_owned()).collect();
    assert_eq!(subjects, ["sweep", "other", "sweep"]);
    daemon.stop();
}

#[test]
fn a_redirect_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    let head: &'static str = format!("302 Found\r\nLocation: {}", elsewhere.url("/")).leak();
    receiver.behave(&[Manner::Answers(head)]);
    let world = blocked(&receiver, "every = \"20d\"", "");
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    receiver.await_received(2, || log(&world));
    assert!(elsewhere.received().is_empty());
    assert_eq!(waiting(&world), 1);
    daemon.stop();
}

#[test]
fn a_test_says_what_came_of_it() {
    let receiver = Receiver::start();
    let world = blocked(&receiver, "every = \"20d\"", "");
    world.config_file();
    let tried = |state: &str| {
        let tested = crate::cli::call_as_written(&world, &["notify", "test", "ops", "--json"]);
        assert_eq!(word(&receiver.received().pop().unwrap().json(), "/state"), state);
        (tested.code, tested.json()["delivered"].clone())
    };
    assert_eq!(tried("test"), (Some(0), json!(true)));
    let daemon = Daemon::ready_without_config(&world);
    assert_eq!(tried("test"), (Some(0), json!(true)));
    let entries = call_in(&world, &["audit", "--json"]).json();
    assert_eq!((&entries[0]["action"], &entries[0]["subject"]), (&json!("test_notify"), &json!("ops")), "{entries:#}");
    receiver.behave(&[Manner::Answers("403 Forbidden")]);
    assert_eq!(tried("test"), (Some(1), json!(false)));
    assert_eq!(crate::cli::call_as_written(&world, &["notify", "test", "oops"]).code, Some(2));
    assert_eq!(post(&world, "/notify/oops/test", json!({})).status, 404);
    assert_eq!((receiver.received().len(), waiting(&world)), (3, 0));
    daemon.stop();
}
