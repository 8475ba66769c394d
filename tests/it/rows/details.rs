//! `details`: what the result shows of each row, beside its columns as they are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use retaind::outcome::{PolicyResult, Status};

use crate::cli::call_in;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, set};

const ITEMS: &str =
    "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n";

const JOBS: &str = r#"
[policies.jobs]
kind = "rows"
source = "app"
table = "job"
age = "at"
keep = { column = "kind", values = { sync = "30m", export = "15m" }, default = "90m" }
where = "status = 'RUNNING'"
action = "update"
set = { status = "FAILED", tries = { sql = "tries + 1" }, error = "stopped" }
details = [
  "id", "age_secs", "keep_secs",
  { name = "double", sql = "tries * 2.5" },
  { name = "label", sql = "CASE WHEN at < :now THEN 'late' ELSE 'early' END" },
  { name = "alike", sql = "(SELECT COUNT(*) FROM job AS other WHERE other.kind = job.kind)" },
  { name = "nothing", sql = "NULL" },
]
"#;

/// Jobs by id: kind and minutes since they began.
fn jobs(db: Database) -> World {
    let mut world = World::new(db);
    let at = world.db.timestamp_type();
    world.db.execute(&format!(
        "CREATE TABLE job (id INTEGER PRIMARY KEY, kind VARCHAR(20), status VARCHAR(20) NOT NULL, at {at} NULL, \
         tries INTEGER, error VARCHAR(200))"
    ));
    for (id, kind, minutes) in [(1, "sync", 45.0), (2, "export", 20.0), (3, "sync", 10.0), (4, "other", 100.0)] {
        let began = world.days_ago(minutes / 1440.0);
        world.db.execute(&format!("INSERT INTO job VALUES ({id}, '{kind}', 'RUNNING', {began}, {id}, NULL)"));
    }
    world.declare(JOBS);
    world
}

/// The details by the id in them, without what depends on the moment: that is a number near to what is expected.
fn by_id(result: &PolicyResult, ages: &[(i64, i64)]) -> Vec<Value> {
    let mut found: Vec<Value> = result.details.iter().map(|row| json!(row)).collect();
    found.sort_by_key(|row| row["id"].as_i64());
    for row in &mut found {
        let id = row["id"].as_i64().unwrap();
        let age = row.as_object_mut().unwrap().remove("age_secs").unwrap().as_i64().unwrap();
        let expected = ages.iter().find(|(of, _)| *of == id).unwrap().1;
        assert!((age - expected).abs() < 120, "{id}: {age} instead of {expected}");
    }
    found
}

