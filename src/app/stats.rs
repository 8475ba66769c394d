//! Gathers what `stats` shows: what each policy could clean now, within a second in all. What cannot be counted in that
//! time is estimated and marked as such. Changes nothing.

mod patience;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;

use self::patience::{Ended, within};
use super::schedules::Schedules;
use super::status;
use crate::clock::Clock;
use crate::ledger::LatestRun;
use crate::policy::{Alive, Engine, Name, Params, Policy, PolicyKind, RowsPolicy, Settings, Source};
use crate::report::{LastPolicyRun, OldestRow, PolicyStats, Precision, Stats};
use crate::sources::{Asked, Counted, Instants, Session, SourceError, Target};
use crate::telemetry::chain;

/// Until when policies are asked about. Ending what is under way then, and starting the program, fit into the second.
const BUDGET: Duration = Duration::from_millis(650);
/// How far SQLite counts at first, and then: it ends no statement on request.
const STEPS: [u64; 2] = [10_000, 100_000];

/// Looks at the policies of a selection.
pub async fn stats(settings: &Settings, policies: &[Arc<Policy>], params: &Params, clock: &Clock) -> Stats {
    let (now, until) = (clock.now(), Instant::now() + BUDGET);
    let (gathered, remembered) =
        tokio::join!(gather(settings, policies, params, now, until), remember(settings, policies, now));
    let (latest, schedules, remarks) = remembered;
    let mut gathered = gathered;
    for (stats, policy) in gathered.iter_mut().zip(policies) {
        stats.last_run = latest.iter().find(|(name, _)| *name == policy.name).map(|(_, run)| last_run(run));
        let period = policy.task.as_ref().and_then(|task| schedules.period_secs(settings, task, now));
        stats.falling_behind = match (stats.overdue_secs, period) {
            (Some(overdue), Some(period)) => overdue > period.saturating_mul(2),
            (_, None) | (None, _) => false,
        };
    }
    Stats { at: now, policies: gathered, remarks }
}

/// What the ledger remembers: the newest run of each policy, and the slots of the tasks.
async fn remember(
    settings: &Settings,
    policies: &[Arc<Policy>],
    now: Timestamp,
) -> (Vec<(Name, LatestRun)>, Schedules, Vec<String>) {
    let mut latest = Vec::new();
    let read = async {
        let Some(ledger) = status::open(settings, now).await? else { return Ok(Schedules::default()) };
        for policy in policies {
            latest.extend(ledger.latest_run(&policy.name).await?.map(|run| (policy.name.clone(), run)));
        }
        anyhow::Ok(Schedules::new(ledger.task_states().await?))
    };
    match read.await {
        Ok(schedules) => (latest, schedules, Vec::new()),
        Err(error) => (latest, Schedules::default(), vec![format!("What ran last is not known: {error:#}")]),
    }
}

fn last_run(run: &LatestRun) -> LastPolicyRun {
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
        let mine = policies.iter().enumerate().filter(|(_, policy)| rows_of(policy).source == source.name);
        let new: VecDeque<_> = mine.map(|(position, policy)| (position, &**policy)).collect();
        let workers = usize::try_from(source.max_connections.get()).unwrap_or(usize::MAX).min(new.len());
        let queues = Arc::new(Mutex::new(Queues { new, fitted: VecDeque::new() }));
        for _ in 0..workers {
            let queues = Arc::clone(&queues);
            let worker = Worker { settings, source, params, now, until, workers, session: None };
            askings.push(async move { worker.work(&queues).await });
        }
    }
    let mut found: Vec<(usize, PolicyStats)> = join_all(askings).await.into_iter().flatten().collect();
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, stats)| stats).collect()
}

fn rows_of(policy: &Policy) -> &RowsPolicy {
    let PolicyKind::Rows(rows) = &policy.kind;
    rows
}

/// What waits for a connection of a source: first every policy is estimated, then counted while there is time.
struct Queues<'a> {
    new: VecDeque<(usize, &'a Policy)>,
    fitted: VecDeque<Fitted>,
}

enum Work<'a> {
    Fit(usize, &'a Policy),
    Count(Fitted),
}

