//! The daemon as a process: what it tells the service manager from start to end, and how it takes signals.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::engines::{Client, Database, EngineKind, scratch_dir};
use crate::world::World;

const RETAIND: &str = env!("CARGO_BIN_EXE_retaind");
const PATIENCE: Duration = Duration::from_secs(30);

/// A daemon with a service manager that writes down what it is told.
struct Daemon {
    child: Child,
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Daemon {
    fn start(world: &World) -> Self {
        Self::start_with(world, &[])
    }

    fn start_with(world: &World, environment: &[(&str, &str)]) -> Self {
        world.config_file();
        let path = scratch_dir("notify").join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let child = Command::new(RETAIND)
            .arg("daemon")
            .arg("--config")
            .arg(world.dir.join("retaind.toml"))
            .env("NOTIFY_SOCKET", &path)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(world.dir.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, socket, told: Vec::new() }
    }

    /// Starts, and waits for READY.
    fn ready(world: &World) -> Self {
        let mut daemon = Self::start(world);
        daemon.await_message("READY=1", |message| message.contains("READY=1"));
        daemon
    }

    /// Waits for a message from now on; it comes with all its lines.
    fn await_message(&mut self, what: &str, matches: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        while let Some(message) = self.next_message(deadline) {
            if matches(&message) {
                return message;
            }
        }
        panic!("never told: {what}; told was {:#?}", self.told);
    }

    fn next_message(&mut self, deadline: Instant) -> Option<String> {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.socket.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        self.told.push(message.clone());
        Some(message)
    }

    fn await_status(&mut self, part: &str) -> String {
        self.await_message(part, |message| status_of(message).is_some_and(|status| status.contains(part)))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn reload(&mut self) -> String {
        self.signal(Signal::HUP);
        let reloading = self.await_message("RELOADING=1", |message| message.contains("RELOADING=1"));
        assert!(reloading.contains("MONOTONIC_USEC="), "both belong into one message: {reloading}");
        self.await_message("READY=1", |message| message.contains("READY=1"))
    }

    /// Waits for the end, at most so long.
    fn end_within(&mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still alive; told was {:#?}", self.told);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.end_within(Duration::from_secs(10)).code(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn status_of(message: &str) -> Option<&str> {
    message.lines().find_map(|line| line.strip_prefix("STATUS="))
}

fn log(world: &World) -> String {
    std::fs::read_to_string(world.dir.join("log")).unwrap()
}

/// A world on SQLite with an `item` table and a task `sweep` of the given keys that deletes what is older than 30 days.
fn world(task: &str) -> World {
    world_on(EngineKind::Sqlite, task)
}

fn world_on(kind: EngineKind, task: &str) -> World {
    let mut world = World::new(Database::create(kind));
    world.create_items();
    declare(&mut world, task);
    world
}

fn declare(world: &mut World, task: &str) {
    world.declare(&format!(
        "[tasks.sweep]\n{task}\n[policies.items]\nkind = \"rows\"\ntask = \"sweep\"\nsource = \"app\"\n\
         table = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 100\n"
    ));
}

/// Replaces text in the configuration file.
fn edit(world: &World, from: &str, to: &str) {
    let path = world.dir.join("retaind.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn ledger(world: &World) -> Client {
    Client::open(&world.dir.join("state/ledger.db")).unwrap()
}

/// Waits until the ledger has this many runs that ended.
fn await_runs(world: &World, count: usize) -> Vec<Vec<Option<String>>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let sql = "SELECT \"trigger\", status FROM runs WHERE finished_at IS NOT NULL ORDER BY started_at";
        let runs = ledger(world).query(sql).unwrap();
        if runs.len() >= count {
            return runs;
        }
        assert!(Instant::now() < deadline, "only {} runs: {}", runs.len(), log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(cell: &Option<String>) -> &str {
    cell.as_deref().unwrap_or("NULL")
}

#[test]
fn it_is_ready_then_stops_in_order() {
    let world = world("schedule = \"0 3 * * *\"");
    let mut daemon = Daemon::start(&world);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    let status = status_of(&ready).unwrap();
    assert!(status.starts_with("Idle; next: sweep at "), "{status}");
    daemon.signal(Signal::TERM);
    daemon.await_message("STOPPING=1", |message| message.contains("STOPPING=1"));
    assert_eq!(daemon.end_within(Duration::from_secs(5)).code(), Some(0));
}

#[test]
fn a_task_runs_on_schedule_and_the_status_tells_of_it() {
    let world = world("every = \"1s\"");
    world.item(1, 40.0, None, None);
    world.item(2, 1.0, None, None);
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("last: sweep completed at");
    await_runs(&world, 2);
    assert_eq!(world.ids(), crate::world::set([2]));
    daemon.stop();
    let runs = await_runs(&world, 2);
    assert!(runs.iter().all(|run| text(&run[0]) == "schedule" && text(&run[1]) == "completed"), "{runs:?}");
    assert!(log(&world).contains("1 row"), "{}", log(&world));
}

#[test]
fn a_good_reload_takes_effect() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    world.item(1, 40.0, None, None);
    edit(&world, "every = \"1h\"", "every = \"1s\"");
    daemon.reload();
    daemon.await_status("last: sweep completed");
    assert!(world.ids().is_empty());
    assert!(log(&world).contains("changed task sweep"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn g10_a_bad_reload_leaves_the_old_configuration_running() {
    let world = world("every = \"1s\"");
    let mut daemon = Daemon::ready(&world);
    edit(&world, "keep = \"30d\"", "keeep = \"30d\"\nbatch = \"many\"\n[policies.second]\n");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Reload failed"), "{ready}");
    let log_now = log(&world);
    assert!(log_now.contains("keeep") && log_now.contains("second"), "every error is told: {log_now}");
    let runs = await_runs(&world, 0).len();
    await_runs(&world, runs + 2);
    daemon.await_status("Reload failed");
    edit(&world, "keeep = \"30d\"\nbatch = \"many\"\n[policies.second]\n", "keep = \"30d\"");
    let ready = daemon.reload();
    assert!(!ready.to_lowercase().contains("reload failed"), "{ready}");
    daemon.stop();
}

#[test]
fn the_state_directory_does_not_move_while_running() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    std::fs::create_dir(world.dir.join("elsewhere")).unwrap();
    edit(&world, "/state\"", "/elsewhere\"");
    let ready = daemon.reload();
    assert!(status_of(&ready).unwrap().starts_with("Reload failed"), "{ready}");
    assert!(log(&world).contains("needs a restart"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn d4_a_reload_that_deletes_more_says_so() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    edit(&world, "keep = \"30d\"", "keep = \"7d\"");
    daemon.reload();
    let log = log(&world);
    assert!(log.contains("may delete more than before: keep went from 30d to 7d"), "{log}");
    daemon.stop();
}

#[test]
fn g7_a_second_daemon_is_refused_and_the_first_named() {
    let world = world("every = \"1h\"");
    let first = Daemon::ready(&world);
    let mut second = Command::new(RETAIND)
        .arg("daemon")
        .arg("--config")
        .arg(world.dir.join("retaind.toml"))
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    second.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1));
    assert!(said.contains(&first.child.id().to_string()), "{said}");
    first.stop();
}

#[test]
fn a_bad_configuration_is_exit_code_78() {
    let world = world("every = \"0s\"");
    let mut daemon = Daemon::start(&world);
    assert_eq!(daemon.end_within(PATIENCE).code(), Some(78));
    assert!(log(&world).contains("every"), "{}", log(&world));
}

#[test]
fn a_slot_missed_while_down_is_caught_up_once() {
    let world = world("schedule = \"0 3 * * *\"\ncatch_up = true");
    Daemon::ready(&world).stop();
    let days_ago = |days: i64| {
        let at = world.clock.now() - jiff::SignedDuration::from_hours(24 * days);
        format!("{at:.9}")
    };
    ledger(&world).execute(&format!("UPDATE tasks SET known_since = '{}'", days_ago(9))).unwrap();
    world.item(1, 40.0, None, None);
    let mut daemon = Daemon::ready(&world);
    daemon.await_status("last: sweep completed");
    assert!(world.ids().is_empty());
    daemon.stop();
    let runs = await_runs(&world, 1);
    assert_eq!(runs, [[Some("catch_up".to_owned()), Some("completed".to_owned())]], "nine slots are one run");
    Daemon::ready(&world).stop();
    assert_eq!(await_runs(&world, 1).len(), 1, "what was caught up is not missed any more");
}

#[test]
fn without_catch_up_a_missed_slot_is_noted_and_not_run() {
    let world = world("schedule = \"0 3 * * *\"\ncatch_up = false\nmisfire_grace = \"1s\"");
    Daemon::ready(&world).stop();
    ledger(&world).execute("UPDATE tasks SET known_since = '2026-01-01T00:00:00.000000000Z'").unwrap();
    world.item(1, 40.0, None, None);
    let daemon = Daemon::ready(&world);
    let deadline = Instant::now() + PATIENCE;
    while ledger(&world).query("SELECT 1 FROM tasks WHERE last_due_at IS NOT NULL").unwrap().is_empty() {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.stop();
    assert_eq!(world.ids(), crate::world::set([1]));
    assert!(log(&world).contains("Skipped the slot"), "{}", log(&world));
}

#[test]
fn a_source_that_is_down_degrades_and_is_found_again() {
    let world = world("every = \"1h\"");
    let path = world.db.path().to_owned();
    let aside = path.with_extension("aside");
    std::fs::rename(&path, &aside).unwrap();
    let mut daemon = Daemon::start(&world);
    let ready = daemon.await_message("READY=1", |message| message.contains("READY=1"));
    assert!(status_of(&ready).unwrap().starts_with("Degraded: source app is down"), "{ready}");
    std::fs::rename(&aside, &path).unwrap();
    daemon.await_message("recovered", |message| status_of(message).is_some_and(|status| status.starts_with("Idle")));
    assert!(log(&world).contains("Source app is up again"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn the_watchdog_is_told_twice_in_its_period() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::start_with(&world, &[("WATCHDOG_USEC", "1000000")]);
    daemon.await_message("READY=1", |message| message.contains("READY=1"));
    let began = Instant::now();
    for _ in 0..5 {
        daemon.await_message("WATCHDOG=1", |message| message.contains("WATCHDOG=1"));
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    daemon.stop();
}

/// Enough old rows that a purge in batches of 100 takes a good while.
fn fill(world: &World, rows: u64) {
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 1..=rows);
}

fn await_purge(world: &World, rows: u64) {
    let deadline = Instant::now() + PATIENCE;
    let left = || world.db.value("SELECT COUNT(*) FROM item").unwrap().parse::<u64>().unwrap();
    while left() == rows {
        assert!(Instant::now() < deadline, "{}", log(world));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn g8_sigterm_cancels_a_purge_and_the_ledger_tells_what_is_gone() {
    let world = world("every = \"1s\"");
    fill(&world, 300_000);
    let mut daemon = Daemon::ready(&world);
    await_purge(&world, 300_000);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end_within(Duration::from_secs(2)).code(), Some(0));
    let left: u64 = world.db.value("SELECT COUNT(*) FROM item").unwrap().parse().unwrap();
    assert!(left > 0, "the purge was over before the signal came");
    let runs = ledger(&world).query("SELECT status, cause, totals FROM runs").unwrap();
    assert_eq!((text(&runs[0][0]), text(&runs[0][1])), ("cancelled", "signal"));
    let totals: serde_json::Value = serde_json::from_str(text(&runs[0][2])).unwrap();
    assert_eq!(totals["rows_deleted"].as_u64(), Some(300_000 - left));
}

#[test]
fn a_run_in_progress_ends_under_the_configuration_it_began_with() {
    let world = world("every = \"1s\"");
    fill(&world, 100_000);
    let mut daemon = Daemon::ready(&world);
    await_purge(&world, 100_000);
    edit(&world, "task = \"sweep\"", "task = \"sweep\"\nenabled = false");
    daemon.reload();
    let runs = await_runs(&world, 1);
    assert_eq!(text(&runs[0][1]), "completed");
    assert!(world.ids().is_empty(), "the run went on to its end");
    daemon.stop();
}

#[test]
fn a_second_signal_does_not_wait() {
    // A source that is locked for longer than anybody wants to wait.
    let world = world("every = \"1s\"");
    fill(&world, 10);
    let mut daemon = Daemon::ready(&world);
    let mut holder = world.db.connect();
    holder.execute("BEGIN EXCLUSIVE").unwrap();
    daemon.await_status("Running sweep");
    daemon.signal(Signal::TERM);
    daemon.await_message("STOPPING=1", |message| message.contains("STOPPING=1"));
    daemon.signal(Signal::TERM);
    let code = daemon.end_within(Duration::from_secs(2)).code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    holder.execute("COMMIT").unwrap();
    assert_eq!(world.ids().len(), 10);
}

#[test]
fn three_quick_reloads_end_ready() {
    let world = world("every = \"1h\"");
    let mut daemon = Daemon::ready(&world);
    for _ in 0..3 {
        daemon.signal(Signal::HUP);
    }
    daemon.await_message("RELOADING=1", |message| message.contains("RELOADING=1"));
    daemon.await_message("READY=1", |message| message.contains("READY=1"));
    // Quiet for a moment, then every reload that was announced was also ended.
    while daemon.next_message(Instant::now() + Duration::from_millis(500)).is_some() {}
    let count = |what: &str| daemon.told.iter().filter(|message| message.contains(what)).count();
    assert_eq!(count("RELOADING=1") + 1, count("READY=1"));
    daemon.stop();
}

/// Times that any thread of the process was woken.
fn wakes(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.map(|thread| switches(&thread.unwrap().path().join("status"))).sum()
}

fn switches(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

#[test]
fn nothing_wakes_an_idle_daemon() {
    let world = world("schedule = \"0 3 29 2 *\"");
    let daemon = Daemon::ready(&world);
    // Idle threads of the start are kept for ten seconds.
    std::thread::sleep(Duration::from_secs(12));
    let before = wakes(daemon.child.id());
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(wakes(daemon.child.id()), before);
    daemon.stop();
}
