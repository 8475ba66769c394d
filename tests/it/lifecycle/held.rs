//! What makes a policy take more than was agreed to waits, and says so: in the status line, in the journal and in results.

use retaind::config::Inputs;
use retaind::ledger::Approval;
use retaind::outcome::Operator;
use retaind::policy::{Name, Wording, compile};

use super::*;

/// A world with a row of 40 days and four of 10, whose task runs every second.
fn agreeing(task: &str) -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    declare(&mut world, task);
    world.item(1, 40.0, None, None);
    for id in 2..=5 {
        world.item(id, 10.0, None, None);
    }
    world
}

/// A daemon that has taken the row of 40 days: its configuration is agreed to.
fn agreed(world: &World) -> Daemon {
    let mut daemon = Daemon::ready(world);
    daemon.await_status("last: sweep completed");
    assert_eq!(world.ids(), [2, 3, 4, 5].into());
    daemon
}

/// Approves the policy `items` as it is configured on the disk, for as many rows.
fn approve(world: &World, amount: u64) {
    let settings = compile::load(&Inputs::of_file(world.dir.join("retaind.toml"))).unwrap();
    let policy = Name::parse("items").unwrap();
    let found = settings.policies.iter().find(|other| other.name == policy).unwrap();
    let wording = Wording::of(&settings, found);
    let now = retaind::clock::Clock::system().now();
    let approver = Operator { uid: 0, user: None, sudo_user: None, remote: None };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let approval = Approval { policy, wording, amount, shown_at: now, approved_at: now, approver };
        world.ledger().await.approve(&approval).await.unwrap();
    });
}