for_each_engine! {
    async fn an_update_shows_what_was_and_what_is(db) {
        let world = jobs(db);
        let row = |id: i64, keep: i64, alike: i64| json!({
            "id": id, "keep_secs": keep, "label": "late", "alike": alike, "nothing": null,
            "set": {
                "status": { "old": "RUNNING", "new": "FAILED" },
                "tries": { "old": id, "new": id + 1 },
                "error": { "old": null, "new": "stopped" },
            },
        });
        let expected = [row(1, 1800, 2), row(2, 900, 1), row(4, 5400, 1)];
        let (plan, _) = world.plan().await;
        let run = world.run().await;
        assert_eq!((run.status, run.totals.rows_updated), (Some(Status::Completed), 3), "{run:?}");
        for result in [&plan.policies[0], &run.policies[0]] {
            let mut found = by_id(result, &[(1, 2700), (2, 1200), (4, 6000)]);
            let doubled = found.iter_mut().map(|row| row.as_object_mut().unwrap().remove("double").unwrap());
            let doubled: Vec<f64> = doubled.map(|value| value.as_f64().unwrap_or_else(|| panic!("{value}"))).collect();
            assert_eq!(doubled, [2.5, 5.0, 10.0]);
            assert_eq!(found, expected, "{result:#?}");
        }
        assert_eq!(world.db.column("SELECT id FROM job WHERE status = 'RUNNING'"), ["3"]);
        let recorded = world.ledger().await.run(&run.run_id.to_string()).await.unwrap().unwrap();
        assert_eq!(recorded.policies[0].details, run.policies[0].details);
    }

    async fn rows_that_go_are_asked_about_before(db) {
        let mut world = World::new(db);
        world.create_items();
        world.db.insert_series("item (id, at, note)", &format!("n, {}, 'four'", world.days_ago(40.0)), 1..=130);
        world.item(131, 2.0, None, None);
        let details = "details = [\"age_secs\", \"keep_secs\", { name = \"length\", sql = \"LENGTH(note)\" }, \"id\"]\n";
        world.declare(&format!("{ITEMS}batch = 40\n{details}"));
        let (plan, _) = world.plan().await;
        let run = world.run().await;
        assert_eq!((run.status, run.totals.rows_deleted, world.ids()), (Some(Status::Completed), 130, set([131])), "{run:?}");
        for result in [&plan.policies[0], &run.policies[0]] {
            let ids: BTreeSet<u64> = result.details.iter().map(|row| row["id"].as_u64().unwrap()).collect();
            assert_eq!((ids.len(), result.notes.as_slice()), (100, &[][..]));
            for row in &result.details {
                let age = row["age_secs"].as_i64().unwrap();
                assert!((age - 40 * 86_400).abs() < 120, "{row:?}");
                assert_eq!((&row["keep_secs"], &row["length"], row.len()), (&json!(30 * 86_400), &json!(4), 4));
            }
        }
    }

    async fn an_expression_that_fails_keeps_no_row(db) {
        let kind = db.kind();
        let mut world = World::new(db);
        world.create_items();
        (1..=5).for_each(|id| world.item(id, 40.0, Some(&format!("data/thumbs/{id}.jpg")), None));
        (1..=5).for_each(|id| world.put("thumbs", &format!("{id}.jpg"), 10));
        // SQLite takes the first of several rows, and has bytes in no JSON.
        let fails = if kind == EngineKind::Sqlite { "CAST(note AS BLOB)" } else { "(SELECT other.id FROM item AS other)" };
        let details = format!("details = [\"id\", {{ name = \"broken\", sql = \"{fails}\" }}]\n");
        let files = "files = [{ store = \"thumbs\", column = \"thumb\" }]\nbatch = 2\n";
        world.declare(&format!("{ITEMS}{details}{files}"));
        let run = world.run().await;
        let [policy] = run.policies.as_slice() else { panic!("{run:?}") };
        assert_eq!((policy.status, policy.tally.rows_deleted, policy.tally.files_deleted), (Status::Completed, 5, 5), "{run:?}");
        assert_eq!((world.ids(), world.files("thumbs").len()), (set([]), 0));
        let [note] = policy.notes.as_slice() else { panic!("said once: {:?}", policy.notes) };
        assert!(note.starts_with("some details are not shown: "), "{note}");
        let ids: BTreeSet<u64> = policy.details.iter().map(|row| row["id"].as_u64().unwrap()).collect();
        assert_eq!(ids, set([1, 2, 3, 4, 5]));
    }

    async fn check_has_expressions_read(db) {
        let mut world = World::new(db);
        world.create_items();
        world.declare(&format!("{ITEMS}details = [{{ name = \"wrong\", sql = \"nonesuch + 1\" }}, {{ name = \"sum\", sql = \"SUM(id)\" }}, {{ name = \"right\", sql = \"id + 1\" }}]\n"));
        let checked = tokio::task::block_in_place(|| call_in(&world, &["check", "--json"])).json();
        let findings = checked["findings"].as_array().expect("findings").iter();
        let of_details = findings.filter_map(|finding| finding["message"].as_str()?.split("its \"details\" ").nth(1));
        let refused: Vec<&str> = of_details.filter_map(|message| message.split(':').next()).collect();
        assert_eq!(refused, ["wrong", "sum"], "{checked:#}");
    }

    async fn a_column_stands_before_a_word_like_it(db) {
        let mut world = World::new(db);
        let at = world.db.timestamp_type();
        world.db.execute(&format!("CREATE TABLE item (id INTEGER PRIMARY KEY, at {at} NULL, age_secs INTEGER, thumb VARCHAR(9), image VARCHAR(9))"));
        world.db.execute(&format!("INSERT INTO item (id, at, age_secs) VALUES (1, {}, 7)", world.days_ago(40.0)));
        world.declare(&format!("{ITEMS}details = [\"age_secs\"]\n"));
        let run = world.run().await;
        assert_eq!(json!(run.policies[0].details), json!([{ "age_secs": 7 }]));
        world.redeclare(&format!("{}where = \"id > 0\"\ndetails = [\"keep_secs\"]\n", ITEMS.replace("age = \"at\"\nkeep = \"30d\"\n", "")));
        let run = world.run().await;
        assert!(run.policies[0].errors[0].error.contains("has no column keep_secs"), "{run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn details_can_write_nothing() {
    needs!(Need::Server);
    let mut world = World::new(Database::create(EngineKind::Postgres));
    world.create_items();
    world.db.execute(
        "CREATE TABLE log (n INTEGER); CREATE SEQUENCE seen; \
         CREATE FUNCTION spy() RETURNS integer LANGUAGE sql AS 'INSERT INTO public.log VALUES (1) RETURNING n'",
    );
    (1..=2).for_each(|id| world.item(id, 40.0, None, None));
    for expression in ["public.spy()", "nextval('public.seen')"] {
        world.redeclare(&format!("{ITEMS}details = [{{ name = \"x\", sql = \"{expression}\" }}]\n"));
        let (plan, _) = world.plan().await;
        assert!(plan.policies[0].notes.iter().any(|note| note.contains("read-only transaction")), "{plan:?}");
    }
    let run = world.run().await;
    assert!(run.policies[0].notes.iter().any(|note| note.contains("read-only transaction")), "{run:?}");
    assert_eq!((world.ids(), world.db.value("SELECT COUNT(*) FROM log").as_deref()), (set([]), Some("0")));
    assert_eq!(world.db.value("SELECT is_called FROM seen").as_deref(), Some("f"));
}
