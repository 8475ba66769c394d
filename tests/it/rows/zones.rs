//! A time in SQL is in the zone of what stands beside it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use retaind::outcome::Status;

use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nkeep = \"12h\"\n";
const ZONE: &str = "[sources.app]\ntimezone = \"America/New_York\"\n";

/// What a clock in New York showed so many hours ago.
fn local(now: Timestamp, hours: i64) -> String {
    let zone = TimeZone::get("America/New_York").expect("a zone");
    zone.to_datetime(now - hours.hours()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn utc(now: Timestamp, hours: i64) -> String {
    TimeZone::UTC.to_datetime(now - hours.hours()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Sessions seen 9 and 13 hours ago, by local time; `aware`: the same by a type with a zone.
fn world(db: Database, condition: &str) -> World {
    let mut world = World::new(db);
    let (naive, aware) = match world.db.kind() {
        EngineKind::Postgres => ("timestamp", "timestamptz"),
        EngineKind::Sqlite => ("DATETIME", "DATETIME"),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => ("DATETIME", "TIMESTAMP NULL"),
    };
    world.db.execute(&format!(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, seen {naive} NULL, made {aware}, thumb VARCHAR(9), image VARCHAR(9))"
    ));
    let now = world.clock.now();
    let offset = if world.db.kind() == EngineKind::Postgres { "+00" } else { "" };
    for (id, hours) in [(1, 9), (2, 13)] {
        let made = if world.db.kind() == EngineKind::Sqlite { local(now, hours) } else { utc(now, hours) };
        world.db.execute(&format!(
            "INSERT INTO item (id, seen, made) VALUES ({id}, '{}', '{made}{offset}')",
            local(now, hours)
        ));
    }
    world.declare(&format!("{ITEMS}where = \"{condition}\"\n"));
    world.conf_d("zone", ZONE);
    world
}

for_each_engine! {
    async fn f10_a_zoneless_column_is_compared_in_local_time(db) {
        for condition in [
            "seen < :cutoff",
            ":cutoff > item.seen",
            "seen BETWEEN :now_minus_2d AND :cutoff",
            "COALESCE(seen, seen) < :cutoff AND id > 0",
            "(id < 0 OR (seen < :cutoff))",
            "NOT EXISTS (SELECT 1 FROM item AS other WHERE other.id = item.id AND other.seen >= :cutoff)",
        ] {
            let world = world(Database::create(db.kind()), condition);
            let result = world.run().await;
            assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([1])), "{condition}: {result:?}");
        }
    }

    async fn f10_a_column_with_zone_is_compared_in_it(db) {
        for condition in ["made < :cutoff", "made < :cutoff AND seen < :cutoff"] {
            let world = world(Database::create(db.kind()), condition);
            let result = world.run().await;
            assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([1])), "{condition}: {result:?}");
        }
    }

    async fn f10_both_at_once_are_refused(db) {
        if db.kind() == EngineKind::Sqlite {
            return;
        }
        let world = world(db, "COALESCE(made, seen) < :cutoff");
        let result = world.run().await;
        assert_eq!((result.status, world.ids()), (Some(Status::Failed), set([1, 2])), "{result:?}");
        let error = &result.policies[0].errors[0].error;
        assert!(error.contains("in where a time stands beside columns with a time zone"), "{error}");
    }

    async fn f10_what_is_set_to_now_is_local_time(db) {
        let mut world = world(db, "seen < :cutoff");
        world.declare("action = \"update\"\nset = { seen = { sql = \":now\" } }\n");
        let before = world.clock.now();
        assert_eq!(world.run().await.status, Some(Status::Completed));
        let seen = world.db.column("SELECT seen FROM item WHERE id = 2").remove(0).replace('T', " ");
        // MySQL rounds to whole seconds where others cut.
        let rounded = i64::from(world.db.kind().is_mysql_proper());
        let (from, to) = (local(before, 0), local(world.clock.now() + rounded.seconds(), 0));
        assert!(seen.as_str() >= from.as_str() && seen[..19] <= *to, "{from} {seen} {to}");
    }
}
