//! The schedule's memory.

use super::*;

async fn states(ledger: &Ledger) -> Vec<(String, Option<Timestamp>, Timestamp)> {
    let states = ledger.task_states().await.unwrap();
    states.into_iter().map(|state| (state.task.to_string(), state.last_due_at, state.known_since)).collect()
}

#[tokio::test]
async fn tasks_are_known_from_first_sight_until_gone() {
    let (_directory, ledger) = ledger().await;
    ledger.know_tasks(&[name("retention")], at(0)).await.unwrap();
    ledger.know_tasks(&[name("retention"), name("janitor")], at(10)).await.unwrap();
    ledger.skip_slot(&name("janitor"), at(15)).await.unwrap();
    let expected = [("janitor".to_owned(), Some(at(15)), at(10)), ("retention".to_owned(), None, at(0))];
    assert_eq!(states(&ledger).await, expected);
    ledger.know_tasks(&[name("retention")], at(20)).await.unwrap();
    ledger.know_tasks(&[name("retention"), name("janitor")], at(30)).await.unwrap();
    let expected = [("janitor".to_owned(), None, at(30)), ("retention".to_owned(), None, at(0))];
    assert_eq!(states(&ledger).await, expected, "slots while it was gone were not missed");
}

#[tokio::test]
async fn the_newest_slot_counts_whether_run_or_skipped() {
    let (_directory, ledger) = ledger().await;
    ledger.know_tasks(&[name("retention")], at(0)).await.unwrap();
    let slot = RunStart { task: Some(name("retention")), due_at: Some(at(60)), ..start(at(61)) };
    ledger.begin_run(&slot).await.unwrap();
    ledger.skip_slot(&name("retention"), at(30)).await.unwrap();
    let state = ledger.task_states().await.unwrap().remove(0);
    assert_eq!((state.last_due_at, state.last_run, state.last_status), (Some(at(60)), Some(slot.run_id), None));
    assert_eq!((state.last_started_at, state.last_finished_at), (Some(at(61)), None));

    let result = RunResult { finished_at: Some(at(70)), ..finished(slot.run_id, vec![result("events", tally(1))]) };
    ledger.finish_run(&result).await.unwrap();
    ledger.skip_slot(&name("retention"), at(120)).await.unwrap();
    let state = ledger.task_states().await.unwrap().remove(0);
    assert_eq!((state.last_due_at, state.last_status), (Some(at(120)), Some(Status::Completed)));
    assert_eq!((state.last_finished_at, state.known_since), (Some(at(70)), at(0)));
}