/// Waits until these rows are left.
fn await_ids<const N: usize>(world: &World, ids: [u64; N]) {
    let deadline = Instant::now() + PATIENCE;
    while world.ids() != crate::world::set(ids) {
        assert!(Instant::now() < deadline, "{:?} are left: {}", world.ids(), log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs that come to an end from now on.
fn await_more_runs(world: &World, count: usize) {
    let before = await_runs(world, 0).len();
    await_runs(world, before + count);
}

/// The newest result: status, `blocked_code`, `held`, and rows that match.
fn newest_result(world: &World) -> (String, String, serde_json::Value, u64) {
    let sql =
        "SELECT status, account, json_extract(tally, '$.rows_matched') FROM policy_results ORDER BY id DESC LIMIT 1";
    let row = ledger(world).query(sql).unwrap().remove(0);
    let account: serde_json::Value = serde_json::from_str(text(&row[1])).unwrap();
    let by = account["blocked_code"].as_str().unwrap_or_default().to_owned();
    (text(&row[0]).to_owned(), by, account["held"].clone(), text(&row[2]).parse().unwrap())
}

fn count_in_log(world: &World, what: &str) -> usize {
    log(world).matches(what).count()
}

#[test]
fn f42_a_slip_in_a_reload_waits_for_approval() {
    let world = agreeing("every = \"1s\"");
    let mut daemon = agreed(&world);
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    let ready = daemon.reload();
    let line = status_of(&ready).unwrap().to_owned();
    assert!(line.starts_with("Held: items (keep 30d → 3d), go on with 'retaind approve'; "), "{line}");
    await_more_runs(&world, 2);
    assert_eq!(world.ids(), [2, 3, 4, 5].into(), "nothing goes");
    let (status, by, held, matched) = newest_result(&world);
    assert_eq!((status.as_str(), by.as_str(), matched), ("blocked", "held", 4));
    assert_eq!((&held["old"]["keep"], &held["new"]["keep"]), (&"30d".into(), &"3d".into()), "{held}");
    let event = "Policy items is held and deletes nothing: keep 30d → 3d; it goes on with 'retaind approve items'";
    assert_eq!(count_in_log(&world, event), 1, "once, not each night: {}", log(&world));
    assert_eq!(count_in_log(&world, "was blocked in run"), 0, "no guard has blocked it");
    approve(&world, 4);
    await_ids(&world, []);
    let line = daemon.await_status("Idle");
    assert!(!line.contains("Held"), "{line}");
    daemon.stop();
}

#[test]
fn f42_a_slip_is_held_after_restart_too() {
    let world = agreeing("every = \"1s\"");
    agreed(&world).stop();
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    let mut daemon = Daemon::start_as_configured(&world, &[]);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    assert!(status_of(&ready).unwrap().starts_with("Held: items (keep 30d → 3d), "), "{ready}");
    await_more_runs(&world, 2);
    assert_eq!(world.ids(), [2, 3, 4, 5].into());
    // Approved while no daemon runs, the next start takes it.
    daemon.stop();
    approve(&world, 4);
    let daemon = Daemon::ready_without_config(&world);
    await_ids(&world, []);
    daemon.stop();
}

#[test]
fn f42_a_slip_during_a_run_is_held_afterwards() {
    let world = agreeing("every = \"1s\"\nbefore = { command = [\"/bin/sleep\", \"3\"] }");
    let mut daemon = agreed(&world);
    daemon.await_status("(before hook)");
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Held: items (keep 30d → 3d), "), "{ready}");
    // It goes on under the configuration that it began with; what is held stays so.
    let runs = await_runs(&world, 0).len();
    await_runs(&world, runs + 2);
    assert_eq!(world.ids(), [2, 3, 4, 5].into());
    while let Some(message) = daemon.next_message(Instant::now() + Duration::from_millis(100)) {
        let line = status_of(&message).unwrap_or("Held");
        assert!(line.starts_with("Held"), "{line}");
    }
    assert_eq!(count_in_log(&world, "is held and deletes nothing"), 1, "{}", log(&world));
    daemon.stop();
}

#[test]
fn f42_the_configuration_in_force_is_remembered() {
    let world = agreeing("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    let in_force = || {
        let rows = ledger(&world).query("SELECT value FROM facts WHERE name = 'in_force'").unwrap();
        text(&rows[0][0]).to_owned()
    };
    assert!(in_force().contains("30d"), "{}", in_force());
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    daemon.reload();
    assert!(in_force().contains("3d") && !in_force().contains("30d"), "{}", in_force());
    daemon.stop();
}

#[test]
fn f42_going_back_and_narrowing_hold_nothing() {
    let world = agreeing("every = \"1s\"");
    let mut daemon = agreed(&world);
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    assert!(daemon.reload().contains("Held: items"));
    edit(&world, "keep = \"3d\"", "keep = \"30d\"");
    let ready = daemon.reload();
    assert!(!ready.contains("Held"), "what was agreed to needs nobody: {ready}");
    assert!(log(&world).contains("Policy items is no longer held"), "{}", log(&world));
    edit(&world, "keep = \"30d\"", "keep = \"60d\"");
    assert!(!daemon.reload().contains("Held"), "less goes");
    world.item(6, 90.0, None, None);
    await_ids(&world, [2, 3, 4, 5]);
    // It moved at once, so that 30 days are more again.
    edit(&world, "keep = \"60d\"", "keep = \"30d\"");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Held: items (keep 60d → 30d)"), "{ready}");
    daemon.stop();
}

#[test]
fn f42_a_brake_that_is_lifted_holds_nothing() {
    let world = agreeing("every = \"1s\"");
    let mut daemon = agreed(&world);
    for (from, to) in [
        ("[daemon]\n", "[daemon]\nmode = \"report\"\n"),
        ("[daemon]\nmode = \"report\"\n", "[daemon]\n"),
        ("keep = \"30d\"", "keep = \"30d\"\nenabled = false"),
        ("keep = \"30d\"\nenabled = false", "keep = \"30d\""),
        ("keep = \"30d\"", "keep = \"30d\"\nmode = \"report\""),
        // What only reports may be anything.
        ("keep = \"30d\"", "keep = \"3d\""),
    ] {
        edit(&world, from, to);
        let ready = daemon.reload();
        assert!(!ready.contains("Held"), "{from} → {to}: {ready}");
    }
    edit(&world, "keep = \"3d\"", "keep = \"30d\"");
    edit(&world, "mode = \"report\"\n", "");
    assert!(!daemon.reload().contains("Held"));
    assert_eq!(count_in_log(&world, "is held"), 0, "{}", log(&world));
    world.item(6, 40.0, None, None);
    await_ids(&world, [2, 3, 4, 5]);
    daemon.stop();
}

#[test]
fn f42_a_ledger_from_before_holds_nothing() {
    let world = agreeing("every = \"1s\"");
    agreed(&world).stop();
    // As the version before left it, which did not know of approvals.
    let mut old = ledger(&world);
    old.execute("DROP TRIGGER totals_grow").unwrap();
    for table in
        ["baselines", "approvals", "holds", "facts", "clock", "audit", "totals", "surveys", "notices", "outbox"]
    {
        old.execute(&format!("DROP TABLE {table}")).unwrap();
    }
    old.execute("ALTER TABLE runs DROP COLUMN asked").unwrap();
    old.execute("DELETE FROM __diesel_schema_migrations WHERE version >= '0005'").unwrap();
    drop(old);
    // Whatever changed while nobody compared is what is agreed to now.
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    let mut daemon = Daemon::start_as_configured(&world, &[]);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    assert!(!ready.contains("Held"), "{ready}");
    await_ids(&world, []);
    daemon.stop();
}

/// A world whose store is adopted and whose ledger is gone, with keys for `[daemon]`.
fn with_a_new_ledger(daemon: &str) -> World {
    let mut world = agreeing("every = \"1s\"");
    world.daemon(daemon);
    world.store_keys = crate::world::BY_MTIME;
    let config = world.config_file();
    let adopt = binary::command(RETAIND).args(["adopt", "images", "--yes", "--config"]).arg(&config).output().unwrap();
    assert!(adopt.status.success(), "{}", String::from_utf8_lossy(&adopt.stderr));
    std::fs::remove_dir_all(world.dir.join("state")).unwrap();
    std::fs::create_dir(world.dir.join("state")).unwrap();
    world
}

#[test]
fn f42_a_brake_keeps_a_new_ledger_new() {
    let world = with_a_new_ledger("mode = \"report\"");
    let mut daemon = Daemon::ready_without_config(&world);
    await_more_runs(&world, 2);
    edit(&world, "mode = \"report\"\n", "");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Held: items (the ledger is new), "), "{ready}");
    await_more_runs(&world, 2);
    assert_eq!(world.ids(), [1, 2, 3, 4, 5].into());
    daemon.stop();
}

#[test]
fn f42_a_new_ledger_beside_adopted_stores_holds_everything() {
    let world = with_a_new_ledger("");
    let mut daemon = Daemon::start_as_configured(&world, &[]);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    let line = status_of(&ready).unwrap();
    assert!(line.starts_with("Held: items (the ledger is new), go on with 'retaind approve'; "), "{line}");
    await_more_runs(&world, 2);
    assert_eq!(world.ids(), [1, 2, 3, 4, 5].into());
    approve(&world, 1);
    await_ids(&world, [2, 3, 4, 5]);
    daemon.stop();
}

#[test]
fn switched_off_holds_say_so_at_each_start() {
    let mut world = agreeing("every = \"1s\"");
    world.daemon("approve_changes = false");
    let mut daemon = agreed(&world);
    assert_eq!(count_in_log(&world, "approve_changes is false"), 1, "{}", log(&world));
    edit(&world, "keep = \"30d\"", "keep = \"3d\"");
    assert!(!daemon.reload().contains("Held"));
    await_ids(&world, []);
    daemon.stop();
}

/// Replaces what the ledger remembers by ten nights of 200 rows each, the last one so many days ago, and makes 6,000 rows old.
fn nights_until(world: &World, days_ago: u32) {
    let mut ledger = ledger(world);
    let night = "strftime('%Y-%m-%dT%H:%M:%f000000Z', 'now', '-' || (n + DAYS) || ' days')";
    let night = night.replace("DAYS", &days_ago.to_string());
    ledger.execute("DELETE FROM runs WHERE rowid > (SELECT min(rowid) FROM runs)").unwrap();
    let nights = "WITH RECURSIVE nights (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM nights WHERE n < 9)";
    // Older nights first, as they came.
    for sql in [
        format!(
            "{nights} INSERT INTO runs (run_id, mode, \"trigger\", task, pid, status, started_at, finished_at) \
             SELECT printf('00000000-0000-7000-8000-%012d', n), 'enforce', 'schedule', 'sweep', 1, 'completed', {night}, {night} \
             FROM nights ORDER BY n DESC"
        ),
        format!(
            "{nights} INSERT INTO policy_results (run_id, policy, status, tally, account) \
             SELECT printf('00000000-0000-7000-8000-%012d', n), 'items', 'completed', '{{\"rows_deleted\": 200}}', \
             (SELECT account FROM policy_results ORDER BY id LIMIT 1) FROM nights ORDER BY n DESC"
        ),
        "DELETE FROM runs WHERE run_id NOT LIKE '00000000-%'".to_owned(),
    ] {
        ledger.execute(&sql).unwrap();
    }
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(45.0)), 101..=6100);
}

#[test]
fn f42_a_daemon_down_for_a_month_catches_up() {
    let mut world = agreeing("every = \"1s\"");
    world.daemon("clock = \"trust\"");
    agreed(&world).stop();
    nights_until(&world, 31);
    let daemon = Daemon::ready_without_config(&world);
    await_ids(&world, [2, 3, 4, 5]);
    daemon.stop();
}

#[test]
fn f42_as_much_after_a_single_night_is_held() {
    let world = agreeing("every = \"1s\"");
    agreed(&world).stop();
    nights_until(&world, 1);
    let mut daemon = Daemon::ready_without_config(&world);
    let line = daemon.await_status("Held: items (6000 rows would go");
    assert!(line.contains("go on with 'retaind approve'"), "{line}");
    assert_eq!(world.ids().len(), 6004, "nothing goes");
    daemon.stop();
}
