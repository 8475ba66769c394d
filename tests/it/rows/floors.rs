//! Dates have one floor and one ceiling, on every engine and in every type: beyond them a row has no time.

use std::collections::BTreeSet;

use retaind::outcome::Status;

use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

/// A table `item` whose ages are such a type, with these values as SQL: the rows 1, 2, 3, ….
fn world(db: Database, kind: &str, keys: &str, values: &[String]) -> World {
    let mut world = World::new(db);
    world.db.execute(&format!(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, at {kind} NULL, thumb VARCHAR(200), image VARCHAR(200))"
    ));
    if world.db.kind().is_mysql() {
        world.db.execute("SET sql_mode = ''");
    }
    for (id, value) in (1..).zip(values) {
        world.db.execute(&format!("INSERT INTO item (id, at) VALUES ({id}, {value})"));
    }
    world.declare(&format!("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\n{keys}"));
    world
}

/// The only rows that go are those; all others stay without a time, in the plan as in the run, and nobody is alarmed.
async fn expect(world: &World, gone: &[u64]) {
    let survivors: BTreeSet<u64> = world.ids().into_iter().filter(|id| !gone.contains(id)).collect();
    let (plan, _) = world.plan().await;
    let run = world.run().await;
    for result in [&plan, &run] {
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        let tally = &result.policies[0].tally;
        assert_eq!(
            (tally.rows_deleted, tally.rows_without_time),
            (gone.len() as u64, survivors.len() as u64),
            "{result:?}"
        );
    }
    assert_eq!(world.ids(), survivors);
}

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

for_each_engine! {
    async fn d21_never_is_no_time_of_long_ago(db) {
        let mut values: Vec<String> = ["0001-01-01", "1970-01-01", "1979-12-31", "9999-12-31"].map(quoted).to_vec();
        values.push("NULL".to_owned());
        let gone = values.len() as u64 + 1;
        values.push(quoted("2020-01-02"));
        if db.kind() == EngineKind::Postgres {
            values.extend(["-infinity", "infinity", "0044-03-15 BC"].map(quoted));
        } else if db.kind().is_mysql() {
            values.push(quoted("0000-00-00"));
        }
        let kind = db.timestamp_type();
        expect(&world(db, kind, "expires = \"at\"\n", &values), &[gone]).await;
    }

    async fn d21_nor_in_a_date_or_a_text(db) {
        let texts = if db.kind().is_mysql() { "VARCHAR(40)" } else { "TEXT" };
        for kind in ["DATE", texts] {
            let values = ["0001-01-01", "1970-01-01", "1980-01-01", "9999-12-31", "2020-01-02"].map(quoted);
            expect(&world(Database::create(db.kind()), kind, "age = \"at\"\nkeep = \"30d\"\n", &values), &[5]).await;
        }
    }

    async fn f6_numbers_have_the_same_floor(db) {
        for (format, scale) in [("unix", 1_i64), ("unix_ms", 1_000), ("unix_us", 1_000_000), ("unix_ns", 1_000_000_000)] {
            // Julian days, zero, nothing, and the last number below the floor; then one just above it.
            let numbers = ["0".to_owned(), "-1".to_owned(), "2460000".to_owned(), "NULL".to_owned()];
            let around = [315_619_200 * scale - 1, 315_619_200 * scale].map(|number| number.to_string());
            let values: Vec<String> = numbers.into_iter().chain(around).collect();
            let keys = format!("age = \"at\"\nage_format = \"{format}\"\nkeep = \"30d\"\n");
            expect(&world(Database::create(db.kind()), "BIGINT", &keys, &values), &[6]).await;
        }
    }

    async fn f6_earliest_is_another_floor(db) {
        let kind = if db.kind().is_mysql() { "DATETIME" } else { db.timestamp_type() };
        let values = ["1960-05-05 00:00:00", "1949-01-01 00:00:00"].map(quoted);
        let world = world(db, kind, "age = \"at\"\nkeep = \"30d\"\nearliest = \"1950-01-01\"\n", &values);
        expect(&world, &[1]).await;
    }

    async fn f6_an_index_serves_despite_rows_without_time(db) {
        let mut values = vec![quoted("2020-01-02 03:04:05")];
        values.extend((0..50).map(|_| quoted("0001-01-01 00:00:00")));
        let kind = if db.kind().is_mysql() { "DATETIME" } else { db.timestamp_type() };
        let world = world(db, kind, "age = \"at\"\nkeep = \"30d\"\nbatch = 5\n", &values);
        world.db.execute("CREATE INDEX item_at ON item (at)");
        world.db.insert_series("item (id, at)", "n, '2020-01-03 03:04:05'", 100..=140);
        let (plan, listed) = world.plan().await;
        assert_eq!((plan.totals.rows_deleted, listed.len()), (42, 42));
        let result = world.run().await;
        assert_eq!((result.totals.rows_deleted, world.ids()), (42, (2..=51).collect()));
    }

    async fn f1_a_unit_that_does_not_fit_is_said(db) {
        let now = World::new(Database::create(db.kind())).clock.now().as_second();
        let values = [now - 40 * 86_400, now - 60, now].map(|secs| (secs * 1_000_000).to_string());
        let world = world(db, "BIGINT", "age = \"at\"\nage_format = \"unix_ms\"\nkeep = \"30d\"\n", &values);
        let (plan, _) = world.plan().await;
        for result in [&plan, &world.run().await] {
            assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
            let error = &result.policies[0].errors[0].error;
            assert!(error.contains("unix_us") && error.contains("unix_ms") && error.contains("at "), "{error}");
        }
        assert_eq!(world.ids(), set([1, 2, 3]));
    }

    async fn f1_that_no_age_can_be_read_is_said(db) {
        let kind = if db.kind().is_mysql() { "VARCHAR(40)" } else { "TEXT" };
        let values = ["01/02/2020", "Jan 2 2020"].map(quoted);
        let world = world(db, kind, "age = \"at\"\nkeep = \"30d\"\n", &values);
        let result = world.run().await;
        assert_eq!((result.status, result.policies[0].error_count), (Some(Status::CompletedWithErrors), 3), "{result:?}");
        let error = &result.policies[0].errors[0].error;
        assert!(error.starts_with("no age can be read: "), "{error}");
        assert_eq!(world.ids(), set([1, 2]));
    }
}
