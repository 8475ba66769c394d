//! Overrides of a request: what it may set for its run alone. None takes more than the configuration in force lets it.

use serde_json::{Value, json};

use super::api::{get, post};
use super::commands::retaind;
use super::*;

/// Two rows of 40 days, one of 20 and one of 4; the configuration, which keeps 30 days, is known and has run.
fn four_items() -> (World, Daemon) {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    declare(&mut world, "every = \"20d\"");
    let daemon = Daemon::ready(&world);
    assert_eq!(run(&world, json!({ "names": ["items"] })).0, 200);
    for (id, days) in [(1, 40.0), (2, 40.0), (3, 20.0), (4, 4.0)] {
        world.item(id, days, None, None);
    }
    (world, daemon)
}

fn run(world: &World, wanted: Value) -> (u16, Value) {
    let reply = post(world, "/run?wait=20s", wanted);
    (reply.status, reply.body)
}

fn keep(span: &str) -> Value {
    json!({ "policies.items.keep": span })
}

#[test]
fn a_request_keeps_more_for_once() {
    let (world, daemon) = four_items();
    let (status, result) = run(&world, json!({ "names": ["items"], "set": keep("60d") }));
    assert_eq!((status, &result["status"], &result["totals"]["rows_deleted"]), (200, &json!("completed"), &json!(0)));
    let recorded = get(&world, &format!("/runs/{}", result["run_id"].as_str().unwrap())).body;
    assert_eq!(recorded["requested"]["overrides"], keep("60d"), "{recorded}");
    let stricter = json!({ "policies.items.max_rows": "1" });
    let (_, result) = run(&world, json!({ "names": ["items"], "set": stricter }));
    assert_eq!((&result["status"], &result["policies"][0]["blocked_code"]), (&json!("blocked"), &json!("max_rows")));
    let report = json!({ "policies.items.mode": "report" });
    let (_, result) = run(&world, json!({ "names": ["items"], "set": report }));
    assert_eq!(
        (&result["policies"][0]["mode"], &result["policies"][0]["rows_eligible"]),
        (&json!("report"), &json!(2))
    );
    assert_eq!(world.ids(), crate::world::set([1, 2, 3, 4]));
    let (_, result) = run(&world, json!({ "names": ["items"] }));
    assert_eq!(result["totals"]["rows_deleted"], 2, "the overrides were for one run: {result}");
    daemon.stop();
}

#[test]
fn g11_no_request_takes_more() {
    let (world, daemon) = four_items();
    let wider = |mode: &str| run(&world, json!({ "names": ["items"], "set": keep("10d"), "mode": mode }));
    let (status, problem) = wider("enforce");
    assert_eq!((status, &problem["code"]), (409, &json!("wider")), "{problem}");
    for mode in ["plan", "report"] {
        let (status, result) = wider(mode);
        assert_eq!((status, &result["policies"][0]["rows_eligible"]), (200, &json!(3)), "{result}");
    }
    let [stricter, looser] = ["5", "9"].map(|most| {
        let set = json!({ "policies.items.keep": "10d", "policies.items.max_rows": most });
        run(&world, json!({ "names": ["items"], "set": set }))
    });
    assert_eq!((stricter.0, looser.0), (409, 409), "{stricter:?} {looser:?}");
    assert_eq!(world.ids(), crate::world::set([1, 2, 3, 4]));
    let (_, result) = run(&world, json!({ "names": ["items"] }));
    assert_eq!((&result["status"], &result["totals"]["rows_deleted"]), (&json!("completed"), &json!(2)));
    assert_eq!(world.ids(), crate::world::set([3, 4]));
    daemon.stop();
}

#[test]
fn a_request_sets_nothing_else() {
    let (world, daemon) = four_items();
    let refused = [
        json!({ "policies.items.where": "1 = 1" }),
        json!({ "policies.items.mode": "enforce" }),
        json!({ "policies.items.max_growth": "1000" }),
        json!({ "policies.items.keep": "soon" }),
        json!({ "policies.none.keep": "1d" }),
        json!({ "daemon.state_dir": "/tmp" }),
        json!({ "sources.app.url": "sqlite:///etc/passwd" }),
    ];
    for set in refused {
        for mode in ["plan", "enforce"] {
            let (status, problem) = run(&world, json!({ "names": ["items"], "mode": mode, "set": set }));
            assert_eq!((status, &problem["code"]), (422, &json!("invalid_parameter")), "{set}: {problem}");
        }
    }
    edit(&world, "keep = \"30d\"", "keep = \"29d\"");
    let (status, problem) = run(&world, json!({ "names": ["items"], "set": keep("60d") }));
    assert_eq!((status, &problem["code"]), (409, &json!("changed")), "{problem}");
    assert_eq!(world.ids(), crate::world::set([1, 2, 3, 4]));
    daemon.stop();
}

