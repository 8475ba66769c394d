//! What is held and how it goes on: `approve`, `run` of a widened policy, `diff`.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::asked::AtTerminal;
use super::call_in;
use crate::engines::{Database, EngineKind};
use crate::world::{World, paths, set};

fn items(keep: &str, more: &str) -> String {
    format!(
        "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\n\
         keep = \"{keep}\"\n{more}\n"
    )
}

/// Rows 1 to 4 are 70, 40, 35 and 1 days old.
fn world(keep: &str, more: &str) -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(&items(keep, more));
    for (id, days) in [(1, 70.0), (2, 40.0), (3, 35.0), (4, 1.0)] {
        world.item(id, days, None, None);
    }
    world
}

/// The same after a run by 60 days and a slip to 30.
fn slipped() -> World {
    let mut world = world("60d", "");
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(world.ids(), set([2, 3, 4]));
    world.redeclare(&items("30d", ""));
    world
}

fn first(result: &Value) -> &Value {
    result.as_array().map_or(&result["policies"][0], |all| &all[0])
}

#[test]
fn a_slip_is_held_until_it_was_approved() {
    let world = slipped();
    let run = call_in(&world, &["run", "items"]).with(4);
    assert!(run.stdout.contains("keep 60d → 30d; it goes on with `retaind approve items`"), "{run:?}");
    assert_eq!(world.ids(), set([2, 3, 4]));

    // A script that does not say yes is shown what it would be, and told so.
    for arguments in [&["approve"][..], &["approve", "items"], &["approve", "--all"], &["approve", "--yes"]] {
        let shown = call_in(&world, arguments).with(2);
        assert!(shown.stdout.contains("items: changed keep 60d → 30d\n"), "{shown:?}");
        assert!(shown.stdout.contains("items: takes 2 rows instead of 0 rows\n"), "{shown:?}");
        assert!(shown.stderr.contains("no terminal") && shown.stderr.contains("--all"), "{shown:?}");
    }
    call_in(&world, &["run", "items"]).with(4);

    let approved = call_in(&world, &["approve", "items", "--yes", "--json"]).with(0).json();
    let approved = first(&approved);
    assert_eq!((&approved["approved"], &approved["amount"]), (&json!(true), &json!(2)));
    assert_eq!((&approved["old"]["keep"], &approved["new"]["keep"]), (&json!("60d"), &json!("30d")));
    assert_eq!((&approved["before"]["rows"], &approved["now"]["rows"]), (&json!(0), &json!(2)));
    assert_eq!(approved["held"]["reasons"], json!(["keep 60d → 30d"]));
    let nothing = call_in(&world, &["approve"]).with(0);
    assert!(nothing.stderr.contains("Nothing is held"), "{nothing:?}");
    assert_eq!(call_in(&world, &["approve", "--json"]).with(0).json(), json!([]));

    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(world.ids(), set([4]));
    let again = call_in(&world, &["approve", "items"]).with(0);
    assert!(again.stdout.contains("nothing to approve"), "{again:?}");
}

#[test]
fn guards_are_lifted_once_for_the_amount_shown() {
    let world = world("30d", "max_rows = 1");
    let blocked = call_in(&world, &["run", "items", "--json"]).with(4).json();
    assert_eq!(first(&blocked)["blocked_code"], "max_rows", "{blocked}");
    let approved = call_in(&world, &["approve", "items", "--yes"]).with(0);
    assert!(
        approved.stdout.contains("items: guard max_rows: 3 of at most 1; lifted once, for 3 rows\n"),
        "{approved:?}"
    );
    // It was eligible already, and nobody has seen it.
    world.item(5, 50.0, None, None);
    let blocked = call_in(&world, &["run", "items", "--json"]).with(4).json();
    assert_eq!(first(&blocked)["blocked_code"], "approved", "{blocked}");
    assert_eq!(first(&blocked)["blocked_facts"]["amount"], 4, "{blocked}");
    assert_eq!(world.ids(), set([1, 2, 3, 4, 5]));
    call_in(&world, &["approve", "items", "--yes"]).with(0);
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(world.ids(), set([4]));
    // It is used up.
    world.item(6, 50.0, None, None);
    world.item(7, 50.0, None, None);
    call_in(&world, &["run", "items"]).with(4);
    assert_eq!(world.ids(), set([4, 6, 7]));
}

