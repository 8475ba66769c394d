//! E-mail: by a real mail server, which is killed, and which wants TLS and a password.

use super::*;
use crate::engines::{Authority, MailServer, PASSWORD, USER};
use crate::needs::Need;

/// A world whose policy is blocked, and whose owner has a mailbox.
fn mailed(server: &MailServer, authority: &Authority, scheme: &str, password: &str) -> World {
    let to = "\"ops@example.org\", \"Ada <ada@example.org>\"";
    mailed_to(to, (server, authority), scheme, password)
}

fn mailed_to(to: &str, (server, authority): (&MailServer, &Authority), scheme: &str, password: &str) -> World {
    let mut world = world("every = \"20d\"");
    let (port, user, password) = (server.port(), USER.replace('@', "%40"), secret(&world, "password", password));
    world.declare(&format!(
        "max_rows = 1\ndescription = \"Items of the shop\"\nowner = \"Grüße, Ä.\"\n[notify.ops]\nemail = {{ url = \
         \"{scheme}://{user}@localhost:{port}\", password_file = \"{password}\", from = \"retaind <retaind@example.org>\", \
         to = [{to}], tls_ca = \"{}\" }}",
        authority.root_cert().display()
    ));
    fill(&world, 2);
    world
}

#[test]
fn a_mail_says_what_is_the_matter() {
    needs!(Need::Program("aiosmtpd"));
    let authority = Authority::create();
    let server = MailServer::start(&authority, "starttls");
    let world = mailed(&server, &authority, "smtp", PASSWORD);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let mail = server.await_mails(1, || log(&world)).remove(0);
    assert_eq!((&mail["from"], &mail["encrypted"]), (&json!("retaind@example.org"), &json!(true)));
    assert_eq!((&mail["to"], &mail["login"]), (&json!(["ops@example.org", "ada@example.org"]), &json!(USER)));
    let text = word(&mail, "/text");
    let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
    assert!(header("Subject: ").ends_with("policy items is blocked"), "{text}");
    assert_eq!(header("Auto-Submitted: "), "auto-generated");
    let id = header("Retaind-Id: ").to_owned();
    assert!(header("Message-ID: ").starts_with(&format!("<{id}@")), "{text}");
    assert!(text.contains("Items of the shop") && text.contains("retaind runs "), "{text}");
    world.db.execute("DELETE FROM item WHERE id = 1");
    run(&world, "sweep");
    let over = server.await_mails(2, || log(&world)).remove(1);
    let thread =
        |mail: &Value| word(mail, "/text").lines().find(|line| line.starts_with("References: ")).unwrap().to_owned();
    assert_eq!(thread(&mail), thread(&over));
    assert!(!log(&world).contains(PASSWORD), "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_killed_mail_server_delays_nothing() {
    const MANY: u64 = 3000;
    needs!(Need::Program("aiosmtpd"));
    let authority = Authority::create();
    let mut server = MailServer::start(&authority, "starttls");
    let mut world = mailed(&server, &authority, "smtp", PASSWORD);
    world.declare("[policies.purge]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 100");
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 3..=MANY);
    let daemon = Daemon::ready(&world);
    let began = Instant::now();
    assert_eq!(post(&world, "/run", json!({ "names": ["purge"] })).status, 202);
    await_purge(&world, MANY);
    server.kill();
    world.db.execute("INSERT INTO item (id, at) SELECT id + 100000, at FROM item");
    await_runs(&world, 1);
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 200_001..=200_002);
    run(&world, "sweep");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    await_undelivered(&world);
    // The daemon is killed as well.
    drop(daemon);
    server.restart();
    let daemon = Daemon::ready_without_config(&world);
    server.await_mails(1, || log(&world));
    await_waiting(&world, 0);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(server.mails().len(), 1);
    daemon.stop();
}