/// What would go by `set`, and its digest.
fn planned(world: &World, set: &Value) -> String {
    let (status, plan) = run(world, json!({ "names": ["items"], "mode": "plan", "set": set }));
    assert_eq!(status, 200, "{plan}");
    plan["plan_digest"].as_str().unwrap_or_else(|| panic!("no digest: {plan}")).to_owned()
}

fn by_plan(world: &World, set: &Value, digest: &str) -> (u16, Value) {
    run(world, json!({ "names": ["items"], "set": set, "plan_digest": digest }))
}

#[test]
fn g11_a_looked_at_plan_lets_more_go_once() {
    let (world, daemon) = four_items();
    let set = keep("10d");
    let digest = planned(&world, &set);
    let (status, result) = by_plan(&world, &set, &digest);
    assert_eq!((status, &result["status"], &result["totals"]["rows_deleted"]), (200, &json!("completed"), &json!(3)));
    assert_eq!(world.ids(), crate::world::set([4]));
    world.item(5, 20.0, None, None);
    let (status, problem) = by_plan(&world, &set, &digest);
    assert_eq!((status, &problem["code"]), (409, &json!("changed")), "{problem}");
    let (_, result) = run(&world, json!({ "names": ["items"] }));
    assert_eq!(result["totals"]["rows_deleted"], 0, "nothing was agreed to for good: {result}");
    assert_eq!(world.ids(), crate::world::set([4, 5]));
    daemon.stop();
}

fn assert_changed((status, problem): (u16, Value)) {
    assert_eq!((status, &problem["code"]), (409, &json!("changed")), "{problem}");
}

#[test]
fn g11_nothing_goes_that_a_plan_did_not_show() {
    let (world, daemon) = four_items();
    let set = keep("10d");
    let digest = planned(&world, &set);
    world.item(5, 20.0, None, None);
    assert_changed(by_plan(&world, &set, &digest));
    // As many as were shown, and others.
    world.db.execute("DELETE FROM item WHERE id = 3");
    let digest = planned(&world, &set);
    world.db.execute("DELETE FROM item WHERE id = 2");
    world.item(6, 20.0, None, None);
    assert_changed(by_plan(&world, &set, &digest));
    assert_eq!(world.ids(), crate::world::set([1, 4, 5, 6]));
    // Guards stand beside it.
    let mut guarded = set.clone();
    guarded["policies.items.max_rows"] = json!("2");
    let digest = planned(&world, &guarded);
    let (_, result) = by_plan(&world, &guarded, &digest);
    assert_eq!(result["policies"][0]["blocked_code"], "max_rows", "{result}");
    assert_eq!(world.ids(), crate::world::set([1, 4, 5, 6]));
    daemon.stop();
}

