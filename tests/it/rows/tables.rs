//! Tables and keys of every kind, what is asked for a run, and rows that something holds.

use retaind::outcome::{RunMode, Status};

use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, paths, set};

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\n";
const AGED: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

/// A trigger before each deletion or update of an item: for item 5 it raises, or keeps the row and says nothing.
fn guard_item_5(world: &World, event: &str, raises: bool) {
    let sql = match world.db.kind() {
        EngineKind::Postgres => {
            let (then, row) = (
                if raises { "RAISE EXCEPTION 'five stays'" } else { "RETURN NULL" },
                if event == "DELETE" { "OLD" } else { "NEW" },
            );
            format!(
                "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id = 5 THEN {then}; END IF; RETURN {row}; END $$; \
                 CREATE TRIGGER guard BEFORE {event} ON item FOR EACH ROW EXECUTE FUNCTION guard()"
            )
        }
        EngineKind::Sqlite => {
            let raise = if raises { "ABORT, 'five stays'" } else { "IGNORE" };
            format!("CREATE TRIGGER guard BEFORE {event} ON item WHEN OLD.id = 5 BEGIN SELECT RAISE({raise}); END")
        }
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => format!(
            "CREATE TRIGGER guard BEFORE {event} ON item FOR EACH ROW IF OLD.id = 5 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'five stays'; END IF"
        ),
    };
    world.db.execute(&sql);
}

/// Ten old items with an image each.
fn ten_items(world: &World) {
    world.create_items();
    for id in 1..=10 {
        world.item(id, 40.0, None, Some(&format!("{id}.png")));
        world.put("images", &format!("{id}.png"), 1);
    }
}

const FILES: &str = "files = [{ store = \"images\", column = \"image\" }]\n";
const MARKED: &str = "action = \"update\"\nset = { note = \"done\" }\nwhere = \"note = 'n'\"\n";

