//! Notifications: what is said once, to whom, and that nothing of it is lost.

mod command;
mod email;
mod ping;
mod said;
mod start;
mod webhook;

use serde_json::{Value, json};

use super::api::post;
use super::*;
use crate::cli::call_in;
use crate::engines::{Manner, Received, Receiver};

/// A world whose policy `items` is blocked by its guard: of its two old rows at most one may go.
fn blocked(receiver: &Receiver, task: &str, keys: &str) -> World {
    let mut world = world(task);
    world.declare("max_rows = 1\ndescription = \"Items of the shop\"\nowner = \"shop team\"");
    notify(&mut world, receiver, keys);
    fill(&world, 2);
    world
}

/// Declares a destination `ops`.
fn notify(world: &mut World, receiver: &Receiver, keys: &str) {
    world.declare(&format!("[notify.ops]\nwebhook = {{ url = \"{}\", {keys} }}", receiver.url("/hook/s3cret")));
}

fn run(world: &World, name: &str) {
    let ended = post(world, "/run?wait=20s", json!({ "names": [name] }));
    assert!(ended.body["status"].is_string(), "{}", ended.body);
}

/// Messages that came, in order.
fn await_notices(receiver: &Receiver, count: usize, world: &World) -> Vec<Value> {
    receiver.await_received(count, || log(world)).iter().map(Received::json).collect()
}

/// Event, state and subject of each.
fn heads(notices: &[Value]) -> Vec<[&str; 3]> {
    notices.iter().map(|notice| ["/event", "/state", "/subject/name"].map(|at| word(notice, at))).collect()
}

fn word<'a>(notice: &'a Value, pointer: &str) -> &'a str {
    notice.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A file with a secret alone, in the directory of a world.
fn secret(world: &World, name: &str, content: &str) -> String {
    let path = world.dir.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// Codes of what a status says.
fn matters(world: &World) -> Vec<String> {
    let status = crate::cli::call_as_written(world, &["status", "--json"]).json();
    let codes = status["attention_codes"].as_array().unwrap().clone();
    codes.iter().map(|matter| word(matter, "/code").to_owned()).collect()
}

fn await_undelivered(world: &World) {
    let deadline = Instant::now() + PATIENCE;
    while !matters(world).contains(&"undelivered".to_owned()) {
        assert!(Instant::now() < deadline, "{:?} {}", matters(world), log(world));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Messages that wait in the ledger.
fn waiting(world: &World) -> usize {
    ledger(world).query("SELECT number FROM outbox").unwrap().len()
}

fn await_waiting(world: &World, count: usize) {
    let deadline = Instant::now() + PATIENCE;
    while waiting(world) != count {
        assert!(Instant::now() < deadline, "{} wait: {}", waiting(world), log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
}
