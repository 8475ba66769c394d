//! Approvals: gathers what a held policy would take, under the present configuration and under the approved one, and records
//! that somebody agreed to it. Deletes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::operator::operator;
use super::planned::{Foreseen, foresee};
use super::selection::Selection;
use super::status::{self, with_advice};
use crate::clock::Clock;
pub use crate::decide::guards::Looked;
use crate::ledger::{Approval, Ledger};
use crate::outcome::{Held, HoldKind, Operator};
use crate::policy::compile::recompile;
use crate::policy::{Mode, Name, Params, Policy, Settings, Wording, changed_words};
use crate::report::{ClockToConfirm, ToApprove};
use crate::run::{Runner, Standing};

/// A policy as it is shown before it is approved, and the record that is made if it is.
#[derive(Debug, Clone)]
pub struct Shown {
    pub page: ToApprove,
    wording: Wording,
}

/// Policies that are looked for where none is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those that are held.
    Held,
    /// Also those that have neither run nor been approved.
    All,
    /// Those that a run on request would not run, because they became wider.
    Widened,
}

/// The configuration is not the one that was shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration of policy {policy} changed meanwhile: nothing was approved")]
pub struct ChangedMeanwhile {
    pub policy: Name,
}

/// The policies that wait for an approval, of those that can delete something.
pub async fn waiting(settings: &Arc<Settings>, wanted: Wanted) -> anyhow::Result<Vec<Arc<Policy>>> {
    let enforcing = settings.policies.iter().filter(|policy| settings.may_take(policy));
    of_those(settings, enforcing, wanted).await
}

/// Those of a selection that became wider, so that no run takes them before they were approved.
pub async fn widened(settings: &Arc<Settings>, selection: &Selection) -> anyhow::Result<Selection> {
    let enforcing = selection.policies.iter().filter(|policy| settings.mode_of(policy) == Mode::Enforce);
    Ok(Selection { policies: of_those(settings, enforcing, Wanted::Widened).await?, task: None })
}

async fn of_those(
    settings: &Arc<Settings>,
    policies: impl Iterator<Item = &Arc<Policy>>,
    wanted: Wanted,
) -> anyhow::Result<Vec<Arc<Policy>>> {
    let clock = Clock::default();
    let opened = match status::open(settings, clock.now()).await {
        // The run itself says what is wrong with it.
        Err(_) if wanted == Wanted::Widened => None,
        opened => opened?,
    };
    let Some(ledger) = opened else {
        let never_ran = policies.cloned().collect();
        return Ok(if wanted == Wanted::All { never_ran } else { Vec::new() });
    };
    let runner = Runner::new(Arc::clone(settings), Some(ledger.clone()), clock);
    let agreed = ledger.agreed().await?;
    let mut waiting = Vec::new();
    for policy in policies {
        let on_request = wanted == Wanted::Widened || policy.task.is_none();
        let standing = runner.standing(&agreed, policy, on_request);
        let waits = match wanted {
            Wanted::Widened => standing.held.as_ref().is_some_and(|held| held.kind == HoldKind::Changed),
            Wanted::Held => held_for(&ledger, policy, &standing).await?.is_some(),
            Wanted::All => {
                let is_new = standing.baseline.is_none() && standing.approval.is_none();
                is_new || held_for(&ledger, policy, &standing).await?.is_some()
            }
        };
        if waits {
            waiting.push(Arc::clone(policy));
        }
    }
    Ok(waiting)
}

/// The hold of a policy: for its configuration, or for what its last run came to. A run that was held for a
/// configuration that is no longer written holds nothing.
async fn held_for(ledger: &Ledger, policy: &Policy, standing: &Standing) -> anyhow::Result<Option<Held>> {
    if let Some(held) = &standing.held {
        return Ok(Some(held.clone()));
    }
    let known = ledger.held_policy(&policy.name).await?;
    // A clock in doubt is found by the plan, and is not for an approval of a policy to lift.
    let is_left = |held: &Held| !matches!(held.kind, HoldKind::Changed | HoldKind::Clock);
    Ok(known.filter(|held| standing.approval.is_none() && is_left(held)))
}

