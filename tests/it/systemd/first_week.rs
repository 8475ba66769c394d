//! The first week of an operator, with the package on a booted machine: at first everything is missing, and later everything
//! happens.

use std::collections::BTreeSet;
use std::fs;

use retaind::telemetry::message_id;
use serde_json::Value;

use super::deb::{next_release, package};
use super::machine::{Machine, Outcome, SOON};
use crate::engines::{Client, EngineKind, Server, ServerOptions};
use crate::needs::Need;

const CONFIG: &str = r#"
[sources.nvr]
url = "postgres://cleaner@/nvr?host=/run/postgresql"
password_credential = "nvr"

[stores.recordings]
path = "/home/nvr/recordings"
references = [{ source = "nvr", table = "events", column = "path" }]

[tasks.retention]
schedule = "3 3 * * *"

[policies.events]
kind = "rows"
task = "retention"
source = "nvr"
table = "events"
age = "started_at"
keep = "30d"
files = [{ store = "recordings", column = "path" }]
"#;
const MAIN: &str = "/etc/retaind/retaind.toml";
const PASSWORD_FILE: &str = "/etc/retaind/credentials/nvr";
const RECORDINGS: &str = "/home/nvr/recordings";
/// In place of psql, which the machine lacks: keeps what it is given, for the server outside.
const PSQL: &str = "#!/bin/sh\ncat >>/srv/asked.sql\n";

/// A recorder whose database runs outside the machine, behind a socket in it, and asks everybody for a password.
struct Recorder<'a> {
    machine: &'a Machine,
    admin: Client,
}

impl<'a> Recorder<'a> {
    fn set_up(machine: &'a Machine, server: &Server) -> Self {
        let connect = |database: &str| Client::connect(server, "postgres", database).unwrap();
        connect("postgres").execute("CREATE DATABASE nvr").unwrap();
        let mut admin = connect("nvr");
        let table = "CREATE TABLE events (id INTEGER PRIMARY KEY, started_at TIMESTAMPTZ NOT NULL, path TEXT)";
        admin.execute(table).unwrap();
        admin.execute("CREATE INDEX ON events (started_at)").unwrap();
        let hba = "local all postgres trust\nlocal all all scram-sha-256\n";
        fs::write(server.socket().join("data/pg_hba.conf"), hba).unwrap();
        admin.execute("SELECT pg_reload_conf()").unwrap();
        machine.sh(&format!("useradd --system postgres; useradd --create-home nvr; mkdir {RECORDINGS}"));
        machine.sh(&format!("chown -R nvr:nvr /home/nvr; chmod 750 /home/nvr; chmod 2770 {RECORDINGS}"));
        machine.write("/usr/bin/psql", PSQL);
        machine.sh("chmod 755 /usr/bin/psql; touch /srv/asked.sql; chown postgres /srv/asked.sql");
        Self { machine, admin }
    }

    fn record(&mut self, ids: std::ops::RangeInclusive<u32>, days: u32) {
        for id in ids.clone() {
            fs::write(self.machine.path(RECORDINGS).join(format!("{id}.mp4")), "film").unwrap();
        }
        let insert = format!(
            "INSERT INTO events SELECT n, now() - interval '{days} days', n || '.mp4' FROM generate_series({}, {}) n",
            ids.start(),
            ids.end()
        );
        self.admin.execute(&insert).unwrap();
        self.machine.sh(&format!("chown nvr:nvr {RECORDINGS}/*.mp4; sleep 0.05"));
    }

