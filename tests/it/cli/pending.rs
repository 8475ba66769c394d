//! `pending`: lists what is still to be removed, tries again as a run does, and leaves alone what somebody says is to stay.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use retaind::ledger::LeaseOutcome;
use retaind::outcome::RunId;

use super::{Ended, call_in};
use crate::binary::killed_at;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::rows::files::WITH_FILES;
use crate::rows::recovery::{fill, name, owe, owe_paths};
use crate::world::{World, effort, paths};

/// Four rows, each with a file.
fn four_items() -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    fill(&world);
    world.declare(WITH_FILES);
    world
}

/// Rows 1 and 2 are gone, and their files are pending.
async fn two_pending() -> World {
    let world = four_items();
    owe(&world, &[1, 2], None).await;
    world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
    world
}

fn pending(world: &World) -> Value {
    call_in(world, &["pending", "--json"]).with(0).json()
}

/// Path and reason of each pending file.
fn reasons(listed: &Value) -> Vec<(&str, &str)> {
    let files = listed["pending"].as_array().unwrap();
    files.iter().map(|file| (file["path"].as_str().unwrap(), file["reason"].as_str().unwrap())).collect()
}

fn retry(world: &World, what: &[&str]) -> Ended {
    call_in(world, &[&["pending", "retry", "--json"], what].concat())
}

const EVERYTHING: [&str; 4] = ["1.png", "2.png", "3.png", "4.png"];

#[tokio::test]
async fn what_is_pending_is_listed_with_its_reason() {
    let world = four_items();
    assert_eq!(call_in(&world, &["pending"]).with(0).stdout, "No file is pending.\n");
    assert!(!world.dir.join("state/ledger.db").exists(), "looking makes no ledger");
    owe(&world, &[1, 2], None).await;
    world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
    let listed = pending(&world);
    assert_eq!(reasons(&listed), [("1.png", "not_tried"), ("2.png", "not_tried")]);
    let first = &listed["pending"][0];
    let of = |field: &str| first[field].as_str().unwrap();
    assert_eq!(
        (of("store"), of("policy"), of("source"), of("table"), of("key")),
        ("images", "items", "app", "item", "1")
    );
    let runs = world.ledger().await.runs(1).await.unwrap();
    assert_eq!((of("run_id"), first["directory"].as_bool()), (runs[0].run_id.to_string().as_str(), Some(false)));
    assert!(of("since").parse::<jiff::Timestamp>().is_ok(), "{first}");
    let page = call_in(&world, &["pending"]).with(0).stdout;
    assert!(page.contains("images/1.png: policy items, run ") && page.contains("Z, why its run ended"), "{page}");
    let cut = call_in(&world, &["pending", "-n", "1", "--json"]).with(0).json();
    assert_eq!((&cut["files_pending"], reasons(&cut).len()), (&json!(2), 1));
    assert_eq!(world.files("images"), paths(EVERYTHING), "looking removes nothing");
    world.conf_d("10-broken", "[policies.items\n");
    assert_eq!(reasons(&pending(&world)), [("1.png", "not_tried"), ("2.png", "not_tried")]);
}

#[tokio::test]
async fn retry_removes_what_a_run_would_remove() {
    let world = two_pending().await;
    let retried = retry(&world, &["images/1.png"]).with(0).json();
    assert_eq!(
        (&retried["files_deleted"], &retried["batches_settled"]),
        (&json!(2), &json!(1)),
        "one batch: {retried}"
    );
    assert_eq!(world.files("images"), paths(["3.png", "4.png"]));
    assert_eq!(pending(&world)["files_pending"], 0);
    let run = world.ledger().await.runs(1).await.unwrap().remove(0);
    assert_eq!((run.totals.rows_deleted, run.totals.files_deleted), (2, 2), "the sums of the run are mended");
    assert_eq!(retry(&world, &["images"]).with(0).json()["files_deleted"], 0, "a store of which nothing is pending");
    let entry = call_in(&world, &["audit", "-n", "2", "--json"]).with(0).json()[1].clone();
    assert_eq!((&entry["action"], &entry["subject"]), (&json!("retry"), &json!("file images/1.png")));
}

#[tokio::test]
async fn retry_takes_only_the_batches_asked_for() {
    let world = four_items();
    owe(&world, &[1], None).await;
    owe(&world, &[2], None).await;
    world.db.execute("DELETE FROM item WHERE id IN (1, 2)");
    assert_eq!(retry(&world, &["images/2.png"]).with(0).json()["files_deleted"], 1);
    assert_eq!(world.files("images"), paths(["1.png", "3.png", "4.png"]));
    assert_eq!(reasons(&pending(&world)), [("1.png", "not_tried")]);
    for (what, code) in [("images/3.png", "not_pending"), ("nothing", "not_pending"), ("images/../x", "usage")] {
        let refused = retry(&world, &[what]).with(2).json();
        assert_eq!(refused["error"]["code"], code, "{what}");
    }
}

