//! Other processes: one that is alive keeps its lease and its run, one that was killed loses both at once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;

const LEDGER: &str = "RETAIND_TEST_LEDGER";
const ROLE: &str = "RETAIND_TEST_ROLE";

/// This test, run again as a process of its own, in a role; it says a line when it got there, and stays until killed.
fn spawn(role: &str, ledger: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::tests::processes::child", "--nocapture"])
        .env(LEDGER, ledger)
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map(Result::unwrap).find_map(|line| {
        let at = line.find("child: ")?;
        Some(line[at + 7..].to_owned())
    });
    (child, said.expect("the child says a line"))
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn child() {
    let (Ok(path), Ok(role)) = (std::env::var(LEDGER), std::env::var(ROLE)) else {
        return;
    };
    let ledger = Ledger::open(Path::new(&path)).await.unwrap();
    let run = begun(&ledger).await;
    let lease = match ledger.acquire_lease(&name("detections"), run, at(0)).await.unwrap() {
        LeaseOutcome::Granted(lease) => lease,
        LeaseOutcome::Held { .. } => panic!("the lease is held"),
    };
    if role == "worker" {
        ledger.add_tally(run, &name("detections"), &tally(3)).await.unwrap();
        ledger.record_intents(&batch(run, vec![item("4", "d.jpg")])).await.unwrap();
    }
    println!("child: {run}");
    std::future::pending::<()>().await;
    drop(lease);
}

#[tokio::test]
async fn g7_a_killed_holder_loses_its_lease_at_once() {
    let (directory, ledger) = ledger().await;
    for round in 1..=3 {
        let (child, run) = spawn("holder", &directory.path().join("ledger.db"));
        let asked = ledger.acquire_lease(&name("detections"), RunId::now_v7(), at(1)).await.unwrap();
        let LeaseOutcome::Held { run_id, pid, .. } = asked else { panic!("the child's lease was granted again") };
        assert_eq!((run_id.to_string(), pid), (run, child.id()));
        kill(child);
        let asked = ledger.acquire_lease(&name("detections"), RunId::now_v7(), at(1)).await.unwrap();
        let LeaseOutcome::Granted(lease) = asked else { panic!("a dead process holds the lease") };
        assert_eq!(lease.token, 2 * round);
    }
}

#[tokio::test]
async fn runs_of_killed_processes_are_closed_with_sums() {
    let (directory, ledger) = ledger().await;
    let path = directory.path().join("ledger.db");
    let own = begun(&ledger).await;
    let (child, run) = spawn("worker", &path);
    let run: RunId = run.parse().unwrap();
    assert!(ledger.close_abandoned(at(2)).await.unwrap().is_empty(), "both are alive");
    assert_eq!(ledger.run(&run.to_string()).await.unwrap().unwrap().status, None);
    kill(child);

    assert_eq!(ledger.close_abandoned(at(60)).await.unwrap(), [run]);
    assert!(ledger.close_abandoned(at(61)).await.unwrap().is_empty());
    let closed = ledger.run(&run.to_string()).await.unwrap().unwrap();
    assert_eq!((closed.status, closed.cause), (Some(Status::Failed), Some(Cause::Interrupted)));
    assert_eq!((closed.finished_at, closed.duration_ms), (Some(at(60)), 60_000));
    assert_eq!((closed.totals.rows_deleted, closed.totals.errors), (3, 1));
    let policy = &closed.policies[0];
    assert_eq!((policy.policy.as_str(), policy.status, &policy.tally), ("detections", Status::Failed, &tally(3)));
    assert!(policy.errors[0].error.contains("ended before the policy did"), "{:?}", policy.errors);

    let owed = ledger.unsettled(None, 0, 10).await.unwrap().remove(0);
    ledger.settle(owed.id, &[], &tally(1)).await.unwrap();
    let recovered = ledger.run(&run.to_string()).await.unwrap().unwrap();
    assert_eq!((recovered.totals.rows_deleted, &recovered.policies[0].tally), (4, &tally(4)));
    assert_eq!(ledger.run(&own.to_string()).await.unwrap().unwrap().status, None, "our own run goes on");
}

#[tokio::test]
async fn a_reused_seat_does_not_revive_the_dead() {
    let (directory, ledger) = ledger().await;
    let (child, dead) = spawn("holder", &directory.path().join("ledger.db"));
    kill(child);
    let alive = begun(&ledger).await;
    assert_eq!(ledger.close_abandoned(at(60)).await.unwrap(), [dead.parse::<RunId>().unwrap()]);
    assert_eq!(ledger.run(&alive.to_string()).await.unwrap().unwrap().status, None);
}
