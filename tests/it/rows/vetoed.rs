//! A veto is a result: rows that a trigger or rule keeps stay with their files, and are one error.

use retaind::outcome::{RunResult, Status};

use crate::engines::EngineKind;
use crate::needs::Need;
use crate::world::{World, paths, set};

pub(super) const ITEMS: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";
pub(super) const FILES: &str = "files = [{ store = \"images\", column = \"image\" }]\n";

/// Old items, each with a file.
pub(super) fn fill(world: &World, items: u64) {
    world.create_items();
    for id in 1..=items {
        world.item(id, 40.0, None, Some(&format!("{id}.png")));
        world.put("images", &format!("{id}.png"), 1);
    }
}

/// Keeps items below a number, without a word where the engine can.
fn keep_below(world: &World, number: u64) {
    match world.db.kind() {
        EngineKind::Postgres => {
            world.db.execute(&format!(
                "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id < {number} THEN RETURN NULL; END IF; \
                 RETURN OLD; END $$"
            ));
            world.db.execute("CREATE TRIGGER keeper BEFORE DELETE ON item FOR EACH ROW EXECUTE FUNCTION keep()");
        }
        EngineKind::Sqlite => world.db.execute(&format!(
            "CREATE TRIGGER keeper BEFORE DELETE ON item WHEN OLD.id < {number} BEGIN SELECT RAISE(IGNORE); END"
        )),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => unreachable!("its triggers raise errors"),
    }
}

/// Refuses items below a number with an error.
fn refuse_below(world: &World, number: u64) {
    match world.db.kind() {
        EngineKind::Postgres => {
            world.db.execute(&format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id < {number} THEN \
                 RAISE EXCEPTION 'item % is for ever', OLD.id; END IF; RETURN OLD; END $$"
            ));
            world.db.execute("CREATE TRIGGER refuser BEFORE DELETE ON item FOR EACH ROW EXECUTE FUNCTION refuse()");
        }
        EngineKind::Sqlite => world.db.execute(&format!(
            "CREATE TRIGGER refuser BEFORE DELETE ON item WHEN OLD.id < {number} BEGIN SELECT RAISE(ABORT, 'for ever'); END"
        )),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => world.db.execute(&format!(
            "CREATE TRIGGER refuser BEFORE DELETE ON item FOR EACH ROW IF OLD.id < {number} THEN \
             SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'for ever'; END IF"
        )),
    }
}

fn release(world: &World, trigger: &str) {
    let on = if world.is(EngineKind::Postgres) { " ON item" } else { "" };
    world.db.execute(&format!("DROP TRIGGER {trigger}{on}"));
}

#[track_caller]
fn one_error(result: &RunResult, part: &str) {
    let policy = &result.policies[0];
    assert_eq!((policy.status, policy.error_count), (Status::CompletedWithErrors, 1), "{result:?}");
    assert!(policy.errors[0].error.contains(part), "{result:?}");
}

