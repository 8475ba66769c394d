//! What a crash left owing: intents written as a crash would leave them, then recovery.

use retaind::decide::store::RootThen;
use retaind::ledger::{IntentBatch, IntentItem, IntentOwner, RunStart};
use retaind::outcome::{RunMode, RunTrigger, Status, Tally};
use retaind::policy::{Name, StorePath};
use retaind::sources::Session;
use retaind::stores::OpenStore;

use crate::engines::EngineKind;
use crate::rows::files::WITH_FILES;
use crate::world::{World, paths, set};

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Intents for `images/ID.png` of the given items, as if a run had recorded them and died.
pub async fn owe(world: &World, ids: &[u64], transaction_id: Option<String>) -> i64 {
    let paths: Vec<_> = ids.iter().map(|id| (*id, format!("{id}.png"))).collect();
    owe_paths(world, &paths, transaction_id).await
}

/// The same of files at other paths.
pub async fn owe_paths(world: &World, files: &[(u64, String)], transaction_id: Option<String>) -> i64 {
    let ledger = world.ledger().await;
    let run_id = uuid::Uuid::now_v7();
    let started_at = world.clock.now();
    let start = RunStart {
        run_id,
        mode: RunMode::Enforce,
        trigger: RunTrigger::Cli,
        task: None,
        due_at: None,
        started_at,
        requested: None,
        policies: Vec::new(),
    };
    ledger.begin_run(&start).await.unwrap();
    let settings = world.settings();
    let owner = std::sync::Arc::new(IntentOwner {
        store: name("images"),
        root: world.root("images"),
        table: "item".to_owned(),
        path: "image".to_owned(),
        template: false,
        directory: false,
        released: Vec::new(),
        root_then: Some(root_then(world)),
    });
    let items = files.iter().map(|(id, path)| IntentItem {
        key: id.to_string(),
        path: StorePath::parse(path).unwrap(),
        owner: owner.clone(),
        why: None,
    });
    let batch = IntentBatch {
        id: 0,
        run_id,
        policy: name("items"),
        source: name("app"),
        source_identity: settings.source(&name("app")).unwrap().endpoint.identity(),
        table: "item".to_owned(),
        transaction_id,
        committed: false,
        recorded_at: world.clock.now(),
        done: Tally { rows_matched: files.len() as u64, rows_deleted: files.len() as u64, ..Tally::default() },
        items: items.collect(),
    };
    ledger.record_intents(&batch).await.unwrap()
}

/// What a run records of the root of `images`.
fn root_then(world: &World) -> RootThen {
    let settings = world.settings();
    let open = OpenStore::open(settings.store(&name("images")).unwrap()).unwrap();
    let facts = open.root_facts().unwrap();
    let adoption = open.identify().unwrap().marker.map(|marker| marker.id);
    let born_ns = facts.born_ns.map(|born| i64::try_from(born).unwrap());
    RootThen { adoption, device: facts.device, inode: facts.inode, born_ns }
}

pub fn fill(world: &World) {
    world.create_items();
    for id in 1..=4 {
        world.put("images", &format!("{id}.png"), 2);
        world.item(id, 1.0, None, Some(&format!("{id}.png")));
    }
}

