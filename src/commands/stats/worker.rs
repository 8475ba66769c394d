//! One connection of a source, which fits and counts one policy after the other. Shares the time out nowhere: the queue
//! says until when.

use jiff::Timestamp;
use tokio::time::Instant;

use super::patience::{PLANNING, Waited, connect, within};
use super::queue::{Candidate, Fitted, Queue, Work};
use crate::policy::{Alive, Params, Settings, Source};
use crate::report::{OldestRow, PolicyStats, Precision};
use crate::sources::{Counted, Instants, ResolveInput, Session, SourceError, Target};
use crate::text::chain;

/// Numbers to which SQLite counts at first, and then: it ends no statement on request.
const STEPS: [Option<u64>; 3] = [Some(10_000), Some(100_000), None];
/// Numbers to which it counts the rows in scope, which may be the whole table: what is abandoned is soon over.
const STEPS_IN_SCOPE: [Option<u64>; 3] = [Some(10_000), Some(100_000), Some(1_000_000)];

/// One connection of a source, opened when it is needed.
pub(super) struct Worker<'a> {
    pub settings: &'a Settings,
    pub source: &'a Source,
    pub params: &'a Params,
    pub now: Timestamp,
    pub session: Option<Session>,
}

/// Why a policy could not be looked at.
enum Trouble {
    Late,
    Failed(SourceError),
    Unfit(String),
}

