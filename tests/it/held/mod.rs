//! Holds, in the process and with real databases: what makes a policy take more than somebody agreed to waits, and nothing
//! else does.

mod changed;
mod garbage;
mod property;
mod secrets;
mod trees;
mod usual;

use std::collections::BTreeMap;

use retaind::ledger::Approval;
use retaind::outcome::Operator;
use retaind::outcome::{Held, HoldKind, PolicyResult, RunMode, RunResult, RunTrigger, Status};
use retaind::policy::{Name, Wording};
use retaind::run::{Request, Reviewed};

use crate::engines::{Client, Database, EngineKind};
use crate::world::{World, set};

/// A policy of the rows of `item`, with more keys.
fn items(keys: &str) -> String {
    format!("[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\n{keys}\n")
}

fn keep(days: u32) -> String {
    items(&format!("keep = \"{days}d\""))
}

/// Rows 1 and 2 are 40 days old, 3 and 4 are 10, 5 is new. `items` keeps 30 days, and has run once with nothing to do.
async fn agreed_on(db: Database) -> World {
    let mut world = World::new(db);
    world.create_items();
    world.declare(&keep(30));
    completed(&night(&world).await, 0);
    for (id, days) in [(1, 40.0), (2, 40.0), (3, 10.0), (4, 10.0), (5, 0.5)] {
        world.item(id, days, None, None);
    }
    world
}

async fn agreed() -> World {
    agreed_on(Database::create(EngineKind::Sqlite)).await
}

fn scheduled(world: &World) -> Request {
    Request { trigger: RunTrigger::Schedule, ..world.request(RunMode::Enforce) }
}

/// A run that the schedule asks for.
async fn night(world: &World) -> RunResult {
    world.runner().await.run(scheduled(world)).await.expect("a run is made")
}

/// The same of a task, with its hooks.
async fn night_of(world: &World, task: &str) -> RunResult {
    let request = Request { task: Some(Name::parse(task).unwrap()), ..scheduled(world) };
    world.runner().await.run(request).await.expect("a run is made")
}

/// What the daemon does with a configuration at its start and at a reload.
async fn reload(world: &World) -> Vec<Reviewed> {
    world.runner().await.review(&world.ledger().await).await.expect("the configuration is reviewed")
}

/// Approves the present configuration of a policy and what a plan shows now.
async fn approve(world: &World, policy: &str) -> u64 {
    let (plan, _) = world.plan().await;
    let tally = &plan.policies.iter().find(|done| done.policy.as_str() == policy).expect("it is planned").tally;
    let amount = if tally.rows_matched > 0 { tally.rows_matched } else { tally.files_matched };
    approve_amount(world, policy, amount).await;
    amount
}

async fn approve_amount(world: &World, policy: &str, amount: u64) {
    let settings = world.settings();
    let policy = settings.policies.iter().find(|known| known.name.as_str() == policy).expect("a policy");
    let now = world.clock.now();
    let approval = Approval {
        policy: policy.name.clone(),
        wording: Wording::of(&settings, policy),
        amount,
        shown_at: now,
        approved_at: now,
        approver: Operator { uid: 0, user: Some("root".to_owned()), sudo_user: None, remote: None },
    };
    world.ledger().await.approve(&approval).await.expect("the approval is recorded");
}

fn completed(result: &RunResult, rows: u64) -> &PolicyResult {
    let done = &result.policies[0];
    assert_eq!((done.status, done.tally.rows_deleted), (Status::Completed, rows), "{result:?}");
    assert_eq!(done.held, None);
    done
}

/// The hold of the first policy, which took nothing, with the rows that would go.
fn held(result: &RunResult) -> (&Held, u64) {
    let done = &result.policies[0];
    assert_eq!(done.status, Status::Blocked, "{result:?}");
    assert_eq!((done.tally.rows_deleted, done.tally.files_deleted), (0, 0), "{result:?}");
    let held = done.held.as_ref().unwrap_or_else(|| panic!("it is not held: {result:?}"));
    assert_eq!(done.blocked_code.as_deref(), Some("held"));
    (held, done.tally.rows_matched)
}

/// Whether a policy is held in the ledger.
async fn waits(world: &World, policy: &str) -> Option<Held> {
    world.ledger().await.held_policy(&Name::parse(policy).expect("a name")).await.expect("the ledger is read")
}

/// The ledger's file, as anybody who opens it meets it.
fn ledger_file(world: &World) -> Client {
    Client::open(&world.dir.join("state/ledger.db")).expect("the ledger opens")
}

fn words(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

/// A task with hooks that leave marks, and what they left.
struct Hooked(std::path::PathBuf);

impl Hooked {
    const TASK: &str = "task = \"sweep\"";

    fn of(world: &World) -> Self {
        Self(world.dir.join("hooked"))
    }

    fn declaration(&self) -> String {
        let hook = |name: &str| {
            format!("{name} = {{ command = [\"/bin/sh\", \"-c\", \"printf {name} >> {}\"] }}\n", self.0.display())
        };
        format!("[tasks.sweep]\nevery = \"1h\"\n{}{}", hook("before"), hook("after"))
    }

    fn ran(&self) -> bool {
        let marks = std::fs::read_to_string(&self.0).unwrap_or_default();
        let _ = std::fs::remove_file(&self.0);
        assert!(["", "beforeafter"].contains(&marks.as_str()), "{marks}");
        !marks.is_empty()
    }
}