    /// The recordings whose row and file are both there; panics where one of the two is alone.
    fn left(&mut self) -> BTreeSet<u32> {
        let rows = self.admin.query("SELECT id FROM events").unwrap();
        let rows: BTreeSet<u32> = rows.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
        let names = fs::read_dir(self.machine.path(RECORDINGS)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<u32> = names.filter_map(|name| name.strip_suffix(".mp4")?.parse().ok()).collect();
        assert_eq!(rows, files);
        rows
    }

    /// Does what the script of `check` gives a database administrator.
    fn administer(&mut self) {
        let asked = self.machine.path("/srv/asked.sql");
        self.admin.execute(&fs::read_to_string(&asked).unwrap()).unwrap();
        fs::write(asked, "").unwrap();
    }
}

fn findings(machine: &Machine) -> Vec<(String, String, String)> {
    let outcome = machine.run(&["retaind", "check", "--json"]);
    let check: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = check["findings"].as_array().unwrap().iter();
    let errors = all.filter(|finding| finding["level"] == "error");
    errors.map(|finding| (text(&finding["subject"]), text(&finding["message"]), text(&finding["fix"]))).collect()
}

/// Runs what `check --script` prints, as it is, but for a password written into it.
fn run_script(machine: &Machine, password: &str) {
    let script = machine.ok(&["retaind", "check", "--script"]);
    let stop = |line: &&str| !line.starts_with("echo 'Write the passwords");
    let script: Vec<_> =
        script.lines().filter(stop).map(|line| line.replace("WRITE THE PASSWORD HERE", password)).collect();
    machine.write("/srv/fixes.sh", &(script.join("\n") + "\n"));
    machine.ok(&["sh", "/srv/fixes.sh"]);
}

fn configure(machine: &Machine, text: &str) {
    machine.sh(&format!("cat >{MAIN} <<'END'\n{text}\nEND"));
}

fn operate(machine: &Machine, words: &[&str]) -> Outcome {
    machine.run(&[&["retaind"], words].concat())
}

fn status(machine: &Machine) -> Value {
    let outcome = operate(machine, &["status", "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[test]
fn a_first_week() {
    needs!(Need::Root);
    needs!(Need::Server);
    let server = Server::start(EngineKind::Postgres, ServerOptions::default());
    let machine = Machine::boot_with(&[(&server.socket(), "/run/postgresql")]);
    machine.install(package());
    let mut recorder = Recorder::set_up(&machine, &server);
    recorder.record(1..=40, 40);
    recorder.record(41..=60, 20);
    recorder.record(61..=70, 1);
    configure(&machine, CONFIG);

    monday_nothing_is_there(&machine, &mut recorder);
    tuesday_a_plan_and_a_run(&machine, &mut recorder);
    wednesday_a_typo(&machine, &mut recorder);
    thursday_a_change_is_held(&machine, &mut recorder);
    friday_hands_off(&machine, &mut recorder);
    sunday_an_upgrade(&machine);
}

/// Password, role, walls, group: each is named, and `check` ends clean.
fn monday_nothing_is_there(machine: &Machine, recorder: &mut Recorder<'_>) {
    let found = findings(machine);
    let of =
        |subject: &str| found.iter().find(|(of, ..)| of == subject).unwrap_or_else(|| panic!("{subject}: {found:?}"));
    assert!(of("source nvr").2.contains("LoadCredential="), "{found:?}");
    assert!(of("store recordings").2.contains("BindPaths=/home/nvr/recordings"), "{found:?}");
    assert_eq!(operate(machine, &["status"]).code, Some(0));
    assert_ne!(machine.run(&["systemctl", "start", "retaind"]).code, Some(0), "without its password it does not start");

    machine.sh(&format!("umask 077; mkdir -p /etc/retaind/credentials; echo wrong >{PASSWORD_FILE}"));
    let login = format!("[Service]\nLoadCredential=nvr:{PASSWORD_FILE}\nSupplementaryGroups=nvr\n");
    machine.write("/etc/systemd/system/retaind.service.d/login.conf", &login);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["systemctl", "start", "retaind"]);
    machine.poll("refused login in the status line", SOON, || {
        machine.property("retaind", "StatusText").contains("nvr").then_some(())
    });
    assert!(findings(machine).iter().any(|(_, _, fix)| fix.contains("CREATE ROLE \"cleaner\"")));
    run_script(machine, "right");
    recorder.administer();

    // The password is corrected: one reload, and it counts.
    machine.sh(&format!("echo right >{PASSWORD_FILE}"));
    machine.ok(&["systemctl", "reload", "retaind"]);
    machine.poll("login after one reload", SOON, || {
        let sources = &status(machine)["sources"];
        (sources[0]["is_up"] == true).then_some(())
    });
    let left = findings(machine);
    assert!(left.is_empty(), "{left:?}");
    assert!(operate(machine, &["adopt", "recordings", "--yes"]).code == Some(0));
}

fn tuesday_a_plan_and_a_run(machine: &Machine, recorder: &mut Recorder<'_>) {
    let plan = operate(machine, &["plan", "events", "--json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap_or_else(|error| panic!("{error}: {plan:?}"));
    assert_eq!(plan["totals"]["rows_deleted"], 40, "{plan}");
    let run = operate(machine, &["run", "retention"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(recorder.left(), (41..=70).collect());
    let run = machine.entry_after(message_id::RUN_FINISHED, 0);
    assert_eq!((run.number("ROWS_DELETED"), run.text("TASK")), (40, "retention"));
}

/// A fragment that cannot be read: what runs goes on, and everything that shows it works.
fn wednesday_a_typo(machine: &Machine, recorder: &mut Recorder<'_>) {
    machine.write("/etc/retaind/conf.d/50-typo.toml", "[policies.events]\nkeeep = \"10d\"\n");
    machine.sh("chgrp retaind /etc/retaind/conf.d/50-typo.toml; chmod 640 /etc/retaind/conf.d/50-typo.toml");
    assert_ne!(machine.run(&["systemctl", "reload", "retaind"]).code, Some(0));
    for words in [&["status"][..], &["runs"], &["audit"]] {
        let outcome = operate(machine, words);
        assert_eq!(outcome.code, Some(0), "{words:?}: {outcome:?}");
    }
    let codes = status(machine)["attention_codes"].to_string();
    assert!(codes.contains("reload_failed"), "{codes}");
    assert_eq!(machine.property("retaind", "ActiveState"), "active");
    machine.sh("rm /etc/retaind/conf.d/50-typo.toml");
    machine.ok(&["systemctl", "reload", "retaind"]);
    assert_eq!(recorder.left(), (41..=70).collect());
}

/// A shorter `keep` waits, its amounts are shown, and once approved it goes; before that the brake is tried.
fn thursday_a_change_is_held(machine: &Machine, recorder: &mut Recorder<'_>) {
    configure(machine, &format!("[daemon]\nmode = \"report\"\n{CONFIG}"));
    machine.ok(&["systemctl", "reload", "retaind"]);
    recorder.record(71..=75, 40);
    assert_eq!(operate(machine, &["run", "retention"]).code, Some(0));
    assert_eq!(recorder.left(), (41..=75).collect(), "the brake holds everything");
    configure(machine, &CONFIG.replace("30d", "10d"));
    assert_ne!(machine.run(&["systemctl", "reload", "retaind"]).code, Some(0), "it says that something is held");
    let held = operate(machine, &["run", "retention"]);
    assert_eq!(held.code, Some(4), "{held:?}");
    assert!(status(machine)["attention_codes"].to_string().contains("held"));
    assert_eq!(recorder.left(), (41..=75).collect());
    let approved = operate(machine, &["approve", "events", "--yes"]);
    assert!(approved.code == Some(0) && approved.stdout.contains("25"), "{approved:?}");
    assert_eq!(operate(machine, &["run", "retention"]).code, Some(0));
    assert_eq!(recorder.left(), (61..=70).collect());
}

/// A pause outlives five restarts.
fn friday_hands_off(machine: &Machine, recorder: &mut Recorder<'_>) {
    recorder.record(76..=80, 40);
    assert_eq!(operate(machine, &["pause", "events", "--reason", "an audit"]).code, Some(0));
    for _ in 0..5 {
        machine.ok(&["systemctl", "restart", "retaind"]);
    }
    assert_eq!(machine.property("retaind", "ActiveState"), "active");
    assert_eq!(operate(machine, &["run", "retention"]).code, Some(4));
    assert_eq!(recorder.left(), (61..=70).chain(76..=80).collect());
    assert_eq!(operate(machine, &["resume", "events"]).code, Some(0));
    assert_eq!(operate(machine, &["run", "retention"]).code, Some(0));
    assert_eq!(recorder.left(), (61..=70).collect());
}

/// An upgrade beside a broken fragment leaves the daemon running; once mended, the new one takes over.
fn sunday_an_upgrade(machine: &Machine) {
    let work = tempfile::tempdir().unwrap();
    let next = next_release(work.path());
    let pid = || machine.property("retaind", "MainPID");
    let before = pid();
    machine.write("/etc/retaind/conf.d/60-broken.toml", "[policies.events\n");
    let told = machine.install(&next);
    assert!(told.contains("was not restarted"), "{told}");
    assert_eq!((pid(), machine.property("retaind", "ActiveState")), (before.clone(), "active".to_owned()));
    assert_eq!(operate(machine, &["status"]).code, Some(0));
    // What only the daemon's user cannot read, or only its unit lacks, is as bad.
    machine.sh("echo '' >/etc/retaind/conf.d/60-broken.toml; chmod 600 /etc/retaind/conf.d/60-broken.toml");
    let told = machine
        .sh("sed -i 's/+next$/+next1/' /var/lib/dpkg/status; dpkg --install --force-downgrade /root/retaind.deb");
    assert!(told.contains("was not restarted"), "{told}");
    assert_eq!(pid(), before);
    machine.sh("rm /etc/retaind/conf.d/60-broken.toml");
    machine.sh("sed -i 's/+next$/+next2/' /var/lib/dpkg/status; dpkg --install --force-downgrade /root/retaind.deb");
    machine.poll("restarted daemon", SOON, || (!["0", &before].contains(&pid().as_str())).then_some(()));
    assert_eq!(operate(machine, &["audit", "verify"]).code, Some(0));
}
