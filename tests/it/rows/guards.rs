//! Guards stop a run before its first row.

use crate::decided::assert_blocked;
use serde_json::json;

use retaind::outcome::Status;

use crate::world::{World, set};

const AGED: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

for_each_engine! {
    async fn more_than_max_rows_blocks(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        world.item(4, 1.0, None, None);
        world.declare(&format!("{AGED}max_rows = 2"));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        for result in [&plan, &result] {
            assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
            assert_blocked(&result.policies[0], "max_rows", json!({}));
            assert_eq!(result.totals.rows_deleted, 0);
        }
        assert_eq!(world.ids(), set([1, 2, 3, 4]));
    }

    async fn exactly_max_rows_goes(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        world.declare(&format!("{AGED}max_rows = 3"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), set([]));
    }

    async fn more_than_max_fraction_blocks(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        world.item(4, 1.0, None, None);
        world.declare(&format!("{AGED}max_fraction = 0.7"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "max_fraction", json!({ "eligible": 3, "total": 4 }));
        assert_eq!(world.ids(), set([1, 2, 3, 4]));
    }

    async fn report_mode_counts_but_deletes_nothing(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        world.declare(&format!("{AGED}mode = \"report\""));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!((result.policies[0].tally.rows_matched, result.totals.rows_deleted), (3, 0));
        assert_eq!(world.ids(), set([1, 2, 3]));
    }

    async fn the_daemon_in_report_mode_overrules_every_policy(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=3).for_each(|id| world.item(id, 40.0, None, None));
        world.daemon("mode = \"report\"").declare(&format!("{AGED}mode = \"enforce\""));
        let result = world.run().await;
        assert_eq!(result.mode, retaind::outcome::RunMode::Report);
        assert_eq!((result.policies[0].tally.rows_matched, result.totals.rows_deleted), (3, 0));
        assert_eq!(world.ids(), set([1, 2, 3]));
    }

    async fn d15_clocks_that_differ_block(db) {
        let mut world = World::new(db);
        world.create_items();
        world.item(1, 40.0, None, None);
        let ahead = world.clock.now().checked_add(std::time::Duration::from_secs(3600)).unwrap();
        world.clock = retaind::clock::Clock::manual(ahead);
        world.declare(AGED);
        let result = world.run().await;
        if world.is(crate::engines::EngineKind::Sqlite) {
            // The clock of a SQLite source is this machine's own.
            return;
        }
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "clock_skew", json!({ "source": "app", "most": 60.0 }));
        assert_eq!(world.ids(), set([1]));
    }

    async fn d14_one_statement_suffices_for_a_keyless_table(db) {
        let mut world = World::new(db);
        world.db.execute(&format!("CREATE TABLE item (id INTEGER, at {}, image VARCHAR(50))", world.db.timestamp_type()));
        for (id, days) in [(1, 40.0), (1, 40.0), (1, 5.0), (2, 40.0)] {
            let at = world.days_ago(days);
            world.db.execute(&format!("INSERT INTO item VALUES ({id}, {at}, NULL)"));
        }
        world.references = ["image", "image"];
        world.declare(&format!("{AGED}batch = 1\n"));
        let (plan, listed) = world.plan().await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!((plan.totals.rows_deleted, listed.len(), result.totals.rows_deleted), (3, 3, 3), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM item"), ["1"]);
    }

    async fn d14_what_needs_keys_is_refused_without_one(db) {
        let mut world = World::new(db);
        world.db.execute(&format!("CREATE TABLE item (id INTEGER, at {}, image VARCHAR(50))", world.db.timestamp_type()));
        let at = world.days_ago(40.0);
        world.db.execute(&format!("INSERT INTO item VALUES (1, {at}, NULL)"));
        world.references = ["image", "image"];
        world.declare(&format!("{AGED}alive = {{ command = [\"/bin/false\", \"{{id}}\"] }}\n"));
        let result = world.run().await;
        // Every SQLite table has a row number or a primary key.
        if world.is(crate::engines::EngineKind::Sqlite) {
            assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([])), "{result:?}");
        } else {
            assert_eq!((result.status, world.ids()), (Some(Status::Failed), set([1])), "{result:?}");
            assert!(result.policies[0].errors[0].error.contains("no primary key"), "{result:?}");
        }
    }

    async fn a_view_is_refused(db) {
        let mut world = World::new(db);
        world.create_items();
        world.item(1, 40.0, None, None);
        world.db.execute("CREATE VIEW old_item AS SELECT * FROM item");
        world.declare("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"old_item\"\nage = \"at\"\nkeep = \"30d\"\n");
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Failed), "{result:?}");
        assert!(result.policies[0].errors[0].error.contains("view"), "{result:?}");
        assert_eq!(world.ids(), set([1]));
    }
}
