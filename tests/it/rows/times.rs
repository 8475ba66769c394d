//! A condition on time is compared as time, or nothing goes by it.

use crate::decided::assert_blocked;
use serde_json::json;

use retaind::outcome::{RunResult, Status};
use retaind::run::{Fate, Listed};

use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, set};

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\n";

/// Forty days ago, a minute ago and in forty days, in seconds.
fn moments(world: &World) -> [i64; 3] {
    let now = world.clock.now().as_second();
    [now - 40 * 86_400, now - 60, now + 40 * 86_400]
}

/// A world whose `item` has a number `clock` of such a type: rows 1, 2 and 3 of these moments, in units of so many.
fn world(db: Database, kind: &str, scale: i64) -> World {
    let world = World::new(db);
    let kind = match (world.db.kind(), kind) {
        (EngineKind::Postgres, "DOUBLE") => "DOUBLE PRECISION",
        (_, kind) => kind,
    };
    world.db.execute(&format!(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, clock {kind}, note VARCHAR(20), thumb VARCHAR(200), image VARCHAR(200))"
    ));
    for (id, secs) in (1..).zip(moments(&world)) {
        world.put("thumbs", &format!("{id}.jpg"), 10);
        world.db.execute(&format!(
            "INSERT INTO item (id, clock, thumb) VALUES ({id}, {}, 'data/thumbs/{id}.jpg')",
            secs * scale
        ));
    }
    world
}

/// Plans and runs, and nothing goes because the condition does not depend on the time.
async fn expect_blocked(world: &World, part: &str, form: &str) {
    let (before, files) = (world.ids(), world.files("thumbs"));
    let (plan, listed) = world.plan().await;
    let is_blocked = |line: &Listed| match line {
        Listed::Row { mode, .. } | Listed::File { mode, .. } => *mode == Fate::Blocked,
    };
    assert!(listed.iter().all(is_blocked), "{listed:?}");
    for result in [&plan, &world.run().await] {
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "time_independent", json!({}));
        let facts = &result.policies[0].blocked_facts;
        assert!(facts["part"] == part || facts["comparison"].as_str().unwrap().contains(part), "{facts:?}");
        let forms = facts["forms"].as_array().unwrap();
        assert!(forms.iter().any(|known| known[0] == form), "{facts:?}");
    }
    assert_eq!((world.ids(), world.files("thumbs")), (before, files));
}

fn completed(result: &RunResult) {
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
}

