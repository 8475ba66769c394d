//! Gathers what `stats` shows: what each policy could clean now, within a second in all. What cannot be counted in that
//! time is estimated and marked as such. Changes nothing.

mod patience;
mod queue;
mod stores;
mod worker;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::held::held_now;
use super::status;
use super::task_times::Schedules;
use crate::clock::Clock;
use crate::ledger::{LatestRun, Ledger, LedgerError};
use crate::outcome::{Held, PolicyTotal, StoreLook};
use crate::policy::{Name, Params, Policy, Settings};
use crate::report::{LastPolicyRun, PolicyStats, Stats, StoreStats};
use queue::{Candidate, Queue};
use worker::Worker;

/// Until when policies are asked about. Ending what is under way then, and starting the program, fit into the second.
const BUDGET: Duration = Duration::from_millis(650);

/// Looks at the policies of a selection.
pub async fn stats(settings: &Settings, policies: &[Arc<Policy>], params: &Params, clock: &Clock) -> Stats {
    let (now, until) = (clock.now(), Instant::now() + BUDGET);
    let selected = policies;
    let (policies, others): (Vec<_>, Vec<_>) =
        selected.iter().cloned().partition(|policy| policy.kind.rows().is_some());
    let policies = policies.as_slice();
    let (mut gathered, (remembered, stores)) = tokio::join!(gather(settings, policies, params, now, until), async {
        let (ledger, remembered) = remember(settings, policies, now, until).await;
        let known = (ledger.as_ref(), remembered.looks.as_slice());
        let stores = stores::stores((settings, selected), known, now, until).await;
        (remembered, stores)
    });
    let Remembered { latest, schedules, mut held, mut totals, mut remarks, looks: _ } = remembered;
    totals.retain(|total| selected.iter().any(|policy| policy.name == total.policy));
    // Going through a store takes longer than statistics may.
    remarks.extend(others.iter().map(|policy| {
        let (name, kind) = (&policy.name, policy.kind.word());
        format!("Policy {name} is of kind {kind} and not counted here: see `retaind plan {name}`")
    }));
    for (stats, policy) in gathered.iter_mut().zip(policies) {
        stats.last_run = latest.iter().find(|(name, _)| *name == policy.name).map(|(_, run)| last_run(run));
        let waits = held.iter().position(|(name, _)| *name == policy.name);
        stats.held = waits.map(|position| held.swap_remove(position).1);
        let period = policy.task.as_ref().and_then(|task| schedules.period_secs(settings, task, now));
        stats.falling_behind = match (stats.overdue_secs, period) {
            // What only reports gets nothing done, and is not meant to.
            (Some(overdue), Some(period)) => settings.may_take(policy) && overdue > period.saturating_mul(2),
            (_, None) | (None, _) => false,
        };
    }
    Stats { at: now, policies: gathered, totals, stores, remarks }
}

/// All stores that policies are about, as far as they are known without going through them and answer in time.
pub async fn known_stores(settings: &Settings, ledger: &Ledger, clock: &Clock) -> Result<Vec<StoreStats>, LedgerError> {
    let (now, until, looks) = (clock.now(), Instant::now() + BUDGET, ledger.last_looks().await?);
    Ok(stores::stores((settings, &settings.policies), (Some(ledger), &looks), now, until).await)
}

/// Memory of the ledger, as far as it answered in time.
#[derive(Default)]
struct Remembered {
    /// The newest run of each policy.
    latest: Vec<(Name, LatestRun)>,
    schedules: Schedules,
    held: Vec<(Name, Held)>,
    totals: Vec<PolicyTotal>,
    /// Last looks at stores, by the policy that looked.
    looks: Vec<(Name, StoreLook)>,
    remarks: Vec<String>,
}

/// Reads what the ledger remembers; with the ledger, where it answers.
async fn remember(
    settings: &Settings,
    policies: &[Arc<Policy>],
    now: Timestamp,
    until: Instant,
) -> (Option<Ledger>, Remembered) {
    let mut found = Remembered::default();
    let read = async {
        let Some(ledger) = status::open(settings, now).await? else { return Ok(None) };
        found.held = held_now(settings, &ledger).await?;
        found.totals = ledger.totals().await?;
        found.looks = ledger.last_looks().await?;
        found.latest = ledger.latest_runs(policies.iter().map(|policy| policy.name.clone()).collect()).await?;
        found.schedules = Schedules::new(ledger.task_states().await?);
        anyhow::Ok(Some(ledger))
    };
    let trouble = match timeout_at(until, read).await {
        Ok(Ok(ledger)) => return (ledger, found),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "the ledger did not answer in time".to_owned(),
    };
    found.remarks.push(format!("What ran last is not known: {trouble}"));
    (None, found)
}

/// A run as statistics show it.
pub(super) fn last_run(run: &LatestRun) -> LastPolicyRun {
    let LatestRun { run_id, mode, started_at, status, tally, error_count } = run;
    LastPolicyRun {
        run_id: *run_id,
        mode: *mode,
        started_at: *started_at,
        status: *status,
        rows_deleted: tally.rows_deleted,
        rows_updated: tally.rows_updated,
        files_deleted: tally.files_deleted,
        error_count: *error_count,
    }
}

/// Asks every source at once, each over as many connections as it may have.
async fn gather(
    settings: &Settings,
    policies: &[Arc<Policy>],
    params: &Params,
    now: Timestamp,
    until: Instant,
) -> Vec<PolicyStats> {
    let mut askings = Vec::new();
    for source in &settings.sources {
        let candidates = policies.iter().enumerate().filter_map(|(position, policy)| {
            let rows = policy.kind.rows()?;
            Some(Candidate { position, policy, rows })
        });
        let mine: VecDeque<_> = candidates.filter(|candidate| candidate.rows.source == source.name).collect();
        let workers = usize::try_from(source.max_connections.get()).unwrap_or(usize::MAX).min(mine.len());
        let queue = Arc::new(Queue::new(mine, workers, until));
        for _ in 0..workers {
            let queue = Arc::clone(&queue);
            let worker = Worker { settings, source, params, now, session: None };
            askings.push(async move { worker.work(&queue).await });
        }
    }
    let mut found: Vec<(usize, PolicyStats)> = join_all(askings).await.into_iter().flatten().collect();
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, stats)| stats).collect()
}
