//! A run of one policy, whatever it is about, to its result.

use super::account::Account;
use super::files::Tree;
use super::outcome::Outcome;
use super::plan_state::Foreseen;
use super::policy_run::PolicyRun;
use super::sessions::Sessions;
use crate::clock::{millis_between, millis_of};
use crate::outcome::{PolicyResult, RunMode, Status};
use crate::policy::{Mode, PolicyKind};
use crate::sources::Instants;

impl PolicyRun<'_> {
    /// Runs the policy to its end, whatever that is.
    pub(super) async fn execute(&self, sessions: &mut Sessions, foreseen: &mut Foreseen) -> PolicyResult {
        let began_at = self.runner.clock.now();
        let at = Instants::new(self.now, self.policy.kind.cutoff(self.now));
        // What is paused takes nothing away from what comes after it.
        let mut apart = self.paused.map(|_| Foreseen::new(&[std::sync::Arc::new(self.policy.clone())]));
        let foreseen = apart.as_mut().unwrap_or(foreseen);
        sessions.heed(Some(self.stop.token()));
        let outcome = match (self.stop.is_set(), &self.policy.kind) {
            _ if self.mode == RunMode::Enforce && self.paused.is_some() => Outcome::new(Account::default()),
            (true, _) => Outcome::cancelled(Account::default()),
            (false, PolicyKind::Rows(rows)) => self.run_rows(rows, at, sessions, foreseen).await,
            (false, PolicyKind::Files(files)) => self.run_tree(Tree::Files(files), sessions, foreseen).await,
            (false, PolicyKind::Orphans(orphans)) => self.run_tree(Tree::Orphans(orphans), sessions, foreseen).await,
        };
        let Outcome { status, account, guards, blocked, as_of } = outcome;
        let status = if self.paused.is_some() && !status.is_cut_short() { Status::Blocked } else { status };
        let mode = if self.policy.mode == Mode::Report { RunMode::Report } else { self.mode };
        let mut result = PolicyResult {
            cutoff: as_of.map_or(at.cutoff, |as_of| self.policy.kind.cutoff(as_of)),
            error_count: account.failure_count(),
            duration_ms: millis_between(began_at, self.runner.clock.now()),
            tally: account.tally,
            details: account.details,
            missing: account.missing,
            outside: account.outside,
            alike: account.alike,
            survey: account.survey,
            guards,
            sample: account.sample,
            error_kinds: account.failure_kinds,
            errors: account.failures,
            waited_ms: account.waited.into_iter().map(|(wait, time)| (wait, millis_of(time))).collect(),
            more_to_do: account.more_to_do,
            notes: account.notes,
            ..PolicyResult::new(self.policy.name.clone(), self.policy.kind.word(), mode, status)
        };
        if let Some(by) = blocked.as_ref().or(self.paused) {
            by.write_to(&mut result);
        }
        result.cut()
    }
}
