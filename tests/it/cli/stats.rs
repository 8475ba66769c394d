//! `stats`: counts as a plan has them, what is said where counting takes too long, and that nobody waits for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Ended, call_in};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

/// Beyond the second that is promised, for a machine on which everything else runs at the same time.
const PATIENCE: Duration = Duration::from_millis(2500);

fn world(db: Database, more: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(&format!("{ITEMS}{more}"));
    world
}

fn called(name: &str, policy: &str) -> String {
    ITEMS.replace("policies.items", &format!("policies.{name}")) + policy
}

fn policy<'s>(stats: &'s Value, name: &str) -> &'s Value {
    let found = stats["policies"].as_array().unwrap().iter().find(|policy| policy["policy"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {stats:#}"))
}

fn secs(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// True of every row, each of which takes seconds.
fn slow(kind: EngineKind) -> &'static str {
    match kind {
        EngineKind::Postgres => "where = \"pg_sleep(5) IS NOT NULL\"\n",
        EngineKind::Sqlite => {
            "where = \"(WITH RECURSIVE c(n) AS (SELECT id UNION ALL SELECT n + 1 FROM c WHERE n < 100000000) \
             SELECT count(*) FROM c) > 0\"\n"
        }
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "where = \"SLEEP(5) = 0\"\n",
    }
}

/// Billions of rows to count before the first row of the table can be judged; the same on every engine.
const ENDLESS: &str = "where = \"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) \
                       SELECT COUNT(*) FROM c AS a CROSS JOIN c AS b CROSS JOIN c AS d CROSS JOIN c AS e) > 0\"\n";

fn in_time(world: &World, arguments: &[&str]) -> Ended {
    let began = Instant::now();
    let ended = call_in(world, arguments);
    assert!(began.elapsed() < PATIENCE, "{:?} for {ended:?}", began.elapsed());
    ended
}

/// Asserts that nothing is claimed to be known, and what to do instead is said.
fn assert_uncounted(policy: &Value) {
    assert_eq!((&policy["rows_eligible"], &policy["precision"]), (&Value::Null, &Value::Null), "{policy:#}");
    let error = policy["error"].as_str().unwrap_or_else(|| panic!("no error in {policy:#}"));
    let advice = format!("not be counted in time; `retaind plan {}` counts", policy["policy"].as_str().unwrap());
    assert!(error.contains(&advice), "{error}");
}

for_each_engine! {
    fn eligible_rows_are_counted_with_the_oldest(db) {
        let mut world = world(db, "protected_by = [{ table = \"hold\", on = \"hold.item_id = item.id\" }]\n");
        world.db.execute("CREATE TABLE hold (item_id INTEGER); INSERT INTO hold VALUES (1), (5)");
        for (id, days) in [(1, 50.0), (2, 40.0), (3, 31.0), (4, 29.0), (5, 2.0)] {
            world.item(id, days, None, None);
        }
        world.db.execute("UPDATE item SET note = 'short' WHERE id IN (3, 4)");
        world.declare(&called("by-value", "").replace("\"30d\"", "{ column = \"note\", values = { short = \"7d\" }, default = \"39d\" }"));
        world.declare(&called("short", "where = \"note = 'short' OR note = 'none'\"\n"));
        world.declare(&called("no-age", "where = \"note = 'short'\"\n").replace("age = \"at\"\nkeep = \"30d\"\n", ""));
        let stats = call_in(&world, &["stats", "--json"]).with(0).json();
        let items = policy(&stats, "items");
        let found = (&items["rows_eligible"], &items["rows_protected"], &items["estimated"], &items["precision"]);
        assert_eq!(found, (&json!(2), &json!(1), &json!(false), &json!("exact")));
        assert_eq!((&items["rows_in_scope"], &items["scope_precision"]), (&json!(5), &json!("exact")), "there is no where");
        assert_eq!((&items["source"], &items["table"], &items["last_run"]), (&json!("app"), &json!("item"), &Value::Null));
        // Row 1 is older and held.
        let day = 86_400;
        assert!((secs(&items["oldest"]["age_secs"]) - 40 * day).abs() < 120, "{items:#}");
        assert!((secs(&items["overdue_secs"]) - 10 * day).abs() < 120, "{items:#}");
        assert_eq!(items["falling_behind"], true);
        // Of rows with times of their own, it is the one that has waited longest.
        let by_value = policy(&stats, "by-value");
        assert_eq!(by_value["rows_eligible"], 4);
        assert!((secs(&by_value["overdue_secs"]) - 24 * day).abs() < 120, "{by_value:#}");
        let no_age = policy(&stats, "no-age");
        assert_eq!((&no_age["rows_eligible"], &no_age["oldest"], &no_age["overdue_secs"]), (&json!(2), &Value::Null, &Value::Null));
        let short = policy(&stats, "short");
        assert_eq!((&short["rows_eligible"], &short["rows_in_scope"]), (&json!(1), &json!(2)), "of any age");
        let page = call_in(&world, &["stats", "items"]).with(0).stdout;
        assert!(page.contains("eligible 2,") && page.contains("backlog 10 d") && page.contains("protected 1,"), "{page}");
        assert!(page.contains("attention: policy items is falling behind"), "{page}");
        // What only reports is not meant to keep up.
        let report = call_in(&world, &["stats", "items", "--json", "--set", "policies.items.mode=report"]).with(0).json();
        assert_eq!(policy(&report, "items")["falling_behind"], false);
    }

    fn a_slow_count_becomes_an_estimate_in_time(db) {
        let kind = db.kind();
        let mut world = world(db, slow(kind));
        world.declare(&called("quick", ""));
        let old = world.days_ago(40.0);
        world.db.insert_series("item (id, at)", &format!("n, {old}"), 1..=5000);
        if !matches!(kind, EngineKind::Sqlite) {
            world.db.execute(if kind == EngineKind::Postgres { "ANALYZE item" } else { "ANALYZE TABLE item" });
        }
        let ended = in_time(&world, &["stats", "--json"]);
        let stats = ended.json();
        let (slow, quick) = (policy(&stats, "items"), policy(&stats, "quick"));
        assert_eq!((&quick["rows_eligible"], &quick["estimated"]), (&json!(5000), &json!(false)), "{stats:#}");
        assert_eq!(slow["remarks"], json!(["the oldest eligible row was not found in time"]), "{slow:#}");
        let page = in_time(&world, &["stats", "items"]);
        if kind == EngineKind::Sqlite {
            assert_uncounted(slow);
            assert!(page.stdout.contains("eligible unknown,"), "{page:?}");
            assert_eq!((ended.code, page.code), (Some(3), Some(1)));
        } else {
            assert_eq!((&slow["estimated"], &slow["precision"]), (&json!(true), &json!("estimate")), "{slow:#}");
            let expected = slow["rows_eligible"].as_u64().unwrap();
            assert!((1000..=10_000).contains(&expected), "{slow:#}");
            assert!(page.stdout.contains("eligible ≈ "), "{page:?}");
            assert_eq!((ended.code, page.code), (Some(0), Some(0)));
        }
    }

    fn a_condition_without_end_holds_nobody_up(db) {
        let kind = db.kind();
        let mut world = world(db, ENDLESS);
        world.declare(&called("endless", ENDLESS));
        world.declare(&called("quick", ""));
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        // The planners of PostgreSQL and MariaDB know without counting; MySQL's works out what is the same for all rows.
        let is_unknown = kind == EngineKind::Sqlite || kind.is_mysql_proper();
        let ended = in_time(&world, &["stats", "--json"]);
        let stats = ended.json();
        let quick = policy(&stats, "quick");
        assert_eq!((&quick["rows_eligible"], &quick["precision"], &quick["error"]), (&json!(3), &json!("exact"), &Value::Null));
        assert!(secs(&quick["overdue_secs"]) > 9 * 86_400, "{quick:#}");
        for name in ["items", "endless"] {
            let endless = policy(&stats, name);
            assert_eq!((&endless["oldest"], &endless["overdue_secs"]), (&Value::Null, &Value::Null), "{endless:#}");
            match is_unknown {
                true => assert_uncounted(endless),
                false => assert_eq!((&endless["precision"], &endless["error"]), (&json!("estimate"), &Value::Null), "{endless:#}"),
            }
        }
        let expected = if is_unknown { 3 } else { 0 };
        let ended = ended.with(expected);
        assert_eq!(ended.stderr, "");
        // The server does not go on with what nobody waits for.
        match kind {
            EngineKind::Postgres => world.db.wait_for(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                 AND pid <> pg_backend_pid()",
                "0",
            ),
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => world.db.wait_for(
                "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND COMMAND = 'Query' \
                 AND ID <> CONNECTION_ID()",
                "0",
            ),
            // It goes with the process.
            EngineKind::Sqlite => {}
        }
    }

    fn sums_are_those_of_all_runs(db) {
        let mut world = world(db, "");
        world.declare(&called("other", ""));
        for id in 1..=3 {
            world.item(id, 40.0, None, None);
            call_in(&world, &["run", "items"]).with(0);
        }
        let stats = call_in(&world, &["stats", "--json"]).with(0).json();
        let totals = stats["totals"].as_array().unwrap();
        assert_eq!(totals.len(), 1, "the other never ran: {stats:#}");
        let total = &totals[0];
        let found = (&total["policy"], &total["runs"], &total["rows_deleted"], &total["rows_updated"], &total["bytes_reclaimed"]);
        assert_eq!(found, (&json!("items"), &json!(3), &json!(3), &json!(0), &json!(0)));
        let first = call_in(&world, &["runs", "--json"]).with(0).json();
        assert_eq!(total["since"], first.as_array().unwrap_or_else(|| first["runs"].as_array().unwrap()).last().unwrap()["started_at"]);
        let page = call_in(&world, &["stats", "items"]).with(0).stdout;
        assert!(page.contains("items: runs 3, deleted 3, updated 0, files 0, freed 0 B, since 20"), "{page}");
        assert!(!call_in(&world, &["stats", "other"]).with(0).stdout.contains("freed"));
    }

    fn the_last_run_is_that_of_the_policy(db) {
        let mut world = world(db, "");
        world.declare(&called("other", ""));
        world.item(1, 40.0, None, None);
        call_in(&world, &["run", "items"]).with(0);
        let run = call_in(&world, &["run", "items", "--json"]).with(0).json();
        let stats = call_in(&world, &["stats", "--json"]).with(0).json();
        let last = &policy(&stats, "items")["last_run"];
        assert_eq!((&last["run_id"], &last["status"], &last["mode"]), (&run["run_id"], &json!("completed"), &json!("enforce")));
        assert_eq!(policy(&stats, "other")["last_run"], Value::Null);
        assert_eq!(policy(&stats, "items")["rows_eligible"], 0);
        assert!(call_in(&world, &["stats", "other"]).with(0).stdout.contains("last run never"));
    }
}

#[test]
fn a_table_that_somebody_locks_holds_nobody_up() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let mut world = world(Database::create(kind), "");
        world
            .db
            .execute("CREATE TABLE other (id INTEGER PRIMARY KEY, note VARCHAR(9)); INSERT INTO other VALUES (1, 'x')");
        world.declare(
            "[policies.others]\nkind = \"rows\"\nsource = \"app\"\ntable = \"other\"\nwhere = \"note = 'x'\"\n",
        );
        world.item(1, 40.0, None, None);
        let mut locker = world.db.connect();
        locker
            .execute(if kind == EngineKind::Postgres { "BEGIN; LOCK TABLE item" } else { "LOCK TABLES item WRITE" })
            .unwrap();
        let stats = in_time(&world, &["stats", "--json"]).json();
        assert_eq!(policy(&stats, "others")["rows_eligible"], 1, "{stats:#}");
        assert_ne!(policy(&stats, "items")["precision"], "exact", "{stats:#}");
    }
}

