//! Holds of one policy while it runs: what it would take beside what it usually takes, and what an approval lets go.

use crate::decide::blocked::Blocked;
use crate::decide::growth::{NEVER_HELD, USUAL_DAYS, USUAL_RUNS, Usual};
use crate::decide::guards::{Looked, Unused};
use crate::ledger::{Ledger, LedgerError};
use crate::outcome::{Held, HoldKind, RunMode};
use crate::policy::{Mode, RowsPolicy};
use crate::run::outcome::Outcome;
use crate::run::policy_run::PolicyRun;
use crate::run::rows::ended::RowsEnd;
use crate::run::rows::facts::Facts;
use crate::run::sessions::Sessions;

impl<'a> PolicyRun<'a> {
    /// Reason to wait that is known before anything is counted.
    pub(in crate::run) fn held(&self) -> Option<&'a Held> {
        self.standing?.held.as_ref()
    }

    /// The approval that a run may use.
    pub(super) fn approval(&self) -> Option<Unused> {
        self.standing?.approval.filter(|_| self.mode == RunMode::Enforce)
    }

    /// This run as of when its things were shown and approved, where that is what an outcome needs.
    pub(in crate::run) fn as_approved(&self, outcome: &Outcome) -> Option<Self> {
        let approval = self
            .approval()
            .filter(|_| outcome.blocked.as_ref().is_some_and(Blocked::is_by_amount) && self.looked.is_none())?;
        Some(self.as_looked(approval.into()))
    }

    /// This run as of when somebody looked.
    pub(in crate::run) fn as_looked(&self, looked: Looked) -> Self {
        Self { looked: Some(looked), now: looked.at.min(self.now), ..*self }
    }

    /// An outcome of a run as approved, in place of the one without: where more would go than was shown, what was held is
    /// held still.
    pub(in crate::run) fn instead(&self, first: Outcome, second: Outcome) -> Outcome {
        let second = Outcome { as_of: Some(self.now), ..second };
        match (first.held(), &second.blocked) {
            (Some(held), Some(by)) if by.is_by_amount() => {
                let held = Held { reasons: vec![by.to_string()], facts: by.guard_facts(), ..held.clone() };
                Outcome { blocked: Some(Blocked::Held(held)), ..second }
            }
            _ => second,
        }
    }

    /// The hold of a run that only the guards of the approved configuration block; `by`: what they say.
    pub(in crate::run) fn held_by_guard(&self, by: &Blocked) -> Option<Held> {
        let is_guard = by.is_by_amount() && by.held().is_none();
        let guarded = self.standing?.guarded.as_ref().filter(|_| is_guard && self.looked.is_none())?;
        let mut held = guarded.held.clone();
        held.reasons.push(by.to_string());
        held.facts = by.guard_facts();
        Some(held)
    }

    /// The outcome of a run that waits for an approval, where the guards of the approved configuration alone block it.
    pub(in crate::run) fn as_held(&self, outcome: Outcome) -> Outcome {
        match outcome.blocked.as_ref().and_then(|by| self.held_by_guard(by)) {
            Some(held) => Outcome { blocked: Some(Blocked::Held(held)), ..outcome },
            None => outcome,
        }
    }

    /// The amounts that usual runs of the policy take; none where this run is not measured by them.
    async fn usual(&self, ledger: &Ledger) -> Result<Option<Usual>, LedgerError> {
        let enforces = self.mode == RunMode::Enforce && self.policy.mode == Mode::Enforce;
        if !enforces || !self.request.is_scheduled() || self.looked.is_some() {
            return Ok(None);
        }
        if !self.runner.settings.daemon.approve_changes {
            return Ok(None);
        }
        // What waits does not become usual by waiting: it is measured as when it was held first.
        let held = ledger.held_policy(&self.policy.name).await?.filter(|held| held.kind == HoldKind::Growth);
        let at = held.map_or(self.now, |held| held.since.min(self.now));
        let back = jiff::SignedDuration::from_hours(24 * USUAL_DAYS);
        let since = at.checked_sub(back).unwrap_or(jiff::Timestamp::MIN);
        Ok(Some(Usual::of(&ledger.past_runs(&self.policy.name, since, USUAL_RUNS).await?, at)))
    }

    /// The hold of a run that would take far more rows than usual.
    pub(in crate::run) async fn grown_rows(
        &self,
        rows: &RowsPolicy,
        facts: &Facts,
        sessions: &mut Sessions,
    ) -> Result<Option<Held>, RowsEnd> {
        let Some(ledger) = &self.runner.ledger else { return Ok(None) };
        if facts.eligible.is_some_and(|eligible| rows.in_a_run(eligible) <= NEVER_HELD) {
            return Ok(None);
        }
        let Some(usual) = self.usual(ledger).await? else { return Ok(None) };
        let mut of = facts.total.unwrap_or(0);
        let mut eligible = match facts.eligible {
            Some(eligible) => eligible,
            None => facts.count(sessions, self.stop, Some(NEVER_HELD + 1)).await?,
        };
        if rows.in_a_run(eligible) <= NEVER_HELD {
            return Ok(None);
        }
        if usual.is_first() && facts.total.is_none() {
            of = facts.count_all(sessions, self.stop).await?;
        }
        let most = usual.most(self.policy.max_growth.get(), of);
        if most > NEVER_HELD && eligible <= most {
            eligible = facts.count(sessions, self.stop, most.checked_add(1)).await?;
        }
        if rows.in_a_run(eligible) <= most {
            return Ok(None);
        }
        // For people: how many there are in all.
        let eligible = rows.in_a_run(facts.count(sessions, self.stop, None).await?);
        Ok(Some(usual.held(self.runner.clock.now(), eligible, "rows", (most, of))))
    }

    /// The hold of a run that would take far more files than usual; `going`: those that go by their age or number.
    pub(in crate::run) async fn grown_files(&self, going: u64, of: u64) -> Result<Option<Held>, LedgerError> {
        let Some(ledger) = self.runner.ledger.as_ref().filter(|_| going > NEVER_HELD) else { return Ok(None) };
        let Some(usual) = self.usual(ledger).await? else { return Ok(None) };
        let most = usual.most(self.policy.max_growth.get(), of);
        Ok((going > most).then(|| usual.held(self.runner.clock.now(), going, "files", (most, of))))
    }
}
