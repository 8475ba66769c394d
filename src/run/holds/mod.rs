//! Holds: what makes a policy take more than somebody has agreed to waits for an approval. The ledger remembers what was
//! agreed to; here it is compared with what is about to run.

mod attempt;
mod beforehand;
pub(super) mod standing;

use std::sync::Arc;

use jiff::Timestamp;

use super::request::Request;
use super::runner::Runner;
use crate::ledger::{Agreed, Baseline, Ledger, LedgerError};
use crate::outcome::{Facts, Held, HoldKind, PolicyResult, RunMode, Status};
use crate::policy::compile::recompile;
use crate::policy::{Mode, Name, Policy, Settings, Wider, Wording, changed_words, wider_than};
use standing::Guarded;
use standing::Standing;

/// Outcome of a review of one policy.
#[derive(Debug, Clone)]
pub struct Reviewed {
    pub policy: Name,
    pub held: Held,
    /// It was not held for this before.
    pub is_new: bool,
}

impl Runner {
    /// The standing of a policy under this runner's configuration. A run on request is not held for being the first one
    /// beside a new ledger.
    pub fn standing(&self, agreed: &Agreed, policy: &Policy, on_request: bool) -> Standing {
        self.standing_of(agreed, policy, Wording::of(&self.settings, policy), on_request)
    }

    /// The standing of a policy whose words are known.
    fn standing_of(&self, agreed: &Agreed, policy: &Policy, wording: Wording, on_request: bool) -> Standing {
        let settings = &self.settings;
        let fingerprint = wording.fingerprint();
        let baseline = agreed.baseline(&policy.name).cloned();
        let approval = agreed.approval(&policy.name, &fingerprint);
        let mut standing = Standing { wording, fingerprint, baseline, approval, held: None, guarded: None };
        if !settings.daemon.approve_changes || standing.approval.is_some() {
            return standing;
        }
        let now = self.clock.now();
        match &standing.baseline {
            Some(baseline) if baseline.fingerprint == standing.fingerprint => {}
            Some(baseline) => (standing.held, standing.guarded) = compare(settings, policy, baseline, now),
            None if on_request => {}
            None => standing.held = beside_adopted(agreed, now),
        }
        standing
    }

    /// The standings of a request's policies, in their order. Where nothing can be deleted, nothing is held.
    pub(super) async fn standings(
        &self,
        request: &Request,
        mode: RunMode,
    ) -> Result<Vec<Option<Standing>>, LedgerError> {
        let agreed = match &self.ledger {
            Some(ledger) if mode != RunMode::Report => ledger.agreed().await?,
            _ => return Ok(vec![None; request.policies.len()]),
        };
        let standing = |policy: &Arc<Policy>| {
            let may_take = self.settings.mode_of(policy) == Mode::Enforce;
            let is_agreed = request.is_temporary && request.looked.contains_key(&policy.name);
            may_take.then(|| {
                let standing = self.standing(&agreed, policy, !request.is_scheduled());
                if is_agreed { standing.agreed() } else { standing }
            })
        };
        Ok(request.policies.iter().map(standing).collect())
    }

    /// Brings the memory of what was agreed to up to a configuration that comes into force: what became narrower, or was
    /// approved beforehand, is agreed to; what became wider is held. Returns what is held.
    pub async fn review(&self, ledger: &Ledger) -> Result<Vec<Reviewed>, LedgerError> {
        let now = self.clock.now();
        let worded = |policy: &Arc<Policy>| (policy.name.clone(), Wording::of(&self.settings, policy));
        let present: Vec<_> = self.settings.policies.iter().map(worded).collect();
        ledger.approve_what_ran(&present, now).await?;
        self.note_adopted_stores(ledger).await?;
        let (waiting, agreed) = (ledger.held_policies().await?, ledger.agreed().await?);
        let (mut reviewed, mut waits_for_ledger) = (Vec::new(), false);
        for (policy, (name, wording)) in self.settings.policies.iter().zip(present) {
            let standing = self.standing_of(&agreed, policy, wording, policy.task.is_none());
            waits_for_ledger |= standing.held.as_ref().is_some_and(|held| held.kind == HoldKind::NewLedger);
            match &standing.held {
                // What takes nothing waits for nothing; what it takes is looked at once it may.
                Some(_) if !self.settings.may_take(policy) => {
                    ledger.release_hold(&policy.name).await?;
                }
                Some(held) => {
                    let (since, is_new) = ledger.hold(&policy.name, held).await?;
                    let held = Held { since, ..held.clone() };
                    reviewed.push(Reviewed { policy: policy.name.clone(), held, is_new });
                }
                None => {
                    let known = waiting.iter().find(|(waiting, _)| *waiting == name).map(|(_, held)| held.kind);
                    standing.settle(ledger, (&name, known), now).await?;
                }
            }
        }
        // Of a policy under a brake as well: it is looked at once that is lifted.
        if !waits_for_ledger {
            ledger.forget_began_beside().await?;
        }
        Ok(reviewed)
    }

    /// Notes whether a ledger that remembers nothing stands beside stores that were adopted.
    async fn note_adopted_stores(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        // Nothing is opened for a ledger that knows better: a store may be on a disk that does not answer.
        if !ledger.remembers_nothing().await? {
            return Ok(());
        }
        for store in &self.settings.stores {
            let marked = crate::stores::OpenStore::open(store).ok().and_then(|open| open.identify().ok());
            if marked.is_some_and(|identity| identity.marker.is_some()) {
                return ledger.note_began_beside(&store.name).await;
            }
        }
        Ok(())
    }