#[test]
fn sqlite_judges_a_sample_when_time_is_short() {
    let some_work = "where = \"(WITH RECURSIVE c(n) AS (SELECT id UNION ALL SELECT n + 1 FROM c WHERE n < id + 20) \
                     SELECT count(*) FROM c) > 0 AND id % 2 = 0\"\n";
    let world = world(Database::create(EngineKind::Sqlite), some_work);
    let old = world.days_ago(40.0);
    world.db.insert_series("item (id, at)", &format!("n, {old}"), 1..=300_000);
    let stats = in_time(&world, &["stats", "--json"]).with(0).json();
    let items = policy(&stats, "items");
    assert_eq!((&items["precision"], &items["estimated"]), (&json!("estimate"), &json!(true)), "{items:#}");
    let expected = items["rows_eligible"].as_u64().unwrap();
    assert!((110_000..190_000).contains(&expected), "{items:#}");
}

#[test]
fn a_locked_file_holds_nobody_up() {
    let world = world(Database::create(EngineKind::Sqlite), "");
    world.item(1, 40.0, None, None);
    // With a log beside it, who reads never waits for who writes.
    assert_eq!(world.db.value("PRAGMA journal_mode = DELETE").as_deref(), Some("delete"));
    let mut locker = world.db.connect();
    locker.execute("BEGIN EXCLUSIVE").unwrap();
    let ended = in_time(&world, &["stats", "--json", "--set", "sources.app.lock_timeout=1m"]).with(1);
    let error = policy(&ended.json(), "items")["error"].to_string();
    assert!(error.contains("not looked at in time: source app did not answer"), "{error}");
    locker.execute("ROLLBACK").unwrap();
    assert_eq!(policy(&call_in(&world, &["stats", "--json"]).with(0).json(), "items")["rows_eligible"], 1);
}

