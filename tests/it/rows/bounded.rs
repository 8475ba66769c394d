//! Rows of many megabytes: they fill neither memory nor the ledger, and stop nothing else.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::World;

/// What the binary may take, unoptimised and with its drivers: far less than the values of one batch.
const MOST_KIB: u64 = 100 * 1024;

/// Runs the binary; its exit code, its result, and the most memory that it had in KiB.
fn measured(world: &World, arguments: &[&str]) -> (Option<i32>, Value, u64) {
    let output = world.dir.join("output.json");
    let mut child = binary::command(RETAIND)
        .args(arguments)
        .arg("--json")
        .arg("--config")
        .arg(world.config_file())
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&output).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let code = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(high.unwrap_or(0));
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    (code, serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap(), most)
}

fn ledger_bytes(world: &World) -> u64 {
    let size = |name: &str| std::fs::metadata(world.dir.join("state").join(name)).map_or(0, |found| found.len());
    size("ledger.db") + size("ledger.db-wal")
}

/// SQL for a text repeated so often.
fn repeated(db: &Database, text: &str, times: usize) -> String {
    match db.kind() {
        EngineKind::Sqlite => format!("replace(hex(zeroblob({times})), '00', '{text}')"),
        EngineKind::Postgres | EngineKind::MariaDb | EngineKind::MariaDbNoReturning => {
            format!("repeat('{text}', {times})")
        }
    }
}

/// A world with a table `big` of old rows whose columns hold any length.
fn world(db: Database, more: &str) -> World {
    let mut world = World::new(db);
    let (at, text) = (world.db.timestamp_type(), if world.db.kind().is_mysql() { "LONGTEXT" } else { "TEXT" });
    world.db.execute(&format!("CREATE TABLE big (id INTEGER PRIMARY KEY, at {at} NULL, path {text}, note {text})"));
    world.db.execute("CREATE INDEX big_at ON big (at)");
    world.declare(&format!(
        "[policies.big]\nkind = \"rows\"\nsource = \"app\"\ntable = \"big\"\nage = \"at\"\nkeep = \"30d\"\n\
         files = [{{ store = \"images\", column = \"path\" }}]\n{more}"
    ));
    world
}

for_each_engine! {
    fn f29_an_impossibly_long_path_stops_its_row_alone(db) {
        let world = world(db, "");
        let (old, deep) = (world.days_ago(40.0), repeated(&world.db, "a/", 64_000));
        world.db.execute(&format!("INSERT INTO big (id, at, path) VALUES (1, {old}, {deep})"));
        world.db.execute(&format!("INSERT INTO big (id, at, path) VALUES (2, {old}, 'fine.jpg')"));
        world.put("images", "fine.jpg", 10);
        let (_, run, most) = measured(&world, &["run", "big"]);
        assert!(most < MOST_KIB, "{most} KiB");
        assert!(world.files("images").is_empty(), "{run}");
        assert!(!world.db.column("SELECT id FROM big").contains(&"2".to_owned()));
        assert!(run.to_string().contains("longer than 4096 bytes"), "{run}");
        let (_, again, most) = measured(&world, &["run", "big"]);
        assert!(most < MOST_KIB, "{most} KiB");
        assert_eq!(again["totals"]["files_deleted"], 0);
    }

    fn f30_values_of_megabytes_are_shown_in_a_kilobyte(db) {
        let world = world(db, "details = [\"note\", \"path\"]\n");
        let old = world.days_ago(40.0);
        let (path, note) = (repeated(&world.db, "/elsewhere/", 100_000), repeated(&world.db, "n", 3_000_000));
        world.db.insert_series("big (id, at, path, note)", &format!("n, {old}, {path}, {note}"), 1..=40);
        let (_, plan, most) = measured(&world, &["plan", "big"]);
        assert!(most < MOST_KIB, "{most} KiB");
        assert!(plan.to_string().len() < 500_000);
        let (_, run, most) = measured(&world, &["run", "big"]);
        assert!(most < MOST_KIB, "{most} KiB");
        assert!(run.to_string().len() < 500_000 && run.to_string().contains("… ("), "{}", run.to_string().len());
        assert!(ledger_bytes(&world) < 1 << 20, "{}", ledger_bytes(&world));
    }
}

#[test]
fn f30_a_message_of_megabytes_is_cut() {
    needs!(Need::Server);
    let world = world(Database::create(EngineKind::Postgres), "");
    world.db.execute(
        "CREATE FUNCTION big_talk() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION '%', repeat('no ', 1000000); END $$",
    );
    world.db.execute("CREATE TRIGGER big_talk BEFORE DELETE ON big FOR EACH ROW EXECUTE FUNCTION big_talk()");
    let old = world.days_ago(40.0);
    world.db.insert_series("big (id, at)", &format!("n, {old}"), 1..=5);
    let (_, run, most) = measured(&world, &["run", "big"]);
    assert!(most < MOST_KIB, "{most} KiB");
    assert!(run.to_string().contains("no no no") && run.to_string().len() < 50_000, "{}", run.to_string().len());
    assert!(ledger_bytes(&world) < 1 << 20, "{}", ledger_bytes(&world));
    assert_eq!(world.db.column("SELECT id FROM big").len(), 5);
}
