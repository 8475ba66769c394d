//! A machine whose clock is wrong: what goes by it is held, and what it held lives on (F28, D27). The clock of a process is
//! set with faketime; the program that knows whether the system is synchronised is a script here.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use super::*;
use crate::needs::Need;

/// The linker knows where libraries are.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
/// Some fourteen years.
const LEAP: &str = "+5000d";

/// A world with rows in SQLite and files in a store, old and young ones, and a clock that leaps when it is told to.
struct Leaping {
    world: World,
}

impl Leaping {
    fn new(task: &str) -> Self {
        let mut world = World::by_mtime(Database::create(EngineKind::Sqlite));
        world.create_items();
        declare(&mut world, task);
        world.declare(
            "[policies.pictures]\nkind = \"files\"\ntask = \"sweep\"\nstore = \"images\"\nkeep = \"30d\"\nmatch = \"*.jpg\"",
        );
        world.item(1, 40.0, None, None);
        world.item(2, 1.0, None, None);
        for (name, days) in [("old.jpg", 40), ("young.jpg", 1)] {
            world.put("images", name, 10);
            let written = std::time::SystemTime::now() - Duration::from_secs(86_400 * days);
            let file = std::fs::File::options().write(true).open(world.root("images").join(name)).unwrap();
            file.set_modified(written).unwrap();
        }
        world.config_file();
        let leaping = Self { world };
        leaping.synchronised("no");
        leaping.offset("+0");
        assert_eq!(leaping.command(&["adopt", "images", "--yes"]).status.code(), Some(0));
        leaping
    }

    /// What the system answers when it is asked whether its clock is synchronised.
    fn synchronised(&self, answer: &str) {
        self.asked_whether_synchronised(&format!("echo {answer}"));
    }

