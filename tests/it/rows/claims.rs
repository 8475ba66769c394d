//! One run per table in the world: another retaind with a ledger of its own waits or says so, policies of one process
//! take turns.

use std::sync::Arc;

use crate::decided::assert_blocked;
use serde_json::json;

use retaind::outcome::Status;
use retaind::policy::TableName;
use retaind::sources::{Session, TableFacts};

use crate::cli::spawn_in;
use crate::engines::EngineKind;
use crate::rows::files::WITH_FILES;
use crate::world::{World, set};

/// A session that has the table, as another process in the middle of a batch has it.
async fn in_a_batch(world: &World) -> Session {
    let mut session = Session::open(&world.db.source()).await.unwrap();
    let table = TableFacts::load(&mut session, &TableName::parse("item").unwrap()).await.unwrap().unwrap().name;
    session.claim(&table).await.unwrap();
    if !world.is(EngineKind::Sqlite) {
        session.begin().await.unwrap();
    }
    session
}

for_each_engine! {
    async fn f35_a_table_claimed_elsewhere_is_left_alone(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=5).for_each(|id| world.item(id, 40.0, None, None));
        world.source_keys = "lock_timeout = \"1s\"\nstatement_timeout = \"1s\"".to_owned();
        world.declare("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n");
        let other = in_a_batch(&world).await;
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Blocked), "{result:?}");
        assert_blocked(&result.policies[0], "in_use", json!({}));
        assert_eq!(world.ids(), (1..=5).collect());
        // Other tables are free, and so is this one for a look.
        assert_eq!(world.plan().await.0.status, Some(Status::Completed));
        drop(other);
        let result = world.run().await;
        assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([])), "{result:?}");
    }

    async fn f35_policies_of_a_process_take_turns(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=2000);
        world.db.insert_series("item (id, at, note)", &format!("n, {}, 'brief'", world.days_ago(2.0)), 2001..=4000);
        let keys = "kind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nbatch = 100\n";
        world.declare(&format!("[policies.old]\n{keys}keep = \"30d\"\n"));
        world.declare(&format!("[policies.brief]\n{keys}keep = \"1d\"\nwhere = \"note = 'brief'\"\n"));
        let runner = world.runner().await;
        let mut runs = Vec::new();
        for policy in &world.settings().policies {
            let mut request = world.request(retaind::outcome::RunMode::Enforce);
            request.policies = vec![Arc::clone(policy)];
            let runner = runner.clone();
            runs.push(tokio::spawn(async move { runner.run(request).await.unwrap() }));
        }
        for run in runs {
            let result = run.await.unwrap();
            assert_eq!((result.status, result.totals.rows_deleted), (Some(Status::Completed), 2000), "{result:?}");
            assert!(result.policies[0].notes.is_empty(), "{result:?}");
        }
        assert_eq!(world.ids(), set([]));
    }

    async fn f35_two_state_directories_delete_every_row_once(db) {
        let db = Arc::new(db);
        let (mut one, mut two) = (World::new(Arc::clone(&db)), World::new(Arc::clone(&db)));
        one.create_items();
        let path = if one.db.kind().is_mysql() { "CONCAT(n, '.png')" } else { "n || '.png'" };
        one.db.insert_series("item (id, at, image)", &format!("n, {}, {path}", one.days_ago(40.0)), 1..=600);
        (1..=600).for_each(|id| one.put("images", &format!("{id}.png"), 1));
        for world in [&mut one, &mut two] {
            world.source_keys = "lock_timeout = \"10s\"".to_owned();
            // Each has a directory of its own, in which the files of the other are not.
            let policy = WITH_FILES.replace("column = \"image\"", "column = \"image\", may_be_missing = true");
            assert_ne!(policy, WITH_FILES);
            world.declare(&format!("{policy}batch = 20\n"));
        }
        let (first, second) = (spawn_in(&one, &["run", "items", "--json"]), spawn_in(&two, &["run", "items", "--json"]));
        let (first, second) = tokio::task::block_in_place(|| (first.ended(), second.ended()));
        let rows = |ended: &crate::cli::Ended| ended.json()["totals"]["rows_deleted"].as_u64().unwrap();
        let both = (first.code, second.code);
        assert!(both == (Some(0), Some(0)), "{first:?} {second:?}");
        assert_eq!(rows(&first) + rows(&second), 600);
        assert_eq!(one.ids(), set([]));
    }
}
