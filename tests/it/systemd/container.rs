//! The daemon as the first process of a container, without an init, beside a PostgreSQL and a store of the host.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use retaind::telemetry::message_id;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::image::Image;
use super::machine::{Machine, SOON};
use super::root::succeed;
use crate::engines::{Database, EngineKind, scratch_dir};
use crate::needs::Need;
use crate::world::World;

/// Old rows that a run takes.
const OLD: std::ops::RangeInclusive<u64> = 1..=3;

/// Rows 1 to 3 are old, each with a file; 4 is young. A hook leaves a process behind.
fn world() -> World {
    let mut world = World::new(Database::create(EngineKind::Postgres));
    world.create_items();
    for id in OLD.chain(4..=4) {
        let file = format!("{id}.jpg");
        world.put("images", &file, 10);
        world.item(id, if id == 4 { 1.0 } else { 40.0 }, None, Some(&file));
    }
    world.daemon("approve_changes = false\n");
    world.declare(
        "[tasks.sweep]\nevery = \"1s\"\nbefore = { command = [\"/bin/sh\", \"-c\", \"sleep 100 & setsid sleep 0.1 & exit 0\"] }\n\
         [policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\ntask = \"sweep\"\n\
         files = [{ store = \"images\", column = \"image\" }]\n",
    );
    let config = world.config_file();
    fs::set_permissions(config, fs::Permissions::from_mode(0o644)).unwrap();
    for owned in ["state", "images", "thumbs"] {
        give_away(&world.dir.join(owned));
    }
    world
}

/// Gives a tree to the user of the image.
fn give_away(path: &Path) {
    chown(path, Some(10_001), Some(10_001)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        give_away(&entry.path());
    }
}

fn start(image: &Image, world: &World) -> Machine {
    let config = world.dir.join("retaind.toml");
    let socket = world.db.server().socket();
    let mut environment = image.environment.clone();
    environment.push(format!("RETAIND_CONFIG={}", config.display()));
    let command: Vec<&str> = image.entrypoint.iter().chain(&image.command).map(String::as_str).collect();
    Machine::first_process(image, &environment, &command, &[&world.dir, &socket])
}

/// Processes of the container that are dead and that nobody has waited for.
fn dead(machine: &Machine) -> BTreeSet<String> {
    let stats = machine.sh("cat /proc/[0-9]*/stat 2>/dev/null | grep ') Z 1 ' || true");
    stats.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn the_daemon_is_the_first_process() {
    needs!(Need::Root);
    needs!(Need::Server);
    let world = world();
    let directory = scratch_dir("image");
    let image = Image::make(&directory);
    assert_eq!((image.user.as_str(), image.stop_signal.as_str()), ("10001:10001", "SIGTERM"));
    let machine = start(&image, &world);
    let health: Vec<&str> = ["setpriv", "--reuid=10001", "--regid=10001", "--clear-groups", "env"]
        .into_iter()
        .chain(image.environment.iter().map(String::as_str))
        .chain(image.health.iter().map(String::as_str))
        .collect();
    let config = format!("RETAIND_CONFIG={}", world.dir.join("retaind.toml").display());
    let health: Vec<&str> = [&health[..5], &[config.as_str()], &health[5..]].concat();
    machine.poll("an answer to the health check", SOON, || (machine.run(&health).code == Some(0)).then_some(()));

    // It is what the file says: the first process, of nobody's user, and each line that it writes is JSON.
    assert_eq!(machine.ok(&["cat", "/proc/1/comm"]).trim(), "retaind");
    assert!(machine.ok(&["grep", "^Uid", "/proc/1/status"]).contains("10001\t10001\t10001\t10001"));
    machine.poll("a run that took what is old", SOON, || (world.ids().len() == 1).then_some(()));
    machine.poll("the files gone with their rows", SOON, || (world.files("images").len() == 1).then_some(()));
    assert_eq!((world.ids(), world.files("images")), ([4].into(), ["4.jpg".to_owned()].into()));
    let lines = machine.console();
    let spoken: Vec<&str> = lines.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(spoken.len() > 2 && spoken.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");

    // What hooks leave behind is waited for, run after run.
    machine
        .poll("a second run", SOON, || (machine.console().matches(message_id::RUN_FINISHED).count() > 2).then_some(()));
    let left =
        machine.poll("a process that was left behind", SOON, || Some(dead(&machine)).filter(|dead| !dead.is_empty()));
    machine.poll("their end", SOON, || dead(&machine).is_disjoint(&left).then_some(()));

    // SIGHUP loads the configuration anew, and a broken one is refused.
    let init = rustix::process::Pid::from_raw(machine.init()).unwrap();
    let text = fs::read_to_string(world.dir.join("retaind.toml")).unwrap();
    fs::write(world.dir.join("retaind.toml"), text.replace("30d", "0d")).unwrap();
    kill_process(init, Signal::HUP).unwrap();
    machine.poll("a refused reload", SOON, || machine.console().contains(message_id::RELOAD_FAILED).then_some(()));
    assert_eq!(machine.run(&health).code, Some(0), "it works by the former configuration");
    fs::write(world.dir.join("retaind.toml"), text).unwrap();

    // SIGTERM, as the runtime of containers sends it, ends it in order.
    let (code, said) = machine.end(Signal::TERM);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(message_id::SHUTDOWN_DONE), "{said}");
    assert!(said.matches("does not take messages").count() < 2, "{said}");
}

/// The example for compose, as data.
fn compose() -> Value {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/container/compose.yaml");
    serde_json::from_str(&succeed(Command::new(python).args(["-c", script, path]))).unwrap()
}

#[test]
fn the_example_with_compose_fits_the_image() {
    needs!(Need::Program("schemathesis"));
    let compose = compose();
    let service = &compose["services"]["retaind"];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(directory.join(service["build"]["dockerfile"].as_str().unwrap()).is_file());
    let mounted = service["volumes"].as_array().unwrap().iter().map(|volume| volume.as_str().unwrap());
    for volume in mounted {
        let (from, to) = volume.split_once(':').unwrap();
        match from.strip_prefix("./") {
            Some(file) => assert!(directory.join("packaging/container").join(file).is_file(), "{volume}"),
            None => assert!(compose["volumes"].get(from).is_some() && to.starts_with('/'), "{volume}"),
        }
    }
    let config = fs::read_to_string(directory.join("packaging/container/retaind.toml")).unwrap();
    let secret = service["secrets"][0].as_str().unwrap();
    assert!(
        config.contains(&format!("password_credential = \"{secret}\"")) && compose["secrets"].get(secret).is_some()
    );
}

#[test]
fn the_configuration_beside_it_is_valid() {
    needs!(Need::Server);
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/container");
    let secrets = scratch_dir("secrets");
    fs::write(secrets.join("app-db"), "a password").unwrap();
    let checked = Command::new(env!("CARGO_BIN_EXE_retaind"))
        .args(["check", "--config-only", "--config"])
        .arg(format!("{directory}/retaind.toml"))
        .env("CREDENTIALS_DIRECTORY", &secrets)
        .env("STATE_DIRECTORY", &secrets)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    let db = Database::create(EngineKind::Postgres);
    db.execute(&fs::read_to_string(format!("{directory}/app.sql")).unwrap());
    assert_eq!(db.value("SELECT count(*) FROM events").as_deref(), Some("0"));
}
