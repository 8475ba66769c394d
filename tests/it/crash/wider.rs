//! The same for rows that are updated and let go of their files, and for rows that go with their children and a whole
//! directory: killed at each step and at random, started again, and everything adds up.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use retaind::ledger::Ledger;

use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, effort};

const FILES_OF_A_JOB: [&str; 3] = ["log.txt", "out/a.bin", "out/deep/b.bin"];

/// A world of two policies: `passes` expire and lose their thumbnail and image, `jobs` go with their parts, the
/// parts' thumbnails, and the directory of the job.
struct Scene {
    world: World,
    runtime: tokio::runtime::Runtime,
    rows: u64,
}

impl Scene {
    fn new(kind: EngineKind, batch: u32) -> Self {
        let mut world = World::new(Database::create(kind));
        let at = world.db.timestamp_type();
        for table in [
            "pass (id INTEGER PRIMARY KEY, at {at}, state VARCHAR(10), times INTEGER, image VARCHAR(50))",
            "job (id INTEGER PRIMARY KEY, at {at})",
            "part (id INTEGER PRIMARY KEY, job_id INTEGER REFERENCES job (id), thumb VARCHAR(50))",
        ] {
            world.db.execute(&format!("CREATE TABLE {}", table.replace("{at}", at)));
        }
        world.db.execute("CREATE INDEX pass_at ON pass (at)");
        world.db.execute("CREATE INDEX job_at ON job (at)");
        world.reference("thumbs", "part", "thumb").reference("images", "pass", "image");
        let common = format!("kind = \"rows\"\nsource = \"app\"\nbatch = {batch}\n");
        world.declare(&format!(
            "[policies.passes]\n{common}table = \"pass\"\nexpires = \"at\"\nwhere = \"state = 'live'\"\n\
             action = \"update\"\nset = {{ state = \"expired\", times = {{ sql = \"times + 1\" }} }}\n\
             files = [{{ store = \"images\", column = \"image\" }}]\n\
             [policies.jobs]\n{common}table = \"job\"\nage = \"at\"\nkeep = \"30d\"\n\
             files = [{{ store = \"images\", path = \"jobs/{{id}}\", directory = true }}]\n\
             children = [{{ table = \"part\", column = \"job_id\", references = \"id\", on_delete = \"delete\", \
             files = [{{ store = \"thumbs\", column = \"thumb\" }}] }}]\n"
        ));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        Self { world, runtime, rows: 0 }
    }

    /// So many more rows of each table; every fourth is to stay.
    fn fill(&mut self, more: u64) {
        let (world, series) = (&self.world, self.rows + 1..=self.rows + more);
        self.rows += more;
        for id in series.clone() {
            world.put("images", &format!("{id}.png"), 1);
            FILES_OF_A_JOB.iter().for_each(|file| world.put("images", &format!("jobs/{id}/{file}"), 1));
            (0..2).for_each(|part| world.put("thumbs", &format!("{}.jpg", id * 2 + part), 1));
        }
        let age = |old: String, young: String| format!("CASE WHEN n % 4 = 0 THEN {young} ELSE {old} END");
        let named = |prefix: &str, number: &str, suffix: &str| match world.db.kind().is_mysql() {
            true => format!("CONCAT('{prefix}', {number}, '{suffix}')"),
            false => format!("'{prefix}' || ({number}) || '{suffix}'"),
        };
        let expiry = age(world.days_ago(0.1), world.days_ago(-1.0));
        let passes = format!("n, {expiry}, 'live', 0, {}", named("", "n", ".png"));
        world.db.insert_series("pass (id, at, state, times, image)", &passes, series.clone());
        let jobs = format!("n, {}", age(world.days_ago(40.0), world.days_ago(1.0)));
        world.db.insert_series("job (id, at)", &jobs, series.clone());
        for part in 0..2 {
            let number = format!("n * 2 + {part}");
            let parts = format!("{number}, n, {}", named("data/thumbs/", &number, ".jpg"));
            world.db.insert_series("part (id, job_id, thumb)", &parts, series.clone());
        }
    }

    /// How many rows are still to go.
    fn due(&self) -> usize {
        self.world.db.column("SELECT id FROM pass WHERE state = 'live' AND id % 4 <> 0").len()
    }

