//! The state of each run in a real Redis: from begin to end, and whatever happens to the server meanwhile.

use std::collections::BTreeSet;

use redis::{Commands, Connection};
use serde_json::{Value, json};

use super::api::post;
use super::*;
use crate::cli::call_in;
use crate::engines::Redis;
use crate::needs::Need;

/// Rows enough for a run that is watched.
const MANY: u64 = 60_000;
/// Rows enough for one of which several states are written, however fast the machine is.
const LONG: u64 = 300_000;

/// A world whose runs are published, and whose task runs on request only; its first rows are old.
fn published(redis: &Redis, keys: &str, rows: u64) -> World {
    let mut world = world("every = \"20d\"");
    world.declare(&format!("[publish.redis]\nurl = \"{}\"\n{keys}\n", redis.url()));
    fill(&world, rows);
    world
}

fn run(world: &World) {
    let begun = post(world, "/run", json!({ "names": ["sweep"] }));
    assert_eq!(begun.status, 202, "{}", begun.body);
}

/// The states that there are, by key.
fn states(connection: &mut Connection) -> Vec<(String, Value)> {
    let mut keys: Vec<String> = connection.keys("*").unwrap();
    keys.sort();
    let state = |key: String| {
        let json: String = connection.get(&key).unwrap();
        (key, serde_json::from_str(&json).unwrap())
    };
    keys.into_iter().map(state).collect()
}

