//! Intents: recorded whole, settled once, summed up in the same transaction.

use super::*;

#[tokio::test]
async fn a_batch_comes_back_as_it_was_recorded() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let mut other_store = item("17", "b/ü \n.jpg");
    let released = vec![("status".to_owned(), "expired".to_owned())];
    let other =
        IntentOwner { path: "{id}/preview".to_owned(), template: true, directory: true, released, ..owner("images") };
    other_store.owner = Arc::new(other);
    let mut recorded = batch(run, vec![item("17", "a/b.jpg"), other_store, item("{\"a\":1}", "c.jpg")]);
    recorded.id = ledger.record_intents(&recorded).await.unwrap();
    assert_eq!(ledger.unsettled(None, 0, 10).await.unwrap(), [recorded.clone()]);
    assert_eq!(ledger.unsettled(Some(&recorded.policy), 0, 10).await.unwrap(), [recorded.clone()]);
    assert_eq!(ledger.unsettled(Some(&name("other")), 0, 10).await.unwrap(), []);
    assert_eq!(ledger.unsettled(None, recorded.id, 10).await.unwrap(), []);
    assert_eq!(ledger.owed().await.unwrap(), [(name("detections"), 3)]);
}

#[tokio::test]
async fn pending_files_stay_and_rows_count_once() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let recorded = batch(run, vec![item("1", "a.jpg"), item("2", "b.jpg")]);
    let id = ledger.record_intents(&recorded).await.unwrap();
    ledger.settle(id, &[item("2", "b.jpg")], &tally(2)).await.unwrap();
    let rest = ledger.unsettled(None, 0, 10).await.unwrap().remove(0);
    let expected =
        IntentBatch { id, committed: true, done: Tally::default(), items: vec![item("2", "b.jpg")], ..recorded };
    assert_eq!(rest, expected);
    assert_eq!(ledger.owed().await.unwrap(), [(name("detections"), 1)]);

    let late = Tally { files_deleted: 1, bytes_reclaimed: 7, ..Tally::default() };
    ledger.settle(id, &[], &late).await.unwrap();
    assert_eq!(ledger.unsettled(None, 0, 10).await.unwrap(), []);
    assert_eq!(ledger.owed().await.unwrap(), []);
    let totals = ledger.run(&run.to_string()).await.unwrap().unwrap().totals;
    assert_eq!((totals.rows_deleted, totals.files_deleted, totals.bytes_reclaimed), (2, 3, 207));
}

#[tokio::test]
async fn a_batch_is_settled_only_once() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let id = ledger.record_intents(&batch(run, vec![item("1", "a.jpg")])).await.unwrap();
    ledger.settle(id, &[], &tally(1)).await.unwrap();
    let error = ledger.settle(id, &[], &tally(1)).await.unwrap_err();
    assert!(matches!(error, LedgerError::UnknownBatch { id: unknown } if unknown == id), "{error:?}");
    let totals = ledger.run(&run.to_string()).await.unwrap().unwrap().totals;
    assert_eq!(totals.rows_deleted, 1);
    let next = ledger.record_intents(&batch(run, vec![item("2", "b.jpg")])).await.unwrap();
    assert!(next > id, "an id is never used twice");
}

#[tokio::test]
async fn an_unknown_runs_batch_is_settled_without_sums() {
    let (_directory, ledger) = ledger().await;
    let id = ledger.record_intents(&batch(RunId::now_v7(), vec![item("1", "a.jpg")])).await.unwrap();
    ledger.settle(id, &[], &tally(1)).await.unwrap();
    assert_eq!(ledger.owed().await.unwrap(), []);
    assert!(ledger.runs(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn batches_come_in_pages_by_id() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    for key in 0..5 {
        ledger.record_intents(&batch(run, vec![item(&key.to_string(), "a.jpg")])).await.unwrap();
    }
    let first = ledger.unsettled(None, 0, 3).await.unwrap();
    let second = ledger.unsettled(None, first[2].id, 3).await.unwrap();
    let keys: Vec<_> = first.iter().chain(&second).map(|batch| batch.items[0].key.clone()).collect();
    assert_eq!(keys, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_stored_path_out_of_its_root_fails() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    ledger.record_intents(&batch(run, vec![item("1", "a.jpg")])).await.unwrap();
    ledger
        .call("planting a path", |connection, _| {
            let sql = "UPDATE intents SET items = replace(items, 'a.jpg', '../a.jpg')";
            diesel::RunQueryDsl::execute(diesel::sql_query(sql), connection)?;
            Ok(())
        })
        .await
        .unwrap();
    assert!(matches!(ledger.unsettled(None, 0, 10).await, Err(LedgerError::Failed { .. })));
}

/// Not a benchmark: an upper bound that only a change of the way of writing would break.
#[tokio::test]
async fn a_large_batch_is_cheap() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let path = |key: u32| format!("2025/10/09/camera-{}/{key:08}-thumbnail.jpg", key % 16);
    let items: Vec<_> = (0..5000).map(|key| item(&key.to_string(), &path(key))).collect();
    let recorded = batch(run, items);
    let mut best = std::time::Duration::MAX;
    for _ in 0..10 {
        let begin = std::time::Instant::now();
        let id = ledger.record_intents(&recorded).await.unwrap();
        ledger.settle(id, &[], &tally(5000)).await.unwrap();
        best = best.min(begin.elapsed());
    }
    println!("5,000 intents recorded and settled in {best:?}");
    assert!(best.as_millis() < 500, "{best:?}");
}
