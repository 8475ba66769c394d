//! Configurations that take more than the approved one, and those that do not.

use crate::decided::{assert_blocked, assert_facts};
use serde_json::json;

use super::*;

for_each_engine! {
    async fn a_shortened_keep_is_held_until_approved(db) {
        let mut world = agreed_on(db).await;
        world.redeclare(&keep(3));
        let reviewed = reload(&world).await;
        assert_eq!(reviewed.len(), 1);
        assert!(reviewed[0].is_new && !reload(&world).await[0].is_new);
        let result = night(&world).await;
        let (hold, eligible) = held(&result);
        assert_eq!((hold.reasons.concat().as_str(), hold.kind, eligible), ("keep 30d → 3d", HoldKind::Changed, 4));
        assert_eq!((&hold.old, &hold.new), (&words(&[("keep", "30d")]), &words(&[("keep", "3d")])));
        assert_eq!(hold.since, reviewed[0].held.since);
        // By hand as well, and a plan shows it.
        held(&world.run().await);
        let (plan, listed) = world.plan().await;
        assert_eq!((held(&plan).1, listed.len()), (4, 4));
        assert_eq!(world.ids(), set([1, 2, 3, 4, 5]));

        assert_eq!(approve(&world, "items").await, 4);
        completed(&night(&world).await, 4);
        assert_eq!(world.ids(), set([5]));
        assert!(reload(&world).await.is_empty() && waits(&world, "items").await.is_none());
    }
}

#[tokio::test]
async fn going_back_holds_nothing_and_narrowing_is_agreed() {
    let mut world = agreed().await;
    world.redeclare(&keep(3));
    held(&night(&world).await);
    world.redeclare(&keep(30));
    assert!(reload(&world).await.is_empty());
    completed(&night(&world).await, 2);
    world.redeclare(&keep(60));
    assert!(reload(&world).await.is_empty());
    world.redeclare(&keep(30));
    assert_eq!(reload(&world).await[0].held.reasons, ["keep 60d → 30d"]);
}

#[tokio::test]
async fn the_brake_moves_nothing() {
    let mut world = agreed().await;
    for brake in ["mode = \"report\"", "enabled = false"] {
        world.redeclare(&items(&format!("keep = \"3d\"\n{brake}")));
        reload(&world).await;
        night(&world).await;
        world.redeclare(&keep(3));
        reload(&world).await;
        held(&night(&world).await);
        world.redeclare(&items(&format!("keep = \"30d\"\n{brake}")));
        assert!(reload(&world).await.is_empty(), "{brake}");
        night(&world).await;
    }
    world.redeclare(&keep(3)).conf_d("90-brake", "[daemon]\nmode = \"report\"\n");
    reload(&world).await;
    let result = night(&world).await;
    assert_eq!((result.policies[0].status, result.policies[0].tally.rows_matched), (Status::Completed, 4));
    world.conf_d("90-brake", "");
    reload(&world).await;
    held(&night(&world).await);
    world.redeclare(&keep(30));
    assert!(reload(&world).await.is_empty());
    completed(&night(&world).await, 2);
}

#[tokio::test]
async fn other_rows_than_before_are_held() {
    let with = |old: &str, new: &str| keep(30).replace(old, new);
    for (new, reason) in [
        (with("table = \"item\"", "table = \"other\""), "table item → other"),
        (with("age = \"at\"", "age = \"made\""), "age at → made"),
        (items("keep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]"), "files thumbs:thumb added"),
        (items("keep = \"30d\"\nchildren = [{ table = \"part\", column = \"item_id\" }]"), "child part.item_id added"),
    ] {
        let mut world = agreed().await;
        world.db.execute("ALTER TABLE item ADD COLUMN made TIMESTAMP NULL");
        world.db.execute("CREATE INDEX item_made ON item (made)");
        world.db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, at TIMESTAMP NULL)");
        world.db.execute("CREATE INDEX other_at ON other (at)");
        world.db.execute("CREATE TABLE part (id INTEGER PRIMARY KEY, item_id INTEGER)");
        world.db.execute("CREATE INDEX part_item ON part (item_id)");
        world.redeclare(&new);
        reload(&world).await;
        let done = &night(&world).await.policies[0];
        let hold = done.held.as_ref().unwrap_or_else(|| panic!("{reason}: {done:?}"));
        assert!(hold.reasons.iter().any(|said| said.starts_with(reason)), "{reason}: {:?}", hold.reasons);
        assert_eq!(world.ids(), set([1, 2, 3, 4, 5]));
    }
}

#[tokio::test]
async fn another_database_is_held() {
    let mut world = agreed().await;
    let other = std::sync::Arc::new(Database::create(EngineKind::Sqlite));
    let before = std::mem::replace(&mut world.db, other);
    world.create_items();
    world.item(7, 50.0, None, None);
    reload(&world).await;
    let result = night(&world).await;
    assert_eq!(
        (held(&result).0.reasons.clone(), held(&result).1),
        (vec!["source app is another database".to_owned()], 1)
    );
    assert_eq!(world.ids(), set([7]));
    world.db = before;
    assert!(reload(&world).await.is_empty());
    completed(&night(&world).await, 2);
}

