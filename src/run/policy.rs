//! One policy of a run, from its lease to its result.

use jiff::Timestamp;

use super::account::Account;
use super::files::Tree;
use super::guard::{self, Counts, Judged};
use super::outcome::Outcome;
use super::plan_state::{Foreseen, GoneFiles};
use super::rows::delete::{Deleter, Ended, Pace};
use super::rows::facts::{Facts, GatherError, Question, gather, gather_judging};
use super::rows::plan::Lister;
use super::rows::presence;
use super::rows::presence::{Look, Presence};
use super::sessions::Sessions;
use super::stop::Stop;
use super::store_identity;
use super::table_turns::{claim, take_turn};
use super::{Fate, Recovery, Reporter, Request, Runner, Standing, millis_between};
use crate::ledger::{Lease, LeaseOutcome, Ledger, LedgerError, PolicyResult, RunMode, Unused};
use crate::policy::{Mode, Policy, PolicyKind, RowsPolicy};
use crate::sources::{ErrorKind, Gone, Instants};
use crate::telemetry::chain;

/// One policy of a run.
#[derive(Clone, Copy)]
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
    /// What was agreed to about it; none where nothing can be deleted.
    pub(super) standing: Option<&'a Standing>,
    /// The approval that takes the place of guards on how much may go.
    pub(super) lift: Option<Unused>,
}

impl<'a> PolicyRun<'a> {
    /// A run of the policy under the guards that were agreed to.
    pub(super) fn new(
        runner: &'a Runner,
        request: &'a Request,
        (policy, standing): (&'a Policy, Option<&'a Standing>),
        mode: RunMode,
        (now, stop): (Timestamp, &'a Stop),
        (reporter, earlier): (&'a Reporter, &'a [PolicyResult]),
    ) -> Self {
        let guarded = standing.and_then(|standing| standing.guarded.as_ref());
        let policy = guarded.map_or(policy, |guarded| &guarded.policy);
        Self { runner, request, policy, mode, now, stop, reporter, earlier, standing, lift: None }
    }
}

impl PolicyRun<'_> {
    /// Runs the policy to its end, whatever that is.
    pub(super) async fn execute(&self, sessions: &mut Sessions, foreseen: &mut Foreseen) -> PolicyResult {
        let began_at = self.runner.clock.now();
        let at = Instants::new(self.now, self.policy.kind.cutoff(self.now));
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
            cutoff: outcome.as_of.map_or(at.cutoff, |as_of| self.policy.kind.cutoff(as_of)),
            duration_ms: millis_between(began_at, self.runner.clock.now()),
            tally: outcome.account.tally,
            details: outcome.account.details,
            missing: outcome.account.missing,
            outside: outcome.account.outside,
            alike: outcome.account.alike,
            blocked_by: outcome.blocked_by,
            held: outcome.held,
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
        let ledger = match (self.mode, &self.runner.ledger) {
            (RunMode::Enforce, Some(ledger)) if self.policy.mode == Mode::Enforce => ledger,
            _ => {
                let outcome = self.look(rows, at, sessions, foreseen, self.held()).await;
                return self.as_held(outcome);
            }
        };
        let outcome = match self.held() {
            Some(held) => Outcome::held(Account::default(), held.clone()),
            None => self.as_held(self.enforce(rows, at, sessions, ledger).await),
        };
        let Some(held) = &outcome.held else { return outcome };
        // Nothing went: what would go is counted as a plan counts it.
        let mut foreseen = Foreseen::new(&[std::sync::Arc::new(self.policy.clone())]);
        let seen = self.look(rows, at, sessions, &mut foreseen, Some(held)).await;
        Outcome { guards: if outcome.guards.is_empty() { seen.guards } else { outcome.guards }, ..seen }
    }

