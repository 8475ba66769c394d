//! Start, end, and signals.

use super::*;

#[test]
fn it_is_ready_then_stops_in_order() {
    let world = world("schedule = \"0 3 * * *\"");
    let mut daemon = Daemon::start(&world);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    let status = status_of(&ready).unwrap();
    assert!(status.starts_with("Idle; next: sweep at "), "{status}");
    daemon.signal(Signal::TERM);
    daemon.await_message("STOPPING=1", |message| message.contains("STOPPING=1"));
    assert_eq!(daemon.end_within(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn a_signal_during_the_start_is_heeded() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::start(&world);
    // From when the signals are taken until READY is a matter of milliseconds: whichever it meets, it ends in order.
    let deadline = Instant::now() + PATIENCE;
    let taken = |daemon: &Daemon| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap() & (1 << 14) != 0
    };
    while !taken(&daemon) {
        assert!(Instant::now() < deadline, "SIGTERM was never taken");
        std::thread::sleep(Duration::from_micros(200));
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end_within(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn g7_a_second_daemon_is_refused_naming_the_first() {
    let world = world("every = \"1h\"");
    let first = Daemon::ready(&world);
    let mut second = binary::command(RETAIND)
        .arg("daemon")
        .arg("--config")
        .arg(world.dir.join("retaind.toml"))
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert!(said.contains(&first.child.id().to_string()), "{said}");
    first.stop();
}

#[test]
fn a_bad_configuration_is_exit_code_78() {
    let world = world("every = \"0s\"");
    let mut daemon = Daemon::start(&world);
    assert_eq!(daemon.end_within(PATIENCE).code(), Some(78));
    assert!(log(&world).contains("every"), "{}", log(&world));
}

#[test]
fn g8_sigterm_cancels_and_the_ledger_says_what_went() {
    let world = world("every = \"1s\"");
    fill(&world, 300_000);
    let mut daemon = Daemon::ready(&world);
    await_purge(&world, 300_000);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end_within(Duration::from_secs(2)).code(), Some(0));
    let left: u64 = world.db.value("SELECT COUNT(*) FROM item").unwrap().parse().unwrap();
    assert!(left > 0, "the purge was over before the signal came");
    let runs = ledger(&world).query("SELECT status, cause, totals FROM runs").unwrap();
    assert_eq!((text(&runs[0][0]), text(&runs[0][1])), ("cancelled", "signal"));
    let totals: serde_json::Value = serde_json::from_str(text(&runs[0][2])).unwrap();
    assert_eq!(totals["rows_deleted"].as_u64(), Some(300_000 - left));
}

#[test]
fn a_second_signal_does_not_wait() {
    // A source that is locked for longer than anybody wants to wait.
    let world = world("every = \"1s\"");
    fill(&world, 10);
    let mut daemon = Daemon::ready(&world);
    let mut holder = world.db.connect();
    holder.execute("BEGIN EXCLUSIVE").unwrap();
    daemon.await_status("Running sweep");
    daemon.signal(Signal::TERM);
    daemon.await_message("STOPPING=1", |message| message.contains("STOPPING=1"));
    daemon.signal(Signal::TERM);
    let code = daemon.end_within(Duration::from_secs(2)).code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    holder.execute("COMMIT").unwrap();
    assert_eq!(world.ids().len(), 10);
}