/// Looks at what policies would take. None where that was cancelled.
pub async fn look(
    settings: &Arc<Settings>,
    selection: &Selection,
    params: &Params,
) -> anyhow::Result<Option<Vec<Shown>>> {
    let ledger = open_ledger(settings).await?;
    let runner = Runner::new(Arc::clone(settings), Some(ledger.clone()), Clock::default());
    let agreed = ledger.agreed().await?;
    let mut all = Vec::new();
    for policy in &selection.policies {
        let standing = runner.standing(&agreed, policy, policy.task.is_none());
        let held = held_for(&ledger, policy, &standing).await?;
        let Some(found) = foresee(settings, &policy.name, params).await? else { return Ok(None) };
        let mut page = page(policy, &standing, held, found);
        let changed = standing.baseline.as_ref().filter(|baseline| baseline.fingerprint != standing.fingerprint);
        if let Some(baseline) = changed {
            match recompile(&baseline.wording, settings) {
                Ok(before) => {
                    [page.old, page.new] = changed_words(&before, settings, &policy.name);
                    let Some(found) = foresee(&before, &policy.name, params).await? else { return Ok(None) };
                    match found.obstacle(&policy.name) {
                        None => page.before = Some(found.amounts),
                        Some(why) => page.before_unknown = Some(why),
                    }
                }
                Err(why) => page.before_unknown = Some(why),
            }
        }
        all.push(Shown { page, wording: standing.wording });
    }
    Ok(Some(all))
}

fn page(policy: &Policy, standing: &Standing, held: Option<Held>, found: Foreseen) -> ToApprove {
    let obstacle = found.obstacle(&policy.name);
    let is_agreed = standing.baseline.as_ref().is_some_and(|baseline| baseline.fingerprint == standing.fingerprint);
    let is_covered = standing.approval.is_some_and(|approval| found.amount <= approval.amount);
    let is_needed = !is_covered && (held.is_some() || !found.exceeded.is_empty() || !is_agreed);
    ToApprove {
        policy: policy.name.clone(),
        fingerprint: standing.fingerprint.clone(),
        is_needed,
        is_known: standing.baseline.is_some(),
        held,
        old: Default::default(),
        new: Default::default(),
        before: None,
        before_unknown: None,
        now: found.amounts,
        is_about_rows: found.result.is_about_rows(),
        amount: found.amount,
        shown_at: found.at,
        guards: found.exceeded,
        sample: found.result.sample,
        obstacle,
        approved: false,
    }
}

/// Records that what was shown is agreed to, of the policies that need it and where nothing else stands in the way. Refuses
/// where the configuration is no longer the one that was shown.
pub async fn approve(
    settings: &Settings,
    shown: &mut [Shown],
    now_written: &Settings,
    approver: &Operator,
) -> anyhow::Result<Result<(), ChangedMeanwhile>> {
    for Shown { page, .. } in shown.iter().filter(|shown| shown.page.can_be_approved()) {
        let present = now_written.policy(&page.policy).map(|policy| Wording::of(now_written, policy).fingerprint());
        if present.as_ref() != Some(&page.fingerprint) {
            return Ok(Err(ChangedMeanwhile { policy: page.policy.clone() }));
        }
    }
    let ledger = open_ledger(settings).await?;
    for Shown { page, wording } in shown.iter_mut().filter(|shown| shown.page.can_be_approved()) {
        let approval = Approval {
            policy: page.policy.clone(),
            wording: wording.clone(),
            amount: page.amount,
            shown_at: page.shown_at,
            approved_at: Clock::default().now(),
            approver: approver.clone(),
        };
        ledger.approve(&approval).await?;
        page.approved = true;
    }
    Ok(Ok(()))
}

/// Amounts of policies that were shown and agreed to, for one run alone: nothing is recorded of it but with that run.
pub fn looked_at(shown: &[Shown]) -> BTreeMap<Name, Looked> {
    let pages = shown.iter().map(|shown| &shown.page).filter(|page| page.can_be_approved());
    let looked = |page: &ToApprove| Looked { amount: Some(page.amount), at: page.shown_at, replaces_guards: true };
    pages.map(|page| (page.policy.clone(), looked(page))).collect()
}

/// The clock's time, and what is known of it.
pub async fn clock(settings: &Settings, clock: &Clock) -> anyhow::Result<ClockToConfirm> {
    let seen = open_ledger(settings).await?.seen_clock().await?;
    let seen_at = seen.map(|seen| seen.reading.at);
    Ok(ClockToConfirm { now: clock.now(), seen_at, confirmed: false })
}

/// Takes the operator's word that the clock is right.
pub async fn confirm_clock(settings: &Settings, clock: &Clock) -> anyhow::Result<()> {
    Ok(open_ledger(settings).await?.confirm_clock(&clock.reading(), &operator()).await?)
}

async fn open_ledger(settings: &Settings) -> anyhow::Result<Ledger> {
    let path = &settings.daemon.ledger_path;
    let what = format!("an approval is recorded in {}, which cannot be opened to write", path.display());
    Ledger::open(path).await.map_err(|error| with_advice(error, &what))
}
