//! The binary, really killed: at random moments of a purge with files, and at each step of the delete protocol. After
//! the last restart no live row lacks its file, and no deleted row has left one (G1).
//!
//! `RETAIND_EFFORT=8 cargo test --test it -- crash` is the long form: hundreds of kills on each engine, and one at each call.

mod doubtful;
mod wider;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, effort};

fn world(kind: EngineKind, batch: u32) -> World {
    let mut world = World::new(Database::create(kind));
    world.create_items();
    world.declare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = {batch}\n\
         files = [{{ store = \"thumbs\", column = \"thumb\" }}, {{ store = \"images\", column = \"image\" }}]\n"
    ));
    world
}

/// Rows `from..=to`: every fourth is young; pairs share an image, every thumbnail has one owner.
fn fill(world: &World, from: u64, to: u64) {
    let (old, young) = (world.days_ago(40.0), world.days_ago(1.0));
    let (thumb, image) = match world.db.kind().is_mysql() {
        true => ("CONCAT('data/thumbs/', n % 7, '/', n, '.jpg')", "CONCAT(n DIV 2, '.png')"),
        false => ("'data/thumbs/' || (n % 7) || '/' || n || '.jpg'", "(n / 2) || '.png'"),
    };
    for id in from..=to {
        world.put("thumbs", &format!("{}/{id}.jpg", id % 7), 1);
        world.put("images", &format!("{}.png", id / 2), 1);
    }
    let values = format!("n, CASE WHEN n % 4 = 0 THEN {young} ELSE {old} END, {thumb}, {image}");
    world.db.insert_series("item (id, at, thumb, image)", &values, from..=to);
}

/// Every file that a row names is there; with `settled`, there is no other file either.
fn check(world: &World, settled: bool) {
    let named = |column: &str, prefix: &str| -> BTreeSet<String> {
        let values = world.db.column(&format!("SELECT {column} FROM item"));
        values.into_iter().map(|value| value.trim_start_matches(prefix).to_owned()).collect()
    };
    for (store, column, prefix) in [("thumbs", "thumb", "data/thumbs/"), ("images", "image", "")] {
        // Read in this order: a file may only vanish after its row.
        let files_of_rows = named(column, prefix);
        let files = world.files(store);
        let without: Vec<_> = files_of_rows.difference(&files).collect();
        assert!(without.is_empty(), "{:?} {store}: live rows without their files: {without:?}", world.db.kind());
        if settled {
            let left: Vec<_> = files.difference(&files_of_rows).collect();
            assert!(left.is_empty(), "{:?} {store}: files of deleted rows: {left:?}", world.db.kind());
        }
    }
}

fn retaind(world: &World) -> Command {
    let mut command = binary::command(RETAIND);
    command.args(["run", "items", "--json", "--config"]).arg(world.config_file());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs to the end; a lock that the killed process's server session still holds is worth another try.
fn finish(world: &World) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = retaind(world).stdout(Stdio::piped()).output().expect("retaind runs");
        if output.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(Instant::now() < deadline, "{:?}: {said}", world.db.kind());
    }
}

fn killed_at_random(kind: EngineKind) {
    let world = world(kind, 10);
    let mut rows = 0;
    let mut kills = 0;
    // A generator of our own, so that a failure can be told by its engine alone.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ kind as u64;
    while kills < effort(50) {
        // Enough old rows that the next process is killed in the middle of its work.
        if world.ids().iter().filter(|id| *id % 4 != 0).count() < 500 {
            fill(&world, rows + 1, rows + 1000);
            rows += 1000;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_micros(5_000 + (state >> 33) % 120_000);
        let mut child = retaind(&world).spawn().expect("retaind starts");
        std::thread::sleep(moment);
        if child.try_wait().expect("a state").is_none() {
            child.kill().expect("it is killed");
            kills += 1;
        }
        child.wait().expect("it ends");
        if kills % 10 == 0 {
            check(&world, false);
        }
    }
    finish(&world);
    check(&world, true);
    assert!(world.ids().iter().all(|id| id % 4 == 0), "every old row went in the end");
}

#[test]
fn g1_killed_at_random_postgres() {
    needs!(Need::Server);
    killed_at_random(EngineKind::Postgres);
}

#[test]
fn g1_killed_at_random_mariadb() {
    needs!(Need::Server);
    killed_at_random(EngineKind::MariaDb);
}

#[test]
fn g1_killed_at_random_mariadb_no_returning() {
    needs!(Need::Server);
    killed_at_random(EngineKind::MariaDbNoReturning);
}

#[test]
fn g1_killed_at_random_sqlite() {
    killed_at_random(EngineKind::Sqlite);
}

/// Kills the process at its Nth call of one kind, for each Nth of a stride until it lives to its end: writes to the
/// source, syncs of the ledger, every removal of a file.
fn killed_at_each_step(kind: EngineKind, calls: &[(&str, usize)]) {
    let mut kills = 0;
    for (call, stride) in calls {
        let mut survived = 0;
        for nth in (1..200).step_by((stride / effort(1)).max(1)) {
            let world = world(kind, 3);
            fill(&world, 1, 12);
            let was_killed = binary::killed_at((call, nth), &["run", "items"], &world.config_file());
            check(&world, false);
            finish(&world);
            check(&world, true);
            if !was_killed {
                // The counter is per thread; another number, in case the threads shared the work otherwise.
                survived += 1;
                if survived == 2 {
                    break;
                }
            } else {
                kills += 1;
            }
        }
    }
    assert!(kills >= 10, "{kind:?}: only {kills} steps were hit");
}

#[test]
fn g1_killed_at_each_step_postgres() {
    needs!(Need::Server);
    killed_at_each_step(EngineKind::Postgres, &[("sendto", 4), ("fdatasync,fsync", 2), ("unlinkat", 1)]);
}

#[test]
fn g1_killed_at_each_step_mariadb() {
    needs!(Need::Server);
    let calls = [("writev,sendto,sendmsg", 8), ("fdatasync,fsync", 2), ("unlinkat", 1)];
    killed_at_each_step(EngineKind::MariaDb, &calls);
}

#[test]
fn g1_killed_at_each_step_sqlite() {
    needs!(Need::Program("strace"));
    killed_at_each_step(EngineKind::Sqlite, &[("pwrite64", 8), ("fdatasync,fsync", 2), ("unlinkat", 1)]);
}