for_each_engine! {
    async fn d24_f17_silently_kept_rows_keep_their_files(db) {
        if db.kind().is_mysql() {
            return;
        }
        let mut world = World::new(db);
        fill(&world, 9);
        keep_below(&world, 4);
        world.declare(&format!("{ITEMS}{FILES}batch = 4\n"));
        let (plan, _) = world.plan().await;
        assert!(plan.policies[0].notes.iter().any(|note| note.contains("trigger keeper of item")), "{plan:?}");
        let result = world.run().await;
        one_error(&result, "3 rows kept with their files: they stayed as they were (trigger keeper of item)");
        assert_eq!((world.ids(), world.files("images")), (set([1, 2, 3]), paths(["1.png", "2.png", "3.png"])));
        let tally = &result.policies[0].tally;
        assert_eq!((tally.rows_matched, tally.rows_deleted, tally.files_deleted), (9, 6, 6));
        release(&world, "keeper");
        let again = world.run().await;
        assert_eq!((again.status, world.ids()), (Some(Status::Completed), set([])), "{again:?}");
        assert_eq!(world.files("images"), paths([]));
    }

    async fn f17_so_they_are_without_files(db) {
        if db.kind().is_mysql() {
            return;
        }
        let mut world = World::new(db);
        fill(&world, 9);
        keep_below(&world, 4);
        world.declare(ITEMS);
        let result = world.run().await;
        one_error(&result, "3 rows kept");
        assert_eq!((world.ids(), result.policies[0].tally.rows_deleted), (set([1, 2, 3]), 6));
    }

    async fn f17_children_of_kept_rows_stay_with_theirs(db) {
        if db.kind().is_mysql() {
            return;
        }
        let mut world = World::new(db);
        fill(&world, 9);
        keep_below(&world, 4);
        world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER, thumb VARCHAR(50))");
        for id in [1, 3, 5] {
            world.db.execute(&format!("INSERT INTO part VALUES ({id}, {id}, 'data/thumbs/{id}.jpg')"));
            world.put("thumbs", &format!("{id}.jpg"), 1);
        }
        world.reference("thumbs", "part", "thumb");
        world.declare(&format!(
            "{ITEMS}{FILES}children = [{{ table = \"part\", column = \"item_id\", files = [{{ store = \"thumbs\", column = \"thumb\" }}] }}]\n"
        ));
        let result = world.run().await;
        one_error(&result, "3 rows kept");
        assert_eq!((world.ids(), world.files("images")), (set([1, 2, 3]), paths(["1.png", "2.png", "3.png"])));
        assert_eq!(world.db.column("SELECT id FROM part ORDER BY id"), ["1", "3"]);
        assert_eq!(world.files("thumbs"), paths(["1.jpg", "3.jpg"]));
    }

    async fn f17_an_update_held_back_releases_no_file(db) {
        let mut world = World::new(db);
        fill(&world, 6);
        match world.db.kind() {
            EngineKind::Postgres => {
                world.db.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.id < 3 THEN RETURN NULL; END IF; RETURN NEW; END $$");
                world.db.execute("CREATE TRIGGER keeper BEFORE UPDATE ON item FOR EACH ROW EXECUTE FUNCTION keep()");
            }
            EngineKind::Sqlite => world.db.execute("CREATE TRIGGER keeper BEFORE UPDATE ON item WHEN OLD.id < 3 BEGIN SELECT RAISE(IGNORE); END"),
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => return,
        }
        world.declare(&format!("{ITEMS}{FILES}where = \"note <> 'gone'\"\naction = \"update\"\nset = {{ note = \"gone\" }}\n"));
        let result = world.run().await;
        one_error(&result, "2 rows kept");
        assert_eq!(world.db.column("SELECT id FROM item WHERE note = 'n' ORDER BY id"), ["1", "2"]);
        assert_eq!(world.files("images"), paths(["1.png", "2.png"]));
        assert_eq!(result.policies[0].tally.rows_updated, 4);
    }

    async fn d24_f17_a_refusal_of_every_row_is_one_error(db) {
        let mut world = World::new(db);
        fill(&world, 300);
        // Of one age: a batch of few rows is too little to judge all others by, and lists each of its own.
        world.db.execute("UPDATE item SET at = (SELECT oldest FROM (SELECT MIN(at) AS oldest FROM item) AS first)");
        refuse_below(&world, 1000);
        world.declare(&format!("{ITEMS}{FILES}batch = 200\n"));
        let result = world.run().await;
        one_error(&result, "300 rows kept: each that was tried fails alike");
        assert!(result.policies[0].errors[0].error.contains("for ever"), "{result:?}");
        assert_eq!((world.ids().len(), world.files("images").len()), (300, 300));
        assert!(world.ledger().await.owed().await.unwrap().is_empty());
        release(&world, "refuser");
        let again = world.run().await;
        assert_eq!((again.status, world.ids()), (Some(Status::Completed), set([])), "{again:?}");
    }

    async fn f17_a_refusal_of_some_rows_lets_others_go(db) {
        let mut world = World::new(db);
        fill(&world, 100);
        refuse_below(&world, 3);
        world.declare(&format!("{ITEMS}{FILES}"));
        let result = world.run().await;
        let policy = &result.policies[0];
        assert_eq!((policy.status, policy.error_count, world.ids()), (Status::CompletedWithErrors, 2, set([1, 2])), "{result:?}");
        assert_eq!(world.files("images"), paths(["1.png", "2.png"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_rule_and_replica_identity_are_one_error_each() {
    needs!(Need::Server);
    let mut world = World::new(crate::engines::Database::create(EngineKind::Postgres));
    fill(&world, 60);
    world.db.execute("CREATE RULE never AS ON DELETE TO item DO INSTEAD NOTHING");
    world.declare(&format!("{ITEMS}{FILES}"));
    let result = world.run().await;
    one_error(&result, "60 rows kept with their files: they stayed as they were (rule never of item)");
    assert_eq!((world.ids().len(), world.files("images").len()), (60, 60));
    world.db.execute("DROP RULE never ON item");
    world.db.execute("ALTER TABLE item REPLICA IDENTITY NOTHING");
    world.db.connect_as_superuser().execute("CREATE PUBLICATION everything FOR TABLE item").unwrap();
    let result = world.run().await;
    one_error(&result, "60 rows kept: each that was tried fails alike");
    assert_eq!((world.ids().len(), world.files("images").len()), (60, 60));
    world.db.execute("ALTER TABLE item REPLICA IDENTITY DEFAULT");
    let again = world.run().await;
    assert_eq!(
        (again.status, world.ids(), world.files("images")),
        (Some(Status::Completed), set([]), paths([])),
        "{again:?}"
    );
}