/// A policy that was fitted to its tables, with its estimates.
struct Fitted {
    position: usize,
    target: Target,
    at: Instants,
    stats: PolicyStats,
}

/// One connection of a source, which takes one policy after the other.
struct Worker<'a> {
    settings: &'a Settings,
    source: &'a Source,
    params: &'a Params,
    now: Timestamp,
    until: Instant,
    workers: usize,
    session: Option<Session>,
}

/// Why a policy could not be looked at.
enum Trouble {
    Late,
    Failed(SourceError),
    Unfit(String),
}

impl Worker<'_> {
    async fn work(mut self, queues: &Mutex<Queues<'_>>) -> Vec<(usize, PolicyStats)> {
        let mut found = Vec::new();
        loop {
            let (next, until) = {
                let mut queues = queues.lock().unwrap_or_else(PoisonError::into_inner);
                // What is left of the time, shared with those that wait for a connection.
                let until = |waiting: usize| {
                    let left = self.until.saturating_duration_since(Instant::now());
                    let rounds = u32::try_from((waiting + 1).div_ceil(self.workers)).unwrap_or(u32::MAX);
                    Instant::now() + left / rounds
                };
                if let Some((position, policy)) = queues.new.pop_front() {
                    (Work::Fit(position, policy), until(queues.new.len() + queues.fitted.len()))
                } else if let Some(fitted) = queues.fitted.pop_front() {
                    (Work::Count(fitted), until(queues.fitted.len()))
                } else {
                    return found;
                }
            };
            match next {
                Work::Fit(position, policy) => match self.fit(position, policy, until).await {
                    Ok(fitted) => {
                        queues.lock().unwrap_or_else(PoisonError::into_inner).fitted.push_back(fitted);
                    }
                    Err(trouble) => {
                        let mut stats = self.blank(policy);
                        stats.error = Some(self.describe(trouble));
                        found.push((position, stats));
                    }
                },
                Work::Count(Fitted { position, target, at, mut stats }) => {
                    if let Err(trouble) = self.count_all(&target, at, until, &mut stats).await {
                        stats.error = Some(self.describe(trouble));
                    }
                    stats.estimated = [stats.precision, stats.protected_precision]
                        .iter()
                        .any(|precision| !matches!(precision, None | Some(Precision::Exact)));
                    found.push((position, stats));
                }
            }
        }
    }

    fn describe(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::Late => format!("source {} did not answer in time", self.source.name),
            Trouble::Failed(error) => chain(&error),
            Trouble::Unfit(why) => why,
        }
    }

    fn blank(&self, policy: &Policy) -> PolicyStats {
        let rows = rows_of(policy);
        let mut remarks = Vec::new();
        if let Some(Alive::Command(command)) = &rows.alive {
            let program = command.program.display();
            remarks.push(format!("rows that {program} would keep are counted as eligible: it is not asked here"));
        }
        PolicyStats {
            policy: policy.name.clone(),
            source: rows.source.clone(),
            table: rows.table.to_string(),
            mode: self.settings.mode_of(policy),
            rows_eligible: None,
            precision: None,
            estimated: false,
            oldest: None,
            overdue_secs: None,
            falling_behind: false,
            rows_protected: None,
            protected_precision: None,
            last_run: None,
            remarks,
            error: None,
        }
    }

    /// Fits a policy to its tables and has the planner say what it expects, which takes next to no time.
    async fn fit(&mut self, position: usize, policy: &Policy, until: Instant) -> Result<Fitted, Trouble> {
        let rows = rows_of(policy);
        let at = Instants { now: self.now, cutoff: rows.cutoff(self.now) };
        let asked = Asked { source: self.source, policy: rows, params: Some(self.params), settings: self.settings };
        let target = match self.ask(until, async |session| Target::load(session, asked).await).await? {
            None => return Err(Trouble::Late),
            Some(Ok(target)) => target,
            Some(Err(misfits)) => {
                let misfits: Vec<_> = misfits.iter().map(ToString::to_string).collect();
                return Err(Trouble::Unfit(misfits.join("; ")));
            }
        };
        let mut stats = self.blank(policy);
        (stats.rows_eligible, stats.precision) = self.expect(&target, at, Counted::Eligible).await?.unzip();
        (stats.rows_protected, stats.protected_precision) = match target.can_be_kept() {
            true => self.expect(&target, at, Counted::Kept).await?.unzip(),
            false => (Some(0), Some(Precision::Exact)),
        };
        Ok(Fitted { position, target, at, stats })
    }

    /// What the planner expects; nobody waits for it where somebody has locked the table.
    async fn expect(
        &mut self,
        target: &Target,
        at: Instants,
        counted: Counted,
    ) -> Result<Option<(u64, Precision)>, Trouble> {
        let expected = async |session: &mut Session| target.estimate(session, at, counted).await;
        let soon = Instant::now() + patience::PLANNING;
        Ok(self.ask(soon, expected).await?.flatten().map(|rows| (rows, Precision::Estimate)))
    }

    /// Looks for the oldest row and counts, as far as the time goes.
    async fn count_all(
        &mut self,
        target: &Target,
        at: Instants,
        until: Instant,
        stats: &mut PolicyStats,
    ) -> Result<(), Trouble> {
        let part = |share: f64| {
            let left = until.saturating_duration_since(Instant::now());
            Instant::now() + left.mul_f64(share)
        };
        let oldest = self.ask(part(0.4), async |session| target.oldest(session, at).await).await?;
        if let Some(oldest) = oldest.flatten() {
            let secs = |from: Timestamp| u64::try_from(self.now.duration_since(from).as_secs()).unwrap_or(0);
            stats.overdue_secs = Some(secs(oldest.eligible_since));
            stats.oldest = Some(OldestRow { age_secs: secs(oldest.at), at: oldest.at, value: oldest.value });
        }
        let share = if target.can_be_kept() { 0.6 } else { 1.0 };
        if let Some(counted) = self.count(target, at, Counted::Eligible, part(share)).await? {
            (stats.rows_eligible, stats.precision) = Some(counted).unzip();
        }
        if target.can_be_kept()
            && let Some(counted) = self.count(target, at, Counted::Kept, part(1.0)).await?
        {
            (stats.rows_protected, stats.protected_precision) = Some(counted).unzip();
        }
        Ok(())
    }

    /// Counts, on SQLite as far as the time goes; none where nothing better than an estimate can be had.
    async fn count(
        &mut self,
        target: &Target,
        at: Instants,
        counted: Counted,
        until: Instant,
    ) -> Result<Option<(u64, Precision)>, Trouble> {
        let steps = if target.engine == Engine::Sqlite { &STEPS[..] } else { &[] };
        let mut at_least = None;
        for limit in steps.iter().map(|limit| Some(*limit)).chain([None]) {
            let counting = async |session: &mut Session| target.count_up_to(session, at, counted, limit).await;
            match (self.ask(until, counting).await?, limit) {
                (Some(rows), Some(limit)) if rows >= limit => at_least = Some((rows, Precision::AtLeast)),
                (Some(rows), _) => return Ok(Some((rows, Precision::Exact))),
                (None, _) => break,
            }
        }
        Ok(at_least)
    }

    /// Asks one question over the connection, opened where there is none; `None`: no answer in time.
    async fn ask<T>(
        &mut self,
        until: Instant,
        question: impl AsyncFnOnce(&mut Session) -> Result<T, SourceError>,
    ) -> Result<Option<T>, Trouble> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match tokio::time::timeout_at(
                until.max(Instant::now() + patience::CONNECTING),
                Session::open(self.source),
            )
            .await
            {
                Ok(opened) => opened.map_err(Trouble::Failed)?,
                Err(_) => return Err(Trouble::Late),
            },
        };
        let canceller = session.canceller();
        let ended = within(until, session.engine(), &canceller, question(&mut session)).await;
        match ended {
            Ended::InTime(answer) => {
                self.session = Some(session);
                Ok(Some(answer))
            }
            Ended::Late => {
                self.session = Some(session);
                Ok(None)
            }
            // The statement may still go on: the connection is of no more use.
            Ended::Abandoned => Ok(None),
            Ended::Failed(error) => {
                self.session = session.is_open().then_some(session);
                Err(Trouble::Failed(error))
            }
        }
    }
}
