//! Each guard of a scan, in a world where only this guard stands between the policy and live files. Named by the mishaps
//! that they are there for.

use rustix::fs::{Mode, OFlags};

use serde_json::json;

use super::*;
use crate::engines::EngineKind;
use crate::world::paths;

/// Nothing but the guard under test may stop it.
fn unbounded() -> String {
    format!("{ORPHANS}max_fraction = 1.0\n")
}

/// Files `1.png` to `3.png`, old and named by rows, and the orphan `4.png`.
fn three_live(world: &mut World) {
    for name in ["1.png", "2.png", "3.png", "4.png"] {
        put_aged(world, "images", name, 9.0);
    }
    ["1.png", "2.png", "3.png"].iter().for_each(|path| link(world, path));
    world.declare(&unbounded());
    adopt(world, "images");
}

for_each_engine! {
    async fn d1_a_reference_table_without_rows_blocks(db) {
        let mut world = linked(db);
        three_live(&mut world);
        world.db.execute("DELETE FROM link");
        assert_blocked(&blocked(&world).await, "reference_empty", json!({ "reference": ".link.path", "store": "images" }));
    }

    async fn d1_a_reference_table_that_is_missing_blocks(db) {
        let mut world = linked(db);
        three_live(&mut world);
        world.db.execute("DROP TABLE link");
        assert_blocked(&blocked(&world).await, "store_unavailable", json!({ "store": "images", "reference": ".link.path" }));
    }

    async fn d1_one_empty_table_of_two_blocks(db) {
        let mut world = linked(db);
        three_live(&mut world);
        world.db.execute("CREATE TABLE more (id INTEGER PRIMARY KEY, path VARCHAR(50))");
        world.reference("images", "more", "path");
        assert_blocked(&blocked(&world).await, "reference_empty", json!({ "reference": ".more.path" }));
    }

    async fn d1_rows_that_name_nothing_block(db) {
        let mut world = linked(db);
        three_live(&mut world);
        world.db.execute("UPDATE link SET path = NULL WHERE id = 1");
        world.db.execute("UPDATE link SET path = '' WHERE id > 1");
        assert_blocked(&blocked(&world).await, "reference_without_files", json!({ "reference": ".link.path", "rows": 3 }));
    }

    async fn d5_paths_that_map_outside_block(db) {
        let mut world = linked(db);
        three_live(&mut world);
        world.db.execute("UPDATE link SET path = '/mnt/new/1.png' WHERE id = 1");
        world.db.execute("UPDATE link SET path = '/mnt/new/2.png' WHERE id = 2");
        assert_blocked(&blocked(&world).await, "reference_outside", json!({ "outside": 2, "inside": 1 }));
    }

    async fn d5_paths_of_which_none_is_there_block(db) {
        let mut world = linked(db);
        three_live(&mut world);
        for id in 1..=3 {
            world.db.execute(&format!("UPDATE link SET path = 's3://bucket/{id}.png' WHERE id = {id}"));
        }
        assert_blocked(&blocked(&world).await, "reference_outside", json!({ "outside": 3, "inside": 0 }));
    }

    async fn d7_an_error_amid_reading_deletes_nothing(db) {
        let mut world = linked(db);
        three_live(&mut world);
        world.db.insert_series("link (id, path)", "n, 'x'", 10..=9000);
        world.db.execute("ALTER TABLE link RENAME TO written");
        let broken = match world.db.kind() {
            EngineKind::Postgres => "(1 / (id - 8000))::text",
            EngineKind::Sqlite => "json('{')",
            _ => "(SELECT path FROM written AS w WHERE w.id < 3 OR w.id = written.id)",
        };
        // The rows that name live files come after the one that cannot be read.
        world.db.execute(&format!(
            "CREATE VIEW link AS SELECT 10000 - id AS id, CASE WHEN id = 8000 THEN {broken} ELSE path END AS path FROM written"
        ));
        let before = files(&world, "images");
        let (plan, listed) = world.plan().await;
        let result = world.run().await;
        for result in [plan, result] {
            assert_eq!(result.status, Some(Status::Failed), "{result:?}");
            assert!(result.policies[0].errors[0].error.contains("link"), "{result:?}");
        }
        assert!(listed.is_empty());
        assert_eq!(files(&world, "images"), before);
    }

    async fn d8_a_row_written_late_keeps_its_file(db) {
        if db.kind() != EngineKind::Postgres {
            // Only there can a view be another one the second time.
            return;
        }
        let mut world = linked(db);
        three_live(&mut world);
        put_aged(&world, "images", "late.png", 9.0);
        world.db.execute("ALTER TABLE link RENAME TO written");
        // A row that is there for every question but the reading from end to end.
        world.db.execute(
            "CREATE VIEW link AS SELECT path FROM written UNION ALL SELECT 'late.png' WHERE current_query() NOT LIKE 'COPY%'",
        );
        let result = run(&world).await;
        assert_eq!(files(&world, "images"), paths(["1.png", "2.png", "3.png", "late.png"]));
        assert_eq!(result.policies[0].tally.files_referenced, 1, "{result:?}");
    }
}

