//! One policy of rows, from its lease to its result: recover, gather, guard, delete.

use super::deleter::{Deleter, Memory};
use super::ended::RowsEnd;
use super::facts::{Facts, GatherError, gather, gather_judging};
use super::pacing::Pacing;
use super::presence::{Look, Presence};
use super::table_turns::{claim, take_turn};
use crate::decide::blocked::Blocked;
use crate::decide::guards::Judged;
use crate::decide::pace::Pacer;
use crate::ledger::{Lease, Ledger, LedgerError};
use crate::outcome::{PendingChoice, RunMode};
use crate::policy::{Mode, RowsPolicy};
use crate::run::account::Account;
use crate::run::outcome::Outcome;
use crate::run::plan_state::{Foreseen, GoneFiles};
use crate::run::policy_run::PolicyRun;
use crate::run::recovery::Recovery;
use crate::run::sessions::Sessions;
use crate::sources::{ErrorKind, Instants, TREE_ROWS_AT_ONCE};
use crate::text::chain;

impl PolicyRun<'_> {
    /// Runs the policy, or looks at what it would do.
    pub(in crate::run) async fn run_rows(
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
            Some(held) => Outcome::blocked(Account::default(), Blocked::Held(held.clone())),
            None => self.as_held(self.enforce(rows, at, sessions, ledger).await),
        };
        let Some(held) = outcome.held() else { return outcome };
        // Nothing went: what would go is counted as a plan counts it.
        let mut foreseen = Foreseen::new(&[std::sync::Arc::new(self.policy.clone())]);
        let seen = self.look(rows, at, sessions, &mut foreseen, Some(held)).await;
        Outcome { guards: if outcome.guards.is_empty() { seen.guards } else { outcome.guards }, ..seen }
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

    /// Settles first what is pending of earlier runs. Its sums belong to those runs; its failures are shown here, too.
    async fn recover(&self, ledger: &Ledger) -> Result<Account, LedgerError> {
        let mut recovery = Recovery::default();
        let cancel = self.stop.token().clone();
        let recovered = self
            .runner
            .recover_policy(ledger, (&self.policy.name, &PendingChoice::All), &cancel, &mut recovery)
            .await?;
        let mut account = Account::default();
        if recovery.batches_settled > 0 {
            account.notes.push(format!(
                "{} batches that an earlier run left pending were resolved first: {} files deleted",
                recovery.batches_settled, recovery.files_deleted
            ));
        }
        account.failure_kinds = recovered.failure_kinds;
        account.failures = recovered.failures;
        for why in recovery.kept {
            let reason = Some(why.why.code().to_owned());
            account.keep(None, None, reason, format!("files of an earlier run are still pending: {why}"));
        }
        Ok(account)
    }

    /// Tries whether something can be moved into the trash of each store in which something would be; why not.
    async fn try_trash(&self, facts: &Facts, look: &Look) -> Option<Blocked> {
        for referenced in facts.referenced_stores.iter().filter(|referenced| referenced.store.trash.is_some()) {
            if look.removes_in.contains(&referenced.store.name)
                && let Err(why) = referenced.open.try_trash().await
            {
                return Some(Blocked::Unremovable { store: referenced.store.name.clone(), why });
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
        sessions.heed(Some(self.stop.token()));
        let mut facts = match gather(self.question(rows, at, &[]), sessions).await {
            Ok(facts) => facts.by_order(),
            Err(error) => return self.refused(account, error),
        };
        self.reporter.expect(facts.eligible.map(|eligible| rows.in_a_run(eligible)));
        let nothing = GoneFiles::default();
        let mut judged = self.judge(rows, &facts, sessions, (&[], &nothing)).await;
        if let Err(RowsEnd::Source(error)) = judged {
            if error.kind != ErrorKind::Other || !facts.unjudged.is_empty() {
                return self.ended(account, RowsEnd::Source(error));
            }
            // Perhaps the operator's SQL failed on a row that was read only now.
            facts = match gather_judging(self.question(rows, at, &[]), sessions, error).await {
                Ok(facts) => facts.by_order(),
                Err(error) => return self.refused(account, error),
            };
            judged = self.judge(rows, &facts, sessions, (&[], &nothing)).await;
        }
        let (Judged { mut readings, blocked }, look) = match judged {
            Ok(judged) => judged,
            Err(ended) => return self.ended(account, ended),
        };
        if blocked.is_none() {
            match self.grown_rows(rows, &facts, sessions).await {
                Ok(None) => {}
                Ok(Some(held)) => {
                    return Outcome { guards: readings, ..Outcome::blocked(account, Blocked::Held(held)) };
                }
                Err(ended) => return self.ended(account, ended),
            }
        }
        let blocked = match blocked {
            Some(by) => Some(by),
            None => self.try_trash(&facts, &look).await,
        };
        if let Some(by) = blocked {
            return Outcome { guards: readings, ..Outcome::blocked(account, by) };
        }
        if let Some(source) = self.runner.settings.source(&rows.source)
            && let Err(error) = claim(source, &facts.target.node.table, sessions, self.stop).await
        {
            let outcome = match error.kind {
                _ if self.stop.is_set() => Outcome::cancelled(account),
                ErrorKind::InUse => Outcome::blocked(account, Blocked::InUse { why: chain(&error) }),
                _ => Outcome::failed(account, [chain(&error)]),
            };
            return Outcome { guards: readings, ..outcome };
        }
        let mut account = account;
        facts.report_unjudged(&mut account);
        let (account, ended) = match self
            .delete_by(rows, sessions, (ledger, lease), &facts, account, look.presence.anew())
            .await
        {
            (account, Err(RowsEnd::Source(error))) if facts.unjudged.is_empty() && error.kind == ErrorKind::Other => {
                // Perhaps the operator's SQL failed on a row that was read only now.
                sessions.heed(Some(self.stop.token()));
                match gather_judging(self.question(rows, at, &[]), sessions, error).await {
                    Ok(found) => {
                        let found = found.by_order();
                        let mut account = account;
                        // Counted anew with what is left.
                        account.tally.rows_protected = account.tally.rows_protected.saturating_sub(facts.kept);
                        found.report_unjudged(&mut account);
                        self.delete_by(rows, sessions, (ledger, lease), &found, account, Presence::default()).await
                    }
                    Err(GatherError::Source(error)) => (account, Err(RowsEnd::Source(error))),
                    Err(error) => return Outcome { guards: readings, ..self.refused(account, error) },
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

    /// Speed that the policy, or else its source, asks for.
    fn pacer(&self, rows: &RowsPolicy, facts: &Facts) -> Pacer {
        let of_source = self.runner.settings.source(&rows.source).map(|source| source.pace.clone());
        let most = rows.batch.get();
        let most = if facts.target.is_tree() { most.min(TREE_ROWS_AT_ONCE) } else { most };
        Pacer::new(rows.pace.over(&of_source.unwrap_or_default()), most)
    }

    async fn delete_by(
        &self,
        rows: &RowsPolicy,
        sessions: &mut Sessions,
        (ledger, lease): (&Ledger, &Lease),
        facts: &Facts,
        account: Account,
        presence: Presence,
    ) -> (Account, Result<(), RowsEnd>) {
        // From here on a statement may be one that decides over files whose rows are gone.
        sessions.heed(None);
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
            memory: Memory::after(presence),
            pacing: Pacing::new(self.pacer(rows, facts)),
            snapshot: None,
        };
        let ended = deleter.delete().await;
        (deleter.account, ended)
    }
}
