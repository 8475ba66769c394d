//! One policy of a run, from its lease to its result.

use jiff::Timestamp;

use super::account::Account;
use super::delete::{Deleter, Ended, Pace};
use super::foreseen::{Foreseen, GoneFiles};
use super::gather::{Facts, GatherError, Question, gather, gather_judging};
use super::guard::{self, Counts, Judged};
use super::identity;
use super::plan::{Lister, Planned, Planner};
use super::presence::{self, Look, Presence};
use super::sessions::Sessions;
use super::stop::Stop;
use super::trees::Tree;
use super::turns::{claim, take_turn};
use super::{Fate, Recovery, Reporter, Request, Runner, millis_between};
use crate::ledger::{GuardReading, Lease, LeaseOutcome, Ledger, LedgerError, PolicyResult, RunMode, Status};
use crate::policy::{Mode, Policy, PolicyKind, RowsPolicy};
use crate::sources::{ErrorKind, Gone, Instants};
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
    /// The policies of the run that came before.
    pub(super) earlier: &'a [PolicyResult],
}

/// How it ended, with what it read on the way.
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) account: Account,
    pub(super) guards: Vec<GuardReading>,
    pub(super) blocked_by: Option<String>,
}

impl Outcome {
    pub(super) fn new(account: Account) -> Self {
        let status = if account.failure_count > 0 { Status::CompletedWithErrors } else { Status::Completed };
        Self { status, account, guards: Vec::new(), blocked_by: None }
    }

    pub(super) fn failed(mut account: Account, errors: impl IntoIterator<Item = String>) -> Self {
        errors.into_iter().for_each(|error| account.fail(None, None, error));
        Self { status: Status::Failed, ..Self::new(account) }
    }

    pub(super) fn blocked(account: Account, by: String) -> Self {
        Self { status: Status::Blocked, blocked_by: Some(by), ..Self::new(account) }
    }

    pub(super) fn cancelled(account: Account) -> Self {
        Self { status: Status::Cancelled, ..Self::new(account) }
    }

    /// Gives the policy back; that this failed is told with the rest.
    pub(super) async fn release(mut self, ledger: &Ledger, lease: Lease) -> Self {
        if let Err(error) = ledger.release(lease).await {
            self.account.fail(None, None, chain(&error));
        }
        self
    }
}