#[test]
fn files_are_approved_as_rows_are() {
    let files = |keep: &str| {
        format!(
            "[policies.old]\nkind = \"files\"\ntask = \"retention\"\nstore = \"images\"\nkeep = \"{keep}\"\nmax_files = 1\n"
        )
    };
    let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
    world.declare(&files("60d"));
    for (file, days) in [("a", 70_u64), ("b", 40), ("c", 35), ("d", 1)] {
        world.put("images", file, 1000);
        let at = SystemTime::now() - Duration::from_secs(86_400 * days);
        File::options()
            .write(true)
            .open(world.root("images").join(file))
            .unwrap()
            .set_times(FileTimes::new().set_modified(at))
            .unwrap();
    }
    let unadopted = call_in(&world, &["approve", "old", "--yes"]).with(4);
    assert!(unadopted.stdout.contains("old: obstacle not approved"), "{unadopted:?}");
    call_in(&world, &["adopt", "images", "--yes"]).with(0);
    call_in(&world, &["run", "old"]).with(0);
    world.redeclare(&files("30d"));
    call_in(&world, &["run", "old"]).with(4);
    let approved = call_in(&world, &["approve", "--all", "--yes", "--json"]).with(0).json();
    let approved = first(&approved);
    assert_eq!((&approved["amount"], &approved["now"]["size_bytes"]), (&json!(2), &json!(2000)));
    assert_eq!(approved["before"]["files"], json!(0));
    assert_eq!(approved["guards"], json!([{ "guard": "max_files", "value": 2.0, "limit": 1.0 }]));
    call_in(&world, &["run", "old"]).with(0);
    let left: Vec<_> = world.files("images").into_iter().filter(|file| !file.starts_with('.')).collect();
    assert_eq!(left, ["d"]);
}

#[test]
fn on_a_terminal_no_is_no() {
    let world = slipped();
    for typed in ["\n", "n\n", "\u{3}"] {
        let (code, shown, stdout) = AtTerminal::start(&world, "approve").answers(typed);
        assert_eq!(code, Some(5), "{shown}");
        assert!(shown.contains("Approve policy items with 2 rows? [y/N] ") && shown.contains("Nothing was approved"));
        assert!(stdout.contains("items: takes 2 rows instead of 0 rows"), "{stdout}");
    }
    call_in(&world, &["run", "items"]).with(4);
    let (code, shown, _) = AtTerminal::start(&world, "approve").answers("y\n");
    assert_eq!(code, Some(0), "{shown}");
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(world.ids(), set([4]));
}

#[test]
fn what_changed_while_shown_is_not_approved() {
    let mut world = slipped();
    let asked = AtTerminal::start(&world, "approve").asks();
    world.redeclare(&items("3d", ""));
    world.config_file();
    let (code, shown, _) = asked.types("y\n");
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("changed meanwhile"), "{shown}");
    for keep in ["30d", "3d"] {
        world.redeclare(&items(keep, ""));
        call_in(&world, &["run", "items"]).with(4);
    }
    assert_eq!(world.ids(), set([2, 3, 4]));
}

#[test]
fn running_a_widened_policy_by_name_asks() {
    let world = slipped();
    let (code, shown, stdout) = AtTerminal::start(&world, "run items").answers("n\n");
    assert_eq!((code, stdout.as_str()), (Some(5), ""), "{shown}");
    assert!(shown.contains("takes 2 rows instead of 0 rows"), "{shown}");
    assert_eq!(world.ids(), set([2, 3, 4]));
    let (code, shown, _) = AtTerminal::start(&world, "run items").answers("y\n");
    assert_eq!((code, world.ids()), (Some(0), set([4])), "{shown}");
    // The same without a terminal.
    let world = slipped();
    call_in(&world, &["run", "items"]).with(4);
    // Without a name, yes is one to what is scheduled, and not to what changed.
    call_in(&world, &["run", "--yes"]).with(4);
    assert_eq!(world.ids(), set([2, 3, 4]));
    call_in(&world, &["run", "items", "--yes"]).with(0);
    assert_eq!(world.ids(), set([4]));
}