#[tokio::test]
async fn g3_retry_keeps_what_a_row_names_again() {
    let world = two_pending().await;
    world.item(9, 1.0, None, Some("1.png"));
    let retried = retry(&world, &[]).with(0).json();
    assert_eq!((&retried["files_deleted"], &retried["files_referenced"]), (&json!(1), &json!(1)), "{retried}");
    assert_eq!(world.files("images"), paths(["1.png", "3.png", "4.png"]));
    assert_eq!(pending(&world)["files_pending"], 0, "it is nobody's to remove any more");
}

#[tokio::test]
async fn f24_retry_keeps_what_is_another_file_by_now() {
    let world = four_items();
    world.put("images", "upload", 9);
    owe(&world, &[1], None).await;
    world.db.execute("DELETE FROM item WHERE id = 1");
    std::thread::sleep(std::time::Duration::from_millis(30));
    std::fs::rename(world.root("images").join("upload"), world.root("images").join("1.png")).unwrap();
    let retried = retry(&world, &[]).with(3).json();
    assert_eq!((&retried["files_deleted"], reasons(&retried)), (&json!(0), vec![("1.png", "not_removed")]));
    assert_eq!(world.files("images"), paths(EVERYTHING));
    let listed = pending(&world);
    assert_eq!(listed["pending"], retried["pending"], "the reason is remembered");
}

#[tokio::test]
async fn g4_retry_follows_no_link_out_of_the_store() {
    let world = four_items();
    let (root, outside) = (world.root("images"), world.dir.join("outside"));
    world.put("images", "a/1.png", 2);
    world.put("images", "2.png", 2);
    std::fs::create_dir(&outside).unwrap();
    for file in ["1.png", "2.png"] {
        std::fs::write(outside.join(file), "of others").unwrap();
    }
    let hostile = "b\u{1b}[2J\nc.png";
    world.put("images", hostile, 2);
    owe_paths(&world, &[(1, "a/1.png".into()), (2, "2.png".into()), (3, hostile.into())], None).await;
    world.db.execute("DELETE FROM item WHERE id IN (1, 2, 3)");
    let page = call_in(&world, &["pending"]).with(0).stdout;
    assert!(!page.contains('\u{1b}') && page.lines().count() == 4, "{page:?}");
    std::fs::remove_dir_all(root.join("a")).unwrap();
    symlink(&outside, root.join("a")).unwrap();
    std::fs::remove_file(root.join("2.png")).unwrap();
    symlink(outside.join("2.png"), root.join("2.png")).unwrap();
    let retried = retry(&world, &[]).with(3).json();
    for file in ["1.png", "2.png"] {
        assert_eq!(std::fs::read_to_string(outside.join(file)).unwrap(), "of others", "{retried}");
    }
    assert!(!root.join(hostile).exists(), "its odd name is no reason to stay: {retried}");
    let left = pending(&world);
    assert!(reasons(&left).iter().all(|(_, reason)| *reason == "not_removed") && left["files_pending"] != 0, "{left}");
}

#[tokio::test]
async fn f23_a_brake_holds_retry() {
    let world = two_pending().await;
    world.conf_d("90-brake", "[policies.items]\nmode = \"report\"\n");
    let retried = retry(&world, &[]).with(4).json();
    assert_eq!(reasons(&retried), [("1.png", "report_mode"), ("2.png", "report_mode")]);
    world.conf_d("90-brake", "");
    call_in(&world, &["pause", "items"]).with(0);
    assert_eq!(reasons(&retry(&world, &["images"]).with(4).json())[0], ("1.png", "paused"));
    assert_eq!(reasons(&pending(&world))[0], ("1.png", "paused"));
    assert_eq!(world.files("images"), paths(EVERYTHING));
    call_in(&world, &["resume", "items"]).with(0);
    retry(&world, &[]).with(0);
    assert_eq!(world.files("images"), paths(["3.png", "4.png"]));
}

#[tokio::test]
async fn g7_a_run_with_the_policy_is_not_raced() {
    let world = two_pending().await;
    let ledger = world.ledger().await;
    let run = RunId::now_v7();
    let Ok(LeaseOutcome::Granted(lease)) = ledger.acquire_lease(&name("items"), run, world.clock.now()).await else {
        panic!("nobody else has it");
    };
    let busy = retry(&world, &[]).with(4);
    assert_eq!(reasons(&busy.json())[0], ("1.png", "already_running"), "{busy:?}");
    let ours = format!("process {}", std::process::id());
    assert!(busy.stdout.contains(&ours), "{busy:?}");
    let refused = call_in(&world, &["pending", "forget", "images/1.png", "--yes"]).with(4);
    assert!(refused.stderr.contains(&ours) && refused.stderr.contains(&run.to_string()), "{refused:?}");
    assert_eq!(world.files("images"), paths(EVERYTHING));
    ledger.release(lease).await.unwrap();
    assert_eq!(pending(&world)["files_pending"], 2);
    call_in(&world, &["pending", "forget", "images/1.png", "--yes"]).with(0);
    retry(&world, &[]).with(0);
    assert_eq!(world.files("images"), paths(["1.png", "3.png", "4.png"]));
}