    pub(super) fn question<'q>(&'q self, policy: &'q RowsPolicy, at: Instants, gone: &'q [Gone]) -> Question<'q> {
        Question {
            settings: &self.runner.settings,
            clock: &self.runner.clock,
            policy,
            params: &self.request.params,
            at,
            count: self.request.count_first || self.lift.is_some(),
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
                Ok(account) => self.delete_as_agreed(rows, at, sessions, (ledger, &lease), account).await,
                Err(error) => Outcome::failed(Account::default(), [chain(&error)]),
            },
        };
        sessions.unclaim();
        drop(turn);
        outcome.release(ledger, lease).await
    }

    /// Deletes; where a guard on how much may go says no, and somebody has approved what was shown, deletes that.
    async fn delete_as_agreed(
        &self,
        rows: &RowsPolicy,
        at: Instants,
        sessions: &mut Sessions,
        (ledger, lease): (&Ledger, &Lease),
        account: Account,
    ) -> Outcome {
        let outcome = self.delete(rows, at, sessions, ledger, lease, account.clone()).await;
        let Some(approved) = self.as_approved(&outcome) else { return outcome };
        let at = Instants::new(approved.now, self.policy.kind.cutoff(approved.now));
        let again = Box::pin(approved.delete(rows, at, sessions, ledger, lease, account)).await;
        approved.instead(outcome, again)
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
    pub(super) async fn judge(
        &self,
        rows: &RowsPolicy,
        facts: &Facts,
        sessions: &mut Sessions,
        gone: (&[Gone], &GoneFiles),
    ) -> Result<(Judged, Look), Ended> {
        let counts = Counts { skew_secs: facts.skew_secs, eligible: facts.eligible, total: facts.total };
        let mut judged = guard::judge(rows, counts, self.lift);
        if self.fate(judged.blocked_by.as_deref()) == Fate::Enforce {
            judged.blocked_by = facts.refuses_changes.clone();
        }
        if let Some(timeless) = &facts.timeless {
            judged.blocked_by.get_or_insert_with(|| timeless.to_string());
        }
        if judged.blocked_by.is_none()
            && let Some(doubt) = self.held_by_clock(sessions, Some((&rows.source, facts.skew_secs))).await
        {
            (judged.blocked_by, judged.held) = (Some(doubt.blocked_by), doubt.held);
        }
        for custody in &facts.custodies {
            if judged.blocked_by.is_none() {
                let ledger = self.runner.ledger.as_ref();
                judged.blocked_by = store_identity::guard(&custody.open, &custody.store, ledger, false).await?;
            }
        }
        let look = Look::take(facts, sessions, self.stop, gone, Presence::after(self.earlier)).await?;
        look.judge(facts, &mut judged);
        Ok((judged, look))
    }

    /// How a policy ended that ended before its end.
    pub(super) fn ended(&self, account: Account, ended: Ended) -> Outcome {
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
        let (Judged { mut readings, blocked_by, held, by_amount }, look) = match judged {
            Ok(judged) => judged,
            Err(ended) => return self.ended(account, ended),
        };
        if blocked_by.is_none() {
            match self.grown_rows(&facts, sessions).await {
                Ok(None) => {}
                Ok(Some(held)) => {
                    return Outcome { guards: readings, by_amount: true, ..Outcome::held(account, held) };
                }
                Err(ended) => return self.ended(account, ended),
            }
        }
        let blocked_by = match blocked_by {
            Some(by) => Some(by),
            None => self.try_trash(&facts, &look).await,
        };
        if let Some(by) = blocked_by {
            return Outcome { guards: readings, held, by_amount, ..Outcome::blocked(account, by) };
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
pub(super) fn refused(account: Account, error: GatherError) -> Outcome {
    match error {
        GatherError::Unfit(misfits) => Outcome::failed(account, misfits.iter().map(ToString::to_string)),
        GatherError::Custody(error) => Outcome::blocked(account, chain(&error)),
        GatherError::Source(_) | GatherError::Mismatch { .. } | GatherError::Unknown { .. } => {
            Outcome::failed(account, [chain(&error)])
        }
    }
}