#[test]
fn set_approves_nothing_but_its_own_run() {
    let mut world = world("60d", "");
    call_in(&world, &["run", "items"]).with(0);
    let set_keep = ["--set", "policies.items.keep=30d"];
    let refused = call_in(&world, &[&["approve", "items", "--yes"], &set_keep[..]].concat()).with(2);
    assert!(refused.stderr.contains("--set is for this command alone"), "{refused:?}");
    call_in(&world, &[&["run", "items"], &set_keep[..]].concat()).with(4);
    call_in(&world, &[&["run", "items", "--yes"], &set_keep[..]].concat()).with(0);
    assert_eq!(world.ids(), set([4]));
    world.item(8, 40.0, None, None);
    world.redeclare(&items("30d", ""));
    call_in(&world, &["run", "items"]).with(4);
    assert_eq!(world.ids(), set([4, 8]));
}

#[test]
fn the_clock_is_confirmed() {
    let world = world("60d", "");
    call_in(&world, &["approve", "--clock"]).with(2);
    let confirmed = call_in(&world, &["approve", "--clock", "--yes", "--json"]).with(0).json();
    assert_eq!(confirmed["confirmed"], json!(true));
    call_in(&world, &["approve", "--clock", "items"]).with(2);
}

#[test]
fn diff_shows_what_a_reload_would_hold() {
    let mut world = world("60d", "");
    let never = call_in(&world, &["diff"]).with(0);
    assert_eq!(
        never.stdout,
        "No daemon has run by this ledger: this is compared with what was approved\n+ policy items\n"
    );
    assert!(!world.dir.join("state/ledger.db").exists(), "to look makes no ledger");
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(call_in(&world, &["diff", "--held"]).with(0).stdout, "");
    world.redeclare(&items("30d", ""));
    let held = call_in(&world, &["diff", "--held"]).with(4).stdout;
    assert_eq!(held, "policy items is held: keep 60d → 30d; it goes on with retaind approve items\n");
    let page = call_in(&world, &["diff", "--plan"]).with(4).stdout;
    assert!(page.contains("\npolicy items: keep 60d → 30d\n"), "{page}");
    assert!(page.contains("\npolicy items: takes 2 rows instead of 0 rows\n") && page.ends_with(&held), "{page}");
    call_in(&world, &["approve", "items", "--yes"]).with(0);
    assert_eq!(call_in(&world, &["diff", "--held"]).with(0).stdout, "");
}

#[tokio::test]
async fn diff_compares_with_what_the_daemon_works_by() {
    let mut world = world("60d", "");
    world.config_file();
    let ledger = retaind::ledger::Ledger::open(&world.dir.join("state/ledger.db")).await.unwrap();
    ledger.note_in_force(&world.settings().written).await.unwrap();
    drop(ledger);
    assert_eq!(call_in(&world, &["diff"]).with(0).stdout, "Nothing differs\n");
    world.redeclare(&items("30d", "max_rows = 9"));
    let difference = call_in(&world, &["diff", "--plan", "--json"]).with(0).json();
    assert_eq!(difference["compared_with"], json!("in_force"));
    assert_eq!(difference["changes"], json!(["policy items: keep 60d → 30d, max_rows 9 added"]));
    let amounts = &difference["amounts"][0];
    assert_eq!((&amounts["old"]["rows"], &amounts["new"]["rows"]), (&json!(1), &json!(3)));
    assert_eq!(difference["held"], json!([]), "it has neither run nor been approved");
    assert_eq!(world.files("images"), paths([]));
}
