//! Runs by dry runs: only what was shown goes, by the configuration in force, once, and with nothing left unsaid.

use super::*;

const BUTTON: &str = "Run it now";

/// Holds that a page offers no run, and that an order for one is refused.
fn refused(visit: &Visit, plan: &str) -> String {
    let page = visit.ended(plan);
    assert!(!page.contains(BUTTON), "{page}");
    let before = visit.served.left();
    let reply = visit.post(&format!("{plan}/run"), "");
    assert_eq!(reply.status, 409, "{}", reply.body);
    assert_eq!(visit.served.left(), before);
    page
}

fn planned(served: &Served, wanted: Value) -> String {
    let plan = served.post(&served.operator, "/run?wait=20s", wanted);
    assert_eq!(plan.status, 200, "{}", plan.body);
    format!("/runs/{}", plan.body["run_id"].as_str().unwrap())
}

#[test]
fn a_run_goes_only_by_the_configuration_shown() {
    let mut served = Served::start("rate_limit = \"none\"");
    served.world.item(4, 70.0, None, None);
    let set = json!({ "policies.items.keep": "60d" });
    let narrower = planned(&served, json!({ "names": ["items"], "mode": "plan", "set": set }));
    let former = planned(&served, json!({ "names": ["items"], "mode": "plan" }));
    let visit = served.visit(&served.operator);
    let page = refused(&visit, &narrower);
    assert!(page.contains("policies.items.keep = 60d"), "{page}");
    assert!(visit.read(&former).contains(BUTTON));
    edit(&served.world, "keep = \"30d\"", "keep = \"3d\"");
    served.reload();
    let visit = served.visit(&served.operator);
    refused(&visit, &former);
    assert_eq!(served.left(), ["1", "2", "3", "4"]);
    edit(&served.world, "keep = \"3d\"", "keep = \"30d\"");
    served.reload();
    let visit = served.visit(&served.operator);
    let ran = visit.post(&format!("{former}/run"), "");
    visit.ended(header_of(&ran, "location").unwrap());
    assert_eq!(served.left(), ["3"], "it is the configuration that was shown");
    served.hear();
    served.daemon.stop();
}

#[test]
fn a_plan_is_for_one_run() {
    let served = Served::start("rate_limit = \"none\"");
    let visit = served.visit(&served.operator);
    let plan = visit.plan("policy:items");
    let first = visit.post(&format!("{plan}/run"), "");
    assert_eq!(first.status, 303, "{}", first.body);
    let run = header_of(&first, "location").unwrap();
    visit.ended(run);
    let page = visit.read(&visit.plan("policy:items"));
    assert!(page.contains("There is nothing that a run would do now.") && !page.contains(BUTTON), "{page}");
    served.world.item(5, 40.0, None, None);
    let second = visit.post(&format!("{plan}/run"), "");
    assert_eq!((second.status, header_of(&second, "location")), (303, Some(run)));
    assert_eq!(served.left(), ["3", "5"], "the second press begins nothing");
    let page = visit.read(&plan);
    assert!(!page.contains(BUTTON) && page.contains(&format!("href=\"{run}\"")), "{page}");
    assert_eq!(visit.post(&format!("{run}/run"), "").status, 409, "a run is not a plan");
    served.daemon.stop();
}

#[test]
fn what_was_not_counted_is_not_nothing() {
    let mut world = eventful();
    world.declare(
        "[policies.absent]\nkind = \"rows\"\nsource = \"app\"\ntable = \"absent\"\nage = \"at\"\nkeep = \"30d\"\n",
    );
    let served = Served::start_in(world);
    let visit = served.visit(&served.operator);
    for names in ["policy:wrong", "policy:absent", "policy:absent+policy:items"] {
        let page = refused(&visit, &visit.plan(names));
        assert!(!page.contains("There is nothing"), "{names}: {page}");
    }
    served.daemon.stop();
}

#[test]
fn hooks_and_pauses_of_tasks_are_heeded() {
    let mut world = world("every = \"20d\"\nbefore = { command = [\"/bin/false\"] }");
    world.declare("[server]\nlisten = \"127.0.0.1:0\"\nrate_limit = \"none\"\n");
    fill(&world, 2);
    world.item(3, 4.0, None, None);
    let served = Served::start_in(world);
    let visit = served.visit(&served.operator);
    let page = refused(&visit, &visit.plan("all"));
    assert!(page.contains("href=\"/tasks/sweep\""), "{page}");
    let whole = visit.plan("task:sweep");
    assert!(!visit.read(&whole).contains("The hooks of task"));
    let plan = visit.plan("policy:items");
    let page = visit.read(&plan);
    assert!(page.contains("The hooks of task") && page.contains(BUTTON), "{page}");
    visit.post("/tasks/sweep/pause", "reason=so");
    for path in ["/policies/items", "/tasks/sweep"] {
        assert!(!visit.read(path).contains("Run…"), "{path}");
    }
    assert!(visit.read("/policies/items").contains("its task sweep is paused: so"));
    for path in [&plan, &whole, &visit.plan("policy:items"), &visit.plan("task:sweep")] {
        assert!(refused(&visit, path).contains("its task sweep is paused: so"), "{path}");
    }
    assert_eq!(served.left(), ["1", "2", "3"]);
    visit.post("/tasks/sweep/resume", "");
    let ran = visit.post(&format!("{whole}/run"), "");
    visit.ended(header_of(&ran, "location").unwrap());
    assert_eq!(served.left(), ["1", "2", "3"], "its hook says no");
    let ran = visit.post(&format!("{plan}/run"), "");
    visit.ended(header_of(&ran, "location").unwrap());
    assert_eq!(served.left(), ["3"]);
    served.daemon.stop();
}

#[test]
fn an_approval_says_of_what_it_is() {
    let (mut served, _) = held();
    let page = served.visit(&served.operator).read("/policies/items/approve");
    assert!(page.contains("An approval is of that number of rows under this configuration"), "{page}");
    served.hear();
    served.daemon.stop();
}