#[test]
fn policies_with_parameters_need_them_or_are_omitted() {
    let mut world = world(Database::create(EngineKind::Sqlite), "");
    (1..=3).for_each(|id| world.item(id, 40.0, None, None));
    let asked = called("one", "params = [\"id\"]\nwhere = \"id = :id\"\n").replace("task = \"retention\"\n", "");
    world.declare(&asked);
    let stats = call_in(&world, &["stats", "--json"]).with(0).json();
    assert_eq!(stats["policies"].as_array().unwrap().len(), 1);
    assert!(stats["remarks"][0].as_str().unwrap().contains("Policy one takes parameters"), "{stats}");
    let stats = call_in(&world, &["stats", "--json", "--param", "id=2"]).with(0).json();
    assert_eq!(
        (&policy(&stats, "one")["rows_eligible"], &policy(&stats, "items")["rows_eligible"]),
        (&json!(1), &json!(3))
    );
    let missing = call_in(&world, &["stats", "one"]).with(2);
    assert!(missing.stderr.contains("policy one needs the parameter id"), "{}", missing.stderr);
    call_in(&world, &["stats", "nobody"]).with(2);
    call_in(&world, &["stats", "--param", "x=1"]).with(2);
}

#[test]
fn a_failing_policy_does_not_hide_others() {
    let mut world = world(Database::create(EngineKind::Sqlite), "");
    world.item(1, 40.0, None, None);
    world.declare("[sources.away]\nurl = \"postgres://retaind:hunter2@127.0.0.1:1/nvr\"\n");
    world.declare(&called("far", "").replace("\"app\"", "\"away\""));
    world.declare(&called("nowhere", "").replace("\"item\"", "\"itme\""));
    let ended = in_time(&world, &["stats", "--json"]).with(3);
    let stats = ended.json();
    assert_eq!(policy(&stats, "items")["rows_eligible"], 1);
    assert!(policy(&stats, "far")["error"].as_str().unwrap().contains("127.0.0.1:1"), "{stats:#}");
    assert!(policy(&stats, "nowhere")["error"].as_str().unwrap().contains("there is no table itme"), "{stats:#}");
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"));
    let page = call_in(&world, &["stats", "nowhere"]).with(1).stdout;
    assert!(page.contains("nowhere: error: there is no table itme"), "{page}");
}

