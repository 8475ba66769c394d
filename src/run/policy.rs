//! One policy of a run, from its lease to its result.

use jiff::Timestamp;

use super::account::Account;
use super::delete::{Deleter, Ended, Pace};
use super::foreseen::Foreseen;
use super::gather::{Facts, GatherError, Question, gather};
use super::guard::{self, Counts, Judged};
use super::plan::Planner;
use super::sessions::Sessions;
use super::stop::Stop;
use super::{Fate, Recovery, Reporter, Request, Runner, millis_between};
use crate::ledger::{GuardReading, Lease, LeaseOutcome, Ledger, LedgerError, PolicyResult, RunMode, Status};
use crate::policy::{Mode, Policy, PolicyKind, RowsPolicy};
use crate::sources::{Gone, Instants};
use crate::telemetry::chain;

/// One policy of a run.
pub(super) struct PolicyRun<'a> {
    pub(super) runner: &'a Runner,
    pub(super) request: &'a Request,
    pub(super) policy: &'a Policy,
    pub(super) mode: RunMode,
    pub(super) now: Timestamp,
    pub(super) stop: &'a Stop,
    pub(super) reporter: &'a Reporter,
}

/// How it ended, with what it read on the way.
struct Outcome {
    status: Status,
    account: Account,
    guards: Vec<GuardReading>,
    blocked_by: Option<String>,
}

impl Outcome {
    fn new(account: Account) -> Self {
        let status = if account.failure_count > 0 { Status::CompletedWithErrors } else { Status::Completed };
        Self { status, account, guards: Vec::new(), blocked_by: None }
    }

    fn failed(mut account: Account, errors: impl IntoIterator<Item = String>) -> Self {
        errors.into_iter().for_each(|error| account.fail(None, None, error));
        Self { status: Status::Failed, ..Self::new(account) }
    }

    fn blocked(account: Account, by: String) -> Self {
        Self { status: Status::Blocked, blocked_by: Some(by), ..Self::new(account) }
    }

    fn cancelled(account: Account) -> Self {
        Self { status: Status::Cancelled, ..Self::new(account) }
    }
}

