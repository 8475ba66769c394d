//! A daemon that has nothing to do: time from start to READY, resident memory, wake-ups, and `retaind status` beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;

use super::resting::{Daemon, write_config};
use crate::bench::Bench;
use crate::measure::{retaind, run_watched, status_field};
use crate::report::{Figure, Goal, Unit};

/// Milliseconds from start to `READY=1`.
const READY_LIMIT: f64 = 50.0;
/// Milliseconds of `retaind status`.
const STATUS_LIMIT: f64 = 20.0;
/// Resident memory, in MiB.
const MEMORY_LIMIT: f64 = 20.0;
/// Wake-ups that one ping of the watchdog may cost: its timer, the loop that answers, a worker that is woken to look for more.
const WAKE_UPS_PER_PING: u64 = 8;
/// Time over which wake-ups are counted.
const PERIOD: Duration = Duration::from_secs(30);
/// Starts, and calls of `retaind status`, in each round.
const CALLS: u32 = 4;

/// Three tasks, none of which is due.
pub fn idle(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let dir = tempfile::tempdir()?;
    let config = write_config(dir.path())?;
    // The first start makes the ledger and is not counted.
    Daemon::start(dir.path(), &config)?.stop()?;
    let mut ready = Vec::new();
    for _ in 0..CALLS * bench.rounds {
        let daemon = Daemon::start(dir.path(), &config)?;
        ready.push(daemon.ready_after.as_secs_f64() * 1e3);
        daemon.stop()?;
    }
    let daemon = Daemon::start(dir.path(), &config)?;
    // What belongs to the start is over by then.
    std::thread::sleep(Duration::from_secs(2));
    daemon.pings()?;
    let before = daemon.wake_ups()?;
    std::thread::sleep(PERIOD);
    let (after, pings) = (daemon.wake_ups()?, daemon.pings()?);
    let resident = status_field(&daemon.proc_path("status"), "VmRSS").context("VmRSS")? as f64 / 1024.0;
    let mut status = Vec::new();
    for _ in 0..CALLS * bench.rounds {
        let call = run_watched(retaind(&config).arg("status"))?;
        status.push(call.duration.as_secs_f64() * 1e3);
    }
    daemon.stop()?;
    Ok(vec![
        Figure::value("start of the daemon to `READY=1`", "", Unit::Millis, &ready).goal(Goal::AtMost(READY_LIMIT)),
        Figure::value("`retaind status`", "", Unit::Millis, &status).goal(Goal::AtMost(STATUS_LIMIT)),
        Figure::value("memory of an idle daemon", "", Unit::Mib, &[resident]).goal(Goal::AtMost(MEMORY_LIMIT)),
        wake_ups(&before, &after, pings),
    ])
}

/// Wake-ups of all threads, with the threads that woke.
fn wake_ups(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>, pings: u64) -> Figure {
    let woken: Vec<(&str, u64)> = after
        .iter()
        .map(|(thread, count)| (thread.as_str(), count - before.get(thread).copied().unwrap_or(0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    eprintln!(" woken: {woken:?}");
    let sum: u64 = woken.iter().map(|(_, count)| count).sum();
    let work = format!("its wake-ups in {} s, all threads", PERIOD.as_secs());
    let figure = Figure::value(&work, "", Unit::Count, &[sum as f64]);
    figure.goal(Goal::AtMost((pings * WAKE_UPS_PER_PING) as f64)).remark(format!("{pings} pings of the watchdog"))
}
