//! A reload that makes the configuration more careful stops what runs, and only that.

use super::*;
use crate::needs::Need;

/// Enough that a purge takes a good while: a transaction of a server takes longer.
fn rows(kind: EngineKind) -> u64 {
    if kind == EngineKind::Sqlite { 60_000 } else { 30_000 }
}

fn status_and_cause(world: &World) -> Vec<(String, String, String)> {
    let sql = "SELECT mode, status, coalesce(cause, '') FROM runs WHERE finished_at IS NOT NULL ORDER BY started_at";
    let runs = ledger(world).query(sql).unwrap();
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    runs.iter().map(|run| (text(&run[0]), text(&run[1]), text(&run[2]))).collect()
}

fn left(world: &World) -> u64 {
    world.db.value("SELECT COUNT(*) FROM item").unwrap().parse().unwrap()
}

fn hold(world: &World, toml: &str) {
    std::fs::create_dir_all(world.dir.join("conf.d")).unwrap();
    std::fs::write(world.dir.join("conf.d/90-hold.toml"), toml).unwrap();
}

/// A daemon in the middle of a purge.
fn purging(kind: EngineKind) -> (World, Daemon) {
    let world = world_on(kind, "every = \"1s\"");
    fill(&world, rows(kind));
    let daemon = Daemon::ready(&world);
    await_purge(&world, rows(kind));
    (world, daemon)
}

fn await_end(world: &World, count: usize) -> Vec<(String, String, String)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let runs = status_and_cause(world);
        if runs.len() >= count {
            return runs;
        }
        assert!(Instant::now() < deadline, "{runs:?} {}", log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn f41_a_policy_set_to_report_stops_and_reruns() {
    needs!(Need::Server);
    for kind in [EngineKind::Sqlite, EngineKind::Postgres, EngineKind::MariaDb] {
        let (world, mut daemon) = purging(kind);
        hold(&world, "[policies.items]\nmode = \"report\"\n");
        daemon.reload();
        let runs = await_end(&world, 2);
        let rest = left(&world);
        assert!(rest > 0, "it stopped in the middle");
        assert_eq!(runs[0], ("enforce".into(), "cancelled".into(), "reload".into()));
        assert_eq!((runs[1].1.as_str(), runs[1].2.as_str()), ("completed", ""));
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(left(&world), rest);
        assert!(log(&world).contains("became more careful about policy items"), "{}", log(&world));
        daemon.stop();
    }
}

#[test]
fn f41_whatever_is_more_careful_stops_the_run() {
    for toml in [
        "[daemon]\nmode = \"report\"\n",
        "[policies.items]\nenabled = false\n",
        "[tasks.sweep]\nenabled = false\n",
        "[policies.items]\nkeep = \"60d\"\n",
        "[policies.items]\nwhere = \"note IS NULL AND id > 0\"\n",
        "[policies.items]\nmax_rows = 10\n",
    ] {
        let (world, mut daemon) = purging(EngineKind::Sqlite);
        hold(&world, toml);
        daemon.reload();
        let runs = await_end(&world, 1);
        assert_eq!(runs[0], ("enforce".into(), "cancelled".into(), "reload".into()), "{toml}");
        if !toml.contains("where") {
            let rest = left(&world);
            assert!(rest > 0, "{toml}");
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(left(&world), rest, "{toml}");
        }
        daemon.stop();
    }
}

#[test]
fn f41_a_widening_or_unrelated_reload_stops_nothing() {
    let (world, mut daemon) = purging(EngineKind::Sqlite);
    hold(
        &world,
        "[policies.items]\nkeep = \"20d\"\nbatch = 200\n[tasks.other]\nevery = \"1h\"\n[policies.other]\nkind = \"rows\"\n\
         task = \"other\"\nmode = \"report\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"90d\"\n",
    );
    daemon.reload();
    let runs = await_end(&world, 1);
    assert_eq!(runs[0], ("enforce".into(), "completed".into(), String::new()));
    assert_eq!(left(&world), 0);
    daemon.stop();
}
