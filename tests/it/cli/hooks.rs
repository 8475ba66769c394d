//! Hooks of a task as the operator meets them: what they are given, what their failure does, and that nothing of theirs
//! is left when a run is stopped.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Ended, call_in, retaind};
use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

const PATIENCE: Duration = Duration::from_secs(30);
/// Ends at once when it is asked to.
const GENTLE: &str = "echo $$ >> DIR/pids; exec sleep 300";
/// Does not end, nor does its child, whatever it is asked.
const STUBBORN: &str = "trap '' TERM; echo $$ >> DIR/pids; sh -c 'trap \"\" TERM; echo $$ >> DIR/pids; \
                        while :; do sleep 1; done' & while :; do sleep 1; done";

/// Rows 1 and 2 are old, 3 is young; the task `sweep` has the given hooks, and the keys of `task`.
fn world_on(db: Database, before: Option<&str>, after: Option<&str>, task: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    for (id, days) in [(1, 40.0), (2, 35.0), (3, 1.0)] {
        world.item(id, days, None, None);
    }
    let mut keys = String::new();
    for (point, script) in [("before", before), ("after", after)] {
        if let Some(script) = script {
            let path = world.dir.join(format!("{point}.sh"));
            std::fs::write(&path, script.replace("DIR", &world.dir.display().to_string())).unwrap();
            keys.push_str(&format!("{point} = {{ command = [\"/bin/sh\", \"{}\"] }}\n", path.display()));
        }
    }
    world.declare(&format!(
        "[tasks.sweep]\nevery = \"1h\"\n{keys}{task}\n[policies.items]\nkind = \"rows\"\ntask = \"sweep\"\n\
         source = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n"
    ));
    world
}

fn world(before: Option<&str>, after: Option<&str>, task: &str) -> World {
    world_on(Database::create(EngineKind::Sqlite), before, after, task)
}

