//! Guards of a policy of rows, and how one ends that cannot go on.

use super::ended::RowsEnd;
use super::facts::{Facts, GatherError, Question};
use super::presence::{Look, Presence};
use crate::policy::RowsPolicy;
use crate::run::account::Account;
use crate::run::guard::{self, Counts, Judged};
use crate::run::outcome::Outcome;
use crate::run::plan_state::GoneFiles;
use crate::run::policy_run::PolicyRun;
use crate::run::request::Fate;
use crate::run::sessions::Sessions;
use crate::run::store_identity;
use crate::sources::{Gone, Instants};
use crate::telemetry::chain;

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
            count: self.request.count_first || self.lift.is_some(),
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

    /// Outcome of a policy that ended before its end.
    pub(in crate::run) fn ended(&self, account: Account, ended: RowsEnd) -> Outcome {
        match ended {
            RowsEnd::Stopped => Outcome::cancelled(account),
            _ if self.stop.is_set() => Outcome::cancelled(account),
            RowsEnd::InUse(error) if account.tally.rows_matched == 0 => Outcome::blocked(account, chain(&error)),
            RowsEnd::Missing { why, readings } => Outcome { guards: readings, ..Outcome::blocked(account, why) },
            ended @ (RowsEnd::Source(_)
            | RowsEnd::Ledger(_)
            | RowsEnd::LeaseLost
            | RowsEnd::InUse(_)
            | RowsEnd::NoIndex { .. }
            | RowsEnd::TooSlow(_)
            | RowsEnd::Hopeless(_)
            | RowsEnd::Refused
            | RowsEnd::Unremovable { .. }) => Outcome::failed(account, [chain(&ended)]),
        }
    }
}

/// Outcome of a policy whose facts could not be had: a store that cannot be opened blocks (its disk may be missing); all
/// else fails.
pub(in crate::run) fn refused(account: Account, error: GatherError) -> Outcome {
    match error {
        GatherError::Unfit(misfits) => Outcome::failed(account, misfits.iter().map(ToString::to_string)),
        GatherError::Custody(error) => Outcome::blocked(account, chain(&error)),
        GatherError::Source(_) | GatherError::Mismatch { .. } | GatherError::Unknown { .. } => {
            Outcome::failed(account, [chain(&error)])
        }
    }
}
