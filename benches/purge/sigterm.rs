//! Stops a purge with SIGTERM and compares what the ledger says with what is gone.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::fixture::Fixture;
use crate::process::{Finished, Watched};

/// How long a purge may take to end after SIGTERM.
const EXIT_LIMIT: Duration = Duration::from_secs(2);
/// The exit code of a cancelled run.
const CANCELLED: i32 = 5;

/// Prints a line for each moment at which the purge was stopped, and says whether all went as it must.
pub fn measure(fixture: &Fixture, engine: &str) -> anyhow::Result<bool> {
    fixture.restore()?;
    let whole = Watched::start(&mut run(fixture))?.finish()?;
    ensure!(whole.status.success(), "retaind run: {}\n{}", whole.status, whole.stderr);
    let mut held = true;
    for part in [0.2, 0.4, 0.6] {
        let after = whole.duration.mul_f64(part);
        fixture.restore()?;
        let watched = Watched::start(&mut run(fixture))?;
        std::thread::sleep(after);
        watched.terminate()?;
        let stopped = Instant::now();
        let finished = watched.finish()?;
        held &= report(fixture, engine, after, stopped.elapsed(), &finished)?;
    }
    Ok(held)
}

fn run(fixture: &Fixture) -> std::process::Command {
    let mut command = fixture.retaind();
    command.args(["run", "readings", "--json"]);
    command
}

fn report(
    fixture: &Fixture,
    engine: &str,
    after: Duration,
    took: Duration,
    finished: &Finished,
) -> anyhow::Result<bool> {
    let gone = fixture.rows() - fixture.count("")?;
    let result: Value = serde_json::from_str(&finished.stdout).context("the result is JSON")?;
    let id = result["run_id"].as_str().context("the result has a run_id")?;
    let kept = fixture.retaind().args(["runs", id, "--json"]).output().context("starting retaind runs")?;
    let kept: Value = serde_json::from_slice(&kept.stdout).context("the ledger's result is JSON")?;
    let in_ledger = kept["totals"]["rows_deleted"].as_u64().context("the ledger has a sum")?;
    let status = kept["status"].as_str().unwrap_or("none");
    println!(
        "{engine:<11} {:>7.2} s {:>7.2} s {gone:>13} {in_ledger:>13}  {status}",
        after.as_secs_f64(),
        took.as_secs_f64()
    );
    let policy_sum: u64 =
        kept["policies"].as_array().into_iter().flatten().filter_map(|policy| policy["rows_deleted"].as_u64()).sum();
    Ok(took <= EXIT_LIMIT
        && finished.status.code() == Some(CANCELLED)
        && status == "cancelled"
        && result["status"] == "cancelled"
        && result["totals"] == kept["totals"]
        && policy_sum == gone
        && in_ledger == gone)
}
