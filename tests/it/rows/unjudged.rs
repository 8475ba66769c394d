//! One bad value is one row's problem: text that is no text, and SQL that fails on a row.

use retaind::outcome::Status;
use retaind::run::Listed;

use crate::engines::{Database, EngineKind};
use crate::rows::vetoed::{FILES, ITEMS, fill};
use crate::world::{World, paths, set};

/// A condition that fails on rows whose note says so; none where the engine knows no such thing.
fn failing(kind: EngineKind) -> Option<(&'static str, &'static str)> {
    match kind {
        EngineKind::Postgres => Some(("note::int > 1", "'x'")),
        EngineKind::Sqlite => Some(("json_extract(note, '$.n') > 1", "'x'")),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => None,
    }
}

fn good(kind: EngineKind) -> &'static str {
    if kind == EngineKind::Postgres { "'7'" } else { "'{\"n\": 7}'" }
}

for_each_engine! {
    async fn f31_a_where_that_fails_keeps_only_its_row(db) {
        let Some((condition, bad)) = failing(db.kind()) else { return };
        let mut world = World::new(db);
        fill(&world, 200);
        world.db.execute(&format!("UPDATE item SET note = {}", good(world.db.kind())));
        world.db.execute(&format!("UPDATE item SET note = {bad} WHERE id IN (17, 130)"));
        // A young one on which it fails as well is nobody's problem.
        world.db.execute(&format!("UPDATE item SET note = {bad}, at = {} WHERE id = 140", world.days_ago(1.0)));
        world.declare(&format!("{ITEMS}{FILES}where = \"{condition}\"\nbatch = 50\n"));
        let (plan, lines) = world.plan().await;
        let result = world.run().await;
        assert_eq!(world.ids(), set([17, 130, 140]), "{result:?}");
        assert_eq!(world.files("images"), paths(["17.png", "130.png", "140.png"]));
        let policy = &result.policies[0];
        assert_eq!(policy.status, Status::CompletedWithErrors, "{result:?}");
        let mut keys: Vec<_> = policy.errors.iter().filter_map(|failure| failure.key.as_deref()).collect();
        keys.sort_unstable();
        assert_eq!((keys, policy.error_count), (vec!["130", "17"], 2));
        assert_eq!(policy.errors[0].reason.as_deref(), Some("sql_fails"), "{policy:?}");
        assert_eq!((&plan.policies[0].tally, plan.policies[0].error_count), (&policy.tally, 2));
        assert_eq!(lines.iter().filter(|line| matches!(line, Listed::Row { .. })).count(), 197);
    }

    async fn f31_what_always_fails_fails_the_policy_once(db) {
        let Some((condition, bad)) = failing(db.kind()) else { return };
        let mut world = World::new(db);
        fill(&world, 150);
        world.db.execute(&format!("UPDATE item SET note = {bad}"));
        world.declare(&format!("{ITEMS}where = \"{condition}\"\n"));
        let result = world.run().await;
        let policy = &result.policies[0];
        assert_eq!((policy.status, policy.error_count, world.ids().len()), (Status::Failed, 1, 150), "{result:?}");
    }

    async fn f31_a_protection_that_fails_keeps_only_its_row(db) {
        let Some((condition, bad)) = failing(db.kind()) else { return };
        let mut world = World::new(db);
        fill(&world, 90);
        world.db.execute(&format!("UPDATE item SET note = {}", good(world.db.kind())));
        world.db.execute(&format!("UPDATE item SET note = {bad} WHERE id = 5"));
        world.declare(&format!("{ITEMS}{FILES}alive = {{ sql = \"NOT ({condition})\" }}\nmax_rows = 1000\n"));
        let (plan, _) = world.plan().await;
        let result = world.run().await;
        assert_eq!((world.ids(), world.files("images")), (set([5]), paths(["5.png"])), "{result:?}");
        assert_eq!(result.policies[0].errors[0].key.as_deref(), Some("5"));
        assert_eq!(plan.policies[0].tally, result.policies[0].tally);
    }
}

async fn a_path_that_is_no_text_stays(mut world: World, bytes: &str) {
    fill(&world, 9);
    world.db.execute(&format!("UPDATE item SET image = {bytes} WHERE id = 4"));
    world.declare(&format!("{ITEMS}{FILES}batch = 4\n"));
    let (plan, lines) = world.plan().await;
    let result = world.run().await;
    let policy = &result.policies[0];
    assert_eq!(
        (policy.status, policy.error_count, world.ids()),
        (Status::CompletedWithErrors, 1, set([4])),
        "{result:?}"
    );
    assert_eq!(policy.errors[0].key.as_deref(), Some("4"));
    assert_eq!(policy.errors[0].reason.as_deref(), Some("unreadable"), "{result:?}");
    assert_eq!(world.files("images"), paths(["4.png"]));
    assert_eq!((&plan.policies[0].tally, plan.policies[0].error_count), (&policy.tally, 1));
    assert_eq!(lines.iter().filter(|line| matches!(line, Listed::Row { .. })).count(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn f31_sqlite_a_path_without_text_keeps_its_row() {
    let world = World::new(Database::create(EngineKind::Sqlite));
    a_path_that_is_no_text_stays(world, "CAST(x'ff2e706e67' AS TEXT)").await;
}