for_each_engine! {
    async fn g1_a_deletion_that_was_committed_is_finished(db) {
        let mut world = World::new(db);
        fill(&world);
        world.declare(WITH_FILES);
        owe(&world, &[1, 2], None).await;
        world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
        let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
        assert_eq!((recovery.batches_settled, recovery.files_deleted, recovery.kept.len()), (1, 2, 0), "{recovery:?}");
        assert_eq!(world.files("images"), paths(["3.png", "4.png"]));
        let runs = world.ledger().await.runs(5).await.unwrap();
        assert_eq!((runs[0].totals.rows_deleted, runs[0].totals.files_deleted), (2, 2), "the run's sums are mended");
    }

    async fn f47_what_was_removed_before_the_kill_is_counted(db) {
        let mut world = World::new(db);
        fill(&world);
        world.declare(WITH_FILES);
        owe(&world, &[1, 2, 3], None).await;
        world.db.execute("DELETE FROM item WHERE id IN (1, 2, 3)");
        // The killed run had come so far.
        std::fs::remove_file(world.root("images").join("1.png")).unwrap();
        std::fs::remove_file(world.root("images").join("3.png")).unwrap();
        let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
        assert_eq!((recovery.batches_settled, recovery.files_deleted), (1, 3), "{recovery:?}");
        let ledger = world.ledger().await;
        let run = ledger.runs(5).await.unwrap().remove(0);
        assert_eq!((run.totals.rows_deleted, run.totals.files_deleted, run.totals.bytes_reclaimed), (3, 3, 2));
        assert_eq!((world.files("images"), ledger.owed().await.unwrap().len()), (paths(["4.png"]), 0));
    }

    async fn g1_a_deletion_that_never_was_is_dropped(db) {
        let mut world = World::new(db);
        fill(&world);
        world.declare(WITH_FILES);
        owe(&world, &[1, 2], None).await;
        let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
        assert_eq!((recovery.batches_settled, recovery.files_deleted), (1, 0), "{recovery:?}");
        assert_eq!(world.files("images").len(), 4);
        let runs = world.ledger().await.runs(5).await.unwrap();
        assert_eq!((runs[0].totals.rows_deleted, runs[0].totals.files_deleted), (0, 0));
    }

    async fn g1_a_reused_key_does_not_hide_pending_files(db) {
        let mut world = World::new(db);
        fill(&world);
        world.declare(WITH_FILES);
        owe(&world, &[1, 2], None).await;
        world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
        world.put("images", "new.png", 2);
        world.item(1, 1.0, None, Some("new.png"));
        world.item(2, 1.0, None, Some("2.png"));
        let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
        assert_eq!((recovery.batches_settled, recovery.files_deleted), (1, 1), "{recovery:?}");
        assert_eq!(world.files("images"), paths(["2.png", "3.png", "4.png", "new.png"]));
        assert_eq!(world.ids(), set([1, 2, 3, 4]));
    }

    async fn a_moved_store_keeps_what_is_pending(db) {
        let mut world = World::new(db);
        fill(&world);
        world.declare(WITH_FILES);
        owe(&world, &[1], None).await;
        world.db.execute("DELETE FROM item WHERE id = 1");
        let moved = world.dir.clone();
        let path = world.config_file();
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace(&format!("{}/images", moved.display()), &format!("{}/thumbs", moved.display()));
        std::fs::write(&path, text.replacen("/thumbs\"", "/state\"", 1)).unwrap();
        let settings = retaind::policy::compile::load(&retaind::config::Inputs::of_file(&path)).unwrap();
        let runner = retaind::run::Runner::new(settings.into(), Some(world.ledger().await), world.clock.clone());
        let recovery = runner.recover(&Default::default(), &Default::default()).await.unwrap();
        assert_eq!(recovery.batches_settled, 0);
        assert_eq!(recovery.kept[0].why.code(), "store_moved", "{recovery:?}");
        assert_eq!(world.files("images").len(), 4);
        assert_eq!(world.ledger().await.owed().await.unwrap(), [(name("items"), 1)]);
    }

    async fn a_run_settles_first_what_is_owed(db) {
        let mut world = World::new(db);
        fill(&world);
        world.declare(WITH_FILES);
        owe(&world, &[1, 2], None).await;
        world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert!(result.policies[0].notes[0].contains("2 files deleted"), "{result:?}");
        assert_eq!(world.files("images"), paths(["3.png", "4.png"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_tells_what_became_of_a_transaction() {
    needs!(crate::needs::Need::Server);
    let mut world = World::new(crate::engines::Database::create(EngineKind::Postgres));
    fill(&world);
    world.declare(WITH_FILES);
    let settings = world.settings();
    let source = settings.source(&name("app")).unwrap();
    let mut session = Session::open(source).await.unwrap();
    // In progress: kept, although nobody else sees the deletion yet.
    let mark = delete_uncommitted(&mut session, 1).await;
    owe(&world, &[1], mark).await;
    let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
    assert_eq!(recovery.kept[0].why.code(), "in_progress", "{recovery:?}");
    // Committed: finished.
    session.commit().await.unwrap();
    let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
    assert_eq!((recovery.batches_settled, recovery.files_deleted), (1, 1), "{recovery:?}");
    // Aborted: dropped, even where the row has gone by another hand since.
    let mark = delete_uncommitted(&mut session, 2).await;
    owe(&world, &[2], mark).await;
    session.rollback().await.unwrap();
    world.db.execute("DELETE FROM item WHERE id = 2");
    let recovery = world.runner().await.recover(&Default::default(), &Default::default()).await.unwrap();
    assert_eq!((recovery.batches_settled, recovery.files_deleted), (1, 0), "{recovery:?}");
    assert_eq!(world.files("images"), paths(["2.png", "3.png", "4.png"]));
}

/// Begins a transaction that deletes an item; its mark.
async fn delete_uncommitted(session: &mut Session, id: u64) -> Option<String> {
    session.begin().await.unwrap();
    let mut sql = session.sql();
    sql.push(&format!("DELETE FROM item WHERE id = {id}"));
    session.execute("deleting an item", &sql).await.unwrap();
    session.transaction_mark().await.unwrap()
}
