//! Tests of the ledger: one file at a time, several connections, several processes, and deaths in between.

mod audit;
mod clock;
mod days;
mod file;
mod in_force;
mod intents;
mod leases;
mod notices;
mod processes;
mod results;
mod runs;
mod stores;
mod tasks;
mod totals;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::outcome::*;

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// `secs` after an instant that all tests share.
pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + secs).unwrap()
}

pub async fn ledger() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    (directory, ledger)
}

pub fn start(started_at: Timestamp) -> RunStart {
    RunStart {
        run_id: RunId::now_v7(),
        mode: RunMode::Enforce,
        trigger: RunTrigger::Cli,
        task: None,
        due_at: None,
        started_at,
        requested: None,
        policies: Vec::new(),
    }
}

pub async fn begun(ledger: &Ledger) -> RunId {
    let start = start(at(0));
    assert_eq!(ledger.begin_run(&start).await.unwrap(), Begin::Begun);
    start.run_id
}

pub fn tally(rows: u64) -> Tally {
    Tally {
        rows_matched: rows,
        rows_deleted: rows,
        children: BTreeMap::from([("detections".to_owned(), 2 * rows)]),
        files_matched: rows,
        files_deleted: rows,
        bytes_reclaimed: 100 * rows,
        stores: BTreeMap::from([(
            "thumbnails".to_owned(),
            StoreTally { files_deleted: rows, files_missing: 0, bytes_reclaimed: 100 * rows, ..StoreTally::default() },
        )]),
        ..Tally::default()
    }
}

pub fn result(policy: &str, tally: Tally) -> PolicyResult {
    PolicyResult {
        cutoff: Some(at(-30)),
        duration_ms: 12,
        tally,
        guards: vec![GuardReading { guard: "max_fraction".to_owned(), value: 0.25, limit: 0.9 }],
        notes: vec!["the age column has no index".to_owned()],
        ..PolicyResult::new(name(policy), "rows", RunMode::Enforce, Status::Completed)
    }
}

pub fn finished(run_id: RunId, policies: Vec<PolicyResult>) -> RunResult {
    RunResult {
        run_id,
        mode: RunMode::Enforce,
        trigger: RunTrigger::Cli,
        task: None,
        status: Some(Status::of_run(&policies, false)),
        started_at: at(0),
        finished_at: Some(at(5)),
        duration_ms: 5000,
        totals: Totals::of(&policies),
        policies,
        hook_errors: Vec::new(),
        trash_emptied: Vec::new(),
        cause: None,
        requested: None,
        plan_digest: None,
    }
}

pub fn item(key: &str, path: &str) -> IntentItem {
    let (path, owner) = (StorePath::parse(path).unwrap(), Arc::new(owner("thumbnails")));
    IntentItem { key: key.to_owned(), path, owner, why: None }
}

pub fn owner(store: &str) -> IntentOwner {
    IntentOwner {
        store: name(store),
        root: PathBuf::from("/srv/nvr").join(store),
        table: "public.detections".to_owned(),
        path: "thumbnail_path".to_owned(),
        template: false,
        directory: false,
        released: Vec::new(),
        root_then: None,
    }
}

pub fn batch(run_id: RunId, items: Vec<IntentItem>) -> IntentBatch {
    IntentBatch {
        id: 0,
        run_id,
        policy: name("detections"),
        source: name("nvr"),
        source_identity: "postgres://localhost:5432/nvr".to_owned(),
        table: "detections".to_owned(),
        transaction_id: Some("4711".to_owned()),
        committed: false,
        recorded_at: at(1),
        done: Tally { rows_deleted: items.len() as u64, ..Tally::default() },
        items,
    }
}
