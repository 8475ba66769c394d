//! Behind PgBouncer: nothing is left on a connection that the application gets next, and two runs share a pool.

use retaind::outcome::{RunMode, Status};
use retaind::sources::Session;

use crate::cli::call_in;
use crate::engines::{Client, Database, EngineKind, Pooler};
use crate::needs::Need;
use crate::rows::files::WITH_FILES;
use crate::world::{World, paths, set};

const SETTINGS: [&str; 10] = [
    "default_transaction_read_only",
    "row_security",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "DateStyle",
    "TimeZone",
    "search_path",
    "synchronous_commit",
    "plan_cache_mode",
];

fn settings(application: &mut Client) -> Vec<String> {
    let mut shown = |name: &str| application.query(&format!("SHOW {name}")).unwrap()[0][0].clone().unwrap();
    SETTINGS.iter().map(|name| format!("{name} = {}", shown(name))).collect()
}

fn world() -> World {
    let world = World::new(Database::create(EngineKind::Postgres));
    world.create_items();
    for id in 1..=30 {
        let days = if id <= 20 { 40.0 } else { 1.0 };
        world.item(id, days, None, Some(&format!("{id}.png")));
        world.put("images", &format!("{id}.png"), 1);
    }
    world.put("images", "nobody.png", 1);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn d25_f20_a_pool_is_left_as_found() {
    needs!(Need::Server);
    let mut world = world();
    let pooler = Pooler::start(&world.db, "transaction", 1);
    world.url = Some(pooler.url());
    world.declare(&format!("{WITH_FILES}batch = 3\n"));
    world.declare(
        "[policies.nobody]\nkind = \"orphans\"\nstore = \"images\"\nkeep = \"1d\"\nmode = \"report\"\nmax_fraction = 1.0\n",
    );
    world.source_keys = "lock_timeout = \"1s\"\nstatement_timeout = \"7s\"\nmax_connections = 2".to_owned();
    let mut application = pooler.connect();
    application.execute("SET DateStyle = 'German'; SET synchronous_commit = off").unwrap();
    let before = settings(&mut application);
    let unchanged = |application: &mut Client, after: &str| {
        assert_eq!(settings(application), before, "after {after}");
        application.execute("INSERT INTO item (id) VALUES (1000); DELETE FROM item WHERE id = 1000").unwrap();
        assert_eq!(application.query("SELECT name FROM pg_prepared_statements").unwrap(), Vec::<Vec<_>>::new());
    };
    let (plan, listed) = world.plan().await;
    assert_eq!(plan.policies[0].status, Status::Completed, "{plan:?}");
    assert_eq!(listed.len(), 40, "{listed:?}");
    unchanged(&mut application, "a plan");
    let checked = tokio::task::block_in_place(|| call_in(&world, &["check"]));
    assert!(checked.stdout.contains("PostgreSQL"), "{checked:?}");
    unchanged(&mut application, "a check");
    let run = world.run().await;
    assert_eq!(run.policies[0].status, Status::Completed, "{run:?}");
    unchanged(&mut application, "a run");
    assert_eq!(world.ids(), (21..=30).collect());
    assert_eq!(world.files("images").len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_two_runs_on_a_pool_stay_apart() {
    needs!(Need::Server);
    let (mut one, mut two) = (world(), World::new(Database::create(EngineKind::Postgres)));
    two.db.execute("CREATE TABLE live (id INTEGER PRIMARY KEY, at timestamptz)");
    two.db.insert_series("live (id, at)", "n, now()", 1..=100);
    one.db.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, at timestamptz); CREATE INDEX ON log (at)");
    one.db.insert_series(
        "log (id, at)",
        "n, now() - CASE WHEN n > 2000 THEN interval '1h' ELSE interval '9d' END",
        1..=2010,
    );
    let pooler = Pooler::start(&one.db, "transaction", 2);
    one.url = Some(pooler.url());
    one.declare(&format!("{WITH_FILES}batch = 2\n"));
    two.db = one.db.clone();
    two.url = one.url.clone();
    two.declare(
        "[policies.log]\nkind = \"rows\"\nsource = \"app\"\ntable = \"log\"\nage = \"at\"\nkeep = \"7d\"\nbatch = 40\n",
    );
    let (first, second) = tokio::join!(one.run(), two.run());
    assert_eq!(
        (first.status, second.status),
        (Some(Status::Completed), Some(Status::Completed)),
        "{first:?} {second:?}"
    );
    assert_eq!(one.ids(), (21..=30).collect());
    assert_eq!(
        one.db.column("SELECT id FROM log ORDER BY id"),
        (2001..=2010).map(|id| id.to_string()).collect::<Vec<_>>()
    );
    assert_eq!((first.totals.rows_deleted, second.totals.rows_deleted), (20, 2000));
    assert_eq!(one.files("images").len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_a_pool_without_transactions_is_refused_in_words() {
    needs!(Need::Server);
    let mut world = world();
    let pooler = Pooler::start(&world.db, "statement", 1);
    world.url = Some(pooler.url());
    world.declare(WITH_FILES);
    for mode in [RunMode::Plan, RunMode::Enforce] {
        let result = world.runner().await.run(world.request(mode)).await.unwrap();
        assert_eq!(result.status, Some(Status::Failed), "{result:?}");
        assert!(result.policies[0].errors[0].error.contains("pool_mode = transaction"), "{result:?}");
    }
    assert_eq!(world.ids().len(), 30);
    let mut source = world.db.source();
    source.endpoint = world.settings().sources[0].endpoint.clone();
    let Err(error) = Session::open(&source).await else { panic!("a pool in statement mode is refused") };
    assert!(error.cause.to_string().contains("keeps no transaction together"), "{}", error.cause);
    assert_eq!(settings(&mut world.db.connect()), settings(&mut pooler.connect()));
    assert_eq!(world.files("images").difference(&paths([])).count(), 31);
    assert_ne!(world.ids(), set([]));
}
