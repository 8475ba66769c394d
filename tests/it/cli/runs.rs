//! `runs`: which of them are listed, and what those show that only reported.

use serde_json::{Value, json};

use super::{call_in, world_with_items};
use crate::world::World;

const POLICIES: &str = "\
[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
files = [{ store = \"thumbs\", column = \"thumb\" }]\nmax_rows = 100\n\
[policies.second]\nkind = \"rows\"\ntask = \"log-purge\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"900d\"\n";

fn world() -> World {
    world_with_items(POLICIES)
}

fn listed(world: &World, arguments: &[&str]) -> Vec<Value> {
    let all = call_in(world, &[&["runs", "--json"], arguments].concat()).with(0).json();
    all.as_array().unwrap().iter().map(|run| run["run_id"].clone()).collect()
}

#[test]
fn runs_are_listed_by_what_is_wanted() {
    let world = world();
    let run = |arguments: &[&str], code: i32| {
        call_in(&world, &[&["run", "--json"], arguments].concat()).with(code).json()["run_id"].clone()
    };
    let blocked = run(&["retention", "--set", "policies.items.max_rows=1"], 4);
    let other = run(&["log-purge"], 0);
    let by_name = run(&["items", "second"], 0);
    let all = [&by_name, &other, &blocked].map(Clone::clone);
    assert_eq!(listed(&world, &[]), all);
    assert_eq!(listed(&world, &["-n", "1"]).as_slice(), std::slice::from_ref(&by_name));
    assert_eq!(listed(&world, &["--task", "retention"]).as_slice(), std::slice::from_ref(&blocked));
    assert_eq!(listed(&world, &["--policy", "items"]), [by_name.clone(), blocked.clone()]);
    assert_eq!(listed(&world, &["--policy", "items", "--status", "blocked"]), [blocked]);
    assert_eq!(listed(&world, &["--status", "running"]), Vec::<Value>::new());
    assert_eq!(listed(&world, &["--since", "1h"]), all);
    assert_eq!(listed(&world, &["--since", "9999-01-01"]), Vec::<Value>::new());
    assert_eq!(listed(&world, &["--since", "2020-01-01T00:00:00Z"]), all);
    assert_eq!(call_in(&world, &["runs", "--status", "failed"]).with(0).stdout, "No such run.\n");
    for wrong in [["--task", "retentoin"], ["--policy", "itmes"], ["--status", "done"], ["--since", "yesterday"]] {
        call_in(&world, &["runs", wrong[0], wrong[1]]).with(2);
    }
    let misspelt = call_in(&world, &["runs", "--policy", "itmes"]).stderr;
    assert!(misspelt.contains("there is no policy \"itmes\"") && misspelt.contains("`items`"), "{misspelt}");
}

#[test]
fn a_week_of_watching_shows_what_would_go() {
    let world = world();
    call_in(&world, &["run", "items", "--mode", "report"]).with(0);
    let run = call_in(&world, &["runs", "--json"]).with(0).json()[0].clone();
    assert_eq!(run["reported"], json!({ "rows_eligible": 2, "files_eligible": 1, "bytes_eligible": 0 }));
    assert_eq!(run["totals"]["rows_deleted"], 0);
    let page = call_in(&world, &["runs"]).with(0).stdout;
    assert!(page.contains("completed (report mode), would delete 2 rows and 1 file"), "{page}");
    call_in(&world, &["run", "retention", "--mode", "report"]).with(0);
    let status = call_in(&world, &["status"]).with(0).stdout;
    assert!(status.contains("0 rows, 0 files (0 B), would delete 2 rows and 1 file\n"), "{status}");
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(call_in(&world, &["runs", "--json"]).with(0).json()[0].get("reported"), None);
}