const STRAYS: &str = "[policies.strays]\nkind = \"orphans\"\nstore = \"thumbs\"\nkeep = \"1h\"\nmode = \"enforce\"\nmax_fraction = 0.9\n";

/// Puts a file that was last written so many hours ago.
fn put_old(world: &World, path: &str, bytes: usize, hours: u64) {
    world.put("thumbs", path, bytes);
    let file = std::fs::File::options().write(true).open(world.root("thumbs").join(path)).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
}

#[test]
fn of_stores_it_says_what_was_seen_last() {
    let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.create_items();
    let files = "files = [{ store = \"thumbs\", column = \"thumb\" }]\n";
    world.declare(&format!("{ITEMS}{files}{STRAYS}"));
    world.store_keys = "age_by = \"mtime\"\ntrash = \"7d\"\n";
    world.item(1, 2.0, Some("data/thumbs/1.jpg"), None);
    for (path, hours) in [("1.jpg", 90), ("a/old.jpg", 90), ("a/older.jpg", 99), ("young.jpg", 0)] {
        put_old(&world, path, 8192, hours);
    }
    call_in(&world, &["adopt", "thumbs", "--yes"]).with(0);
    let store = |arguments: &[&str]| {
        let stats = call_in(&world, arguments).with(0).json();
        assert_eq!(stats["stores"].as_array().unwrap().len(), 1, "{stats:#}");
        stats["stores"][0].clone()
    };
    let before = store(&["stats", "--json"]);
    assert_eq!((&before["store"], &before["files"], &before["bytes"]), (&json!("thumbs"), &Value::Null, &Value::Null));
    assert_eq!((&before["orphans"], &before["trash"]["runs"]), (&Value::Null, &json!(0)));
    assert!(before["available_bytes"].as_u64().unwrap() > 0 && before["total_bytes"].as_u64().unwrap() > 0);
    assert!(call_in(&world, &["stats"]).with(0).stdout.contains("thumbs: files unknown, size unknown, free "));

    let run = call_in(&world, &["run", "strays", "--json"]).with(0).json();
    assert_eq!(run["policies"][0]["survey"]["files"], 4);
    let left: Vec<_> = world.files("thumbs").into_iter().filter(|path| !path.starts_with(".retaind")).collect();
    assert_eq!(left, ["1.jpg", "young.jpg"]);
    // Whatever came since is not seen: nobody looks.
    put_old(&world, "new.jpg", 8192, 90);
    let after = store(&["stats", "--json"]);
    let found = (&after["files"], &after["bytes"], &after["bytes_estimated"], &after["directories"]);
    assert_eq!(found, (&json!(2), &json!(16_384), &json!(false), &json!(0)), "{after:#}");
    let orphans = &after["orphans"];
    assert_eq!(
        (&orphans["files"], &orphans["bytes"], &orphans["files_deleted"]),
        (&json!(2), &json!(16_384), &json!(2))
    );
    assert!(secs(&orphans["age_secs"]) < 120);
    assert_eq!(after["trash"], json!({ "runs": 1, "files": 2, "bytes": 16_384 }));
    assert_eq!(after["error"], Value::Null);
    let page = call_in(&world, &["stats", "strays"]).with(0).stdout;
    assert!(page.contains("trash 2 files, 16.0 KiB, orphans 2 files, 16.0 KiB, all deleted ("), "{page}");

    call_in(&world, &["restore", run["run_id"].as_str().unwrap()]).with(0);
    assert_eq!(
        store(&["stats", "items", "--json"])["trash"]["runs"],
        0,
        "also by the policy whose rows own files there"
    );
    std::fs::rename(world.root("thumbs"), world.dir.join("away")).unwrap();
    let gone = store(&["stats", "--json"]);
    assert!(gone["error"].as_str().unwrap().contains("cannot open"), "{gone:#}");
    assert_eq!((&gone["files"], &gone["available_bytes"]), (&json!(2), &Value::Null));
}
