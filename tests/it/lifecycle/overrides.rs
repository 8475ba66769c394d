//! Overrides of a request: what it may set for its run alone. None takes more than the configuration in force lets it.

use serde_json::{Value, json};

use super::api::{get, post};
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