    /// What the system does when it is asked.
    fn asked_whether_synchronised(&self, does: &str) {
        let path = self.world.dir.join("bin/timedatectl");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Sets the clock of whatever runs, and of what will.
    fn offset(&self, offset: &str) {
        let path = self.world.dir.join("offset");
        std::fs::write(path.with_extension("new"), format!("{offset}\n")).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let shown = |name: &str| self.world.dir.join(name).display().to_string();
        vec![
            ("LD_PRELOAD", LIBRARY.to_owned()),
            ("FAKETIME_TIMESTAMP_FILE", shown("offset")),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
            ("PATH", format!("{}:/usr/bin:/bin", shown("bin"))),
        ]
    }

    fn daemon(&self) -> Daemon {
        let environment = self.environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut daemon = Daemon::start_as_configured(&self.world, &environment);
        daemon.await_message("READY=1", |message| message.contains("READY=1"));
        daemon
    }

    fn command(&self, words: &[&str]) -> Output {
        let config = self.world.dir.join("retaind.toml");
        let output = binary::command(RETAIND)
            .args(words)
            .arg("--config")
            .arg(config)
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The names of rows and files that are there.
    fn alive(&self) -> (std::collections::BTreeSet<u64>, std::collections::BTreeSet<String>) {
        let files = self.world.files("images").into_iter().filter(|path| !path.starts_with(".retaind/"));
        (self.world.ids(), files.collect())
    }

    fn assert_alive(&self, ids: &[u64], files: &[&str], why: &str) {
        let files: std::collections::BTreeSet<String> = files.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(self.alive(), (ids.iter().copied().collect(), files), "{why}: {}", log_if_any(&self.world));
    }

    /// The newest result of each policy: status, and the rest of it.
    fn results(&self) -> Vec<(String, serde_json::Value)> {
        let sql = "SELECT status, account FROM policy_results ORDER BY id DESC LIMIT 2";
        let rows = ledger(&self.world).query(sql).unwrap();
        rows.iter().map(|row| (text(&row[0]).to_owned(), serde_json::from_str(text(&row[1])).unwrap())).collect()
    }
}

fn log_if_any(world: &World) -> String {
    std::fs::read_to_string(world.dir.join("log")).unwrap_or_default()
}

fn assert_held(results: &[(String, serde_json::Value)]) {
    for (status, account) in results {
        assert_eq!(status, "blocked", "{results:?}");
        assert_eq!(
            (&account["blocked_code"], &account["held"]["kind"]),
            (&"held".into(), &"clock".into()),
            "{account}"
        );
        let said = account["held"]["facts"]["now"].as_str().unwrap();
        assert!(said.starts_with("20") && *said > *account["held"]["facts"]["seen_at"].as_str().unwrap(), "{account}");
    }
    assert_eq!(results.len(), 2);
}

#[test]
fn d27_a_start_under_wrong_clock_catches_nothing_up() {
    needs!(Need::Program("faketime"));
    // The kernel's alarm goes by the real clock: what is late by less than the grace needs none.
    let leaping = Leaping::new("schedule = \"0 3 * * *\"\nmisfire_grace = \"2d\"");
    leaping.daemon().stop();
    leaping.assert_alive(&[1, 2], &["old.jpg", "young.jpg"], "nothing is due");
    leaping.offset(LEAP);
    let mut daemon = leaping.daemon();
    daemon.await_status("last: sweep blocked");
    daemon.stop();
    leaping.assert_alive(&[1, 2], &["old.jpg", "young.jpg"], "the catch-up is held");
    assert_held(&leaping.results());
    assert!(log(&leaping.world).contains("The clock cannot be trusted"), "{}", log(&leaping.world));
    // Right again, the night that was missed by then takes what is old and no more.
    leaping.offset("+0");
    assert_eq!(leaping.command(&["run", "sweep", "--json"]).status.code(), Some(0));
    leaping.assert_alive(&[2], &["young.jpg"], "old things go by a clock that is right");
}

#[test]
fn f28_a_leap_under_a_daemon_stops_deletion() {
    needs!(Need::Program("faketime"));
    let leaping = Leaping::new("every = \"1s\"");
    let mut daemon = leaping.daemon();
    daemon.await_status("last: sweep completed");
    leaping.assert_alive(&[2], &["young.jpg"], "what is old");
    leaping.offset(LEAP);
    daemon.await_status("last: sweep blocked");
    leaping.assert_alive(&[2], &["young.jpg"], "the present is not old");
    assert_held(&leaping.results());
    daemon.stop();
    leaping.offset("+0");
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(0));
    leaping.assert_alive(&[2], &["young.jpg"], "all of it lived on");
}

#[test]
fn f28_a_leap_holds_manual_runs_and_plans() {
    needs!(Need::Program("faketime"));
    let leaping = Leaping::new("schedule = \"0 3 * * *\"");
    leaping.command(&["run", "--json", "--set", "daemon.mode=report", "sweep"]);
    leaping.offset(LEAP);
    let plan = leaping.command(&["plan", "--json", "sweep"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    for policy in plan["policies"].as_array().unwrap() {
        assert_eq!(policy["status"], "blocked", "{policy}");
        assert_eq!(policy["blocked_code"], "held", "{policy}");
        assert_eq!(policy["held"]["kind"], "clock", "{policy}");
        let counts = [&policy["rows_matched"], &policy["files_matched"]];
        assert!(counts.iter().any(|count| count.as_u64() == Some(2)), "its counts are those of a plan: {policy}");
    }
    let run = leaping.command(&["run", "--json", "sweep"]);
    assert_eq!(run.status.code(), Some(4), "{}", String::from_utf8_lossy(&run.stderr));
    assert_held(&leaping.results());
    // To report takes nothing.
    let report = leaping.command(&["run", "--json", "--set", "daemon.mode=report", "sweep"]);
    assert_eq!(report.status.code(), Some(0), "{}", String::from_utf8_lossy(&report.stdout));
    leaping.assert_alive(&[1, 2], &["old.jpg", "young.jpg"], "nothing went");
}

#[test]
fn f28_a_clock_that_the_system_vouches_for_goes() {
    needs!(Need::Program("faketime"));
    let leaping = Leaping::new("schedule = \"0 3 * * *\"");
    leaping.command(&["run", "--json", "sweep"]);
    leaping.assert_alive(&[2], &["young.jpg"], "what is old");
    leaping.offset(LEAP);
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(4));
    leaping.synchronised("yes");
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(0));
    leaping.assert_alive(&[], &[], "so many years have passed");
    // It is the clock to go by from now on.
    leaping.synchronised("no");
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(0));
}