impl PolicyRun<'_> {
    /// Runs the policy to its end, whatever that is.
    pub(super) async fn execute(&self, sessions: &mut Sessions, foreseen: &mut Foreseen) -> PolicyResult {
        let began_at = self.runner.clock.now();
        let PolicyKind::Rows(rows) = &self.policy.kind;
        let at = Instants { now: self.now, cutoff: rows.cutoff(self.now) };
        let outcome = match (self.stop.is_set(), self.mode, &self.runner.ledger) {
            (true, _, _) => Outcome::cancelled(Account::default()),
            (false, RunMode::Enforce, Some(ledger)) if self.policy.mode == Mode::Enforce => {
                self.enforce(rows, at, sessions, ledger).await
            }
            (false, _, _) => self.look(rows, at, sessions, foreseen).await,
        };
        PolicyResult {
            policy: self.policy.name.clone(),
            kind: self.policy.kind.word().to_owned(),
            mode: if self.policy.mode == Mode::Report { RunMode::Report } else { self.mode },
            status: outcome.status,
            cutoff: at.cutoff,
            duration_ms: millis_between(began_at, self.runner.clock.now()),
            tally: outcome.account.tally,
            details: outcome.account.details,
            blocked_by: outcome.blocked_by,
            guards: outcome.guards,
            sample: outcome.account.sample,
            errors: outcome.account.failures,
            error_count: outcome.account.failure_count,
            notes: outcome.account.notes,
        }
    }

    /// A plan, or a run that only reports.
    async fn look(&self, rows: &RowsPolicy, at: Instants, sessions: &mut Sessions, foreseen: &mut Foreseen) -> Outcome {
        let runner = self.runner;
        let facts = match gather(self.question(rows, at, &foreseen.rows), sessions).await {
            Ok(facts) => facts,
            Err(error) => return refused(Account::default(), error),
        };
        self.reporter.expect(facts.eligible);
        let Judged { readings, blocked_by } = judge(rows, &facts);
        // A run that only reports tells what one that enforces would do, with the earlier policies' rows gone.
        let would_go = blocked_by.is_none() && self.policy.mode == Mode::Enforce;
        let fate = match (&blocked_by, self.mode, self.policy.mode) {
            (Some(_), _, _) => Fate::Blocked,
            (None, RunMode::Plan, Mode::Enforce) => Fate::Enforce,
            (None, _, _) => Fate::Report,
        };
        let planner = Planner {
            name: &self.policy.name,
            policy: rows,
            fate,
            facts: &facts,
            sessions,
            clock: &runner.clock,
            stop: self.stop,
            reporter: self.reporter,
            list: self.request.list.as_ref(),
            gone: &foreseen.rows,
            files: if would_go { foreseen.files.clone() } else { foreseen.files.apart() },
            kept: Vec::new(),
            account: Account::default(),
        };
        let planned = planner.plan().await;
        let (planned, kept) = match planned {
            Ok((account, kept)) => (Ok(account), Some(kept)),
            Err(error) => (Err(error), None),
        };
        let outcome = match (planned, blocked_by) {
            (Ok(account), _) if self.stop.is_set() => Outcome::cancelled(account),
            (Err(_), _) if self.stop.is_set() => Outcome::cancelled(Account::default()),
            (Err(error), _) => Outcome::failed(Account::default(), [chain(&error)]),
            (Ok(account), Some(by)) => Outcome::blocked(account, by),
            (Ok(account), None) => Outcome::new(account),
        };
        if let (true, Some(kept)) = (would_go, kept) {
            foreseen.rows.extend(Gone::new(facts.target.clone(), at, None, kept));
        }
        Outcome { guards: readings, ..outcome }
    }

    fn question<'q>(&'q self, policy: &'q RowsPolicy, at: Instants, gone: &'q [Gone]) -> Question<'q> {
        Question {
            settings: &self.runner.settings,
            clock: &self.runner.clock,
            policy,
            params: &self.request.params,
            at,
            count: self.request.count_first,
            gone,
        }
    }

    async fn enforce(&self, rows: &RowsPolicy, at: Instants, sessions: &mut Sessions, ledger: &Ledger) -> Outcome {
        let lease = match ledger.acquire_lease(&self.policy.name, self.request.run_id, self.now).await {
            Ok(LeaseOutcome::Granted(lease)) => lease,
            Ok(LeaseOutcome::Held { run_id, pid, since }) => {
                let by = format!(
                    "policy {} is being run already: run {run_id}, process {pid}, since {since}",
                    self.policy.name
                );
                return Outcome::blocked(Account::default(), by);
            }
            Err(error) => return Outcome::failed(Account::default(), [chain(&error)]),
        };
        let mut outcome = match self.recover(ledger).await {
            Ok(account) => self.delete(rows, at, sessions, ledger, &lease, account).await,
            Err(error) => Outcome::failed(Account::default(), [chain(&error)]),
        };
        if let Err(error) = ledger.release(lease).await {
            outcome.account.fail(None, None, chain(&error));
        }
        outcome
    }

    /// What earlier runs still owe comes first. Its sums belong to those runs; its failures are shown here, too.
    async fn recover(&self, ledger: &Ledger) -> Result<Account, LedgerError> {
        let mut recovery = Recovery::default();
        let cancel = self.request.cancel.clone();
        let recovered = self.runner.recover_policy(ledger, &self.policy.name, &cancel, &mut recovery).await?;
        let mut account = Account::default();
        if recovery.batches_settled > 0 {
            account.notes.push(format!(
                "{} batches that an earlier run left owing were settled first: {} files deleted",
                recovery.batches_settled, recovery.files_deleted
            ));
        }
        account.failure_count = recovered.failure_count;
        account.failures = recovered.failures;
        for why in recovery.kept {
            account.fail(None, None, format!("files of an earlier run are still owed: {why}"));
        }
        Ok(account)
    }

    async fn delete(
        &self,
        rows: &RowsPolicy,
        at: Instants,
        sessions: &mut Sessions,
        ledger: &Ledger,
        lease: &Lease,
        account: Account,
    ) -> Outcome {
        let runner = self.runner;
        let facts = match gather(self.question(rows, at, &[]), sessions).await {
            Ok(facts) => facts,
            Err(error) => return refused(account, error),
        };
        self.reporter.expect(facts.eligible);
        let Judged { readings, blocked_by } = judge(rows, &facts);
        if let Some(by) = blocked_by {
            return Outcome { guards: readings, ..Outcome::blocked(account, by) };
        }
        let mut deleter = Deleter {
            runner,
            ledger,
            lease,
            run_id: self.request.run_id,
            name: &self.policy.name,
            policy: rows,
            facts: &facts,
            sessions,
            stop: self.stop,
            reporter: self.reporter,
            account,
            pace: Pace::default(),
        };
        let ended = deleter.delete().await;
        let account = deleter.account;
        let outcome = match ended {
            Ok(()) => Outcome::new(account),
            Err(Ended::Stopped) => Outcome::cancelled(account),
            Err(_) if self.stop.is_set() => Outcome::cancelled(account),
            Err(ended) => Outcome::failed(account, [chain(&ended)]),
        };
        Outcome { guards: readings, ..outcome }
    }
}

fn judge(rows: &RowsPolicy, facts: &Facts) -> Judged {
    guard::judge(rows, Counts { skew_secs: facts.skew_secs, eligible: facts.eligible, total: facts.total })
}

/// Facts that could not be had: a store that cannot be opened blocks (its disk may be missing); all else fails.
fn refused(account: Account, error: GatherError) -> Outcome {
    match error {
        GatherError::Unfit(misfits) => Outcome::failed(account, misfits.iter().map(ToString::to_string)),
        GatherError::Custody(error) => Outcome::blocked(account, chain(&error)),
        GatherError::Source(_) | GatherError::Unknown { .. } => Outcome::failed(account, [chain(&error)]),
    }
}
