//! Rows whose files are not where they should be, or cannot be removed: seen before the first batch, and watched after it.

use crate::decided::assert_blocked;
use retaind::outcome::Failure;
use serde_json::json;

use retaind::outcome::{RunMode, Status};
use retaind::run::{Fate, Listed};
use retaind::stores::{Marker, OpenStore};

use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::rows::files::WITH_FILES;
use crate::world::{World, paths, set};

fn adopt(world: &World, store: &str) {
    let settings = world.settings();
    let store = settings.stores.iter().find(|known| known.name.as_str() == store).unwrap();
    let open = OpenStore::open(store).unwrap();
    let here = open.here().unwrap();
    open.adopt(&Marker::new(store.name.clone(), here, world.clock.now()), None).unwrap();
}

/// Old rows with an image each.
fn items(world: &World, ids: std::ops::RangeInclusive<u64>, days: f64) {
    let (old, path) =
        (world.days_ago(days), if world.db.kind().is_mysql() { "CONCAT(n, '.png')" } else { "n || '.png'" });
    world.db.insert_series("item (id, at, image)", &format!("n, {old}, {path}"), ids);
}

async fn both(world: &World) -> [retaind::outcome::PolicyResult; 2] {
    let (mut plan, _) = world.plan().await;
    let mut run = world.run().await;
    [plan.policies.remove(0), run.policies.remove(0)]
}

for_each_engine! {
    async fn f44_a_store_nearly_without_files_blocks(db) {
        let mut world = World::new(db);
        world.create_items();
        items(&world, 1..=40, 40.0);
        world.put("images", "7.png", 1);
        world.declare(&format!("{WITH_FILES}batch = 5\n"));
        for result in both(&world).await {
            assert_eq!(result.status, Status::Blocked, "{result:?}");
            assert_blocked(&result, "files_missing", json!({ "store": "images", "missing": 39, "named": 40 }));
            let guard = result.guards.iter().find(|guard| guard.guard == "files_missing_fraction").unwrap();
            assert_eq!((guard.value, guard.limit), (0.975, 0.95));
        }
        assert_eq!((world.ids().len(), world.files("images").len()), (40, 1));

        // Few of them say nothing.
        world.db.execute("DELETE FROM item WHERE id > 19");
        for result in both(&world).await {
            assert_eq!((result.status, result.tally.rows_deleted, result.tally.files_missing), (Status::Completed, 19, 18));
        }
        assert_eq!(world.ids(), set([]));
    }

    async fn f44_what_may_be_missing_blocks_nothing(db) {
        let mut world = World::new(db);
        world.create_items();
        items(&world, 1..=40, 40.0);
        world.declare(&WITH_FILES.replace("\"image\" }", "\"image\", may_be_missing = true }"));
        for result in both(&world).await {
            assert_eq!((result.status, result.tally.files_missing), (Status::Completed, 40), "{result:?}");
        }
        assert_eq!(world.ids(), set([]));
    }

    async fn f44_the_batch_that_meets_missing_files_is_last(db) {
        let mut world = World::new(db);
        world.create_items();
        // More rows without a file than are looked at first.
        world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(60.0)), 1..=1100);
        items(&world, 2001..=2120, 40.0);
        world.declare(&format!("{WITH_FILES}batch = 50\n"));
        let (plan, listed) = world.plan().await;
        let before = world.ids();
        let run = world.run().await;
        let (plan, run) = (&plan.policies[0], &run.policies[0]);
        assert_eq!((plan.status, run.status), (Status::Blocked, Status::Blocked), "{run:?}");
        assert_eq!(plan.tally, run.tally);
        let key = |line: &Listed| match line {
            Listed::Row { key, .. } => key.parse().ok(),
            Listed::File { .. } => None,
        };
        let listed: std::collections::BTreeSet<u64> = listed.iter().filter_map(key).collect();
        assert_eq!(before.difference(&world.ids()).copied().collect::<std::collections::BTreeSet<_>>(), listed);
        assert!(world.ids().len() >= 60 && world.ids().len() < 1120, "{}", world.ids().len());
    }

    async fn f46_a_missing_marker_blocks_plan_report_and_run(db) {
        let mut world = World::new(db);
        world.create_items();
        world.put("images", "1.png", 1);
        world.item(1, 40.0, None, Some("1.png"));
        world.declare(WITH_FILES);
        adopt(&world, "images");
        // The ledger remembers what was adopted as the command says it.
        let config = world.config_file();
        let retaind = |args: &[&str]| {
            let output = binary::command(RETAIND).args(args).arg("--config").arg(&config).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        retaind(&["adopt", "images", "--again", "--yes"]);
        assert!(world.ledger().await.adopted(&world.settings().stores[1].name).await.unwrap().is_some());
        assert!(retaind(&["plan", "--json", "items"]).contains("\"status\": \"completed\""), "{}", retaind(&["plan", "--json", "items"]));
        std::fs::remove_dir_all(world.root("images").join(".retaind")).unwrap();
        for said in [retaind(&["plan", "--json", "items"]), retaind(&["run", "--mode", "report", "--json", "items"]), retaind(&["run", "--json", "items"])] {
            assert!(said.contains("\"status\": \"blocked\"") && said.contains("\"blocked_code\": \"not_adopted\""), "{said}");
        }
        assert!(retaind(&["plan", "items"]).contains("would be blocked"));
        assert_eq!((world.ids(), world.files("images")), (set([1]), paths(["1.png"])));
    }

    async fn f14_another_kind_stays_pending_until_it_goes(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, gone INTEGER, dir VARCHAR(50))");
        world.db.execute("INSERT INTO job VALUES (1, 1, 'job')");
        world.put("images", "1.png/inner", 1);
        world.put("images", "job", 1);
        world.item(1, 40.0, None, Some("1.png"));
        world.reference_entry("images", "{ source = \"app\", table = \"job\", column = \"dir\", directory = true }");
        world.declare(WITH_FILES);
        world.declare(
            "[policies.jobs]\nkind = \"rows\"\nsource = \"app\"\ntable = \"job\"\nwhere = \"gone = 1\"\n\
             files = [{ store = \"images\", column = \"dir\", directory = true }]\n",
        );
        for turn in 0..3 {
            let result = world.run().await;
            assert_eq!(result.status, Some(Status::CompletedWithErrors), "{turn} {result:?}");
            let [items, jobs] = &result.policies[..] else { panic!() };
            for policy in [items, jobs] {
                let is_other = |failure: &Failure| failure.reason.as_deref() == Some("other_kind");
                assert!(policy.errors.iter().any(is_other), "{policy:?}");
            }
            assert_eq!(world.files("images"), paths(["1.png/inner", "job"]));
            let owed = world.ledger().await.owed().await.unwrap();
            assert_eq!(owed.iter().map(|(_, files)| files).sum::<u64>(), 2, "{turn}");
        }
        std::fs::remove_dir_all(world.root("images").join("1.png")).unwrap();
        std::fs::remove_file(world.root("images").join("job")).unwrap();
        let result = world.run().await;
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert!(world.ledger().await.owed().await.unwrap().is_empty());
    }

    async fn f37_an_impossible_trash_blocks_before_any_row(db) {
        let mut world = World::new(db);
        world.create_items();
        for id in 1..=3 {
            world.put("images", &format!("{id}.png"), 1);
        }
        items(&world, 1..=3, 40.0);
        // The keys of the store come before the first policy.
        world.declare("trash = \"7d\"");
        world.declare(WITH_FILES);
        std::fs::create_dir(world.root("images").join(".retaind")).unwrap();
        std::fs::write(world.root("images").join(".retaind/trash"), "no directory").unwrap();
        for result in both(&world).await {
            assert_eq!(result.status, Status::Blocked, "{result:?}");
            assert_blocked(&result, "unremovable", json!({ "store": "images" }));
        }
        assert_eq!((world.ids(), world.files("images").len()), (set([1, 2, 3]), 4));
        std::fs::remove_file(world.root("images").join(".retaind/trash")).unwrap();
        for result in both(&world).await {
            assert_eq!((result.status, result.tally.files_trashed), (Status::Completed, 3), "{result:?}");
        }
        assert_eq!(world.ids(), set([]));
    }
}