impl Worker<'_> {
    /// Looks at policies until none waits; each with its position in the answer.
    pub async fn work(mut self, queue: &Queue<'_>) -> Vec<(usize, PolicyStats)> {
        let mut found = Vec::new();
        while let Some((work, until)) = queue.take() {
            match work {
                Work::Fit(candidate) => match self.fit(candidate, until).await {
                    Ok(fitted) => queue.push(fitted),
                    Err(trouble) => {
                        let error = Some(self.describe(trouble));
                        found.push((candidate.position, PolicyStats { error, ..self.blank(candidate) }));
                    }
                },
                Work::Count(mut fitted) => {
                    let counted = self.count_all(&fitted.target, fitted.at, until, &mut fitted.stats).await;
                    let stats = &mut fitted.stats;
                    stats.error = counted.err().map(|trouble| self.describe(trouble)).or_else(|| uncounted(stats));
                    queue.push_counted(*fitted);
                }
                Work::CountScope(fitted) => {
                    let Fitted { position, target, at, mut stats } = *fitted;
                    // What fails here has failed before, or is as good as not counted in time.
                    let counted = self.count(&target, at, Counted::InScope, until).await.ok().flatten();
                    if let Some(counted) = better(counted, stats.rows_in_scope) {
                        (stats.rows_in_scope, stats.scope_precision) = Some(counted).unzip();
                    }
                    stats.estimated = [stats.precision, stats.protected_precision, stats.scope_precision]
                        .iter()
                        .any(|precision| !matches!(precision, None | Some(Precision::Exact)));
                    found.push((position, stats));
                }
            }
        }
        found
    }

    fn describe(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::Late => format!(
                "not looked at in time: source {} did not answer, or too many policies were asked for at once",
                self.source.name
            ),
            Trouble::Failed(error) => chain(&error),
            Trouble::Unfit(why) => why,
        }
    }

    fn blank(&self, Candidate { policy, rows, .. }: Candidate<'_>) -> PolicyStats {
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
            rows_in_scope: None,
            scope_precision: None,
            last_run: None,
            held: None,
            remarks,
            error: None,
        }
    }

    /// Fits a policy to its tables and has the planner say what it expects, which takes next to no time.
    async fn fit(&mut self, candidate: Candidate<'_>, until: Instant) -> Result<Fitted, Trouble> {
        let Candidate { position, rows, .. } = candidate;
        let at = Instants::new(self.now, rows.cutoff(self.now));
        let asked =
            ResolveInput { source: self.source, policy: rows, params: Some(self.params), settings: self.settings };
        let target = match self.ask(until, async |session| Target::load(session, asked).await).await? {
            None => return Err(Trouble::Late),
            Some(Ok(target)) => target,
            Some(Err(misfits)) => {
                let misfits: Vec<_> = misfits.iter().map(ToString::to_string).collect();
                return Err(Trouble::Unfit(misfits.join("; ")));
            }
        };
        let mut stats = self.blank(candidate);
        (stats.rows_eligible, stats.precision) = self.expect(&target, at, Counted::Eligible, until).await?.unzip();
        (stats.rows_protected, stats.protected_precision) = match target.can_be_kept() {
            true => self.expect(&target, at, Counted::Kept, until).await?.unzip(),
            false => (Some(0), Some(Precision::Exact)),
        };
        // Whoever has no answer to the first question in time has none to a wider one.
        if stats.rows_eligible.is_some() {
            let expected = self.expect(&target, at, Counted::InScope, until).await?;
            (stats.rows_in_scope, stats.scope_precision) = expected.unzip();
        }
        Ok(Fitted { position, target, at, stats })
    }

    /// Number of rows that the planner expects; nobody waits for it where somebody has locked the table.
    async fn expect(
        &mut self,
        target: &Target,
        at: Instants,
        counted: Counted,
        until: Instant,
    ) -> Result<Option<(u64, Precision)>, Trouble> {
        let expected = async |session: &mut Session| target.estimate(session, at, counted).await;
        let soon = until.min(Instant::now() + PLANNING);
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
        match self.ask(part(0.4), async |session| target.oldest(session, at).await).await? {
            Some(Some(oldest)) => {
                let secs = |from: Timestamp| u64::try_from(self.now.duration_since(from).as_secs()).unwrap_or(0);
                stats.overdue_secs = Some(secs(oldest.eligible_since));
                stats.oldest = Some(OldestRow { age_secs: secs(oldest.at), at: oldest.at, value: oldest.value });
            }
            Some(None) => {}
            None => stats.remarks.push("the oldest eligible row was not found in time".to_owned()),
        }
        let now = self.now;
        if let Some(Some(sample)) = self.ask(part(0.2), async |session| target.sample_ages(session, now).await).await? {
            stats.remarks.extend(sample.trouble().or_else(|| sample.doubt()));
        }
        let share = if target.can_be_kept() { 0.6 } else { 1.0 };
        let estimate = stats.rows_eligible;
        if let Some(counted) = better(self.count(target, at, Counted::Eligible, part(share)).await?, estimate) {
            (stats.rows_eligible, stats.precision) = Some(counted).unzip();
        }
        if target.can_be_kept()
            && let Some(counted) = better(self.count(target, at, Counted::Kept, part(1.0)).await?, stats.rows_protected)
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
        let steps = match (target.engine.is_file(), counted) {
            (true, Counted::InScope) => &STEPS_IN_SCOPE[..],
            (true, Counted::Eligible | Counted::Kept) => &STEPS,
            (false, _) => &[None],
        };
        let mut at_least = None;
        for &limit in steps {
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
        if Instant::now() >= until {
            return Ok(None);
        }
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match connect(self.source, until).await {
                Some(opened) => opened.map_err(Trouble::Failed)?,
                None => return Ok(None),
            },
        };
        let canceller = session.canceller();
        let ended = within(until, session.engine(), &canceller, question(&mut session)).await;
        if !matches!(ended, Waited::Abandoned) && session.is_open() {
            self.session = Some(session);
        }
        match ended {
            Waited::InTime(answer) => Ok(Some(answer)),
            // Abandoned, the statement may still go on: the connection is of no more use.
            Waited::Late | Waited::Abandoned => Ok(None),
            Waited::Failed(error) => Err(Trouble::Failed(error)),
        }
    }
}

/// The number that was counted, unless it stopped before the number that is to be expected.
fn better(counted: Option<(u64, Precision)>, estimate: Option<u64>) -> Option<(u64, Precision)> {
    counted
        .filter(|(rows, precision)| *precision == Precision::Exact || estimate.is_none_or(|estimate| *rows > estimate))
}

/// Remark on a policy for which there is not even an estimate.
fn uncounted(stats: &PolicyStats) -> Option<String> {
    let policy = &stats.policy;
    stats.rows_eligible.is_none().then(|| {
        format!("its rows could not be counted in time; `retaind plan {policy}` counts them, however long it takes")
    })
}