for_each_engine! {
    async fn f1_a_number_beside_a_date_takes_nothing(db) {
        let is_postgres = db.kind() == EngineKind::Postgres;
        let mut world = world(db, "BIGINT", 1);
        world.declare(&format!("{ITEMS}where = \"clock < :cutoff\"\nkeep = \"30d\"\nfiles = [{{ store = \"thumbs\", column = \"thumb\" }}]"));
        if is_postgres {
            let result = world.run().await;
            assert_eq!(result.status, Some(Status::Failed), "{result:?}");
            let error = &result.policies[0].errors[0].error;
            assert!(error.contains(":now_unix") && error.contains("operator does not exist"), "{error}");
            assert_eq!(world.ids(), set([1, 2, 3]));
        } else {
            expect_blocked(&world, "clock < :cutoff", ":cutoff_unix").await;
        }
    }

    async fn d19_milliseconds_beside_seconds_take_nothing(db) {
        let mut world = world(db, "BIGINT", 1);
        world.declare(&format!("{ITEMS}where = \"clock < :cutoff_ms\"\nkeep = \"30d\"\nfiles = [{{ store = \"thumbs\", column = \"thumb\" }}]"));
        expect_blocked(&world, "clock < :cutoff_ms", ":cutoff_unix").await;
    }

    async fn f1_each_unit_has_its_form(db) {
        let db = std::sync::Arc::new(db);
        for (form, scale) in [("unix", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000)] {
            for kind in ["BIGINT", "DOUBLE", "NUMERIC(30, 3)"] {
                let mut world = World::new(db.clone());
                let kind = if kind == "DOUBLE" && world.is(EngineKind::Postgres) { "DOUBLE PRECISION" } else { kind };
                world.db.execute("DROP TABLE IF EXISTS item");
                world.db.execute(&format!("CREATE TABLE item (id INTEGER PRIMARY KEY, clock {kind}, thumb VARCHAR(9), image VARCHAR(9))"));
                for (id, secs) in (1..).zip(moments(&world)) {
                    world.db.execute(&format!("INSERT INTO item (id, clock) VALUES ({id}, {})", secs * scale));
                }
                world.declare(&format!(
                    "{ITEMS}where = \"clock < :cutoff_{form} AND clock < :now_{form} AND :now_minus_2m_{form} > clock\"\nkeep = \"30d\"\n"
                ));
                completed(&world.run().await);
                assert_eq!(world.ids(), set([2, 3]), "{form} {kind}");
            }
        }
    }

    async fn f1_a_hold_protects_or_nothing_goes(db) {
        let is_postgres = db.kind() == EngineKind::Postgres;
        let mut world = world(db, "BIGINT", 1);
        let until = moments(&world)[2];
        world.db.execute("CREATE TABLE hold (id INTEGER PRIMARY KEY, item_id INTEGER, until BIGINT)");
        world.db.execute(&format!("INSERT INTO hold (id, item_id, until) VALUES (1, 1, {until})"));
        let policy = |form: &str| format!(
            "{ITEMS}where = \"clock < :cutoff_unix\"\nkeep = \"30d\"\n\
             protected_by = [{{ table = \"hold\", on = \"hold.item_id = item.id\", where = \"hold.until > {form}\" }}]\n"
        );
        if !is_postgres {
            world.declare(&policy(":now"));
            expect_blocked(&world, "protected_by of hold", ":now_unix").await;
            world = World::new(world.db.clone());
        }
        world.declare(&policy(":now_ms"));
        expect_blocked(&world, "hold.until > :now_ms", ":now_unix").await;
        let mut world = World::new(world.db.clone());
        world.declare(&policy(":now_unix"));
        let result = world.run().await;
        completed(&result);
        assert_eq!((world.ids(), result.policies[0].tally.rows_protected), (set([1, 2, 3]), 1));
        world.db.execute("DELETE FROM hold");
        completed(&world.run().await);
        assert_eq!(world.ids(), set([2, 3]));
    }

    async fn f1_work_that_is_never_alive_takes_nothing(db) {
        let mut world = world(db, "BIGINT", 1);
        let alive = |form: &str| format!(
            "{ITEMS}where = \"id = 1\"\nalive = {{ sql = \"note = 'on' AND clock > {form}\" }}\n"
        );
        world.db.execute("UPDATE item SET note = 'off'");
        world.declare(&alive(":now_minus_2m_ms"));
        expect_blocked(&world, "alive", ":now_minus_2m_unix").await;
        // That no row is on is no matter of time.
        let mut world = World::new(world.db.clone());
        world.declare(&alive(":now_minus_2m_unix"));
        completed(&world.run().await);
        assert_eq!(world.ids(), set([2, 3]));
    }

    async fn f1_without_eligible_rows_or_holds_nothing_blocks(db) {
        let mut world = world(db, "BIGINT", 1);
        world.db.execute("CREATE TABLE hold (id INTEGER PRIMARY KEY, item_id INTEGER, until BIGINT)");
        let policy = |which: &str| format!(
            "{ITEMS}where = \"clock < :cutoff_unix AND id {which}\"\nkeep = \"30d\"\n\
             protected_by = [{{ table = \"hold\", on = \"hold.item_id = item.id\", where = \"hold.until > :now_ms\" }}]\n"
        );
        world.declare(&policy("= 1"));
        completed(&world.run().await);
        assert_eq!(world.ids(), set([2, 3]));
        world.db.execute("INSERT INTO hold (id, item_id, until) VALUES (1, 2, 5)");
        completed(&world.run().await);
        assert_eq!(world.ids(), set([2, 3]));
    }

    async fn f1_what_is_meant_so_goes(db) {
        let mut world = world(db, "BIGINT", 1);
        world.declare(&format!("{ITEMS}where = \"clock < :cutoff_ms\"\nkeep = \"30d\"\nallow_time_independent = true\n"));
        completed(&world.run().await);
        assert_eq!(world.ids(), set([]));
    }

    async fn f1_a_condition_beside_an_age_is_tried(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.execute("ALTER TABLE item ADD seen BIGINT");
        for (id, days) in [(1, 40.0), (2, 1.0)] {
            world.item(id, days, None, None);
        }
        let [old, ..] = moments(&world);
        world.db.execute(&format!("UPDATE item SET seen = {old}"));
        world.declare(&format!("{ITEMS}age = \"at\"\nkeep = \"30d\"\nwhere = \"seen < :now_us\"\n"));
        expect_blocked(&world, "seen < :now_us", ":now_unix").await;
    }

    async fn f1_rows_of_another_table_are_tried_by_themselves(db) {
        let mut world = world(db, "BIGINT", 1);
        world.db.execute("CREATE TABLE visit (id INTEGER PRIMARY KEY, item_id INTEGER, seen BIGINT)");
        let [old, recent, _] = moments(&world);
        world.db.execute(&format!("INSERT INTO visit (id, item_id, seen) VALUES (1, 1, {old}), (2, 2, {recent})"));
        let policy = |form: &str| format!(
            "{ITEMS}where = \"NOT EXISTS (SELECT 1 FROM visit AS v WHERE v.item_id = item.id AND v.seen > {form})\"\nkeep = \"30d\"\n"
        );
        world.declare(&policy(":cutoff_ms"));
        expect_blocked(&world, "v.seen > :cutoff_ms", ":cutoff_unix").await;
        let mut world = World::new(world.db.clone());
        world.declare(&policy(":cutoff_unix"));
        completed(&world.run().await);
        assert_eq!(world.ids(), set([2]));
    }
}

