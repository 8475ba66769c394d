//! Tables that point to themselves: whole subtrees go, what a young row needs stays, and no statement meets an error.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use retaind::outcome::{RunResult, Status};
use retaind::run::Listed;

use crate::cli::call_in;
use crate::world::{World, paths, set};

const FILES: &str = "files = [{ store = \"images\", column = \"image\" }]\n";
const AGED: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

/// Items that may point to items.
fn create(world: &World, action: &str) {
    let at = world.db.timestamp_type();
    world.db.execute(&format!(
        "CREATE TABLE item (id INTEGER NOT NULL PRIMARY KEY, at {at} NULL, image VARCHAR(50), thumb VARCHAR(50), parent INTEGER, \
         CONSTRAINT above FOREIGN KEY (parent) REFERENCES item (id){action})"
    ));
    world.db.execute("CREATE INDEX item_at ON item (at)");
    world.db.execute("CREATE INDEX item_parent ON item (parent)");
}

fn insert(world: &World, rows: &[(u64, f64, Option<u64>)]) {
    for (id, days, parent) in rows {
        let parent = parent.map_or("NULL".to_owned(), |parent| parent.to_string());
        world.db.execute(&format!(
            "INSERT INTO item (id, at, image, parent) VALUES ({id}, {}, '{id}.png', {parent})",
            world.days_ago(*days)
        ));
        world.put("images", &format!("{id}.png"), 1);
    }
}

/// Two trees: the first goes as a whole, of the second what a young row needs stays. Eleven is older than what it points to.
fn grow(world: &World) {
    insert(
        world,
        &[
            (1, 90.0, None),
            (2, 80.0, Some(1)),
            (3, 70.0, Some(2)),
            (4, 70.0, Some(1)),
            (5, 90.0, None),
            (6, 80.0, Some(5)),
            (7, 70.0, Some(6)),
            (8, 1.0, Some(6)),
            (9, 60.0, Some(8)),
            (10, 50.0, Some(7)),
            (12, 40.0, None),
            (11, 95.0, Some(12)),
            (13, 1.0, None),
        ],
    );
    // InnoDB itself lets no row go that points to itself.
    if world.db.kind().is_mysql() {
        return;
    }
    world.db.execute(&format!(
        "INSERT INTO item (id, at, image, parent) VALUES (14, {}, '14.png', 14)",
        world.days_ago(40.0)
    ));
    world.put("images", "14.png", 1);
}

fn listed(lines: &[Listed]) -> BTreeSet<u64> {
    let rows = lines.iter().filter_map(|line| match line {
        Listed::Row { key, .. } => Some(key.parse().unwrap()),
        Listed::File { .. } => None,
    });
    rows.collect()
}

fn files_of(ids: &BTreeSet<u64>) -> BTreeSet<String> {
    ids.iter().map(|id| format!("{id}.png")).collect()
}

async fn whole_subtrees_go(mut world: World, action: &str, batch: u32) {
    create(&world, action);
    grow(&world);
    world.declare(&format!("{AGED}{FILES}batch = {batch}\n"));
    let before = world.ids();
    let (plan, lines) = world.plan().await;
    let result: RunResult = world.run().await;
    assert_eq!(result.status, Some(Status::Completed), "{result:?}");
    let left = set([5, 6, 8, 13]);
    assert_eq!(world.ids(), left);
    assert_eq!(world.files("images"), files_of(&left));
    assert_eq!(listed(&lines), before.difference(&left).copied().collect());
    assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    let tally = &result.policies[0].tally;
    assert_eq!(
        (tally.rows_deleted, tally.rows_protected, result.policies[0].error_count),
        (before.len() as u64 - 4, 2, 0)
    );
    let again = world.run().await;
    assert_eq!((again.status, again.totals.rows_deleted), (Some(Status::Completed), 0), "{again:?}");
}