#[test]
fn a_wrong_password_waits_for_the_right_one() {
    needs!(Need::Program("aiosmtpd"));
    let authority = Authority::create();
    let server = MailServer::start(&authority, "implicit");
    let world = mailed(&server, &authority, "smtps", "wr0ng");
    let mut daemon = Daemon::ready(&world);
    run(&world, "sweep");
    await_undelivered(&world);
    assert!(!log(&world).contains("wr0ng"), "{}", log(&world));
    secret(&world, "password", PASSWORD);
    daemon.reload();
    assert_eq!(server.await_mails(1, || log(&world))[0]["encrypted"], true);
    await_waiting(&world, 0);
    assert!(log(&world).contains("notify ops: password changed"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_slow_goodbye_sends_no_mail_again() {
    needs!(Need::Program("aiosmtpd"));
    let authority = Authority::create();
    let server = MailServer::start(&authority, "starttls");
    let world = mailed_to("\"slow@example.org\"", (&server, &authority), "smtp", PASSWORD);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    server.await_mails(1, || log(&world));
    let taken = Instant::now();
    await_waiting(&world, 0);
    assert!(taken.elapsed() < Duration::from_secs(8), "{:?}", taken.elapsed());
    assert_eq!(server.mails().len(), 1);
    daemon.stop();
}

#[test]
fn a_recipient_who_is_refused_stops_no_other() {
    needs!(Need::Program("aiosmtpd"));
    let authority = Authority::create();
    let server = MailServer::start(&authority, "implicit");
    let to = "\"nobody@example.org\", \"ops@example.org\"";
    let world = mailed_to(to, (&server, &authority), "smtps", PASSWORD);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    assert_eq!(server.await_mails(1, || log(&world))[0]["to"], json!(["ops@example.org"]));
    await_waiting(&world, 0);
    assert!(log(&world).contains("nobody@example.org: permanent error (550)"), "{}", log(&world));
    assert_eq!(server.mails().len(), 1);
    daemon.stop();
}

#[test]
fn a_mail_for_nobody_waits_and_is_told() {
    needs!(Need::Program("aiosmtpd"));
    let authority = Authority::create();
    let server = MailServer::start(&authority, "starttls");
    // One that is refused has a moment of its own for the next try; one that fails has that of its destination.
    for (to, code, is_refused) in [("nobody", "550", true), ("later", "451", false)] {
        let to = format!("\"{to}@example.org\"");
        let world = mailed_to(&to, (&server, &authority), "smtp", PASSWORD);
        let daemon = Daemon::ready(&world);
        run(&world, "sweep");
        await_undelivered(&world);
        let tried = ledger(&world).query("SELECT error, try_at IS NOT NULL FROM outbox").unwrap();
        assert!(tried[0][0].as_deref().unwrap().contains(code), "{tried:?}");
        assert_eq!(tried[0][1].as_deref() == Some("1"), is_refused, "{tried:?}");
        daemon.stop();
    }
    assert!(server.mails().is_empty());
}

#[test]
fn a_line_without_end_is_not_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut said, line) = (0, [b'2'; 64 << 10]);
        while said < 256 << 20 && std::io::Write::write_all(&mut stream, &line).is_ok() {
            said += line.len();
        }
        said
    });
    let mut world = world("every = \"20d\"");
    world.declare(&format!(
        "max_rows = 1\n[notify.ops]\nemail = {{ url = \"smtp://localhost:{port}?tls=none\", from = \"a@b\", to = \"c@d\" }}"
    ));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    await_undelivered(&world);
    // What the kernel holds for both ends is beyond it.
    let said = said.join().unwrap();
    assert!(said < 64 << 20, "{said} bytes were taken");
    assert!(log(&world).contains("it says more than 262144 bytes"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_mail_server_without_tls_hears_no_password() {
    let authority = Authority::create();
    // A server that greets, and offers nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 1024];
        std::io::Write::write_all(&mut stream, b"220 h ESMTP\r\n").unwrap();
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..count]);
            std::io::Write::write_all(&mut stream, b"250 h\r\n").unwrap();
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    let mut world = world("every = \"20d\"");
    let password = secret(&world, "password", PASSWORD);
    world.declare(&format!(
        "max_rows = 1\n[notify.ops]\nemail = {{ url = \"smtp://u@localhost:{port}\", password_file = \"{password}\", from = \
         \"a@b\", to = \"c@d\", tls_ca = \"{}\" }}",
        authority.root_cert().display()
    ));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    await_undelivered(&world);
    let heard = heard.join().unwrap();
    assert!(heard.starts_with("EHLO") && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
    daemon.stop();
}
