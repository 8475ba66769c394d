//! Runs: once per slot, newest first, found by a piece of their id, forgotten when old and clear.

use std::time::Duration;

use super::*;

fn scheduled(task: &str, due_at: Timestamp) -> RunStart {
    RunStart { task: Some(name(task)), due_at: Some(due_at), trigger: RunTrigger::Schedule, ..start(due_at) }
}

#[tokio::test]
async fn a_slot_of_a_task_is_run_once() {
    let (directory, ledger) = ledger().await;
    let other = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    assert_eq!(ledger.begin_run(&scheduled("retention", at(0))).await.unwrap(), Begin::Begun);
    assert_eq!(other.begin_run(&scheduled("retention", at(0))).await.unwrap(), Begin::AlreadyRun);
    assert_eq!(other.begin_run(&scheduled("log-purge", at(0))).await.unwrap(), Begin::Begun);
    assert_eq!(other.begin_run(&scheduled("retention", at(60))).await.unwrap(), Begin::Begun);
    let by_hand = RunStart { task: Some(name("retention")), ..start(at(70)) };
    assert_eq!(other.begin_run(&by_hand).await.unwrap(), Begin::Begun);
    assert_eq!(ledger.runs(10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn the_newest_runs_come_first() {
    let (_directory, ledger) = ledger().await;
    let mut ids = Vec::new();
    // A whole second, and one with a fraction after it: as text they must sort as instants do.
    for millis in [0, 500, 1000, 1001] {
        let start = start(at(0) + Duration::from_millis(millis));
        ledger.begin_run(&start).await.unwrap();
        ids.insert(0, start.run_id);
    }
    let listed: Vec<_> = ledger.runs(3).await.unwrap().into_iter().map(|run| run.run_id).collect();
    assert_eq!(listed, ids[..3]);
}

#[tokio::test]
async fn a_unique_piece_of_an_id_is_enough() {
    let (_directory, ledger) = ledger().await;
    let ids = ["0199aaaa-0000-7000-8000-00000000abc1", "0199aaaa-0000-7000-8000-00000000abc2"];
    for id in ids {
        ledger.begin_run(&RunStart { run_id: id.parse().unwrap(), ..start(at(0)) }).await.unwrap();
    }
    let find = async |piece: &str| ledger.run(piece).await.map(|run| run.map(|run| run.run_id.to_string()));
    assert_eq!(find(ids[0]).await.unwrap().as_deref(), Some(ids[0]));
    assert_eq!(find(&ids[1].to_uppercase()).await.unwrap().as_deref(), Some(ids[1]));
    assert_eq!(find(&ids[1].replace('-', "")).await.unwrap().as_deref(), Some(ids[1]));
    assert_eq!(find("abc1").await.unwrap().as_deref(), Some(ids[0]));
    for nothing in ["", "%", "_", "abc3", "zz", "0199b"] {
        assert_eq!(find(nothing).await.unwrap(), None, "{nothing:?}");
    }
    let Err(LedgerError::Ambiguous { candidates, .. }) = ledger.run("0199").await else { panic!("not ambiguous") };
    assert_eq!(candidates.len(), 2);
    let text = ledger.run("0199aaaa").await.unwrap_err().to_string();
    assert!(text.contains(ids[0]) && text.contains(ids[1]), "{text}");
}

#[tokio::test]
async fn listing_and_finding_use_an_index() {
    let (_directory, ledger) = ledger().await;
    let plans = ledger
        .call("explaining", |connection, _| {
            let mut plans = Vec::new();
            for sql in [
                "SELECT * FROM runs ORDER BY started_at DESC, run_id DESC LIMIT 10",
                "SELECT run_id FROM runs WHERE run_id >= 'a' AND run_id < 'b' ORDER BY run_id DESC",
                "SELECT run_id FROM runs WHERE finished_at IS NULL ORDER BY run_id",
                "SELECT * FROM runs WHERE task = 'a' ORDER BY started_at DESC LIMIT 1",
                "SELECT * FROM policy_results WHERE policy = 'a' ORDER BY id DESC LIMIT 1",
                "SELECT * FROM intents WHERE policy = 'a' AND id > 3 ORDER BY id",
            ] {
                #[derive(diesel::QueryableByName)]
                struct Plan {
                    #[diesel(sql_type = diesel::sql_types::Text)]
                    detail: String,
                }
                let explain = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}"));
                let rows: Vec<Plan> = diesel::RunQueryDsl::load(explain, connection)?;
                plans.push(rows.into_iter().map(|row| row.detail).collect::<Vec<_>>().join("; "));
            }
            Ok(plans)
        })
        .await
        .unwrap();
    for plan in plans {
        assert!(plan.contains("INDEX") && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

#[tokio::test]
async fn old_runs_are_forgotten_unless_files_are_pending() {
    let (_directory, ledger) = ledger().await;
    let day = |days: i64| at(days * 86_400);
    let mut ids = Vec::new();
    for (from, end) in [(0, Some(0)), (1, Some(1)), (2, None), (50, Some(50))] {
        let start = start(day(from));
        ledger.begin_run(&start).await.unwrap();
        if let Some(end) = end {
            let policies = vec![result("events", tally(1))];
            let result = RunResult { finished_at: Some(day(end)), ..finished(start.run_id, policies) };
            ledger.finish_run(&result).await.unwrap();
        }
        ids.push(start.run_id);
    }
    let owed = ledger.record_intents(&batch(ids[1], vec![item("1", "a.jpg")])).await.unwrap();
    let month = Duration::from_secs(30 * 86_400);
    assert_eq!(ledger.prune(day(60), month).await.unwrap(), 1);
    let left: Vec<_> = ledger.runs(10).await.unwrap().into_iter().map(|run| run.run_id).collect();
    assert_eq!(left, [ids[3], ids[2], ids[1]], "recent, unfinished, owing");
    ledger.settle(owed, &[], &Tally::default()).await.unwrap();
    assert_eq!(ledger.prune(day(60), month).await.unwrap(), 1);
    assert_eq!(ledger.prune(day(60), month).await.unwrap(), 0);
    let results = ledger
        .call("counting results", |connection, _| {
            let count = diesel::QueryDsl::count(schema::policy_results::table);
            Ok(diesel::RunQueryDsl::get_result::<i64>(count, connection)?)
        })
        .await
        .unwrap();
    assert_eq!(results, 1, "results go with their run");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_write_at_once_without_loss() {
    let (directory, ledger) = ledger().await;
    let path = directory.path().join("ledger.db");
    let run = begun(&ledger).await;
    let writing = (0..4).map(|_| {
        let path = path.clone();
        tokio::spawn(async move {
            let ledger = Ledger::open(&path).await.unwrap();
            for _ in 0..25 {
                ledger.add_tally(run, &name("events"), &tally(1)).await.unwrap();
                let id = ledger.record_intents(&batch(run, vec![item("1", "a.jpg")])).await.unwrap();
                ledger.settle(id, &[], &tally(1)).await.unwrap();
            }
        })
    });
    for done in futures_util::future::join_all(writing).await {
        done.unwrap();
    }
    assert_eq!(ledger.run(&run.to_string()).await.unwrap().unwrap().totals.rows_deleted, 200);
}
