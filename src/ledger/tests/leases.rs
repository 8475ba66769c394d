//! Leases within one process.

use super::*;

async fn granted(ledger: &Ledger, policy: &str, run: RunId) -> Lease {
    match ledger.acquire_lease(&name(policy), run, at(0)).await.unwrap() {
        LeaseOutcome::Granted(lease) => lease,
        LeaseOutcome::Held { .. } => panic!("the lease of {policy} is held"),
    }
}

#[tokio::test]
async fn g7_a_policy_has_one_lease_within_a_process() {
    let (directory, ledger) = ledger().await;
    let other = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    let run = begun(&ledger).await;
    let lease = granted(&ledger, "events", run).await;
    for asked in [&ledger, &other] {
        let outcome = asked.acquire_lease(&name("events"), RunId::now_v7(), at(3)).await.unwrap();
        let LeaseOutcome::Held { run_id, pid, since } = outcome else { panic!("two leases") };
        assert_eq!((run_id, pid, since), (run, std::process::id(), at(0)));
    }
    let _unrelated = granted(&other, "detections", run).await;
    assert!(ledger.holds(&lease).await.unwrap());
    ledger.release(lease).await.unwrap();
    let next = granted(&other, "events", run).await;
    assert_eq!(next.token, 2);
}

#[tokio::test]
async fn a_dropped_lease_is_free() {
    let (_directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    drop(granted(&ledger, "events", run).await);
    assert_eq!(granted(&ledger, "events", run).await.token, 2);
}

#[tokio::test]
async fn d10_who_was_overtaken_no_longer_holds_the_lease() {
    let (directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    let old = granted(&ledger, "events", run).await;
    // Somebody clears the lock files away, and so takes the lock from its holder unseen.
    std::fs::rename(directory.path().join("locks"), directory.path().join("gone")).unwrap();
    let new = granted(&ledger, "events", run).await;
    assert!(!ledger.holds(&old).await.unwrap());
    assert!(ledger.holds(&new).await.unwrap());
    ledger.release(old).await.unwrap();
    assert!(ledger.holds(&new).await.unwrap(), "the overtaken one gives back only its own lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_a_race_for_a_lease_has_one_winner() {
    let (directory, _ledger) = ledger().await;
    let path = directory.path().join("ledger.db");
    let inside = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let racing = (0..4).map(|_| {
        let (path, inside) = (path.clone(), inside.clone());
        tokio::spawn(async move {
            let ledger = Ledger::open(&path).await.unwrap();
            let mut won = 0;
            while won < 10 {
                let run = RunId::now_v7();
                if let LeaseOutcome::Granted(lease) = ledger.acquire_lease(&name("events"), run, at(0)).await.unwrap() {
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0, "two at once");
                    assert!(ledger.holds(&lease).await.unwrap());
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    ledger.release(lease).await.unwrap();
                    won += 1;
                }
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        })
    });
    for done in futures_util::future::join_all(racing).await {
        done.unwrap();
    }
    let ledger = Ledger::open(&path).await.unwrap();
    assert_eq!(granted(&ledger, "events", RunId::now_v7()).await.token, 41);
}