#[tokio::test]
async fn forgotten_files_stay_and_are_in_the_audit() {
    let world = two_pending().await;
    let refused = call_in(&world, &["pending", "forget", "images/1.png"]).with(2);
    assert!(refused.stderr.contains("--yes"), "{refused:?}");
    assert_eq!(pending(&world)["files_pending"], 2);
    // The configuration is not needed for it.
    world.conf_d("10-broken", "[policies.items\n");
    let config = world.dir.join("retaind.toml");
    let forget = |file: &str| {
        let mut command = super::retaind(&["pending", "forget", file, "--yes", "--json", "--config"]);
        Ended::of(command.arg(&config).output().expect("retaind starts"))
    };
    let forgotten = forget("images/1.png").with(0).json();
    assert_eq!((&forgotten["path"], &forgotten["rows"][0]["key"]), (&json!("1.png"), &json!("1")));
    assert_eq!(forget("images/1.png").with(2).json()["error"]["code"], "not_pending");
    world.conf_d("10-broken", "");
    let entry = call_in(&world, &["audit", "-n", "1", "--json"]).with(0).json()[0].clone();
    assert_eq!((&entry["action"], &entry["subject"]), (&json!("forget"), &json!("file images/1.png")), "{entry}");
    let row = &entry["detail"]["rows"][0];
    assert_eq!((&row["policy"], &row["key"]), (&json!("items"), &json!("1")), "{entry}");
    call_in(&world, &["audit", "verify"]).with(0);
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(world.files("images"), paths(["1.png", "3.png", "4.png"]), "the other one went with the next run");
}

#[tokio::test]
async fn a_batch_without_files_is_not_shown() {
    let world = two_pending().await;
    for file in ["images/1.png", "images/2.png"] {
        call_in(&world, &["pending", "forget", file, "--yes"]).with(0);
    }
    let status = call_in(&world, &["status", "--json"]).with(0).json();
    assert_eq!((&status["pending"], pending(&world)["files_pending"].as_u64()), (&json!([]), Some(0)), "{status}");
    call_in(&world, &["run", "items"]).with(0);
    assert_eq!(world.ledger().await.owed().await.unwrap(), []);
    assert_eq!(world.files("images"), paths(EVERYTHING));
}

#[tokio::test]
async fn g1_retry_killed_at_each_step() {
    needs!(Need::Program("strace"));
    let mut kills = 0;
    for (call, stride) in [("pwrite64", 4), ("fdatasync,fsync", 2), ("unlinkat", 1)] {
        for nth in (1..100).step_by((stride / effort(1)).max(1)) {
            let world = two_pending().await;
            world.item(9, 1.0, None, Some("2.png"));
            let was_killed = killed_at((call, nth), &["pending", "retry"], &world.config_file());
            kills += usize::from(was_killed);
            assert!(world.files("images").contains("2.png"), "a row names it");
            retry(&world, &[]).with(0);
            assert_eq!(world.files("images"), paths(["2.png", "3.png", "4.png"]), "{call} {nth}");
            assert_eq!(pending(&world)["files_pending"], 0);
            call_in(&world, &["audit", "verify"]).with(0);
            if !was_killed {
                break;
            }
        }
    }
    assert!(kills >= 8, "only {kills} steps were hit");
}

#[tokio::test]
async fn forget_killed_at_each_step_is_whole() {
    needs!(Need::Program("strace"));
    let (mut kills, mut done) = (0, 0);
    for (call, stride) in [("pwrite64", 4), ("fdatasync,fsync", 1)] {
        for nth in (1..100).step_by((stride / effort(1)).max(1)) {
            let world = two_pending().await;
            let was_killed =
                killed_at((call, nth), &["pending", "forget", "images/1.png", "--yes"], &world.config_file());
            kills += usize::from(was_killed);
            let audit = call_in(&world, &["audit", "--json"]).with(0).json();
            let recorded = audit.as_array().unwrap().iter().any(|entry| entry["action"] == "forget");
            let left = reasons(&pending(&world)).len();
            assert_eq!((left, recorded || was_killed), (if recorded { 1 } else { 2 }, true), "{call} {nth}");
            done += usize::from(recorded);
            call_in(&world, &["audit", "verify"]).with(0);
            retry(&world, &[]).with(0);
            assert_eq!(world.files("images").contains("1.png"), recorded, "{call} {nth}");
            if !was_killed {
                break;
            }
        }
    }
    assert!(kills >= 4 && done >= 1, "only {kills} steps were hit, {done} done");
}