#[test]
fn f28_a_system_without_answer_vouches_for_nothing() {
    needs!(Need::Program("faketime"));
    let leaping = Leaping::new("schedule = \"0 3 * * *\"");
    leaping.command(&["run", "--json", "sweep"]);
    leaping.offset(LEAP);
    let asked = ["exec sleep 600", "echo yes; exit 1", "echo yes and no"];
    for does in asked {
        leaping.asked_whether_synchronised(does);
        let began = Instant::now();
        assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(4), "{does}");
        assert!(began.elapsed() < PATIENCE, "it is asked once, and not waited for: {:?}", began.elapsed());
        assert_held(&leaping.results());
    }
    leaping.assert_alive(&[2], &["young.jpg"], "nobody vouched for the clock");
}

#[test]
fn f28_an_operator_says_that_the_clock_is_right() {
    needs!(Need::Program("faketime"));
    let leaping = Leaping::new("schedule = \"0 3 * * *\"");
    leaping.command(&["run", "--json", "sweep"]);
    leaping.offset(LEAP);
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(4));
    let real = retaind::clock::Clock::system().reading();
    let at = real.at + jiff::SignedDuration::from_hours(24 * 5_000);
    let reading = retaind::clock::Reading { at, ..real };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let by = retaind::outcome::Operator { uid: 0, user: None, sudo_user: None, remote: None };
        leaping.world.ledger().await.confirm_clock(&reading, &by).await.unwrap();
    });
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(0));
    leaping.assert_alive(&[], &[], "so many years have passed");
}

#[test]
fn f28_a_clock_that_is_to_be_trusted_is() {
    needs!(Need::Program("faketime"));
    let mut leaping = Leaping::new("schedule = \"0 3 * * *\"");
    leaping.command(&["run", "--json", "sweep"]);
    leaping.assert_alive(&[2], &["young.jpg"], "what is old");
    leaping.world.daemon("clock = \"trust\"");
    leaping.world.config_file();
    leaping.offset(LEAP);
    let run = leaping.command(&["run", "--json", "sweep"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stdout));
    leaping.assert_alive(&[], &[], "so many years have passed");
}

#[test]
fn f28_setting_the_clock_right_ends_the_run() {
    needs!(Need::Program("faketime"));
    let leaping = Leaping::new("schedule = \"0 3 * * *\"");
    leaping.command(&["run", "--json", "--set", "daemon.mode=report", "sweep"]);
    let offset = leaping.world.dir.join("offset").display().to_string();
    leaping.asked_whether_synchronised(&format!("echo +0 > {offset}; echo no"));
    leaping.world.item(3, 2.0, None, None);
    leaping.offset(LEAP);
    let run = leaping.command(&["run", "--json", "sweep"]);
    assert_eq!(run.status.code(), Some(4), "{}", String::from_utf8_lossy(&run.stdout));
    let results = leaping.results();
    let by_days = |account: &serde_json::Value| account["blocked_facts"]["by_secs"].as_i64().unwrap() > 2 * 86_400;
    for (_, account) in &results {
        assert!(account["blocked_code"] == "clock_set_back" && by_days(account), "{account}");
    }
    leaping.assert_alive(&[1, 2, 3], &["old.jpg", "young.jpg"], "the run began in 2040");
    assert_eq!(leaping.command(&["run", "--json", "sweep"]).status.code(), Some(0));
    leaping.assert_alive(&[2, 3], &["young.jpg"], "the next one goes by the clock");
}

#[test]
fn f28_a_leap_during_a_run_empties_no_trash() {
    needs!(Need::Program("faketime"));
    let mut leaping = Leaping::new("schedule = \"0 3 * * *\"");
    let world = &mut leaping.world;
    let offset = world.dir.join("offset").display().to_string();
    world.store_keys = "age_by = \"mtime\"\ntrash = \"30d\"";
    world.redeclare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n\
         files = [{{ store = \"images\", column = \"image\" }}]\n\
         alive = {{ command = [\"/bin/sh\", \"-c\", \"echo {LEAP} > {offset}; exit 1\", \"{{id}}\"] }}\n"
    ));
    world.item(4, 40.0, None, Some("old.jpg"));
    world.config_file();
    let run = leaping.command(&["run", "--json", "items"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stdout));
    let result: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    leaping.assert_alive(&[2], &["young.jpg"], "what was old before the leap went");
    let kept = leaping.world.files("images").into_iter().filter(|path| path.ends_with("old.jpg")).count();
    assert_eq!(kept, 1, "it is in the trash, for 30 days: {result}");
}
