//! A run of one policy, whatever it is about, to its result.

use super::account::Account;
use super::files::Tree;
use super::outcome::Outcome;
use super::plan_state::Foreseen;
use super::policy_run::PolicyRun;
use super::sessions::Sessions;
use crate::clock::millis_between;
use crate::ledger::{PolicyResult, RunMode};
use crate::policy::{Mode, PolicyKind};
use crate::sources::Instants;

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
}