for_each_engine! {
    async fn g9_a_raising_trigger_keeps_only_its_row(db) {
        let mut world = World::new(db);
        ten_items(&world);
        guard_item_5(&world, "DELETE", true);
        world.declare(&format!("{AGED}{FILES}"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!((world.ids(), world.files("images")), (set([5]), paths(["5.png"])));
        let failure = &result.policies[0].errors[0];
        assert_eq!((failure.key.as_deref(), result.policies[0].error_count), (Some("5"), 1), "{result:?}");
        assert!(failure.error.contains("five stays"), "{failure:?}");
    }

    async fn g9_an_update_that_raises_skips_only_its_row(db) {
        let mut world = World::new(db);
        ten_items(&world);
        guard_item_5(&world, "UPDATE", true);
        world.declare(&format!("{AGED}{FILES}{MARKED}"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM item WHERE note = 'n'"), ["5"]);
        assert_eq!((world.ids().len(), world.files("images")), (10, paths(["5.png"])));
        let result = &result.policies[0];
        assert_eq!((result.tally.rows_updated, result.error_count, result.errors[0].key.as_deref()), (9, 1, Some("5")));
    }

    async fn g1_a_swallowed_update_is_reported_keeping_its_file(db) {
        let mut world = World::new(db);
        if world.db.kind().is_mysql() {
            // A trigger there can only raise.
            return;
        }
        ten_items(&world);
        guard_item_5(&world, "UPDATE", false);
        world.declare(&format!("{AGED}{FILES}{MARKED}"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::CompletedWithErrors), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM item WHERE note = 'n'"), ["5"]);
        assert_eq!(world.files("images"), paths(["5.png"]));
        let result = &result.policies[0];
        assert_eq!((result.tally.rows_updated, result.error_count), (9, 1), "{result:?}");
        assert_eq!(result.errors[0].reason.as_deref(), Some("vetoed"), "{result:?}");
    }

    async fn a_row_unlocked_during_the_run_still_goes(db) {
        let mut world = World::new(db);
        if world.is(EngineKind::Sqlite) {
            // SQLite locks the whole database: nothing goes on beside a lock.
            return;
        }
        ten_items(&world);
        let mut other = world.db.connect();
        other.execute("BEGIN").unwrap();
        other.query("SELECT id FROM item WHERE id = 3 FOR UPDATE").unwrap();
        world.declare(&format!("{AGED}{FILES}batch = 2\n"));
        let mut request = world.request(RunMode::Enforce);
        let (sender, mut receiver) = tokio::sync::watch::channel(Default::default());
        request.progress = Some(sender);
        let runner = world.runner().await;
        let run = tokio::spawn(async move { runner.run(request).await.unwrap() });
        // Its neighbour in the batch has gone, so the row was met and passed over.
        receiver.wait_for(|progress| progress.rows_done >= 3).await.unwrap();
        other.execute("ROLLBACK").unwrap();
        let result = run.await.unwrap();
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!((world.ids(), world.files("images"), result.totals.rows_deleted), (set([]), paths([]), 10));
    }

    async fn details_are_cut_at_a_hundred_not_rows(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.insert_series("item (id, at, note)", &format!("n, {}, 'n'", world.days_ago(40.0)), 1..=130);
        world.declare(&format!("{AGED}batch = 40\ndetails = [\"id\", \"note\"]\n"));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        for result in [&plan.policies[0], &result.policies[0]] {
            assert_eq!((result.details.len(), result.tally.rows_deleted), (100, 130));
            let ids: std::collections::BTreeSet<_> = result.details.iter().map(|row| row["id"].as_u64().unwrap()).collect();
            assert_eq!((ids.len(), result.details[0]["note"].as_str()), (100, Some("n")));
        }
        assert_eq!(world.ids(), set([]));
    }

    async fn a_parameter_is_a_value_and_never_sql(db) {
        let mut world = World::new(db);
        ten_items(&world);
        let hostile = "x' OR '1'='1";
        world.db.execute("UPDATE item SET note = 'x' WHERE id = 1");
        world.db.execute("UPDATE item SET note = 'x'' OR ''1''=''1' WHERE id = 2");
        world.declare(&format!("{ITEMS}params = [\"what\"]\nwhere = \"note = :what\"\n{FILES}"));
        let run = |value: &str| {
            let mut command = binary::command(RETAIND);
            command.args(["run", "items", "--json", "--param", &format!("what={value}"), "--config"]).arg(world.config_file());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["totals"]["rows_deleted"].as_u64()
        };
        assert_eq!(run("nobody'; DELETE FROM item; --"), Some(0));
        assert_eq!(run("x\\' OR 1=1 -- "), Some(0));
        assert_eq!(run(hostile), Some(1));
        assert_eq!(world.ids(), (1..=10).filter(|id| *id != 2).collect());
        assert!(!world.files("images").contains("2.png") && world.files("images").len() == 9);
    }

    async fn g2_keys_of_bytes_are_compared_as_bytes(db) {
        let mut world = World::new(db);
        let bytes = if world.is(EngineKind::Postgres) { "BYTEA" } else { "VARBINARY(20)" };
        let bytes = if world.is(EngineKind::Sqlite) { "BLOB" } else { bytes };
        world.db.execute(&format!("CREATE TABLE item (id {bytes} NOT NULL PRIMARY KEY, at {} NOT NULL, image VARCHAR(50))", world.db.timestamp_type()));
        // Not UTF-8, a zero in the middle, quotes, a backslash, letters that differ in case alone, trailing blanks.
        let keys = ["ff00fe", "610062", "2722275c", "41", "61", "6120", "612020", "00", "e28228"];
        for (n, key) in keys.iter().enumerate() {
            let literal = if world.is(EngineKind::Postgres) { format!("'\\x{key}'::bytea") } else { format!("x'{key}'") };
            for (suffix, days) in [("", 40.0), ("99", 1.0)] {
                let at = world.days_ago(days);
                let literal = literal.replacen(key, &format!("{key}{suffix}"), 1);
                world.db.execute(&format!("INSERT INTO item VALUES ({literal}, {at}, '{n}{suffix}.png')"));
                world.put("images", &format!("{n}{suffix}.png"), 1);
            }
        }
        world.references = ["image", "image"];
        world.declare(&format!("{AGED}{FILES}batch = 2\n"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        let left: std::collections::BTreeSet<_> = (0..keys.len()).map(|n| format!("{n}99.png")).collect();
        assert_eq!(world.db.column("SELECT image FROM item").into_iter().collect::<std::collections::BTreeSet<_>>(), left);
        assert_eq!((world.files("images"), result.totals.rows_deleted), (left, keys.len() as u64));
    }

    async fn g2_keys_of_text_differ_as_the_table_says(db) {
        let mut world = World::new(db);
        let text = if world.db.kind().is_mysql() { "VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" } else { "VARCHAR(50)" };
        world.db.execute(&format!("CREATE TABLE item (id {text} NOT NULL PRIMARY KEY, at {} NOT NULL, image VARCHAR(50))", world.db.timestamp_type()));
        for (n, key) in ["A", "a", "ä", "", "it's", "a\\b", "%", "10", "9", "NULL", "[\"a\"]", "\n"].iter().enumerate() {
            let at = world.days_ago(if n % 2 == 0 { 40.0 } else { 1.0 });
            let key = if world.db.kind().is_mysql() { key.replace('\\', "\\\\") } else { (*key).to_owned() };
            world.db.execute(&format!("INSERT INTO item VALUES ('{}', {at}, '{n}.png')", key.replace('\'', "''")));
            world.put("images", &format!("{n}.png"), 1);
        }
        world.references = ["image", "image"];
        world.declare(&format!("{AGED}{FILES}batch = 1\n"));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.files("images"), paths(["1.png", "3.png", "5.png", "7.png", "9.png", "11.png"]));
        assert_eq!(world.db.value("SELECT COUNT(*) FROM item").as_deref(), Some("6"));
    }

    async fn a_generated_age_column_is_never_set(db) {
        let mut world = World::new(db);
        world.db.execute(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, born BIGINT, image VARCHAR(50), dies BIGINT GENERATED ALWAYS AS (born + 100) STORED)",
        );
        let now = world.clock.now().as_second();
        world.db.execute(&format!("INSERT INTO item (id, born) VALUES (1, {}), (2, {})", now - 200, now));
        world.references = ["image", "image"];
        let policy = format!("{ITEMS}expires = \"dies\"\nage_format = \"unix\"\n");
        world.declare(&format!("{policy}action = \"update\"\nset = {{ dies = 0 }}\n")).declare(&policy.replace("policies.items", "policies.dead"));
        let result = world.run().await;
        assert_eq!(result.policies[0].status, Status::Failed, "{result:?}");
        assert!(result.policies[0].errors[0].error.contains("computed by the database"), "{result:?}");
        assert_eq!((result.policies[1].status, world.ids()), (Status::Completed, set([2])), "{result:?}");
    }

    async fn reserved_words_and_capitals_are_names_like_others(db) {
        let mut world = World::new(db);
        let quote = |text: &str| if world.db.kind().is_mysql() { format!("`{text}`") } else { format!("\"{text}\"") };
        let (table, key, at, state, file) = (quote("Order"), quote("group"), quote("From"), quote("CASE"), quote("to"));
        let (child, parent) = (quote("Select"), quote("where"));
        world.db.execute(&format!("CREATE TABLE {table} ({key} INTEGER PRIMARY KEY, {at} {}, {state} VARCHAR(9), {file} VARCHAR(50))", world.db.timestamp_type()));
        world.db.execute(&format!("CREATE TABLE {child} ({key} INTEGER PRIMARY KEY, {parent} INTEGER)"));
        for (id, days) in [(1, 40.0), (2, 40.0), (3, 1.0)] {
            let at = world.days_ago(days);
            world.db.execute(&format!("INSERT INTO {table} VALUES ({id}, {at}, 'new', '{id}.png')"));
            world.put("images", &format!("{id}.png"), 1);
        }
        world.db.execute(&format!("INSERT INTO {child} VALUES (1, 1)"));
        let on = format!("{child}.{parent} = {table}.{key}").replace('"', "\\\"");
        world.reference("images", "Order", "to");
        let common = "kind = \"rows\"\nsource = \"app\"\ntable = \"Order\"\nage = \"From\"\nkeep = \"30d\"\nfiles = [{ store = \"images\", column = \"to\" }]\n";
        world.declare(&format!(
            "[policies.marks]\n{common}action = \"update\"\nset = {{ CASE = \"old\" }}\n\
             protected_by = [{{ table = \"Select\", on = \"{on}\" }}]\n\
             [policies.deletes]\n{common}details = [\"group\", \"CASE\"]\n\
             children = [{{ table = \"Select\", column = \"where\", on_delete = \"delete\" }}]\n"
        ));
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!((result.policies[0].tally.rows_updated, result.policies[0].tally.rows_protected), (1, 1), "{result:?}");
        assert_eq!(result.policies[1].tally.children.get("Select"), Some(&1), "{result:?}");
        assert!(result.policies[1].details.iter().any(|row| row["CASE"] == "old"), "{result:?}");
        assert_eq!(world.db.column(&format!("SELECT {key} FROM {table}")), ["3"]);
        assert_eq!(world.files("images"), paths(["3.png"]));
    }

    async fn d14_rows_without_key_lose_their_files_if_certain(db) {
        let mut world = World::new(db);
        world.db.execute(&format!("CREATE TABLE item (id INTEGER, at {}, image VARCHAR(50))", world.db.timestamp_type()));
        for (n, days) in [(1, 40.0), (1, 40.0), (2, 40.0), (2, 1.0), (3, 1.0)] {
            let at = world.days_ago(days);
            world.db.execute(&format!("INSERT INTO item VALUES ({n}, {at}, '{n}.png')"));
            world.put("images", &format!("{n}.png"), 1);
        }
        world.references = ["image", "image"];
        world.declare(&format!("{AGED}{FILES}batch = 1\n"));
        let result = world.run().await;
        match world.db.kind() {
            EngineKind::Postgres | EngineKind::Sqlite | EngineKind::MariaDb => {
                assert_eq!((result.status, world.db.column("SELECT id FROM item ORDER BY id")), (Some(Status::Completed), vec!["2".to_owned(), "3".to_owned()]), "{result:?}");
                assert_eq!(world.files("images"), paths(["2.png", "3.png"]));
            }
            // MySQL cannot delete rows and tell what they were at once.
            EngineKind::MariaDbNoReturning => {
                assert_eq!((result.status, world.files("images").len()), (Some(Status::Failed), 3), "{result:?}");
                assert!(result.policies[0].errors[0].error.contains("no primary key"), "{result:?}");
                assert_eq!(world.db.value("SELECT COUNT(*) FROM item").as_deref(), Some("5"));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_and_uuids_of_postgres() {
    needs!(Need::Server);
    let mut world = World::new(Database::create(EngineKind::Postgres));
    world.db.execute(
        "CREATE TABLE item (id uuid DEFAULT gen_random_uuid(), at timestamptz NOT NULL, image text, PRIMARY KEY (id, at)) \
         PARTITION BY RANGE (at); \
         CREATE TABLE item_old PARTITION OF item FOR VALUES FROM (MINVALUE) TO ('2020-01-01'); \
         CREATE TABLE item_rest PARTITION OF item DEFAULT",
    );
    let age = |old: &str| {
        format!(
            "CASE WHEN n % 3 = 0 THEN {} WHEN n % 3 = 1 THEN '2019-05-05'::timestamptz ELSE {old} END",
            world.days_ago(1.0)
        )
    };
    world.db.insert_series("item (at, image)", &format!("{}, n || '.png'", age(&world.days_ago(40.0))), 1..=60);
    (1..=60).for_each(|n| world.put("images", &format!("{n}.png"), 1));
    world.references = ["image", "image"];
    world.declare(&format!("{AGED}{FILES}batch = 7\n"));
    let (plan, _) = world.plan().await;
    let result = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    let left: std::collections::BTreeSet<_> = (1..=20).map(|n| format!("{}.png", n * 3)).collect();
    assert_eq!(world.db.column("SELECT image FROM item").into_iter().collect::<std::collections::BTreeSet<_>>(), left);
    assert_eq!((world.files("images"), plan.totals, result.totals.rows_deleted), (left, result.totals, 40));
}
