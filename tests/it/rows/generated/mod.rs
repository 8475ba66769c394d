//! What `plan` lists is exactly what `run` removes (G6), over generated schemas, rows, files and policies. With
//! `PROPTEST_CASES` in the environment there are so many cases on each engine.

mod build;
mod outcome;
mod spec;

use std::sync::Arc;

use proptest::test_runner::{Config, TestRunner};

use crate::engines::{Database, EngineKind};

fn check(kind: EngineKind, cases: u32) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let config =
        Config { cases: asked.unwrap_or(cases), failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // A database is dear: all cases have one, and make their tables anew.
    let db = Arc::new(Database::create(kind));
    TestRunner::new(config)
        .run(&spec::spec(kind), |spec| {
            runtime.block_on(async {
                let world = build::build(&spec, &db);
                outcome::compare(&spec, &world).await;
            });
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn g6_generated_postgres() {
    check(EngineKind::Postgres, 40);
}

#[test]
fn g6_generated_mariadb() {
    check(EngineKind::MariaDb, 30);
}

#[test]
fn g6_generated_mariadb_no_returning() {
    check(EngineKind::MariaDbNoReturning, 24);
}

#[test]
fn g6_generated_sqlite() {
    check(EngineKind::Sqlite, 60);
}
