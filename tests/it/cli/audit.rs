//! `audit`: what was asked for and by whom, and whether the record of it is as it was written.

use super::{call_in, world_with_items};
use crate::engines::Client;
use crate::world::World;

const POLICIES: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                        age = \"at\"\nkeep = \"30d\"\n\
                        [policies.one]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nwhere = \"thumb = :code\"\n\
                        params = [{ name = \"code\", type = \"text\", secret = true }]\n";

fn world() -> World {
    world_with_items(POLICIES)
}

#[test]
fn each_request_is_recorded_with_who_asked() {
    let world = world();
    assert!(call_in(&world, &["audit"]).with(0).stdout.starts_with("Nothing was asked for so far"));
    assert!(call_in(&world, &["audit", "verify"]).with(0).stdout.starts_with("Nothing was recorded so far"));
    call_in(&world, &["adopt", "thumbs", "--yes"]).with(0);
    call_in(&world, &["approve", "items", "--yes"]).with(0);
    call_in(&world, &["plan"]).with(0);
    let run = call_in(&world, &["run", "items", "--json", "--set", "policies.items.batch=5"]).with(0).json();
    let secret = call_in(&world, &["run", "one", "--yes", "--json", "--param", "code=s3cret"]).with(0).json();
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(run["requested"]["by"]["uid"], uid);
    assert_eq!(run["requested"]["overrides"], serde_json::json!({ "policies.items.batch": "5" }));
    assert_eq!(secret["requested"]["params"], serde_json::json!({ "code": "…" }));

    let entries = call_in(&world, &["audit", "--json"]).with(0).json();
    let entries = entries.as_array().unwrap();
    let shown: Vec<(&str, &str)> =
        entries.iter().map(|entry| (entry["action"].as_str().unwrap(), entry["subject"].as_str().unwrap())).collect();
    let of = |result: &serde_json::Value| format!("run {}", result["run_id"].as_str().unwrap());
    let (of_secret, of_run) = (of(&secret), of(&run));
    let wanted =
        [("run", of_secret.as_str()), ("run", &of_run), ("approve", "policy items"), ("adopt", "store thumbs")];
    assert_eq!(shown, wanted, "a plan is nobody's act");
    assert!(entries.iter().all(|entry| entry["by"]["uid"] == uid));
    assert_eq!(entries[1]["detail"]["overrides"]["policies.items.batch"], "5");
    assert_eq!(entries[1]["detail"]["policies"][0]["policy"], "items");
    assert_eq!(entries[1]["detail"]["policies"][0]["fingerprint"].as_str().unwrap().len(), 64);
    assert_eq!(call_in(&world, &["audit", "-n", "1", "--json"]).with(0).json().as_array().unwrap().len(), 1);

    let page = call_in(&world, &["runs", of_run.trim_start_matches("run ")]).with(0).stdout;
    let first = page.lines().next().unwrap();
    assert!(first.contains(" by command for ") && first.ends_with(", with --set policies.items.batch=5"), "{first}");
    let page = call_in(&world, &["audit"]).with(0).stdout;
    assert!(page.contains("overrides policies.items.batch 5, "), "{page}");
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(world.dir.join("state").join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"), "{file} has the secret");
    }
}

#[test]
fn a_changed_entry_is_found() {
    let world = world();
    for _ in 0..3 {
        call_in(&world, &["run", "items", "--mode", "report"]).with(0);
    }
    let whole = call_in(&world, &["audit", "verify", "--json"]).with(0).json();
    assert_eq!((&whole["entries"], &whole["number"], &whole["broken"]), (&3.into(), &3.into(), &().into()));
    let newest = call_in(&world, &["audit", "-n", "1", "--json"]).with(0).json();
    assert_eq!(whole["head"], newest[0]["hash"]);
    let mut ledger = Client::open(&world.dir.join("state/ledger.db")).unwrap();
    ledger.execute("UPDATE audit SET by = replace(by, 'uid', 'uid') || ' ' WHERE number = 2").unwrap();
    let broken = call_in(&world, &["audit", "verify", "--json"]).with(1).json();
    assert_eq!((&broken["broken"]["number"], &broken["entries"]), (&2.into(), &1.into()));
    let page = call_in(&world, &["audit", "verify"]).with(1).stdout;
    assert!(page.starts_with("Entry 2 is not as it was written: it is not what was written."), "{page}");
}
