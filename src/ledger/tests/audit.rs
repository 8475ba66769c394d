//! The audit: a chain that shows what was changed or taken out of it, and not what was forgotten in time.

use std::time::Duration;

use serde_json::json;

use super::*;

fn operator() -> Operator {
    Operator { uid: 1000, user: Some("root".to_owned()), sudo_user: Some("ada".to_owned()), remote: None }
}

async fn note(ledger: &Ledger, secs: i64) {
    let (action, subject) = (AuditAction::Pause, format!("policy p{secs}"));
    let note = AuditNote { at: at(secs), by: Some(operator()), action, subject, detail: json!({ "reason": "x" }) };
    ledger.note(&note).await.unwrap();
}

async fn tamper(ledger: &Ledger, sql: &'static str) {
    ledger
        .call("tampering", move |connection, _| {
            Ok(diesel::RunQueryDsl::execute(diesel::sql_query(sql), connection).map(|_| ())?)
        })
        .await
        .unwrap();
}

async fn broken(ledger: &Ledger) -> Option<u64> {
    ledger.verify_audit().await.unwrap().broken.map(|broken| broken.number)
}

#[tokio::test]
async fn a_run_is_recorded_as_it_begins() {
    let (_directory, ledger) = ledger().await;
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let overrides = map("policies.events.keep", "60d");
    let requested = Requested { by: operator(), overrides, params: map("session_id", "42") };
    let policies = vec![(name("events"), "ab".repeat(32))];
    let asked = RunStart { requested: Some(requested.clone()), policies, ..start(at(0)) };
    ledger.begin_run(&asked).await.unwrap();
    let scheduled = RunStart { task: Some(name("retention")), due_at: Some(at(60)), ..start(at(60)) };
    ledger.begin_run(&scheduled).await.unwrap();
    ledger.begin_run(&scheduled).await.unwrap();
    let entries = ledger.audit(10).await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.number).collect::<Vec<_>>(),
        [2, 1],
        "a slot that was run begins no run"
    );
    assert_eq!((entries[0].by.clone(), entries[0].at), (None, at(60)));
    assert_eq!((entries[1].by.clone(), entries[1].action.as_str()), (Some(operator()), "run"));
    assert_eq!(entries[1].subject, format!("run {}", asked.run_id));
    let policies = json!([{ "policy": "events", "fingerprint": "ab".repeat(32) }]);
    let detail = json!({
        "mode": "enforce", "trigger": "cli", "task": null, "policies": policies,
        "overrides": { "policies.events.keep": "60d" }, "params": { "session_id": "42" },
    });
    assert_eq!(entries[1].detail, detail);
    let run = ledger.run(&asked.run_id.to_string()).await.unwrap().unwrap();
    assert_eq!(run.requested, Some(requested));
    let run = ledger.run(&scheduled.run_id.to_string()).await.unwrap().unwrap();
    assert_eq!(run.requested, None);
}

#[tokio::test]
async fn a_change_breaks_the_chain_there() {
    let changes = [
        ("UPDATE audit SET by = NULL WHERE number = 3", Some(3)),
        ("UPDATE audit SET detail = '{}' WHERE number = 1", Some(1)),
        ("UPDATE audit SET at = '2026-01-01T00:00:00.000000000Z' WHERE number = 5", Some(5)),
        ("DELETE FROM audit WHERE number = 2", Some(3)),
        ("DELETE FROM audit WHERE number = 1", Some(2)),
        ("UPDATE audit SET hash = 'ab' WHERE number = 4", Some(4)),
        ("DELETE FROM audit WHERE number = 5", None),
    ];
    for (sql, at) in changes {
        let (_directory, ledger) = ledger().await;
        for secs in 0..5 {
            note(&ledger, secs).await;
        }
        let whole = ledger.verify_audit().await.unwrap();
        assert_eq!((whole.entries, whole.number, whole.broken), (5, 5, None));
        tamper(&ledger, sql).await;
        assert_eq!(broken(&ledger).await, at, "{sql}");
        assert_ne!(ledger.verify_audit().await.unwrap().head, whole.head, "{sql}: the head shows it");
    }
}

#[tokio::test]
async fn what_was_forgotten_in_time_is_not_missing() {
    let (_directory, ledger) = ledger().await;
    let keep = Duration::from_secs(100);
    assert_eq!(ledger.prune_audit(at(0), keep).await.unwrap(), 0);
    // The clock was set back before the third: what follows an entry that is kept is kept.
    for secs in [0, 10, 200, 5, 300] {
        note(&ledger, secs).await;
    }
    let head = ledger.verify_audit().await.unwrap().head;
    assert_eq!(ledger.prune_audit(at(250), keep).await.unwrap(), 2);
    let verified = ledger.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.number, verified.broken), (3, 5, None));
    assert_eq!(verified.head, head);
    let numbers = ledger.audit(10).await.unwrap().into_iter().map(|entry| entry.number).collect::<Vec<_>>();
    assert_eq!(numbers, [5, 4, 3]);
    assert_eq!(ledger.prune_audit(at(1000), keep).await.unwrap(), 3);
    note(&ledger, 1000).await;
    let verified = ledger.verify_audit().await.unwrap();
    assert_eq!((verified.entries, verified.number, verified.broken), (1, 6, None));
    tamper(&ledger, "DELETE FROM audit WHERE number = 6").await;
    note(&ledger, 1001).await;
    assert_eq!(ledger.verify_audit().await.unwrap().number, 6, "what is taken off the end shows in the head alone");
    tamper(&ledger, "DELETE FROM facts WHERE name = 'audit_pruned'").await;
    assert_eq!(broken(&ledger).await, Some(6));
}

#[tokio::test]
async fn approvals_and_a_confirmed_clock_are_recorded() {
    let (_directory, ledger) = ledger().await;
    let approval = Approval {
        policy: name("events"),
        wording: Default::default(),
        amount: 7,
        shown_at: at(1),
        approved_at: at(2),
        approver: operator(),
    };
    ledger.approve(&approval).await.unwrap();
    let reading = crate::clock::Reading { at: at(3), up: Duration::from_secs(9), boot_id: Some("b".to_owned()) };
    ledger.confirm_clock(&reading, &operator()).await.unwrap();
    let entries = ledger.audit(10).await.unwrap();
    let shown = |entry: &AuditEntry| (entry.action.clone(), entry.subject.clone(), entry.by.clone(), entry.at);
    assert_eq!(shown(&entries[0]), ("confirm_clock".to_owned(), "clock".to_owned(), Some(operator()), at(3)));
    assert_eq!(shown(&entries[1]), ("approve".to_owned(), "policy events".to_owned(), Some(operator()), at(2)));
    assert_eq!(entries[1].detail["amount"], 7);
    assert_eq!(entries[1].detail["fingerprint"], approval.wording.fingerprint());
}