fn immutable(flag: &str, path: &std::path::Path) {
    assert!(std::process::Command::new("chattr").arg(flag).arg(path).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_an_unchangeable_store_blocks_before_any_row() {
    needs!(Need::Root);
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    for id in 1..=3 {
        world.put("images", &format!("{id}.png"), 1);
    }
    items(&world, 1..=3, 40.0);
    world.declare(WITH_FILES);
    immutable("+i", &world.root("images"));
    let results = both(&world).await;
    let report = world.runner().await.run(world.request(RunMode::Report)).await.unwrap();
    let (_, listed) = world.plan().await;
    immutable("-i", &world.root("images"));
    for result in results.iter().chain(&report.policies) {
        assert_eq!(result.status, Status::Blocked, "{result:?}");
        assert_blocked(result, "unremovable", json!({ "store": "images" }));
    }
    assert!(listed.iter().all(|line| matches!(
        line,
        Listed::Row { mode: Fate::Blocked, .. } | Listed::File { mode: Fate::Blocked, .. }
    )));
    assert_eq!((world.ids(), world.files("images").len()), (set([1, 2, 3]), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn f37_a_batch_without_any_removal_is_the_last() {
    needs!(Need::Root);
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    for id in 1..=18 {
        world.put("images", &format!("d/{id}.png"), 1);
    }
    let old = world.days_ago(40.0);
    world.db.insert_series("item (id, at, image)", &format!("n, {old}, 'd/' || n || '.png'"), 1..=18);
    world.declare(&format!("{WITH_FILES}batch = 12\n"));
    // The root lets files go, and its only directory does not.
    immutable("+i", &world.root("images").join("d"));
    let result = world.run().await;
    immutable("-i", &world.root("images").join("d"));
    assert_eq!(result.policies[0].status, Status::Failed, "{result:?}");
    assert_eq!((result.totals.rows_deleted, result.policies[0].tally.files_pending, world.ids().len()), (12, 12, 6));
    let last = result.policies[0].errors.last().unwrap();
    assert!(last.error.contains("could not be removed") && last.error.contains("rows that are left"), "{last:?}");
    let result = world.run().await;
    assert_eq!(
        (result.status, world.ids(), world.files("images")),
        (Some(Status::Completed), set([]), paths([])),
        "{result:?}"
    );
}
