//! Results: the sums are right whoever adds when; what is shown is cut, what is counted is not.

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn a_result_comes_back_as_it_was_recorded() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let policies = vec![result("events", tally(2)), result("detections", tally(40))];
    for policy in &policies {
        ledger.record_policy(run, policy).await.unwrap();
    }
    let whole = finished(run, policies.clone());
    ledger.finish_run(&whole).await.unwrap();
    assert_eq!(ledger.run(&run.to_string()).await.unwrap(), Some(whole));
    assert_eq!(ledger.last_result(&name("events")).await.unwrap(), Some(policies[0].clone()));
    assert_eq!(ledger.last_result(&name("unknown")).await.unwrap(), None);
}

#[tokio::test]
async fn an_unfinished_run_shows_its_sums_so_far() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    ledger.record_policy(run, &result("events", tally(2))).await.unwrap();
    ledger.add_tally(run, &name("detections"), &tally(5)).await.unwrap();
    let so_far = ledger.run(&run.to_string()).await.unwrap().unwrap();
    assert_eq!((so_far.status, so_far.policies.len(), so_far.totals.rows_deleted), (None, 1, 7));
    assert_eq!(serde_json::to_value(&so_far).unwrap()["status"], "running");
}

#[tokio::test]
async fn a_result_replaces_sums_and_later_batches_add() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    ledger.add_tally(run, &name("events"), &tally(5)).await.unwrap();
    ledger.record_policy(run, &result("events", tally(6))).await.unwrap();
    ledger.add_tally(run, &name("events"), &tally(1)).await.unwrap();
    ledger.finish_run(&finished(run, vec![result("events", tally(6)), result("logs", tally(2))])).await.unwrap();
    let whole = ledger.run(&run.to_string()).await.unwrap().unwrap();
    assert_eq!(whole.policies[0].tally, tally(7), "a recorded result is not recorded again");
    assert_eq!(whole.policies[1].tally, tally(2), "one that was not is");
    ledger.add_tally(run, &name("logs"), &tally(1)).await.unwrap();
    assert_eq!(ledger.runs(1).await.unwrap()[0].totals.rows_deleted, 10, "even after the end");
}

#[tokio::test]
async fn errors_and_details_are_cut_but_all_counted() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let failure =
        |key: usize| Failure { key: Some(key.to_string()), path: None, reason: None, error: "busy".to_owned() };
    let detail = |id: usize| BTreeMap::from([("id".to_owned(), serde_json::json!(id))]);
    let many = PolicyResult {
        status: Status::CompletedWithErrors,
        errors: (0..250).map(failure).collect(),
        details: (0..250).map(detail).collect(),
        missing: Vec::new(),
        error_count: 250,
        ..result("events", tally(1))
    };
    ledger.record_policy(run, &many).await.unwrap();
    let kept = ledger.last_result(&name("events")).await.unwrap().unwrap();
    assert_eq!((kept.errors.len(), kept.details.len(), kept.error_count), (SHOWN_AT_MOST, SHOWN_AT_MOST, 250));
    assert_eq!(kept.errors[99].key.as_deref(), Some("99"));
    assert_eq!(ledger.runs(1).await.unwrap()[0].totals.errors, 250);
}

#[tokio::test]
async fn errors_of_hooks_are_kept_and_counted() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let error = "/usr/lib/backup ended with exit code 3".to_owned();
    let hook_errors = vec![HookFailure { hook: HookPoint::After, error }];
    let mut whole = RunResult { hook_errors, ..finished(run, vec![result("events", tally(2))]) };
    whole.add_up();
    assert_eq!(whole.totals.errors, 1);
    ledger.finish_run(&whole).await.unwrap();
    assert_eq!(ledger.run(&run.to_string()).await.unwrap(), Some(whole));
    ledger.add_tally(run, &name("events"), &tally(1)).await.unwrap();
    assert_eq!(ledger.runs(1).await.unwrap()[0].totals.errors, 1);
}

#[tokio::test]
async fn an_unknown_run_is_an_error() {
    let (_directory, ledger) = ledger().await;
    let run = RunId::now_v7();
    let unknown = |error: LedgerError| matches!(error, LedgerError::UnknownRun { run_id } if run_id == run);
    assert!(unknown(ledger.add_tally(run, &name("events"), &tally(1)).await.unwrap_err()));
    assert!(unknown(ledger.record_policy(run, &result("events", tally(1))).await.unwrap_err()));
    assert!(unknown(ledger.finish_run(&finished(run, Vec::new())).await.unwrap_err()));
}