/// Waits until there is one state, of a run that ended.
fn await_state(redis: &Redis, world: &World) -> (String, Value) {
    let deadline = Instant::now() + PATIENCE;
    let mut connection = redis.connect();
    loop {
        let states = states(&mut connection);
        if let [(key, state)] = states.as_slice()
            && state["status"] != "running"
        {
            return (key.clone(), state.clone());
        }
        assert!(Instant::now() < deadline, "{states:#?}\n{}", log(world));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn complaints(world: &World) -> usize {
    log(world).matches("cannot be written into Redis").count()
}

/// A daemon in the middle of a purge that Redis hears of.
fn purging(redis: &Redis) -> (World, Daemon) {
    let world = published(redis, "", MANY);
    let daemon = Daemon::ready(&world);
    run(&world);
    await_purge(&world, MANY);
    (world, daemon)
}

#[test]
fn a_run_is_a_key_and_is_published() {
    needs!(Need::Server);
    let redis = Redis::start(Some("s3cret"));
    let keys = "password_file = \"PLACE\"\nkey = \"nvr:{id}\"\nchannel = \"jobs\"\nexpire = \"2h\"";
    let mut world = published(&redis, "", LONG);
    let password = world.dir.join("redis.password");
    std::fs::write(&password, "s3cret\n").unwrap();
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    world.declare(&keys.replace("PLACE", &password.display().to_string()));
    world.daemon("timezone = \"Asia/Tokyo\"");
    let checked = call_in(&world, &["check"]);
    assert!(checked.stdout.contains("redis.sock?db=0 answers"), "{}", checked.stdout);

    let (mut watching, mut connection) = (redis.connect(), redis.connect());
    let mut channel = watching.as_pubsub();
    channel.subscribe("jobs").unwrap();
    channel.set_read_timeout(Some(PATIENCE)).unwrap();
    let daemon = Daemon::ready(&world);
    run(&world);
    let mut told: Vec<Value> = Vec::new();
    while told.last().is_none_or(|state| state["status"] == "running") {
        let message: String = channel.get_message().unwrap().get_payload().unwrap();
        told.push(serde_json::from_str(&message).unwrap());
    }

    let (first, last) = (&told[0], &told[told.len() - 1]);
    let id = first["id"].as_str().unwrap();
    let begun: jiff::Timestamp = first["started_at"].as_str().unwrap().parse().unwrap();
    let tokyo = begun.in_tz("Asia/Tokyo").unwrap();
    let near = [0, -1].map(|seconds| tokyo.saturating_add(jiff::SignedDuration::from_secs(seconds)));
    assert!(near.iter().any(|at| at.strftime("cleanup-%Y%m%d-%H%M%S").to_string() == id), "{id} {tokyo}");
    assert_eq!((&first["status"], &first["progress"]), (&json!("running"), &json!(0)), "{first:#}");
    assert_eq!(first["type"], "data_cleanup");
    assert_eq!((&first["metadata"]["task"], &first["metadata"]["keep"]), (&json!("sweep"), &json!({ "items": "30d" })));
    assert_eq!((&last["status"], &last["progress"]), (&json!("completed"), &json!(100)), "{last:#}");
    assert_eq!((&last["result"]["rows_deleted"], &last["error"]), (&json!(LONG), &Value::Null));
    assert!(told.len() > 3, "{told:#?}");
    let progress: Vec<u64> = told.iter().map(|state| state["progress"].as_u64().unwrap()).collect();
    assert!(progress.is_sorted() && progress[..progress.len() - 1].iter().all(|done| *done < 100), "{progress:?}");
    assert!(progress.iter().collect::<BTreeSet<_>>().len() > 2, "{progress:?}");

    let (key, state) = await_state(&redis, &world);
    assert_eq!((key, &state), (format!("nvr:{id}"), last));
    let expires: i64 = connection.ttl(format!("nvr:{id}")).unwrap();
    assert!((7100..=7200).contains(&expires), "{expires}");
    assert!(!log(&world).contains("s3cret") && complaints(&world) == 0, "{}", log(&world));
    // A plan is no job.
    let planned = post(&world, "/run?wait=20s", json!({ "names": ["items"], "mode": "plan" }));
    assert_eq!(planned.body["mode"], "plan", "{}", planned.body);
    assert_eq!(states(&mut connection).len(), 1);
    daemon.stop();
}

#[test]
fn a_run_goes_on_without_redis() {
    needs!(Need::Server);
    let redis = Redis::start(None);
    let (world, daemon) = purging(&redis);
    redis.kill();
    await_runs(&world, 1);
    assert!(world.ids().is_empty());
    // A second one, of which Redis has heard nothing.
    std::thread::sleep(Duration::from_millis(1100));
    run(&world);
    await_runs(&world, 2);
    assert_eq!(complaints(&world), 1, "{}", log(&world));
    redis.restart();
    let deadline = Instant::now() + PATIENCE;
    let mut connection = redis.connect();
    let mut ended = states(&mut connection);
    while ended.len() < 2 {
        assert!(Instant::now() < deadline, "{ended:#?}\n{}", log(&world));
        std::thread::sleep(Duration::from_millis(50));
        ended = states(&mut connection);
    }
    for ((_, state), rows) in ended.iter().zip([MANY, 0]) {
        assert_eq!(
            (&state["status"], &state["result"]["rows_deleted"]),
            (&json!("completed"), &json!(rows)),
            "{state:#}"
        );
    }
    assert!(log(&world).contains("Redis takes the states of runs again"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_redis_that_hangs_holds_up_nothing() {
    needs!(Need::Server);
    let redis = Redis::start(None);
    let world = published(&redis, "", 300);
    let daemon = Daemon::ready(&world);
    redis.freeze();
    let began = Instant::now();
    run(&world);
    await_runs(&world, 1);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    redis.thaw();
    assert_eq!(await_state(&redis, &world).1["result"]["rows_deleted"], 300);
    redis.freeze();
    run(&world);
    await_runs(&world, 2);
    let began = Instant::now();
    daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_wrong_password_is_said_once() {
    needs!(Need::Server);
    let redis = Redis::start(Some("s3cret"));
    let world = published(&redis, "password_credential = \"redis\"", 300);
    let credentials = world.dir.join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    std::fs::write(credentials.join("redis"), "wr0ng").unwrap();
    let environment = [("CREDENTIALS_DIRECTORY", credentials.to_str().unwrap())];
    let mut daemon = Daemon::start_with(&world, &environment);
    daemon.await_message("READY=1", |message| message.contains("READY=1"));
    run(&world);
    await_runs(&world, 1);
    std::thread::sleep(Duration::from_secs(2));
    let said = log(&world);
    assert!(complaints(&world) == 1 && !said.contains("wr0ng") && !said.contains("s3cret"), "{said}");
    let checked = call_in(&world, &["check"]);
    assert!(checked.stdout.contains("runs go on without it"), "{}", checked.stdout);
    std::fs::write(credentials.join("redis"), "s3cret").unwrap();
    daemon.reload();
    assert_eq!(await_state(&redis, &world).1["status"], "completed");
    assert!(log(&world).contains("publish.redis: password changed"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn the_next_daemon_ends_a_dead_ones_job() {
    needs!(Need::Server);
    let redis = Redis::start(None);
    let (world, daemon) = purging(&redis);
    let mut connection = redis.connect();
    let deadline = Instant::now() + PATIENCE;
    while states(&mut connection).first().is_none_or(|(_, state)| state["progress"] == 0) {
        assert!(Instant::now() < deadline, "{}", log(&world));
    }
    // It is killed.
    drop(daemon);
    let (key, left) = states(&mut connection).remove(0);
    assert_eq!(left["status"], "running", "{left:#}");
    let daemon = Daemon::ready(&world);
    let (again, state) = await_state(&redis, &world);
    assert_eq!((again, &state["status"]), (key, &json!("failed")), "{state:#}");
    assert_eq!(state["metadata"]["run_id"], left["metadata"]["run_id"]);
    assert!(state["error"].is_string() && state["progress"].as_u64() >= left["progress"].as_u64(), "{state:#}");
    daemon.stop();
}

#[test]
fn the_next_daemon_publishes_what_redis_never_heard() {
    needs!(Need::Server);
    let redis = Redis::start(None);
    let world = published(&redis, "expire = \"2h\"", 2);
    redis.kill();
    let daemon = Daemon::ready(&world);
    run(&world);
    await_runs(&world, 1);
    daemon.stop();
    // One without a daemon is no job.
    call_in(&world, &["run", "items"]).with(0);
    redis.restart();
    let daemon = Daemon::ready(&world);
    let (key, state) = await_state(&redis, &world);
    assert_eq!((&state["status"], &state["result"]["rows_deleted"]), (&json!("completed"), &json!(2)), "{state:#}");
    let lasts: i64 = redis.connect().ttl(&key).unwrap();
    assert!((7000..=7200).contains(&lasts), "{lasts}");
    daemon.stop();
}
