//! What is said, and when: once, again when it changes, and when it is well again.

use super::*;

#[test]
fn a_block_is_said_once_until_it_changes() {
    let receiver = Receiver::start();
    let world = blocked(&receiver, "every = \"1s\"", "");
    let daemon = Daemon::ready(&world);
    await_runs(&world, 5);
    daemon.stop();
    let mut daemon = Daemon::ready(&world);
    let before = await_runs(&world, 0).len();
    await_runs(&world, before + 3);
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["blocked", "firing", "sweep"]]);
    let policy = &notices[0]["policies"][0];
    assert_eq!((&policy["policy"], &policy["blocked_code"]), (&json!("items"), &json!("max_rows")));
    assert_eq!((&policy["description"], &policy["owner"]), (&json!("Items of the shop"), &json!("shop team")));
    assert_eq!(notices[0]["format_version"], 1);
    let shown = call_in(&world, &["runs", "--json", word(&notices[0], "/run_id")]).json();
    assert_eq!(shown["policies"][0]["blocked_facts"], policy["blocked_facts"], "{shown:#}");
    assert!(word(&notices[0], "/message").ends_with(word(&notices[0], "/command")), "{:#}", notices[0]);

    // Another guard.
    edit(&world, "max_rows = 1", "max_fraction = 0.5");
    daemon.reload();
    let notices = await_notices(&receiver, 2, &world);
    assert_eq!(heads(&notices[1..]), [["blocked", "firing", "sweep"]]);
    assert_eq!(word(&notices[1], "/policies/0/blocked_code"), "max_fraction");
    assert_eq!(notices[0]["since"], notices[1]["since"]);

    world.db.execute("DELETE FROM item WHERE id = 1");
    edit(&world, "max_fraction = 0.5", "");
    daemon.reload();
    let notices = await_notices(&receiver, 3, &world);
    assert_eq!(heads(&notices[2..]), [["blocked", "resolved", "sweep"]]);
    assert_eq!(notices[0]["since"], notices[2]["since"]);
    let before = await_runs(&world, 0).len();
    await_runs(&world, before + 3);
    daemon.stop();
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(waiting(&world), 0);
    assert!(!log(&world).contains("s3cret"), "{}", log(&world));
}

#[test]
fn a_failed_task_is_said_until_it_succeeds() {
    let receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    notify(&mut world, &receiver, "");
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    world.db.execute("ALTER TABLE item RENAME TO thing");
    run(&world, "sweep");
    run(&world, "items");
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["failed", "firing", "sweep"]]);
    assert!(!word(&notices[0], "/policies/0/reason").is_empty(), "{:#}", notices[0]);
    world.db.execute("ALTER TABLE thing RENAME TO item");
    run(&world, "sweep");
    let notices = await_notices(&receiver, 2, &world);
    assert_eq!(heads(&notices[1..]), [["failed", "resolved", "sweep"]]);
    daemon.stop();
}

#[test]
fn the_next_daemon_reports_a_killed_run() {
    let receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    notify(&mut world, &receiver, "");
    fill(&world, 20_000);
    let daemon = Daemon::ready(&world);
    post(&world, "/run", json!({ "names": ["sweep"] }));
    await_purge(&world, 20_000);
    // It is killed.
    drop(daemon);
    let daemon = Daemon::ready(&world);
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["failed", "firing", "sweep"]]);
    run(&world, "sweep");
    assert_eq!(heads(&await_notices(&receiver, 2, &world)[1..]), [["failed", "resolved", "sweep"]]);
    daemon.stop();
}

#[test]
fn a_hold_is_said_until_it_ends() {
    let receiver = Receiver::start();
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    declare(&mut world, "every = \"20d\"");
    notify(&mut world, &receiver, "");
    world.item(1, 40.0, None, None);
    world.item(2, 10.0, None, None);
    let mut daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let mut expected = 0;
    // Its first run may be held as well.
    let mut heard = |states: &[&str]| {
        expected += states.len();
        let notices = await_notices(&receiver, expected, &world);
        let new = &notices[expected - states.len()..];
        let wanted: Vec<_> = states.iter().map(|state| ["held", state, "sweep"]).collect();
        assert_eq!(heads(new), wanted, "{notices:#?}");
        new[new.len() - 1].clone()
    };
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    daemon.reload();
    let held = heard(&["firing"]);
    assert_eq!(word(&held, "/command"), "retaind approve items");
    edit(&world, "keep = \"3d\"", "keep = \"2d\"");
    daemon.reload();
    heard(&["firing"]);
    daemon.reload();
    edit(&world, "keep = \"2d\"", "keep = \"30d\"");
    daemon.reload();
    heard(&["resolved"]);
    daemon.stop();
}

