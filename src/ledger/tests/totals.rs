//! Memory that outlasts the runs: sums, looks at stores, what lies in a trash.

use std::time::Duration;

use super::*;

async fn total(ledger: &Ledger, policy: &str) -> (u64, u64, u64, u64, Timestamp) {
    let totals = ledger.totals().await.unwrap();
    let total = totals.into_iter().find(|total| total.policy == name(policy)).unwrap();
    (total.runs, total.rows_deleted, total.files_deleted, total.bytes_reclaimed, total.since)
}

#[tokio::test]
async fn sums_have_every_batch_and_outlast_the_runs() {
    let (_directory, ledger) = ledger().await;
    assert_eq!(ledger.totals().await.unwrap(), []);
    let run = begun(&ledger).await;
    ledger.add_tally(run, &name("events"), &tally(2)).await.unwrap();
    assert_eq!(total(&ledger, "events").await, (0, 2, 2, 200, at(0)), "a batch counts before the run ends");
    ledger.add_tally(run, &name("events"), &tally(3)).await.unwrap();
    ledger.record_policy(run, &result("events", tally(6))).await.unwrap();
    ledger.finish_run(&finished(run, vec![result("events", tally(6)), result("logs", tally(1))])).await.unwrap();
    assert_eq!(total(&ledger, "events").await, (1, 6, 6, 600, at(0)), "what replaces the batches is not added to them");
    assert_eq!(total(&ledger, "logs").await.0, 1);
    // A recovery adds to a run that is over.
    ledger.add_tally(run, &name("events"), &tally(1)).await.unwrap();
    let second = start(at(100));
    ledger.begin_run(&second).await.unwrap();
    let updated = Tally { rows_updated: 4, ..Tally::default() };
    let late =
        RunResult { finished_at: Some(at(100 * 86_400)), ..finished(second.run_id, vec![result("events", updated)]) };
    ledger.finish_run(&late).await.unwrap();
    assert_eq!(ledger.prune(at(50 * 86_400), Duration::from_secs(86_400)).await.unwrap(), 1);
    assert_eq!(ledger.runs(10).await.unwrap().len(), 1);
    assert_eq!(total(&ledger, "events").await, (2, 7, 7, 700, at(0)));
    assert_eq!(ledger.totals().await.unwrap()[0].rows_updated, 4);
}

#[tokio::test]
async fn an_earlier_ledger_begins_with_its_sums() {
    let (directory, ledger) = ledger().await;
    for from in [5, 3] {
        let start = start(at(from));
        ledger.begin_run(&start).await.unwrap();
        ledger.finish_run(&finished(start.run_id, vec![result("events", tally(2))])).await.unwrap();
    }
    let unfinished = begun(&ledger).await;
    ledger.add_tally(unfinished, &name("logs"), &tally(1)).await.unwrap();
    let before = ledger.totals().await.unwrap();
    ledger
        .call("going back", |connection, _| {
            for sql in [
                "DROP TRIGGER totals_grow",
                "DROP TABLE totals",
                "DROP TABLE surveys",
                "DELETE FROM __diesel_schema_migrations WHERE version = '0008'",
            ] {
                diesel::RunQueryDsl::execute(diesel::sql_query(sql), connection)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    drop(ledger);
    let ledger = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    assert_eq!(ledger.totals().await.unwrap(), before);
    assert_eq!(total(&ledger, "events").await, (2, 4, 4, 400, at(3)));
    assert_eq!(total(&ledger, "logs").await, (0, 1, 1, 100, at(0)));
}

fn scan(files: u64, orphans: u64, deleted: u64) -> PolicyResult {
    let survey = Survey {
        at: at(7),
        files,
        directories: 0,
        bytes: Some(10 * files),
        bytes_estimated: false,
        available_bytes: None,
        oldest_eligible_at: None,
    };
    let tally = Tally {
        files_matched: orphans,
        bytes_matched: 10 * orphans,
        ..Tally::of_files("thumbs".to_owned(), deleted, 10 * deleted, true)
    };
    let result = PolicyResult::new(name("strays"), "orphans", RunMode::Enforce, Status::Completed);
    PolicyResult { tally, survey: Some(survey), ..result }
}

#[tokio::test]
async fn a_blocked_look_says_nothing_of_orphans() {
    let (_directory, ledger) = ledger().await;
    let mut ids = Vec::new();
    let blocked =
        PolicyResult { status: Status::Blocked, blocked_by: Some("max_fraction: …".to_owned()), ..scan(80, 0, 0) };
    let cancelled = PolicyResult { status: Status::Cancelled, ..scan(7, 3, 0) };
    let looks = [(scan(100, 5, 2), (98, 980)), (blocked, (80, 800)), (cancelled, (80, 800))];
    for (result, (files, bytes)) in looks {
        let run = begun(&ledger).await;
        ledger.finish_run(&finished(run, vec![result])).await.unwrap();
        let looks = ledger.last_looks().await.unwrap();
        let [(policy, look)] = looks.as_slice() else { panic!("{looks:?}") };
        let survey = look.survey.as_ref().unwrap();
        assert_eq!((policy, survey.files, survey.bytes), (&name("strays"), files, Some(bytes)));
        let orphans = FoundOrphans { at: at(7), files: 5, bytes: 50, files_deleted: 2 };
        assert_eq!(look.orphans, Some(orphans));
        ids.push(run);
    }
    let thumbs = name("thumbs");
    let trashed = |runs: &[RunId]| ledger.trashed(&thumbs, runs.to_vec());
    assert_eq!(trashed(&ids[..1]).await.unwrap(), Some(Trashed { files: 2, bytes: 20 }));
    assert_eq!(trashed(&ids[..2]).await.unwrap(), None, "it is not known what one of them put there");
    assert_eq!(trashed(&[]).await.unwrap(), Some(Trashed::default()));
}