fn sqlite() -> World {
    linked(Database::create(EngineKind::Sqlite))
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_what_does_not_match_is_no_orphan() {
    let mut world = sqlite();
    for path in ["a.jpg", "deep/b.jpg", "c.db", "deep/d.JPG", "keep/e.jpg", "f.jpg.part", "named.jpg"] {
        put_aged(&world, "images", path, 9.0);
    }
    link(&world, "named.jpg");
    world.declare(&format!("{}match = [\"*.jpg\", \"**/*.jpg\"]\nexclude = \"keep/**\"\n", unbounded()));
    adopt(&world, "images");
    let result = run(&world).await;
    assert_eq!(files(&world, "images"), paths(["c.db", "deep/d.JPG", "keep/e.jpg", "f.jpg.part", "named.jpg"]));
    assert_eq!((result.policies[0].tally.files_scanned, result.totals.files_deleted), (3, 2), "{result:?}");
}

/// Makes a directory that is deeper than a path can tell.
fn make_unreadable(world: &World) {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = rustix::fs::open(world.root("images"), flags, Mode::empty()).unwrap();
    for _ in 0..40 {
        let name = "y".repeat(250);
        rustix::fs::mkdirat(&directory, &name, Mode::RWXU).unwrap();
        directory = rustix::fs::openat(&directory, &name, flags, Mode::empty()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_a_directory_that_cannot_be_read_deletes_nothing() {
    let mut world = sqlite();
    three_live(&mut world);
    make_unreadable(&world);
    let (plan, listed) = world.plan().await;
    let result = world.run().await;
    assert!(listed.is_empty() && plan.status == Some(Status::Blocked), "{plan:?}");
    assert_blocked(&result.policies[0], "store_unseen", json!({ "store": "images", "places": 1 }));
    assert!(result.policies[0].errors[0].path.is_some(), "{result:?}");
    assert!(world.root("images").join("4.png").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_a_source_that_is_gone_deletes_nothing() {
    let mut world = sqlite();
    three_live(&mut world);
    std::fs::rename(world.db.path(), world.dir.join("elsewhere.db")).unwrap();
    let result = blocked(&world).await;
    std::fs::rename(world.dir.join("elsewhere.db"), world.db.path()).unwrap();
    assert_blocked(&result, "store_unavailable", json!({ "source": "app" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn d8_files_up_to_exactly_that_age_stay() {
    let mut world = sqlite();
    // A little ahead, so that nothing here was made after the decision.
    let now = world.clock.now().checked_add(Duration::from_secs(60)).unwrap();
    world.clock = retaind::clock::Clock::manual(now);
    for (path, seconds) in [("young.png", 86_399), ("even.png", 86_400), ("old.png", 86_401), ("coming.png", -600)] {
        world.put("images", path, 1);
        let at = now.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap();
        let file = std::fs::File::options().write(true).open(world.root("images").join(path)).unwrap();
        file.set_modified(SystemTime::from(at)).unwrap();
    }
    put_aged(&world, "images", "named.png", 9.0);
    link(&world, "named.png");
    world.declare(&unbounded());
    adopt(&world, "images");
    run(&world).await;
    assert_eq!(files(&world, "images"), paths(["young.png", "even.png", "coming.png", "named.png"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_links_never_make_young_or_named_files_go() {
    let mut world = sqlite();
    for (path, days) in [("young.png", 0.5), ("old.png", 9.0), ("named.png", 9.0)] {
        put_aged(&world, "images", path, days);
        let link = |name: &str| std::fs::hard_link(world.root("images").join(path), world.root("images").join(name));
        link(&format!("a-{path}")).unwrap();
        link(&format!("z-{path}")).unwrap();
    }
    link(&world, "named.png");
    world.declare(&unbounded());
    adopt(&world, "images");
    let result = run(&world).await;
    assert_eq!(files(&world, "images"), paths(["young.png", "a-young.png", "z-young.png", "named.png"]));
    // Only the last name of old.png made room.
    assert_eq!((result.totals.files_deleted, result.totals.bytes_reclaimed), (5, 1), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_half_blocks_unless_said_otherwise() {
    let mut world = sqlite();
    for n in 1..=10 {
        put_aged(&world, "images", &format!("{n}.png"), 9.0);
    }
    (1..=4).for_each(|n| link(&world, &format!("{n}.png")));
    world.declare(ORPHANS);
    adopt(&world, "images");
    assert_blocked(&blocked(&world).await, "max_fraction", json!({ "going": 6, "of": 10 }));
    link(&world, "5.png");
    assert_eq!(run(&world).await.totals.files_deleted, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_max_files_blocks() {
    for kind in ["orphans", "files"] {
        let mut world = sqlite();
        (1..=4).for_each(|n| put_aged(&world, "images", &format!("{n}.png"), 9.0));
        link(&world, "4.png");
        let policy = "[policies.p]\nstore = \"images\"\nkeep = \"1d\"\nmode = \"enforce\"\nmax_fraction = 1.0\n";
        world.declare(&format!("{policy}kind = \"{kind}\"\nmax_files = 2\n"));
        adopt(&world, "images");
        assert_blocked(&blocked(&world).await, "max_files", json!({ "most": 2 }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_off_or_reporting_deletes_nothing() {
    let reports = ["mode = \"report\"", "enabled = false", "# orphans report unless they are told to enforce"];
    for setting in reports {
        let mut world = sqlite();
        put_aged(&world, "images", "named.png", 9.0);
        put_aged(&world, "images", "orphan.png", 9.0);
        link(&world, "named.png");
        world.declare(&format!("{}{setting}\n", unbounded().replace("mode = \"enforce\"\n", "")));
        adopt(&world, "images");
        let result = run(&world).await;
        assert_eq!((result.totals.files_deleted, result.totals.bytes_reclaimed), (0, 0), "{result:?}");
        assert_eq!(files(&world, "images"), paths(["named.png", "orphan.png"]));
        let matched: Vec<_> = result.policies.iter().map(|policy| policy.tally.files_matched).collect();
        assert_eq!(matched, if setting.contains("false") { vec![] } else { vec![1] }, "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_in_report_mode_overrules_policies() {
    let mut world = sqlite();
    put_aged(&world, "images", "named.png", 9.0);
    put_aged(&world, "images", "orphan.png", 9.0);
    link(&world, "named.png");
    world.daemon("mode = \"report\"").declare(&unbounded());
    world.declare("[policies.files]\nkind = \"files\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"enforce\"\n");
    adopt(&world, "images");
    let result = run(&world).await;
    assert_eq!((result.totals.files_deleted, result.policies[0].tally.files_matched), (0, 1), "{result:?}");
    assert_eq!(files(&world, "images"), paths(["named.png", "orphan.png"]));
}