#[test]
fn g11_children_and_files_belong_to_what_was_shown() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.db.execute("CREATE TABLE child (id INTEGER PRIMARY KEY, item_id INTEGER, path TEXT)");
    world.declare(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
         children = [{ table = \"child\", column = \"item_id\", files = [{ store = \"images\", column = \"path\" }] }]\n",
    );
    world.item(1, 20.0, None, None);
    world.db.execute("INSERT INTO child VALUES (1, 1, 'a.jpg')");
    world.put("images", "a.jpg", 1);
    let daemon = Daemon::ready(&world);
    let set = keep("10d");
    let digest = planned(&world, &set);
    world.db.execute("INSERT INTO child VALUES (2, 1, NULL)");
    assert_changed(by_plan(&world, &set, &digest));
    let digest = planned(&world, &set);
    world.put("images", "b.jpg", 1);
    world.db.execute("UPDATE child SET path = 'b.jpg' WHERE id = 1");
    assert_changed(by_plan(&world, &set, &digest));
    assert_eq!(images(&world), ["a.jpg", "b.jpg"]);
    let digest = planned(&world, &set);
    let (_, result) = by_plan(&world, &set, &digest);
    assert_eq!((&result["status"], &result["policies"][0]["children"]["child"]), (&json!("completed"), &json!(2)));
    assert_eq!(images(&world), ["a.jpg"]);
    daemon.stop();
}

#[test]
fn g11_a_plan_shows_what_a_request_would_do() {
    let (world, daemon) = four_items();
    let wanted = json!({ "names": ["items"], "mode": "plan", "set": keep("10d") });
    let (_, plan) = run(&world, wanted);
    let policy = &plan["policies"][0];
    assert_eq!((&policy["status"], &policy["rows_deleted"]), (&json!("completed"), &json!(3)), "{plan}");
    assert_eq!(world.ids(), crate::world::set([1, 2, 3, 4]));
    daemon.stop();
}

#[test]
fn a_digest_is_of_one_request() {
    let (world, mut daemon) = four_items();
    let digest = planned(&world, &keep("10d"));
    for (set, digest) in [(keep("9d"), digest.as_str()), (json!({}), &digest), (keep("10d"), "0")] {
        let (status, problem) = by_plan(&world, &set, digest);
        assert_eq!((status, &problem["code"]), (409, &json!("changed")), "{set}: {problem}");
    }
    let again = json!({ "names": ["items"], "set": keep("10d"), "plan_digest": digest, "mode": "plan" });
    assert_eq!(run(&world, again).0, 422);
    edit(&world, "keep = \"30d\"", "keep = \"29d\"");
    daemon.reload();
    let (status, problem) = by_plan(&world, &keep("10d"), &digest);
    assert_eq!((status, &problem["code"]), (409, &json!("changed")), "{problem}");
    assert_eq!(world.ids(), crate::world::set([1, 2, 3, 4]));
    daemon.stop();
}

#[test]
fn g11_a_held_policy_takes_no_plan() {
    let (world, mut daemon) = four_items();
    edit(&world, "keep = \"30d\"", "keep = \"25d\"");
    daemon.reload();
    let set = keep("10d");
    let digest = planned(&world, &set);
    let (status, problem) = by_plan(&world, &set, &digest);
    assert_eq!((status, &problem["code"]), (409, &json!("held")), "{problem}");
    assert_eq!(world.ids(), crate::world::set([1, 2, 3, 4]));
    daemon.stop();
}

/// Two old files beside a young one, of a policy that keeps 30 days.
fn three_files() -> (World, Daemon) {
    let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare("[policies.items]\nkind = \"files\"\nstore = \"images\"\nkeep = \"30d\"\n");
    for (path, days) in [("a", 20), ("b", 20), ("c", 1)] {
        old_image(&world, path, days);
    }
    world.config_file();
    assert!(retaind(&world, &["adopt", "images", "--yes"]).status.success());
    let daemon = Daemon::ready(&world);
    (world, daemon)
}

fn images(world: &World) -> Vec<String> {
    world.files("images").into_iter().filter(|path| !path.starts_with(".retaind")).collect()
}

fn old_image(world: &World, path: &str, days: u64) {
    world.put("images", path, 1);
    let at = std::time::SystemTime::now() - Duration::from_secs(days * 86_400);
    std::fs::File::options().write(true).open(world.root("images").join(path)).unwrap().set_modified(at).unwrap();
}

#[test]
fn g11_files_go_by_a_plan_alone() {
    let (world, daemon) = three_files();
    let set = keep("10d");
    let digest = planned(&world, &set);
    old_image(&world, "d", 20);
    // The kernel stamps files by a coarse clock: one of this moment would pass for changed since, and stay.
    std::thread::sleep(Duration::from_millis(25));
    assert_changed(by_plan(&world, &set, &digest));
    assert_eq!(images(&world), ["a", "b", "c", "d"]);
    let digest = planned(&world, &set);
    let (_, result) = by_plan(&world, &set, &digest);
    assert_eq!((&result["status"], &result["totals"]["files_deleted"]), (&json!("completed"), &json!(3)), "{result}");
    assert_eq!(images(&world), ["c"]);
    daemon.stop();
}

#[test]
fn g11_a_command_lets_more_go_once() {
    let (world, daemon) = four_items();
    daemon.stop();
    let ended = retaind(&world, &["run", "items", "--set", "policies.items.keep=10d", "--yes"]);
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(world.ids(), crate::world::set([4]));
    assert_eq!(ledger(&world).query("SELECT id FROM approvals").unwrap(), Vec::<Vec<Option<String>>>::new());
}
