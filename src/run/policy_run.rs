//! One policy of a run: what it is run with, its lease, and what the run would do with what is found.

use jiff::Timestamp;

use super::account::Account;
use super::holds::standing::Standing;
use super::lister::Lister;
use super::outcome::Outcome;
use super::progress::Reporter;
use super::request::{Fate, Request};
use super::runner::Runner;
use super::stop::Stop;
use crate::decide::blocked::Blocked;
use crate::decide::guards::Looked;
use crate::ledger::{Lease, LeaseOutcome, Ledger};
use crate::outcome::{PolicyResult, RunMode};
use crate::policy::{Mode, Policy};
use crate::text::chain;

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
    /// State between what was agreed to and what is configured; none where nothing can be deleted.
    pub(super) standing: Option<&'a Standing>,
    /// Reason that it takes nothing, whatever there is.
    pub(super) paused: Option<&'a Blocked>,
    /// The most that may go, where somebody has looked at it.
    pub(super) looked: Option<Looked>,
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
        let (paused, looked) = (None, None);
        let run = Self { runner, request, policy, mode, now, stop, reporter, earlier, standing, paused, looked };
        request.looked.get(&policy.name).map_or(run, |looked| run.as_looked(*looked))
    }
}

impl PolicyRun<'_> {
    /// The policy, for this run alone; or how the run of it ends.
    pub(super) async fn lease(&self, ledger: &Ledger) -> Result<Lease, Outcome> {
        match ledger.acquire_lease(&self.policy.name, self.request.run_id, self.now).await {
            Ok(LeaseOutcome::Granted(lease)) => Ok(lease),
            Ok(LeaseOutcome::Held { run_id, pid, since }) => {
                let policy = self.policy.name.clone();
                Err(Outcome::blocked(Account::default(), Blocked::Leased { policy, run_id, pid, since }))
            }
            Err(error) => Err(Outcome::failed(Account::default(), [chain(&error)])),
        }
    }

    /// Fate of what is found: in this run, or in one that a plan stands for.
    pub(super) fn fate(&self, blocked: Option<&Blocked>) -> Fate {
        match (blocked.or(self.paused), self.mode, self.policy.mode) {
            (Some(_), _, _) => Fate::Blocked,
            (None, RunMode::Plan | RunMode::Enforce, Mode::Enforce) => Fate::Enforce,
            (None, _, _) => Fate::Report,
        }
    }

    /// Lister of the files in directories, where a list is wanted.
    pub(super) fn lister(&self, mode: Fate) -> Option<Lister> {
        let list = self.request.list.clone()?;
        Some(Lister { list, policy: self.policy.name.clone(), mode })
    }
}
