//! What `plan` lists is exactly what `run` removes (G6), over generated schemas, rows, files and policies. With
//! `RETAIND_EFFORT` in the environment there are so many times more cases on each engine.

mod build;
mod differential;
mod explained;
mod oracle;
mod outcome;
mod spec;

use std::sync::Arc;

use proptest::test_runner::Config;
use retaind::clock::Clock;
use retaind::outcome::Tally;

use crate::engines::{Database, EngineKind};
use crate::needs::{Need, is_quick};
use crate::world::effort;

/// A clock that stands on a whole second, so that a row may be exactly as old as it is kept; ahead of all files, and not
/// so far that the servers' clocks seem wrong.
fn clock() -> Clock {
    let ahead = Clock::system().now().as_second() + 15;
    Clock::manual(jiff::Timestamp::from_second(ahead).expect("an instant"))
}

fn check(kind: EngineKind, cases: u32) {
    let config = Config { cases: effort(cases), failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // A database is dear: all cases have one, and make their tables anew.
    let db = Arc::new(Database::create(kind));
    let seen = std::cell::RefCell::new(Tally::default());
    crate::world::generated_cases(config)
        .run(&spec::spec(kind), |spec| {
            let done = runtime.block_on(async {
                let world = build::build(&spec, &db, clock());
                outcome::compare(&spec, &world).await
            });
            done.policies.iter().for_each(|policy| seen.borrow_mut().add(&policy.tally));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    // Cases in which nothing happens would prove nothing.
    let Tally { rows_deleted, rows_updated, rows_protected, files_deleted, files_missing, children, .. } = seen.take();
    let happened = [rows_deleted, rows_updated, rows_protected, files_deleted, files_missing];
    let all_happened = happened.iter().all(|count| *count > 0) && !children.is_empty();
    assert!(is_quick() || all_happened, "{happened:?} {children:?}");
}

#[test]
fn g6_generated_postgres() {
    needs!(Need::Server);
    check(EngineKind::Postgres, 18);
}

#[test]
fn g6_generated_mariadb() {
    needs!(Need::Server);
    check(EngineKind::MariaDb, 13);
}

#[test]
fn g6_generated_mariadb_no_returning() {
    needs!(Need::Server);
    check(EngineKind::MariaDbNoReturning, 10);
}

#[test]
fn g6_generated_sqlite() {
    check(EngineKind::Sqlite, 24);
}
