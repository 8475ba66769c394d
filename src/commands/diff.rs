//! Gathers what a reload would change, and what it would hold. Changes nothing.

use std::sync::Arc;

use super::planned::foresee;
use super::status;
use crate::clock::Clock;
use crate::ledger::{Agreed, Ledger};
use crate::policy::compile::{recompile, recompile_all};
use crate::policy::{Name, Params, Policy, Settings, Wording, changed_words, changes_by_thing};
use crate::report::{Amounts, AmountsChange, ComparedWith, Difference, WouldHold};
use crate::run::Runner;

/// Extent of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Words alone.
    Words,
    /// Also what policies that differ would take.
    Amounts,
}

/// Differences between the configuration in force and this one; an error in words where the old one cannot be read.
pub async fn difference(settings: &Arc<Settings>, depth: Depth) -> anyhow::Result<Difference> {
    let clock = Clock::default();
    let ledger = status::open(settings, clock.now()).await?;
    let in_force = match &ledger {
        Some(ledger) => ledger.in_force().await?,
        None => None,
    };
    let mut difference = Difference {
        compared_with: if in_force.is_some() { ComparedWith::InForce } else { ComparedWith::Approved },
        changes: Vec::new(),
        held: Vec::new(),
        amounts: Vec::new(),
    };
    let mut differing: Vec<(Name, Option<Settings>)> = Vec::new();
    match (in_force, &ledger) {
        (Some(written), _) => {
            let old = recompile_all(written, settings)
                .map_err(|why| anyhow::anyhow!("the configuration in force cannot be compared with: {why}"))?;
            difference.changes = changes_by_thing(&old, settings);
            differing = differing_policies(&old, settings);
        }
        (None, ledger) => compare_with_approved(settings, ledger.as_ref(), &mut difference, &mut differing).await?,
    }
    if let Some(ledger) = &ledger {
        difference.held = held(settings, ledger, clock).await?;
    }
    if depth == Depth::Amounts {
        for (policy, old) in differing {
            difference.amounts.extend(amounts(&policy, old.as_ref(), settings).await?);
        }
    }
    Ok(difference)
}

/// Policies that would wait for an approval, of all that can delete something.
async fn held(settings: &Arc<Settings>, ledger: &Ledger, clock: Clock) -> anyhow::Result<Vec<WouldHold>> {
    let runner = Runner::new(Arc::clone(settings), Some(ledger.clone()), clock);
    let agreed = ledger.agreed().await?;
    let mut all = Vec::new();
    for policy in settings.policies.iter().filter(|policy| settings.may_take(policy)) {
        let standing = runner.standing(&agreed, policy, policy.task.is_none());
        if let Some(held) = standing.held {
            let known = ledger.held_policy(&policy.name).await?.filter(|known| known.is_about_same(&held));
            let since = known.map(|known| known.since);
            let command = held.command(&policy.name);
            all.push(WouldHold { policy: policy.name.clone(), reasons: held.reasons, since, command });
        }
    }
    Ok(all)
}

/// Policies whose words differ, each with the old configuration where that had it.
fn differing_policies(old: &Settings, new: &Settings) -> Vec<(Name, Option<Settings>)> {
    let words = |settings: &Settings, name: &Name| Some(Wording::of(settings, settings.policy(name)?).fingerprint());
    let mut names: Vec<&Name> = new.policies.iter().chain(&old.policies).map(|policy| &policy.name).collect();
    names.sort_unstable();
    names.dedup();
    let differing = names.into_iter().filter_map(|name| {
        let before = words(old, name);
        (before != words(new, name)).then(|| (name.clone(), before.map(|_| old.clone())))
    });
    differing.collect()
}

/// Compares each policy with what was approved of it.
async fn compare_with_approved(
    settings: &Arc<Settings>,
    ledger: Option<&Ledger>,
    difference: &mut Difference,
    differing: &mut Vec<(Name, Option<Settings>)>,
) -> anyhow::Result<()> {
    let agreed = match ledger {
        Some(ledger) => ledger.agreed().await?,
        None => Agreed::default(),
    };
    for policy in &settings.policies {
        let name = &policy.name;
        let Some(baseline) = agreed.baseline(name) else {
            difference.changes.push(format!("+ policy {name}"));
            differing.push((name.clone(), None));
            continue;
        };
        if baseline.fingerprint == Wording::of(settings, policy).fingerprint() {
            continue;
        }
        match recompile(&baseline.wording, settings) {
            Ok(old) => {
                difference.changes.push(words(&old, settings, policy));
                differing.push((name.clone(), Some(old)));
            }
            Err(why) => {
                let change = format!("policy {name}: what was approved of it cannot be compared with: {why}");
                difference.changes.push(change);
                differing.push((name.clone(), None));
            }
        }
    }
    Ok(())
}

fn words(old: &Settings, new: &Settings, policy: &Policy) -> String {
    let [before, after] = changed_words(old, new, &policy.name);
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let told = keys.into_iter().map(|key| match (before.get(key), after.get(key)) {
        (Some(before), Some(after)) => format!("{key} {before} → {after}"),
        (Some(_), None) => format!("{key} removed"),
        (None, Some(after)) => format!("{key} {after} added"),
        (None, None) => key.clone(),
    });
    let told: Vec<_> = told.collect();
    match told.is_empty() {
        true => format!("policy {}: its store, source or task changed", policy.name),
        false => format!("policy {}: {}", policy.name, told.join(", ")),
    }
}

/// Amounts that a policy would take under the old configuration and under this one. None where it needs parameters, or
/// the plan was cancelled.
async fn amounts(policy: &Name, old: Option<&Settings>, new: &Settings) -> anyhow::Result<Option<AmountsChange>> {
    let mut change = AmountsChange { policy: policy.clone(), is_about_rows: true, old: None, new: None, unknown: None };
    let is_free = |settings: &&Settings| {
        settings.policy(policy).is_some_and(|own| own.kind.rows().is_none_or(|rows| rows.params.is_empty()))
    };
    let sides = [old.filter(is_free), Some(new).filter(is_free)];
    let mut counted: [Option<Amounts>; 2] = [None, None];
    for (place, settings) in counted.iter_mut().zip(sides) {
        let Some(settings) = settings else { continue };
        let Some(found) = foresee(settings, policy, &Params::default()).await? else { return Ok(None) };
        change.is_about_rows = found.result.is_about_rows();
        match found.obstacle(policy) {
            None => *place = Some(found.amounts),
            Some(why) => change.unknown = Some(why),
        }
    }
    [change.old, change.new] = counted;
    Ok(Some(change))
}