    /// Live rows have their files; with `settled`, everything that is due went, nothing else is there, and the ledger
    /// knows of each row.
    fn check(&self, settled: bool) {
        let (world, kind) = (&self.world, self.world.db.kind());
        let column = |sql: &str| world.db.column(sql).into_iter().collect::<BTreeSet<String>>();
        let live = column("SELECT image FROM pass WHERE state = 'live'");
        let jobs = column("SELECT id FROM job");
        let of_jobs = jobs.iter().flat_map(|id| FILES_OF_A_JOB.map(|file| format!("jobs/{id}/{file}")));
        let images: BTreeSet<_> = live.iter().cloned().chain(of_jobs).collect();
        let thumbs = column("SELECT thumb FROM part");
        let thumbs = thumbs.iter().map(|thumb| thumb.trim_start_matches("data/thumbs/").to_owned()).collect();
        for (store, named) in [("images", images), ("thumbs", thumbs)] {
            let files = world.files(store);
            let lost: Vec<_> = named.difference(&files).collect();
            assert!(lost.is_empty(), "{kind:?} {store}: live rows without their files: {lost:?}");
            let left: Vec<_> = files.difference(&named).collect();
            assert!(!settled || left.is_empty(), "{kind:?} {store}: files of rows that went: {left:?}");
        }
        let wrong = "SELECT id FROM pass WHERE times <> CASE state WHEN 'live' THEN 0 ELSE 1 END";
        assert_eq!(world.db.column(wrong), [""; 0], "{kind:?}: updated exactly once, and no live row at all");
        let orphaned = "SELECT id FROM part WHERE job_id IS NULL OR job_id NOT IN (SELECT id FROM job)";
        assert_eq!(world.db.column(orphaned), [""; 0], "{kind:?}");
        if settled {
            self.check_sums(jobs.len() as u64);
            let directories = std::fs::read_dir(world.root("images").join("jobs")).expect("a directory").count();
            assert_eq!(directories, jobs.len(), "{kind:?}: emptied directories went too");
        }
    }

    fn check_sums(&self, jobs: u64) {
        let kept = self.rows / 4;
        assert_eq!((jobs, self.due()), (kept, 0));
        let runs = self.runtime.block_on(async {
            let ledger = Ledger::open(&self.world.dir.join("state/ledger.db")).await.expect("the ledger opens");
            assert!(ledger.owed().await.expect("it answers").is_empty());
            ledger.runs(10_000).await.expect("it answers")
        });
        let (deleted, updated) = runs.iter().fold((0, 0), |(deleted, updated), run| {
            (deleted + run.totals.rows_deleted, updated + run.totals.rows_updated)
        });
        let went = self.rows - kept;
        assert_eq!((deleted, updated), (went, went), "{:?}: the sums of all runs", self.world.db.kind());
    }

    fn command(&self, program: &[&str]) -> Command {
        let all: Vec<_> = program.iter().copied().chain([RETAIND, "run", "passes", "jobs", "--config"]).collect();
        let mut command = binary::command(all[0]);
        command.args(&all[1..]).arg(self.world.config_file());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs to the end; the server may still hold locks of the process that was killed.
    fn finish(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.command(&[]).status().expect("retaind runs").success() {
            assert!(Instant::now() < deadline, "{:?}: it does not come to an end", self.world.db.kind());
        }
        self.check(true);
    }
}

/// Kills at every `stride`th call of one kind, until the process lives to its end.
fn killed_at_each_step(kind: EngineKind, calls: &[(&str, usize)]) {
    let mut scene = Scene::new(kind, 2);
    let mut kills = 0;
    for (call, stride) in calls {
        for nth in (1..400).step_by(*stride) {
            scene.fill(4);
            let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={nth}"));
            let strace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let survived = scene.command(&strace).status().expect("strace runs").success();
            scene.check(false);
            scene.finish();
            if survived {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills >= 5, "{kind:?}: only {kills} steps were hit");
}

fn killed_at_random(kind: EngineKind) {
    let mut scene = Scene::new(kind, 4);
    let mut kills = 0;
    let mut state = 0xD1B5_4A32_D192_ED03_u64 ^ kind as u64;
    while kills < effort(6) {
        if scene.due() < 30 {
            scene.fill(120);
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child = scene.command(&[]).spawn().expect("retaind starts");
        std::thread::sleep(Duration::from_micros(30_000 + (state >> 33) % 250_000));
        if child.try_wait().expect("a state").is_none() {
            child.kill().expect("it is killed");
            kills += 1;
        }
        child.wait().expect("it ends");
        scene.check(false);
    }
    scene.finish();
}

#[test]
fn g1_updates_and_directories_killed_at_each_step_postgres() {
    needs!(Need::Server);
    killed_at_each_step(EngineKind::Postgres, &[("sendto", 23), ("fdatasync,fsync", 5), ("unlinkat", 5)]);
}

#[test]
fn g1_updates_and_directories_killed_at_each_step_mariadb() {
    needs!(Need::Server);
    let calls = [("writev,sendto,sendmsg", 23), ("fdatasync,fsync", 5), ("unlinkat", 5)];
    killed_at_each_step(EngineKind::MariaDb, &calls);
}

#[test]
fn g1_updates_and_directories_killed_at_each_step_sqlite() {
    needs!(Need::Program("strace"));
    killed_at_each_step(EngineKind::Sqlite, &[("pwrite64", 11), ("fdatasync,fsync", 5), ("unlinkat", 5)]);
}

#[test]
fn g1_updates_and_directories_killed_at_random_postgres() {
    needs!(Need::Server);
    killed_at_random(EngineKind::Postgres);
}

#[test]
fn g1_updates_and_directories_killed_at_random_mariadb() {
    needs!(Need::Server);
    killed_at_random(EngineKind::MariaDb);
}

#[test]
fn g1_updates_and_directories_killed_at_random_sqlite() {
    killed_at_random(EngineKind::Sqlite);
}
