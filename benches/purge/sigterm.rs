//! A purge that is stopped in the middle with SIGTERM: how soon it ends, and that the ledger says what is gone.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Fixture, Layout, ROWS};
use crate::bench::{Bench, engine_name};
use crate::engines::EngineKind;
use crate::measure::{Finished, Watched, run_watched};
use crate::report::{Figure, Goal, Unit};

/// Milliseconds that a purge may take to end after SIGTERM.
const EXIT_LIMIT: f64 = 2000.0;
/// The exit code of a cancelled run.
const CANCELLED: i32 = 5;
/// Parts of its time after which a purge is stopped.
const MOMENTS: [f64; 3] = [0.2, 0.4, 0.6];

/// Each engine in turn. Fails where a sum is wrong.
pub fn sigterm(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    [EngineKind::Postgres, EngineKind::MariaDb, EngineKind::Sqlite]
        .map(|kind| stopped(bench, kind))
        .into_iter()
        .collect()
}

fn stopped(bench: &Bench, kind: EngineKind) -> anyhow::Result<Figure> {
    let fixture = bench.fixture(kind, Layout::Ascending, bench.scaled(ROWS))?;
    fixture.restore()?;
    let whole = run_watched(&mut purge(&fixture)?)?;
    let mut millis = Vec::new();
    for part in MOMENTS {
        fixture.restore()?;
        let run = Watched::start(&mut purge(&fixture)?)?;
        std::thread::sleep(whole.duration.mul_f64(part));
        run.terminate()?;
        let stopped = Instant::now();
        let finished = run.finish()?;
        millis.push(stopped.elapsed().as_secs_f64() * 1e3);
        ensure_accounted(&fixture, &finished)?;
    }
    fixture.rest();
    let work = format!("end of that purge after SIGTERM, {}", engine_name(kind));
    Ok(Figure::greatest(&work, Unit::Millis, &millis)
        .goal(Goal::AtMost(EXIT_LIMIT))
        .remark("the ledger has what is gone"))
}

fn purge(fixture: &Fixture) -> anyhow::Result<Command> {
    let mut command = fixture.retaind("")?;
    command.args(["run", "readings", "--json"]);
    Ok(command)
}

/// Fails unless the result, the ledger and the table agree.
fn ensure_accounted(fixture: &Fixture, finished: &Finished) -> anyhow::Result<()> {
    let gone = fixture.rows() - fixture.count("")?;
    let result: Value = serde_json::from_str(&finished.stdout).context("the result is JSON")?;
    let id = result["run_id"].as_str().context("the result has a run_id")?;
    let kept = fixture.retaind("")?.args(["runs", id, "--json"]).output().context("starting retaind runs")?;
    let kept: Value = serde_json::from_slice(&kept.stdout).context("the ledger's result is JSON")?;
    let sum = kept["totals"]["rows_deleted"].as_u64().context("the ledger has a sum")?;
    let by_policy: u64 =
        kept["policies"].as_array().into_iter().flatten().filter_map(|policy| policy["rows_deleted"].as_u64()).sum();
    ensure!(
        finished.status.code() == Some(CANCELLED)
            && kept["status"] == "cancelled"
            && result["status"] == "cancelled"
            && result["totals"] == kept["totals"],
        "the run ended with {}, in the ledger as {}",
        finished.status,
        kept["status"]
    );
    ensure!(by_policy == gone && sum == gone, "{gone} rows are gone, {sum} in the ledger");
    Ok(())
}