#[test]
fn a_source_goes_down_and_comes_up() {
    let receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    notify(&mut world, &receiver, "");
    let path = world.db.url().strip_prefix("sqlite:").unwrap().to_owned();
    let aside = format!("{path}.aside");
    let mut daemon = Daemon::ready(&world);
    std::fs::rename(&path, &aside).unwrap();
    daemon.reload();
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["source_down", "firing", "app"]]);
    assert_eq!(word(&notices[0], "/policies/0/policy"), "items");
    daemon.stop();
    let daemon = Daemon::ready(&world);
    std::fs::rename(&aside, &path).unwrap();
    let notices = await_notices(&receiver, 2, &world);
    assert_eq!(heads(&notices[1..]), [["source_down", "resolved", "app"]], "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_task_that_did_not_run_is_overdue() {
    let receiver = Receiver::start();
    let mut world = world("every = \"6h\"\nmisfire_grace = \"1m\"");
    world.declare("[policies.rest]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"90d\"");
    notify(&mut world, &receiver, "");
    let daemon = Daemon::ready(&world);
    // As if the schedule had left out a slot.
    let then = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(13)).unwrap();
    let passed = format!("UPDATE tasks SET known_since = '{then:.9}', last_due_at = NULL WHERE task = 'sweep'");
    ledger(&world).execute(&passed).unwrap();
    run(&world, "rest");
    let notices = await_notices(&receiver, 1, &world);
    assert_eq!(heads(&notices), [["overdue", "firing", "sweep"]]);
    let passed = format!("UPDATE tasks SET last_due_at = '{:.9}' WHERE task = 'sweep'", jiff::Timestamp::now());
    ledger(&world).execute(&passed).unwrap();
    run(&world, "rest");
    let notices = await_notices(&receiver, 2, &world);
    assert_eq!(heads(&notices[1..]), [["overdue", "resolved", "sweep"]]);
    daemon.stop();
}

#[test]
fn who_wants_to_hear_little_hears_little() {
    let receiver = Receiver::start();
    let mut world = world("every = \"20d\"");
    let urls = [receiver.url("/failed"), receiver.url("/blocked")];
    world.declare("max_rows = 1");
    for (name, url) in ["failed", "blocked"].iter().zip(urls) {
        world.declare(&format!("[notify.{name}]\non = [\"{name}\"]\nwebhook = {{ url = \"{url}\" }}"));
    }
    fill(&world, 2);
    let mut daemon = Daemon::ready(&world);
    run(&world, "sweep");
    receiver.await_received(1, || log(&world));
    world.db.execute("ALTER TABLE item RENAME TO thing");
    run(&world, "sweep");
    let received = receiver.await_received(3, || log(&world));
    let mut came: Vec<_> =
        received.iter().map(|each| format!("{} {}", each.target, word(&each.json(), "/state"))).collect();
    came.sort();
    assert_eq!(came, ["/blocked firing", "/blocked resolved", "/failed firing"]);
    // One that is gone is not told that all is well.
    edit(&world, "[notify.failed]", "[notify.other]");
    receiver.behave(&[Manner::Answers("503 Busy")]);
    daemon.reload();
    let deadline = Instant::now() + PATIENCE;
    while receiver.received().len() < 4 {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(waiting(&world), 1);
    edit(&world, "[notify.other]", "[notify.third]");
    receiver.behave(&[Manner::Answers("200 OK")]);
    daemon.reload();
    await_waiting(&world, 0);
    assert!(log(&world).contains("1 notifications to other are dropped"), "{}", log(&world));
    daemon.stop();
}
