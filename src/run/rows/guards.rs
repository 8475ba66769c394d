//! Guards of a policy of rows, and how one ends that cannot go on.

use super::ended::RowsEnd;
use super::facts::{Facts, GatherError, Question};
use super::presence::{Look, Presence};
use crate::decide::blocked::Blocked;
use crate::decide::guards::{self, Counts, Judged};
use crate::policy::RowsPolicy;
use crate::run::account::Account;
use crate::run::outcome::Outcome;
use crate::run::plan_state::GoneFiles;
use crate::run::policy_run::PolicyRun;
use crate::run::request::Fate;
use crate::run::sessions::Sessions;
use crate::run::store_identity;
use crate::sources::{Gone, Instants};
use crate::text::chain;

impl PolicyRun<'_> {
    /// The question for the facts of the policy.
    pub(in crate::run) fn question<'q>(
        &'q self,
        policy: &'q RowsPolicy,
        at: Instants,
        gone: &'q [Gone],
    ) -> Question<'q> {
        Question {
            settings: &self.runner.settings,
            clock: &self.runner.clock,
            policy,
            params: &self.request.params,
            at,
            count: self.request.count_first || self.looked.is_some(),
            gone,
            run_id: self.request.run_id,
            tries_sql: false,
        }
    }

    /// Reads the guards; of rows with files, also whether their stores are those that were adopted, whether the files are
    /// there, and whether anything can be removed.
    pub(in crate::run) async fn judge(
        &self,
        rows: &RowsPolicy,
        facts: &Facts,
        sessions: &mut Sessions,
        gone: (&[Gone], &GoneFiles),
    ) -> Result<(Judged, Look), RowsEnd> {
        let counts = Counts { skew_secs: facts.skew_secs, eligible: facts.eligible, total: facts.total };
        let mut judged = guards::judge(rows, counts, self.looked);
        if self.fate(judged.blocked.as_ref()) == Fate::Enforce {
            judged.blocked = facts.refuses_changes.clone().map(Blocked::ReadOnlySource);
        }
        if let Some(timeless) = &facts.timeless {
            judged.blocked.get_or_insert_with(|| Blocked::TimeIndependent(timeless.clone()));
        }
        if judged.blocked.is_none()
            && let Some(doubt) = self.held_by_clock(sessions, Some((&rows.source, facts.skew_secs))).await
        {
            judged.blocked = Some(doubt);
        }
        for referenced in &facts.referenced_stores {
            if judged.blocked.is_none() {
                let ledger = self.runner.ledger.as_ref();
                let doubt = store_identity::guard(&referenced.open, &referenced.store, ledger, false).await?;
                judged.blocked = doubt.map(Blocked::Store);
            }
        }
        let look = Look::take(facts, sessions, self.stop, gone, Presence::after(self.earlier)).await?;
        look.judge(facts, &mut judged);
        Ok((judged, look))
    }

    /// Outcome of a policy that ended before its end.
    pub(in crate::run) fn ended(&self, account: Account, ended: RowsEnd) -> Outcome {
        match ended {
            RowsEnd::Stopped => Outcome::cancelled(account),
            _ if self.stop.is_set() => Outcome::cancelled(account),
            RowsEnd::InUse(error) if account.tally.rows_matched == 0 => {
                Outcome::blocked(account, Blocked::InUse { why: chain(&error) })
            }
            RowsEnd::Missing { why, readings } => Outcome { guards: readings, ..Outcome::blocked(account, *why) },
            ended @ (RowsEnd::Source(_)
            | RowsEnd::Ledger(_)
            | RowsEnd::LeaseLost
            | RowsEnd::InUse(_)
            | RowsEnd::NoIndex { .. }
            | RowsEnd::TooSlow(_)
            | RowsEnd::Hopeless(_)
            | RowsEnd::Refused
            | RowsEnd::Enough
            | RowsEnd::Unremovable { .. }) => Outcome::failed(account, [chain(&ended)]),
        }
    }

    /// Outcome of a policy whose facts could not be had: a store that cannot be opened blocks (its disk may be missing); all
    /// else fails.
    pub(in crate::run) fn refused(&self, account: Account, error: GatherError) -> Outcome {
        match error {
            _ if self.stop.is_set() => Outcome::cancelled(account),
            GatherError::Unfit(misfits) => Outcome::failed(account, misfits.iter().map(ToString::to_string)),
            GatherError::Store(error) => Outcome::blocked(account, error.blocks()),
            GatherError::Source(_) | GatherError::Mismatch { .. } | GatherError::Unknown { .. } => {
                Outcome::failed(account, [chain(&error)])
            }
        }
    }
}
