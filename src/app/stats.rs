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
use crate::policy::{Alive, Name, Params, Policy, RowsPolicy, Settings, Source};
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
    let (policies, others): (Vec<_>, Vec<_>) =
        policies.iter().cloned().partition(|policy| policy.kind.rows().is_some());
    let policies = policies.as_slice();
    let (gathered, remembered) =
        tokio::join!(gather(settings, policies, params, now, until), remember(settings, policies, now));
    let (latest, schedules, mut remarks) = remembered;
    let mut gathered = gathered;
    // Going through a store takes longer than statistics may.
    remarks.extend(others.iter().map(|policy| {
        let (name, kind) = (&policy.name, policy.kind.word());
        format!("Policy {name} is of kind {kind} and not counted here: see `retaind plan {name}`")
    }));
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
        let rows = policies.iter().enumerate().filter_map(|(at, policy)| Some((at, policy, policy.kind.rows()?)));
        let queue: VecDeque<_> = rows.filter(|(_, _, rows)| rows.source == source.name).collect();
        let workers = usize::try_from(source.max_connections.get()).unwrap_or(usize::MAX).min(queue.len());
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers {
            let queue = Arc::clone(&queue);
            askings.push(async move {
                Worker { settings, source, params, now, until, workers, session: None }.work(&queue).await
            });
        }
    }
    let mut found: Vec<(usize, PolicyStats)> = join_all(askings).await.into_iter().flatten().collect();
    found.sort_by_key(|(position, _)| *position);
    found.into_iter().map(|(_, stats)| stats).collect()
}

type Queue<'a> = Mutex<VecDeque<(usize, &'a Arc<Policy>, &'a RowsPolicy)>>;

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
    async fn work(mut self, queue: &Queue<'_>) -> Vec<(usize, PolicyStats)> {
        let mut found = Vec::new();
        loop {
            let (next, waiting) = {
                let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                (queue.pop_front(), queue.len())
            };
            let Some((position, policy, rows)) = next else { return found };
            let mut stats = self.blank(policy, rows);
            // What is left of the time, shared with those that wait for a connection.
            let left = self.until.saturating_duration_since(Instant::now());
            let rounds = u32::try_from((waiting + 1).div_ceil(self.workers)).unwrap_or(u32::MAX);
            let until = Instant::now() + left / rounds;
            stats.error = match self.look(rows, until, &mut stats).await {
                Ok(()) => None,
                Err(Trouble::Late) => Some(format!("source {} did not answer in time", self.source.name)),
                Err(Trouble::Failed(error)) => Some(chain(&error)),
                Err(Trouble::Unfit(why)) => Some(why),
            };
            stats.estimated = [stats.precision, stats.protected_precision]
                .iter()
                .any(|precision| !matches!(precision, None | Some(Precision::Exact)));
            found.push((position, stats));
        }
    }

    fn blank(&self, policy: &Policy, rows: &RowsPolicy) -> PolicyStats {
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

    async fn look(&mut self, rows: &RowsPolicy, until: Instant, stats: &mut PolicyStats) -> Result<(), Trouble> {
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
        (stats.rows_eligible, stats.precision) = self.count(&target, at, Counted::Eligible, part(share)).await?.unzip();
        (stats.rows_protected, stats.protected_precision) =
            self.count(&target, at, Counted::Kept, part(1.0)).await?.unzip();
        Ok(())
    }

    /// Counts, or estimates what cannot be counted until then.
    async fn count(
        &mut self,
        target: &Target,
        at: Instants,
        counted: Counted,
        until: Instant,
    ) -> Result<Option<(u64, Precision)>, Trouble> {
        if counted == Counted::Kept && !target.can_be_kept() {
            return Ok(Some((0, Precision::Exact)));
        }
        let steps = if target.engine == crate::policy::Engine::Sqlite { &STEPS[..] } else { &[] };
        let mut at_least = None;
        for limit in steps.iter().map(|limit| Some(*limit)).chain([None]) {
            let counting = async |session: &mut Session| target.count_up_to(session, at, counted, limit).await;
            match (self.ask(until, counting).await?, limit) {
                (Some(rows), Some(limit)) if rows >= limit => at_least = Some((rows, Precision::AtLeast)),
                (Some(rows), _) => return Ok(Some((rows, Precision::Exact))),
                (None, _) => break,
            }
        }
        if steps.is_empty() {
            let expected = async |session: &mut Session| target.estimate(session, at, counted).await;
            // The plan of a statement takes no time worth speaking of, unless somebody has locked the table.
            let soon = Instant::now() + patience::PLANNING;
            return Ok(self.ask(soon, expected).await?.flatten().map(|rows| (rows, Precision::Estimate)));
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