for_each_engine! {
    async fn f12_whole_subtrees_go_except_what_young_rows_need(db) {
        whole_subtrees_go(World::new(db), "", 1000).await;
    }

    async fn f12_so_they_do_in_small_batches(db) {
        whole_subtrees_go(World::new(db), " ON DELETE RESTRICT", 3).await;
    }

    async fn f13_no_cascade_takes_a_young_descendant(db) {
        whole_subtrees_go(World::new(db), " ON DELETE CASCADE", 3).await;
    }

    async fn f13_rows_set_to_null_stay_and_others_go(db) {
        let mut world = World::new(db);
        create(&world, " ON DELETE SET NULL");
        insert(&world, &[(1, 90.0, None), (2, 80.0, Some(1)), (3, 1.0, Some(2))]);
        world.declare(&format!("{AGED}{FILES}"));
        let result = world.run().await;
        assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([3])), "{result:?}");
        assert_eq!(world.db.value("SELECT COUNT(*) FROM item WHERE parent IS NULL").as_deref(), Some("1"));
        assert_eq!(world.files("images"), paths(["3.png"]));
    }

    fn f12_why_and_check_say_what_needs_a_row(db) {
        let mut world = World::new(db);
        create(&world, " ON DELETE CASCADE");
        grow(&world);
        world.declare(AGED);
        for (id, kept_by) in [("6", Some("8")), ("5", Some("6")), ("7", None), ("1", None)] {
            let answer = call_in(&world, &["why", "app.item", id, "--json"]).with(0).json();
            let policy = &answer["policies"][0];
            assert_eq!(policy["eligible"], kept_by.is_none(), "{answer:#}");
            let reason = policy["reasons"].as_array().unwrap().iter().find(|reason| reason["reason"] == "child_keeps");
            assert_eq!(reason.map(|reason| reason["by"]["key"].as_str().unwrap()), kept_by, "{answer:#}");
        }
        let check = call_in(&world, &["check"]).with(0).stdout;
        assert!(check.contains("what others need stays, and counts as protected"), "{check}");
    }

    async fn f12_a_deep_chain_goes_in_bounded_time(db) {
        let mut world = World::new(db);
        create(&world, "");
        // Each names the one before; below the last five there is nothing young, the second chain ends in a young row.
        let old = world.days_ago(40.0);
        world.db.insert_series("item (id, at, parent)", &format!("n, {old}, CASE WHEN n > 1 THEN n - 1 END"), 1..=1500);
        world.db.insert_series("item (id, at, parent)", &format!("n, {old}, CASE WHEN n > 7001 THEN n - 1 END"), 7001..=7500);
        world.db.execute(&format!("INSERT INTO item (id, at, parent) VALUES (7501, {}, 7500)", world.days_ago(1.0)));
        world.declare(&format!("{AGED}batch = 700\n"));
        let (plan, _) = world.plan().await;
        let began = Instant::now();
        let result = world.run().await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(result.status, Some(Status::Completed), "{result:?}");
        assert_eq!(world.ids(), (7001..=7501).collect());
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
        assert_eq!(result.policies[0].tally.rows_protected, 500);
    }

    async fn f13_cascades_below_children_count_and_lose_files(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.execute(
            "CREATE TABLE remark (id INTEGER NOT NULL PRIMARY KEY, item_id INTEGER, answers INTEGER, image VARCHAR(50), \
             CONSTRAINT of_item FOREIGN KEY (item_id) REFERENCES item (id) ON DELETE CASCADE, \
             CONSTRAINT of_remark FOREIGN KEY (answers) REFERENCES remark (id) ON DELETE CASCADE)",
        );
        world.item(1, 40.0, None, None);
        world.item(2, 1.0, None, None);
        world.db.execute("INSERT INTO remark VALUES (1, 1, NULL, 'r1.png')");
        for (id, item, answers) in [(2, "1", 1), (3, "NULL", 2), (4, "NULL", 3)] {
            world.db.execute(&format!("INSERT INTO remark VALUES ({id}, {item}, {answers}, 'r{id}.png')"));
        }
        world.db.execute("INSERT INTO remark VALUES (5, 2, NULL, 'r5.png')");
        (1..=5).for_each(|id| world.put("images", &format!("r{id}.png"), 1));
        world.reference("images", "remark", "image");
        world.declare(AGED);
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!((result.status, world.ids()), (Some(Status::Completed), set([2])), "{result:?}");
        assert_eq!(world.db.column("SELECT id FROM remark"), ["5"]);
        assert_eq!(world.files("images"), paths(["r5.png"]));
        assert_eq!(result.policies[0].tally.children.get("remark"), Some(&4));
        assert_eq!(plan.policies[0].tally.children, result.policies[0].tally.children);
    }

    async fn f12_a_stuck_row_keeps_what_it_needs(db) {
        let mut world = World::new(db);
        create(&world, "");
        insert(&world, &[(1, 90.0, None), (2, 80.0, Some(1)), (3, 70.0, Some(2)), (4, 70.0, None)]);
        world.db.execute(
            "CREATE TABLE holder (id INTEGER PRIMARY KEY, item_id INTEGER, CONSTRAINT holds FOREIGN KEY (item_id) REFERENCES item (id))",
        );
        world.db.execute("INSERT INTO holder VALUES (1, 3)");
        world.declare(&format!("{AGED}{FILES}"));
        let result = world.run().await;
        assert_eq!((result.status, world.ids()), (Some(Status::CompletedWithErrors), set([1, 2, 3])), "{result:?}");
        assert_eq!(world.files("images"), paths(["1.png", "2.png", "3.png"]));
        let errors = &result.policies[0].errors;
        assert!(errors.iter().any(|failure| failure.key.as_deref() == Some("3")), "{errors:?}");
        assert!(errors.iter().any(|failure| failure.reason.as_deref() == Some("needed")), "{errors:?}");
    }
}
