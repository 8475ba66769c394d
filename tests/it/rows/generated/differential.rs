//! One world and its policies leave the same rows and files on every engine: a specification that holds everywhere is
//! built on each, run with the same clock, and what is left is compared, and what the runs say of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::test_runner::Config;
use retaind::clock::Clock;
use retaind::outcome::{RunResult, Status, Tally};

use super::outcome::State;
use super::{build, clock, spec};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::effort;

/// What a run leaves, and what it says that it did.
struct Left {
    state: State,
    result: RunResult,
}

/// Status and counts of each policy. Which batch comes upon a file that another row names depends on the order of keys,
/// which is each engine's own.
fn said(result: &RunResult) -> BTreeMap<String, (Status, Tally, u64)> {
    let exact = |tally: &Tally| Tally { files_referenced: 0, ..tally.clone() };
    let policies = result.policies.iter();
    policies
        .map(|policy| (policy.policy.to_string(), (policy.status, exact(&policy.tally), policy.error_count)))
        .collect()
}

#[test]
fn every_engine_leaves_the_same_rows_and_files() {
    needs!(Need::Server);
    let config = Config { cases: effort(10), failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let databases = EngineKind::ALL.map(|kind| Arc::new(Database::create(kind)));
    let seen = std::cell::RefCell::new(Tally::default());
    let leave = |spec: &spec::Spec, db: &Arc<Database>, clock: &Clock| {
        runtime.block_on(async {
            let world = build::build(spec, db, clock.clone());
            let result = world.run().await;
            Left { state: State::of(&world), result }
        })
    };
    crate::world::generated_cases(config)
        .run(&spec::everywhere(), |spec| {
            let clock = clock();
            let left: Vec<Left> = std::thread::scope(|scope| {
                let running: Vec<_> = databases.iter().map(|db| scope.spawn(|| leave(&spec, db, &clock))).collect();
                running
                    .into_iter()
                    .map(|engine| engine.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect()
            });
            let (first, others) = left.split_first().expect("there are engines");
            for (other, kind) in others.iter().zip(&EngineKind::ALL[1..]) {
                let told = || format!("\n{:?}: {:#?}\n{kind:?}: {:#?}", EngineKind::ALL[0], first.result, other.result);
                assert_eq!(first.state.rows, other.state.rows, "rows on {kind:?}{}", told());
                assert_eq!(first.state.files, other.state.files, "files on {kind:?}{}", told());
                assert_eq!(said(&first.result), said(&other.result), "{kind:?}{}", told());
            }
            first.result.policies.iter().for_each(|policy| seen.borrow_mut().add(&policy.tally));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    // Cases in which nothing happens would prove nothing.
    let Tally { rows_deleted, files_deleted, children, .. } = seen.take();
    assert!(rows_deleted > 0 && files_deleted > 0, "{rows_deleted} {files_deleted} {children:?}");
}
