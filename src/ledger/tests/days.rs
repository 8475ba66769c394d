//! Days: sums of the runs that began in each, by how they ended, found by an index.

use super::super::days::SUMS;
use super::*;

#[tokio::test]
async fn runs_are_summed_up_by_day_and_end() {
    let (_directory, ledger) = ledger().await;
    let day = |days: i64| at(days * 86_400);
    for (begins, rows) in [(day(-3), 1), (day(0), 2), (day(0), 3), (day(1), 4)] {
        let start = start(begins);
        ledger.begin_run(&start).await.unwrap();
        ledger.finish_run(&finished(start.run_id, vec![result("events", tally(rows))])).await.unwrap();
    }
    let mut failed = result("events", tally(0));
    (failed.status, failed.error_count) = (Status::Failed, 1);
    let start_of_failed = start(day(1));
    ledger.begin_run(&start_of_failed).await.unwrap();
    ledger.finish_run(&finished(start_of_failed.run_id, vec![failed])).await.unwrap();
    ledger.begin_run(&start(day(2))).await.unwrap();
    let days = ledger.days(day(0)).await.unwrap();
    let of =
        |sums: &DaySums| (sums.day.to_string(), sums.status, sums.runs, sums.rows, sums.files_deleted, sums.errors);
    let all: Vec<_> = days.iter().map(of).collect();
    let expected = [
        ("2025-10-09".to_owned(), Some(Status::Completed), 2, 5, 5, 0),
        ("2025-10-10".to_owned(), Some(Status::Completed), 1, 4, 4, 0),
        ("2025-10-10".to_owned(), Some(Status::Failed), 1, 0, 0, 1),
        ("2025-10-11".to_owned(), None, 1, 0, 0, 0),
    ];
    assert_eq!(all, expected);
    assert_eq!(days[0].bytes_reclaimed, 500);
}

#[tokio::test]
async fn days_are_found_by_an_index() {
    #[derive(diesel::QueryableByName)]
    struct Plan {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    let (_directory, ledger) = ledger().await;
    let plan = ledger.call("explaining", |connection, _| {
        let sql = SUMS.replacen('?', "'2025'", 1).replace('?', "10");
        let explain = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"));
        Ok(diesel::RunQueryDsl::load::<Plan>(explain, connection)?)
    });
    let plan: Vec<String> = plan.await.unwrap().into_iter().map(|row| row.detail).collect();
    assert!(plan.iter().any(|step| step.contains("runs_newest")), "{plan:?}");
}