fn read(world: &World, file: &str) -> String {
    std::fs::read_to_string(world.dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn read_json(world: &World, file: &str) -> Value {
    serde_json::from_str(&read(world, file)).unwrap()
}

/// Removes the two members that go on until the hook has ended.
fn without_time(mut result: Value) -> Value {
    for key in ["finished_at", "duration_ms"] {
        assert!(result.as_object_mut().unwrap().remove(key).is_some_and(|value| !value.is_null()), "{key}: {result}");
    }
    result
}

fn wait_for(what: &str, is_true: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_true() {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// A run of the task, in the middle of a hook whose processes are known.
struct Hooked {
    child: Child,
    pids: Vec<String>,
}

impl Hooked {
    fn start(world: &World, processes: usize) -> Self {
        let child = retaind(&["run", "sweep", "--json", "--config"])
            .arg(world.config_file())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let file: PathBuf = world.dir.join("pids");
        let pids = || -> Vec<String> {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
        };
        wait_for("the hook runs", || pids().len() >= processes);
        Self { child, pids: pids() }
    }

    fn signal(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for the end, which must come in time and leave no process of the hook.
    fn end_within(self, patience: Duration) -> Ended {
        let since = Instant::now();
        let ended = Ended::of(self.child.wait_with_output().unwrap());
        assert!(since.elapsed() < patience, "{:?}: {ended:?}", since.elapsed());
        assert!(self.pids.iter().all(|pid| !is_alive(pid)), "the hook is still there: {ended:?}");
        ended
    }
}

#[test]
fn hooks_are_given_what_is_known_so_far() {
    let script = "cat > DIR/NAME.json; env | sort > DIR/NAME.env; echo \"$@\" > DIR/NAME.arguments; echo to nobody";
    let [before, after] = ["before", "after"].map(|name| script.replace("NAME", name));
    let world = world(Some(&before), Some(&after), "");
    let mut command = retaind(&["run", "sweep", "--json", "--config"]);
    command.arg(world.config_file());
    for leak in ["NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "PGPASSWORD", "RETAIND_PURGE_LEDGER"] {
        command.env(leak, "/leaked");
    }
    let ended = Ended::of(command.output().unwrap()).with(0);
    let result = ended.json();
    assert_eq!(world.ids(), set([3]));
    let begun = read_json(&world, "before.json");
    let nothing = json!({
        "rows_deleted": 0, "rows_updated": 0, "files_deleted": 0, "bytes_reclaimed": 0, "errors": 0
    });
    let expected = json!({
        "format_version": 1, "run_id": result["run_id"], "mode": "enforce", "trigger": "cli", "task": "sweep",
        "status": "running", "requested": result["requested"],
        "started_at": result["started_at"], "finished_at": null, "duration_ms": 0, "policies": [], "totals": nothing,
    });
    assert_eq!(begun, expected);
    assert_eq!(without_time(read_json(&world, "after.json")), without_time(result.clone()));
    assert_eq!(result["policies"][0]["rows_deleted"], 2);
    for (point, status) in [("before", None), ("after", Some("RETAIND_STATUS=completed"))] {
        let environment = read(&world, &format!("{point}.env"));
        // A shell adds what it keeps itself.
        let ours = environment
            .lines()
            .filter(|line| !["PWD=", "_=", "OLDPWD=", "SHLVL="].iter().any(|own| line.starts_with(own)));
        let mut expected = vec![
            "LANG=C.UTF-8".to_owned(),
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("RETAIND_HOOK={point}"),
            "RETAIND_POLICIES=items".to_owned(),
            format!("RETAIND_RUN_ID={}", result["run_id"].as_str().unwrap()),
        ];
        expected.extend(status.map(str::to_owned));
        expected.push("RETAIND_TASK=sweep".to_owned());
        assert_eq!(ours.collect::<Vec<_>>(), expected);
        assert_eq!(read(&world, &format!("{point}.arguments")), "\n");
    }
    let kept = call_in(&world, &["runs", result["run_id"].as_str().unwrap(), "--json"]).with(0).json();
    assert_eq!(kept, result);
}

for_each_engine! {
    fn a_before_that_fails_blocks_the_run(db) {
        let before = "echo 'no space left' >&2; exit 3";
        let world = world_on(db, Some(before), Some("cat > DIR/after.json"), "");
        let result = call_in(&world, &["run", "sweep", "--json"]).with(4).json();
        assert_eq!(world.ids(), set([1, 2, 3]));
        let error = "/bin/sh ended with exit code 3: no space left";
        assert_eq!(result["status"], "blocked");
        assert_eq!(result["hook_errors"], json!([{ "hook": "before", "error": error }]));
        assert_eq!(result["totals"]["errors"], 1);
        let policy = &result["policies"][0];
        assert_eq!((&policy["policy"], &policy["status"]), (&json!("items"), &json!("blocked")));
        assert_eq!((&policy["blocked_code"], &policy["blocked_facts"]["hook"]), (&json!("hook_failed"), &json!("before")));
        let kept = call_in(&world, &["runs", result["run_id"].as_str().unwrap(), "--json"]).with(0).json();
        assert_eq!(kept, result);
        assert_eq!(without_time(read_json(&world, "after.json")), without_time(result), "`after` runs all the same");
        let page = call_in(&world, &["run", "sweep"]).with(4).stdout;
        assert!(page.contains(&format!("items: blocked: before hook: {error}")), "{page}");
        std::fs::write(world.dir.join("before.sh"), "exit 0").unwrap();
        call_in(&world, &["run", "sweep"]).with(0);
        assert_eq!(world.ids(), set([3]));
    }
}

#[test]
fn each_way_to_fail_blocks_and_is_told() {
    let world = world(Some("exit 0"), None, "");
    let missing = world.dir.join("missing");
    let plain = world.dir.join("plain");
    std::fs::write(&plain, "no program").unwrap();
    let set = |command: Value| format!("tasks.sweep.before.command={command}");
    for (command, told) in [
        (json!([missing]), format!("{} could not be run: No such file or directory", missing.display())),
        (json!([plain]), format!("{} could not be run: Permission denied", plain.display())),
        (json!(["/bin/sh", "-c", "kill -9 $$"]), "/bin/sh was killed by signal 9".to_owned()),
        (json!(["/bin/false"]), "/bin/false ended with exit code 1".to_owned()),
    ] {
        let result = call_in(&world, &["run", "sweep", "--json", "--set", &set(command)]).with(4).json();
        let error = result["hook_errors"][0]["error"].as_str().unwrap();
        assert!(error.starts_with(&told), "{error}");
    }
    let timeout = ["--set", "tasks.sweep.before.timeout=1s", "--set", &set(json!(["/bin/sleep", "300"]))];
    let result = call_in(&world, &[&["run", "sweep", "--json"], &timeout[..]].concat()).with(4).json();
    assert_eq!(result["hook_errors"][0]["error"], "/bin/sleep did not end within 1s and was killed");
    assert_eq!(world.ids(), crate::world::set([1, 2, 3]));
}

#[test]
fn an_after_that_fails_is_in_the_result() {
    let world = world(None, Some("echo 'cannot tell\tanybody' >&2; exit 1"), "");
    let result = call_in(&world, &["run", "sweep", "--json"]).with(3).json();
    assert_eq!(world.ids(), set([3]));
    assert_eq!((&result["status"], &result["totals"]["errors"]), (&json!("completed_with_errors"), &json!(1)));
    let error = "/bin/sh ended with exit code 1: cannot tell\tanybody";
    assert_eq!(result["hook_errors"], json!([{ "hook": "after", "error": error }]));
    assert_eq!(
        (&result["policies"][0]["status"], &result["policies"][0]["error_count"]),
        (&json!("completed"), &json!(0))
    );
    let id = result["run_id"].as_str().unwrap();
    assert_eq!(call_in(&world, &["runs", id, "--json"]).with(0).json(), result);
    let page = call_in(&world, &["runs", id]).with(0).stdout;
    assert!(page.contains("after hook: error: /bin/sh ended with exit code 1: cannot tell\\tanybody"), "{page}");
    assert!(page.contains("completed with errors") && page.contains("1 error\n"), "{page}");
}

#[test]
fn only_whole_tasks_that_may_delete_have_hooks() {
    let mut world = world(Some("echo before >> DIR/ran"), Some("echo after >> DIR/ran"), "");
    let hint = "The hooks of task sweep do not run";
    let says_so = |ended: Ended| ended.with(0).stderr.contains(hint);
    assert!(!says_so(call_in(&world, &["plan", "sweep"])));
    assert!(!says_so(call_in(&world, &["run", "sweep", "--mode", "report"])));
    assert!(!says_so(call_in(&world, &["run", "sweep", "--set", "daemon.mode=report"])));
    assert_eq!(world.ids(), set([1, 2, 3]));
    assert!(says_so(call_in(&world, &["run", "items", "--set", "policies.items.keep=37d"])));
    assert!(says_so(call_in(&world, &["run", "--set", "policies.items.keep=37d"])));
    assert_eq!(world.ids(), set([2, 3]));
    call_in(&world, &["run", "sweep", "--set", "policies.items.enabled=false"]).with(0);
    assert!(!world.dir.join("ran").exists());
    world.declare("mode = \"report\"");
    assert!(!says_so(call_in(&world, &["run", "sweep"])));
    assert_eq!(read(&world, "ran"), "before\nafter\n");
}

#[test]
fn a_signal_ends_a_before_and_nothing_goes() {
    for (script, processes) in [(GENTLE, 1), (STUBBORN, 2)] {
        let world = world(Some(script), Some("cat > DIR/after.json"), "");
        let hooked = Hooked::start(&world, processes);
        hooked.signal();
        let result = hooked.end_within(Duration::from_secs(3)).with(5).json();
        assert_eq!((&result["status"], &result["cause"]), (&json!("cancelled"), &json!("signal")));
        assert_eq!((world.ids(), &result["policies"][0]["status"]), (set([1, 2, 3]), &json!("cancelled")));
        assert_eq!(without_time(read_json(&world, "after.json")), without_time(result));
    }
}

#[test]
fn a_signal_ends_an_after_and_is_recorded() {
    let world = world(None, Some(STUBBORN), "");
    let hooked = Hooked::start(&world, 2);
    assert_eq!(world.ids(), set([3]));
    hooked.signal();
    let result = hooked.end_within(Duration::from_secs(3)).with(5).json();
    assert_eq!((&result["status"], &result["cause"]), (&json!("cancelled"), &json!("signal")));
    assert_eq!(result["policies"][0]["status"], "completed");
    assert_eq!(result["hook_errors"][0]["error"], "/bin/sh was ended because the run was stopped");
}

#[test]
fn a_signalled_after_hook_has_half_the_grace() {
    let mut world = world(Some(GENTLE), Some("echo $$ >> DIR/pids; exec sleep 300"), "");
    world.daemon("shutdown_grace = \"2s\"");
    let hooked = Hooked::start(&world, 1);
    hooked.signal();
    let result = hooked.end_within(Duration::from_secs(5)).with(5).json();
    assert_eq!(result["status"], "cancelled");
    assert_eq!(result["hook_errors"][0]["error"], "/bin/sh did not end within 1s and was killed");
    let pids = read(&world, "pids");
    assert_eq!(pids.lines().filter(|pid| !is_alive(pid)).count(), 2, "{pids}");
}

#[test]
fn a_second_signal_leaves_no_hook_behind() {
    let mut world = world(Some(GENTLE), Some(&STUBBORN.replace("pids", "after-pids")), "");
    world.daemon("shutdown_grace = \"10m\"");
    let mut hooked = Hooked::start(&world, 1);
    hooked.signal();
    let pids = || std::fs::read_to_string(world.dir.join("after-pids")).unwrap_or_default();
    wait_for("the hook after runs", || pids().lines().count() == 2);
    hooked.signal();
    hooked.pids.extend(pids().lines().map(str::to_owned));
    let pids = hooked.pids.clone();
    hooked.pids.clear();
    hooked.end_within(Duration::from_secs(3)).with(5);
    wait_for("all are gone", || pids.iter().all(|pid| !is_alive(pid)));
}

#[test]
fn hooks_share_the_time_limit_of_the_run() {
    let world = world(Some(STUBBORN), Some("sleep 1; cat > DIR/after.json"), "timeout = \"1s\"");
    let hooked = Hooked::start(&world, 2);
    let result = hooked.end_within(Duration::from_secs(10)).with(5).json();
    assert_eq!((&result["status"], &result["cause"]), (&json!("cancelled"), &json!("timeout")));
    assert_eq!(result.get("hook_errors"), None, "a hook that was stopped with its run has not failed");
    assert_eq!(world.ids(), set([1, 2, 3]));
    assert_eq!(read_json(&world, "after.json")["cause"], "timeout", "`after` has a time of its own");
}

#[test]
fn a_flooding_hook_that_ignores_signals_is_harmless() {
    let flood = "exec <&-; head -c 10000000 /dev/zero | tr '\\0' y | tee /dev/stderr; sleep 300 & echo $! > DIR/left";
    let mut world = world(Some(flood), Some("exec <&-; sleep 0.2"), "");
    // Errors enough that the JSON is larger than a pipe holds.
    for n in 0..150 {
        world.declare(&format!(
            "[policies.none-{n}]\nkind = \"rows\"\ntask = \"sweep\"\nsource = \"app\"\ntable = \"item\"\n\
             where = \"no_such_column = 1\"\n"
        ));
    }
    let result = call_in(&world, &["run", "sweep", "--json"]).with(3).json();
    assert!(result.to_string().len() > 1 << 16, "{}", result.to_string().len());
    assert_eq!(result.get("hook_errors"), None);
    assert_eq!(world.ids(), set([3]));
    let left = read(&world, "left");
    wait_for("what the hook left behind is gone", || !is_alive(left.trim()));
}