#[tokio::test]
async fn a_loosened_guard_holds_only_the_excess() {
    let mut world = agreed().await;
    let guarded = |most: u64| items(&format!("keep = \"30d\"\nmax_rows = {most}"));
    world.redeclare(&guarded(1));
    assert!(reload(&world).await.is_empty());
    world.redeclare(&guarded(100));
    assert!(reload(&world).await.is_empty(), "a loosened guard alone waits for nothing");
    let result = night(&world).await;
    let (hold, eligible) = held(&result);
    assert_eq!((hold.kind, eligible), (HoldKind::Guard, 2));
    assert_eq!(hold.reasons[0], "max_rows 1 → 100");
    assert_facts(&hold.facts, json!({ "guard": "max_rows", "most": 1 }));
    assert!(waits(&world, "items").await.is_some());
    world.db.execute("DELETE FROM item WHERE id = 1");
    completed(&night(&world).await, 1);
    assert_eq!(world.ids(), set([3, 4, 5]));
    assert_eq!(waits(&world, "items").await, None, "what came to its end waits no more");
    for id in 11..=13 {
        world.item(id, 50.0, None, None);
    }
    held(&night(&world).await);
    approve(&world, "items").await;
    completed(&night(&world).await, 3);
}

#[tokio::test]
async fn an_approval_lifts_a_guard_once() {
    let mut world = agreed().await;
    world.redeclare(&items("keep = \"30d\"\nmax_rows = 1"));
    reload(&world).await;
    let blocked = night(&world).await;
    assert_eq!((blocked.policies[0].status, &blocked.policies[0].held), (Status::Blocked, &None));
    assert_eq!(approve(&world, "items").await, 2);
    // More old rows come before the run: they were not shown.
    world.item(6, 50.0, None, None);
    let more = night(&world).await;
    assert_blocked(&more.policies[0], "approved", json!({ "amount": 3, "things": "rows", "most": 2 }));
    assert_eq!(world.ids(), set([1, 2, 3, 4, 5, 6]));
    assert_eq!(approve(&world, "items").await, 3);
    completed(&night(&world).await, 3);
    for id in [7, 8] {
        world.item(id, 50.0, None, None);
    }
    let again = night(&world).await;
    assert_blocked(&again.policies[0], "max_rows", json!({ "most": 1 }));
    assert_eq!(world.ids(), set([3, 4, 5, 7, 8]));
}

#[tokio::test]
async fn an_approval_of_another_configuration_approves_nothing() {
    let mut world = agreed().await;
    world.redeclare(&keep(5));
    approve(&world, "items").await;
    world.redeclare(&keep(3));
    reload(&world).await;
    held(&night(&world).await);
    assert_eq!(world.ids(), set([1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn a_configuration_for_one_run_approves_nothing() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(&keep(3));
    let request = Request { is_temporary: true, ..world.request(RunMode::Enforce) };
    completed(&world.runner().await.run(request).await.unwrap(), 0);
    assert!(world.ledger().await.agreed().await.unwrap().baseline(&Name::parse("items").unwrap()).is_none());
}

#[tokio::test]
async fn the_order_of_keys_and_comments_mean_nothing() {
    let mut world = agreed().await;
    world.redeclare(
        "# kept for a month\n[policies.items]\nkeep = \"30d\" # days\nage = \"at\"\ntable = \"item\"\n\
         source = \"app\"\nkind = \"rows\"\n",
    );
    assert!(reload(&world).await.is_empty());
    completed(&night(&world).await, 2);
}

#[tokio::test]
async fn approvals_can_be_switched_off() {
    let mut world = agreed().await;
    world.daemon("approve_changes = false").redeclare(&keep(3));
    assert!(reload(&world).await.is_empty());
    completed(&night(&world).await, 4);
    assert_eq!(world.ids(), set([5]));
}

#[tokio::test]
async fn hooks_do_not_run_for_what_is_held() {
    let mut world = agreed().await;
    let mark = world.dir.join("hooked");
    let hook = format!("before = {{ command = [\"/usr/bin/touch\", \"{}\"] }}", mark.display());
    let with = |days: u32| {
        let task = format!("[tasks.sweep]\nevery = \"1h\"\n{hook}\n");
        task + &items(&format!("keep = \"{days}d\"\ntask = \"sweep\""))
    };
    for (days, runs) in [(3, false), (30, true)] {
        world.redeclare(&with(days));
        reload(&world).await;
        let result = night_of(&world, "sweep").await;
        assert_eq!((result.policies[0].held.is_none(), mark.exists()), (runs, runs), "{result:?}");
    }
}