#[test]
fn json_has_the_designs_keys_in_order() {
    let failure =
        Failure { key: Some("17".to_owned()), path: Some("a/b.jpg".to_owned()), reason: None, error: "no".to_owned() };
    let policy = PolicyResult { errors: vec![failure], error_count: 1, ..result("events", tally(1)) };
    let json = serde_json::to_string(&finished(RunId::nil(), vec![policy])).unwrap();
    let in_order = [
        "run_id",
        "mode",
        "trigger",
        "status",
        "started_at",
        "finished_at",
        "duration_ms",
        "policies",
        "policy",
        "kind",
        "status",
        "cutoff",
        "rows_matched",
        "rows_deleted",
        "rows_updated",
        "rows_protected",
        "children",
        "files_matched",
        "files_deleted",
        "files_missing",
        "bytes_reclaimed",
        "details",
        "blocked_by",
        "errors",
        "key",
        "path",
        "error",
        "error_count",
        "totals",
        "rows_deleted",
        "rows_updated",
        "files_deleted",
        "bytes_reclaimed",
        "errors",
    ];
    let mut rest = json.as_str();
    for key in in_order {
        let quoted = format!("\"{key}\":");
        let at = rest.find(&quoted).unwrap_or_else(|| panic!("{key} is missing or out of order in {json}"));
        rest = &rest[at + quoted.len()..];
    }
    for status in ["completed", "completed_with_errors", "failed", "cancelled", "blocked", "running"] {
        let json = json.replace("\"status\":\"completed\"", &format!("\"status\":\"{status}\""));
        let parsed = serde_json::from_str::<RunResult>(&json);
        assert_eq!(parsed.is_ok(), status != "running", "a policy has no status until it ended");
    }
    let running = RunResult { status: None, ..finished(RunId::nil(), Vec::new()) };
    let json = serde_json::to_string(&running).unwrap();
    assert_eq!(serde_json::from_str::<RunResult>(&json).unwrap(), running);
    assert!(serde_json::from_str::<RunResult>(&json.replace("running", "walking")).is_err());
}

fn any_tally() -> impl Strategy<Value = Tally> {
    (0u64..5, 0u64..5, 0u64..9, prop::collection::btree_map("[ab]", 0u64..9, 0..3)).prop_map(
        |(rows, files, bytes, children)| Tally {
            rows_matched: rows,
            rows_deleted: rows,
            files_deleted: files,
            files_missing: bytes % 2,
            bytes_reclaimed: bytes,
            stores: BTreeMap::from([(
                format!("s{}", rows % 2),
                StoreTally {
                    files_deleted: files,
                    files_missing: bytes % 2,
                    bytes_reclaimed: bytes,
                    ..StoreTally::default()
                },
            )]),
            children,
            ..Tally::default()
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Add(usize, Tally),
    Settle(Tally),
    Finish,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..3, any_tally()).prop_map(|(policy, tally)| Step::Add(policy, tally)),
        4 => any_tally().prop_map(Step::Settle),
        1 => Just(Step::Finish),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn sums_include_all_batches_in_any_order(steps in prop::collection::vec(any_step(), 0..20)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(check_sums(steps));
    }
}

async fn check_sums(steps: Vec<Step>) {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let policies = ["detections", "events", "logs"];
    let mut expected = [Tally::default(), Tally::default(), Tally::default()];
    for step in steps {
        match step {
            Step::Add(policy, tally) => {
                expected[policy].add(&tally);
                ledger.add_tally(run, &name(policies[policy]), &tally).await.unwrap();
            }
            Step::Settle(tally) => {
                expected[0].add(&tally);
                let id = ledger.record_intents(&batch(run, vec![item("1", "a.jpg")])).await.unwrap();
                ledger.settle(id, &[], &tally).await.unwrap();
            }
            Step::Finish => {
                let results = policies.iter().zip(&expected).map(|(policy, sum)| result(policy, sum.clone())).collect();
                ledger.finish_run(&finished(run, results)).await.unwrap();
            }
        }
        let sums: Vec<_> = policies.iter().zip(&expected).map(|(policy, sum)| result(policy, sum.clone())).collect();
        let kept = ledger.run(&run.to_string()).await.unwrap().unwrap();
        assert_eq!(kept.totals, Totals::of(&sums));
        for policy in kept.policies {
            let index = policies.iter().position(|name| *name == policy.policy.as_str()).unwrap();
            assert_eq!(policy.tally, expected[index], "{}", policy.policy);
        }
    }
}