    /// Tells of a policy of a plan since when it is held, and where only the schedule holds it, that it does.
    pub(super) async fn note_waiting(&self, done: &mut PolicyResult) -> Result<(), LedgerError> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let Some(known) = ledger.held_policy(&done.policy).await? else { return Ok(()) };
        match &mut done.held {
            Some(held) if known.kind == held.kind && known.is_about_same(held) => held.since = known.since,
            Some(_) => {}
            None if matches!(known.kind, HoldKind::Growth | HoldKind::NewLedger) && done.mode == RunMode::Plan => {
                let (since, reasons) = (known.since, known.reasons.join(", "));
                let command = known.command(&done.policy);
                done.notes.push(format!(
                    "its scheduled runs are held since {since:.0}: {reasons}; they go on with `{command}`"
                ));
            }
            None => {}
        }
        Ok(())
    }

    /// Records what a policy of a run came to: a hold, or that its configuration is agreed to.
    pub(super) async fn note_outcome(
        &self,
        request: &Request,
        (standing, began_at): (Option<&Standing>, Timestamp),
        done: &mut PolicyResult,
    ) -> Result<(), LedgerError> {
        let (Some(ledger), Some(standing)) = (&self.ledger, standing) else { return Ok(()) };
        if let Some(held) = &mut done.held {
            if request.is_temporary {
                return Ok(());
            }
            (held.since, _) = ledger.hold(&done.policy, held).await?;
            return Ok(());
        }
        let ended = matches!(done.status, Status::Completed | Status::CompletedWithErrors);
        if done.mode != RunMode::Enforce || !ended || request.is_temporary {
            return Ok(());
        }
        let is_same = standing.baseline.as_ref().is_some_and(|known| known.fingerprint == standing.fingerprint);
        let is_agreed = standing.baseline.is_none() || standing.approval.is_some() || request.is_scheduled();
        if is_same || (is_agreed && standing.guarded.is_none()) {
            let used = standing.approval.map(|approval| (approval.id, request.run_id));
            ledger.note_agreed(&done.policy, &standing.wording, used, (began_at, self.clock.now())).await?;
            return Ok(());
        }
        // Nothing waits any more, unless a reload has found something meanwhile.
        if ledger.held_policy(&done.policy).await?.is_some_and(|held| held.since <= began_at) {
            ledger.release_hold(&done.policy).await?;
        }
        Ok(())
    }
}

impl Standing {
    /// Records what is agreed to from now on, of a policy that is not held; `known`: what it was held for until now.
    async fn settle(
        &self,
        ledger: &Ledger,
        (policy, known): (&Name, Option<HoldKind>),
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let is_same = self.baseline.as_ref().is_some_and(|known| known.fingerprint == self.fingerprint);
        let is_known = self.baseline.is_some() || self.approval.is_some();
        if is_known && !is_same && self.guarded.is_none() {
            ledger.set_baseline(policy, &self.wording, now).await?;
        }
        // What goes by counts is found out by the next run.
        if matches!(known, Some(HoldKind::Changed | HoldKind::NewLedger)) {
            ledger.release_hold(policy).await?;
        }
        Ok(())
    }
}

/// The hold, or the guards in force, of a policy that may take more by the present configuration than by the approved
/// one.
fn compare(
    settings: &Settings,
    policy: &Policy,
    baseline: &Baseline,
    now: Timestamp,
) -> (Option<Held>, Option<Guarded>) {
    let held = |reasons: Vec<String>, kind, old, new| Held { since: now, kind, reasons, old, new, facts: Facts::new() };
    let incomparable = |why: &str| {
        let reason = format!("it was changed, and cannot be compared with what was approved: {why}");
        let facts = Facts::from([("incomparable".to_owned(), why.into())]);
        (Some(Held::new(now, HoldKind::Changed, reason, facts)), None)
    };
    let before = match recompile(&baseline.wording, settings) {
        Ok(before) => before,
        Err(why) => return incomparable(&why),
    };
    let Some(approved) = before.policy(&policy.name) else {
        return incomparable("the ledger's words about it cannot be read");
    };
    let Wider { scope, guards } = wider_than(&before, settings, &policy.name);
    let [old, new] = changed_words(&before, settings, &policy.name);
    if !scope.is_empty() {
        let reasons = scope.into_iter().chain(guards).collect();
        return (Some(held(reasons, HoldKind::Changed, Some(old), Some(new))), None);
    }
    let guarded = (!guards.is_empty()).then(|| Guarded {
        policy: Arc::new(policy.guarded_like(approved)),
        held: held(guards, HoldKind::Guard, Some(old), Some(new)),
    });
    (None, guarded)
}

/// The hold of a policy that is new to a ledger which began beside adopted stores.
fn beside_adopted(agreed: &Agreed, now: Timestamp) -> Option<Held> {
    let store = agreed.began_beside.as_ref()?;
    let reason = format!(
        "the ledger is new, but store {store} was adopted before it began: what was run and approved until then is not known"
    );
    Some(Held::new(now, HoldKind::NewLedger, reason, Facts::new()))
}