impl PolicyRun<'_> {
    /// Runs the policy to its end, whatever that is.
    pub(super) async fn execute(&self, sessions: &mut Sessions, foreseen: &mut Foreseen) -> PolicyResult {
        let began_at = self.runner.clock.now();
        let at = Instants { now: self.now, cutoff: self.policy.kind.cutoff(self.now) };
        let outcome = match (self.stop.is_set(), &self.policy.kind) {
            (true, _) => Outcome::cancelled(Account::default()),
            (false, PolicyKind::Rows(rows)) => self.run_rows(rows, at, sessions, foreseen).await,
            (false, PolicyKind::Files(files)) => self.run_tree(Tree::Files(files), sessions, foreseen).await,
            (false, PolicyKind::Orphans(orphans)) => self.run_tree(Tree::Orphans(orphans), sessions, foreseen).await,
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
            missing: outcome.account.missing,
            outside: outcome.account.outside,
            alike: outcome.account.alike,
            blocked_by: outcome.blocked_by,
            guards: outcome.guards,
            sample: outcome.account.sample,
            errors: outcome.account.failures,
            error_count: outcome.account.failure_count,
            notes: outcome.account.notes,
        }
        .cut()
    }

    async fn run_rows(
        &self,
        rows: &RowsPolicy,
        at: Instants,
        sessions: &mut Sessions,
        foreseen: &mut Foreseen,
    ) -> Outcome {
        match (self.mode, &self.runner.ledger) {
            (RunMode::Enforce, Some(ledger)) if self.policy.mode == Mode::Enforce => {
                self.enforce(rows, at, sessions, ledger).await
            }
            (RunMode::Plan | RunMode::Report | RunMode::Enforce, _) => self.look(rows, at, sessions, foreseen).await,
        }
    }

    /// A plan, or a run that only reports.
    async fn look(&self, rows: &RowsPolicy, at: Instants, sessions: &mut Sessions, foreseen: &mut Foreseen) -> Outcome {
        let runner = self.runner;
        let question = Question { tries_sql: true, ..self.question(rows, at, &foreseen.rows) };
        let facts = match gather(question, sessions).await {
            Ok(facts) => facts,
            Err(error) => return refused(Account::default(), error),
        };
        self.reporter.expect(facts.eligible);
        let (Judged { mut readings, mut blocked_by }, look) =
            match self.judge(rows, &facts, sessions, (&foreseen.rows, &foreseen.files)).await {
                Ok(judged) => judged,
                Err(ended) => return self.ended(Account::default(), ended),
            };
        // A run that only reports tells what one that enforces would do, with the earlier policies' rows gone.
        let would_go = blocked_by.is_none() && self.policy.mode == Mode::Enforce;
        let fate = self.fate(blocked_by.as_deref());
        let planner = Planner {
            name: &self.policy.name,
            policy: rows,
            fate,
            facts: &facts,
            settings: &runner.settings,
            sessions,
            clock: &runner.clock,
            stop: self.stop,
            reporter: self.reporter,
            list: self.request.list.as_ref(),
            gone: &foreseen.rows,
            files: if would_go { foreseen.files.clone() } else { foreseen.files.apart() },
            presence: look.presence.anew(),
            waiting: Vec::new(),
            reads_long: false,
            kept: Vec::new(),
            unreadable: 0,
            account: Account::default(),
        };
        let (planned, kept, until) = match planner.plan().await {
            Ok(Planned { account, kept, ended: None }) => (Ok(account), Some(kept), None),
            Ok(Planned { account, kept, ended: Some((window, judged)) }) => {
                readings.extend(judged.readings);
                blocked_by = blocked_by.or(judged.blocked_by);
                (Ok(account), Some(kept), Some(window))
            }
            Err(error) => (Err(error), None, None),
        };
        let outcome = match (planned, blocked_by) {
            (Ok(account), _) if self.stop.is_set() => Outcome::cancelled(account),
            (Err(_), _) if self.stop.is_set() => Outcome::cancelled(Account::default()),
            (Err(error), _) => Outcome::failed(Account::default(), [chain(&error)]),
            (Ok(account), Some(by)) => Outcome::blocked(account, by),
            (Ok(account), None) => Outcome::new(account),
        };
        if let (true, Some(kept)) = (would_go, kept) {
            foreseen.rows.extend(Gone::new(facts.target.clone(), at, until, kept));
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
            run_id: self.request.run_id,
            tries_sql: false,
        }
    }

    async fn enforce(&self, rows: &RowsPolicy, at: Instants, sessions: &mut Sessions, ledger: &Ledger) -> Outcome {
        let lease = match self.lease(ledger).await {
            Ok(lease) => lease,
            Err(outcome) => return outcome,
        };
        let turn = take_turn(rows, &self.runner.settings, sessions, self.stop).await;
        let outcome = match (&turn, self.stop.is_set()) {
            (None, _) | (_, true) => Outcome::cancelled(Account::default()),
            (Some(_), false) => match self.recover(ledger).await {
                Ok(account) => self.delete(rows, at, sessions, ledger, &lease, account).await,
                Err(error) => Outcome::failed(Account::default(), [chain(&error)]),
            },
        };
        sessions.unclaim();
        drop(turn);
        outcome.release(ledger, lease).await
    }

    /// The policy, for this run alone; or how the run of it ends.
    pub(super) async fn lease(&self, ledger: &Ledger) -> Result<Lease, Outcome> {
        match ledger.acquire_lease(&self.policy.name, self.request.run_id, self.now).await {
            Ok(LeaseOutcome::Granted(lease)) => Ok(lease),
            Ok(LeaseOutcome::Held { run_id, pid, since }) => {
                let by = format!(
                    "policy {} is being run already: run {run_id}, process {pid}, since {since}",
                    self.policy.name
                );
                Err(Outcome::blocked(Account::default(), by))
            }
            Err(error) => Err(Outcome::failed(Account::default(), [chain(&error)])),
        }
    }

    /// What a run would do with what is found, or what this run does.
    pub(super) fn fate(&self, blocked_by: Option<&str>) -> Fate {
        match (blocked_by, self.mode, self.policy.mode) {
            (Some(_), _, _) => Fate::Blocked,
            (None, RunMode::Plan | RunMode::Enforce, Mode::Enforce) => Fate::Enforce,
            (None, _, _) => Fate::Report,
        }
    }

    /// What lists the files in directories, where a list is wanted.
    pub(super) fn lister(&self, mode: Fate) -> Option<Lister> {
        let list = self.request.list.clone()?;
        Some(Lister { list, policy: self.policy.name.clone(), mode })
    }

    /// What earlier runs still owe comes first. Its sums belong to those runs; its failures are shown here, too.
    async fn recover(&self, ledger: &Ledger) -> Result<Account, LedgerError> {
        let mut recovery = Recovery::default();
        let cancel = self.stop.token().clone();
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

    /// Reads the guards; of rows with files, also whether their stores are those that were adopted, whether the files are
    /// there, and whether anything can be removed.
    async fn judge(
        &self,
        rows: &RowsPolicy,
        facts: &Facts,
        sessions: &mut Sessions,
        gone: (&[Gone], &GoneFiles),
    ) -> Result<(Judged, Look), Ended> {
        let counts = Counts { skew_secs: facts.skew_secs, eligible: facts.eligible, total: facts.total };
        let mut judged = guard::judge(rows, counts);
        if self.fate(judged.blocked_by.as_deref()) == Fate::Enforce {
            judged.blocked_by = facts.refuses_changes.clone();
        }
        if let Some(timeless) = &facts.timeless {
            judged.blocked_by.get_or_insert_with(|| timeless.to_string());
        }
        if judged.blocked_by.is_none() {
            judged.blocked_by = self.held_by_clock(sessions, Some((&rows.source, facts.skew_secs))).await;
        }
        for custody in &facts.custodies {
            if judged.blocked_by.is_none() {
                let ledger = self.runner.ledger.as_ref();
                judged.blocked_by = identity::guard(&custody.open, &custody.store, ledger, false).await?;
            }
        }
        let look = Look::take(facts, sessions, self.stop, gone, Presence::after(self.earlier)).await?;
        look.judge(facts, &mut judged);
        Ok((judged, look))
    }

    /// How a policy ended that ended before its end.
    fn ended(&self, account: Account, ended: Ended) -> Outcome {
        match ended {
            Ended::Stopped => Outcome::cancelled(account),
            _ if self.stop.is_set() => Outcome::cancelled(account),
            Ended::InUse(error) if account.tally.rows_matched == 0 => Outcome::blocked(account, chain(&error)),
            Ended::Missing { why, readings } => Outcome { guards: readings, ..Outcome::blocked(account, why) },
            ended @ (Ended::Source(_)
            | Ended::Ledger(_)
            | Ended::LeaseLost
            | Ended::InUse(_)
            | Ended::NoIndex { .. }
            | Ended::TooSlow(_)
            | Ended::Hopeless(_)
            | Ended::Refused
            | Ended::Unremovable { .. }) => Outcome::failed(account, [chain(&ended)]),
        }
    }

    /// Tries whether something can be moved into the trash of each store in which something would be; why not, in words.
    async fn try_trash(&self, facts: &Facts, look: &Look) -> Option<String> {
        for custody in facts.custodies.iter().filter(|custody| custody.store.trash.is_some()) {
            if look.removes_in.contains(&custody.store.name)
                && let Err(why) = custody.open.try_trash().await
            {
                return Some(presence::unremovable(&custody.store, &why));
            }
        }
        None
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
        let mut facts = match gather(self.question(rows, at, &[]), sessions).await {
            Ok(facts) => facts.by_order(),
            Err(error) => return refused(account, error),
        };
        self.reporter.expect(facts.eligible);
        let nothing = GoneFiles::default();
        let mut judged = self.judge(rows, &facts, sessions, (&[], &nothing)).await;
        if let Err(Ended::Source(error)) = judged {
            if error.kind != ErrorKind::Other || !facts.unjudged.is_empty() {
                return self.ended(account, Ended::Source(error));
            }
            // Perhaps the operator's SQL failed on a row that was met only now.
            facts = match gather_judging(self.question(rows, at, &[]), sessions, error).await {
                Ok(facts) => facts.by_order(),
                Err(error) => return refused(account, error),
            };
            judged = self.judge(rows, &facts, sessions, (&[], &nothing)).await;
        }
        let (Judged { mut readings, blocked_by }, look) = match judged {
            Ok(judged) => judged,
            Err(ended) => return self.ended(account, ended),
        };
        let blocked_by = match blocked_by {
            Some(by) => Some(by),
            None => self.try_trash(&facts, &look).await,
        };
        if let Some(by) = blocked_by {
            return Outcome { guards: readings, ..Outcome::blocked(account, by) };
        }
        if let Some(source) = self.runner.settings.source(&rows.source)
            && let Err(error) = claim(source, &facts.target.node.table, sessions, self.stop).await
        {
            let outcome = match error.kind {
                _ if self.stop.is_set() => Outcome::cancelled(account),
                ErrorKind::InUse => Outcome::blocked(account, chain(&error)),
                _ => Outcome::failed(account, [chain(&error)]),
            };
            return Outcome { guards: readings, ..outcome };
        }
        let mut account = account;
        facts.report_unjudged(&mut account);
        let (account, ended) =
            match self.delete_by(rows, sessions, (ledger, lease), &facts, account, look.presence.anew()).await {
                (account, Err(Ended::Source(error))) if facts.unjudged.is_empty() && error.kind == ErrorKind::Other => {
                    // Perhaps the operator's SQL failed on a row that was met only now.
                    match gather_judging(self.question(rows, at, &[]), sessions, error).await {
                        Ok(found) => {
                            let found = found.by_order();
                            let mut account = account;
                            // Counted anew with what is left.
                            account.tally.rows_protected = account.tally.rows_protected.saturating_sub(facts.kept);
                            found.report_unjudged(&mut account);
                            self.delete_by(rows, sessions, (ledger, lease), &found, account, Presence::default()).await
                        }
                        Err(GatherError::Source(error)) => (account, Err(Ended::Source(error))),
                        Err(error) => return Outcome { guards: readings, ..refused(account, error) },
                    }
                }
                ended => ended,
            };
        let outcome = match ended {
            Ok(()) => Outcome::new(account),
            Err(ended) => self.ended(account, ended),
        };
        readings.extend(outcome.guards);
        Outcome { guards: readings, ..outcome }
    }

    async fn delete_by(
        &self,
        rows: &RowsPolicy,
        sessions: &mut Sessions,
        (ledger, lease): (&Ledger, &Lease),
        facts: &Facts,
        account: Account,
        presence: Presence,
    ) -> (Account, Result<(), Ended>) {
        let mut deleter = Deleter {
            runner: self.runner,
            ledger,
            lease,
            run_id: self.request.run_id,
            name: &self.policy.name,
            policy: rows,
            facts,
            sessions,
            stop: self.stop,
            reporter: self.reporter,
            account,
            pace: Pace::after(presence),
        };
        let ended = deleter.delete().await;
        (deleter.account, ended)
    }
}

/// Facts that could not be had: a store that cannot be opened blocks (its disk may be missing); all else fails.
fn refused(account: Account, error: GatherError) -> Outcome {
    match error {
        GatherError::Unfit(misfits) => Outcome::failed(account, misfits.iter().map(ToString::to_string)),
        GatherError::Custody(error) => Outcome::blocked(account, chain(&error)),
        GatherError::Source(_) | GatherError::Mismatch { .. } | GatherError::Unknown { .. } => {
            Outcome::failed(account, [chain(&error)])
        }
    }
}