/// Where a database compares anything with anything, every kind of number that is not a date is found out.
#[tokio::test(flavor = "multi_thread")]
async fn f1_no_number_passes_for_a_date() {
    needs!(Need::Server);
    for kind in [EngineKind::MariaDb, EngineKind::Sqlite] {
        for column in ["BIGINT", "FLOAT", "DOUBLE", "DECIMAL(30, 3)", "VARCHAR(40)"] {
            for scale in [1, 1_000, 1_000_000] {
                let mut world = world(Database::create(kind), column, scale);
                world.declare(&format!("{ITEMS}where = \"clock < :cutoff\"\nkeep = \"30d\"\n"));
                let result = world.run().await;
                assert_eq!(world.ids(), set([1, 2, 3]), "{kind:?} {column} {scale}: {result:?}");
                // An error is as good, where the database finds out by itself.
                assert_ne!(result.status, Some(Status::Completed), "{kind:?} {column} {scale}: {result:?}");
            }
        }
    }
}

for_each_engine! {
    async fn f1_a_hold_for_ever_protects_and_blocks_nothing(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        world.db.execute(&format!(
            "CREATE TABLE hold (id INTEGER PRIMARY KEY, item_id INTEGER, until {})",
            world.db.timestamp_type()
        ));
        world.db.execute("INSERT INTO hold (id, item_id, until) VALUES (1, 1, '9999-12-31 00:00:00'), (2, 2, '0001-01-01 00:00:00')");
        world.declare(&format!(
            "{ITEMS}age = \"at\"\nkeep = \"30d\"\n\
             protected_by = [{{ table = \"hold\", on = \"hold.item_id = item.id\", where = \"hold.until > :now\" }}]\n"
        ));
        completed(&world.run().await);
        assert_eq!(world.ids(), set([1]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_numbers_among_dates_take_nothing() {
    let mut world = world(Database::create(EngineKind::Sqlite), "DATETIME", 1);
    world.db.execute("INSERT INTO item (id, clock) VALUES (4, '2020-01-02 03:04:05'), (5, '2999-01-01 00:00:00')");
    world.declare(&format!("{ITEMS}where = \"clock < :cutoff\"\nkeep = \"30d\"\n"));
    expect_blocked(&world, "clock < :cutoff", ":cutoff_unix").await;
    world.db.execute("DELETE FROM item WHERE id <= 3");
    completed(&world.run().await);
    assert_eq!(world.ids(), set([5]));
}
