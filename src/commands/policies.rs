//! Gathers what is in force of each policy. Changes nothing.

use crate::ledger::{Ledger, Pauses};
use crate::outcome::Subject;
use crate::policy::{Settings, Wording, words_of};
use crate::report::PolicyOverview;

use super::held::held_now;

/// The policies of a configuration, in declared order.
pub async fn policies(settings: &Settings, ledger: &Ledger) -> anyhow::Result<Vec<PolicyOverview>> {
    let held = held_now(settings, ledger).await?;
    let paused = Pauses::of(&settings.daemon.state_dir).all()?;
    let is_paused = |subject: Subject| paused.iter().any(|pause| pause.subject == subject);
    let overview = |policy: &std::sync::Arc<crate::policy::Policy>| PolicyOverview {
        policy: policy.name.clone(),
        kind: policy.kind.word(),
        task: policy.task.clone(),
        enabled: policy.enabled,
        mode: settings.mode_of(policy),
        configuration: words_of(policy),
        fingerprint: Wording::of(settings, policy).fingerprint(),
        held: held.iter().find(|(name, _)| *name == policy.name).map(|(_, held)| held.clone()),
        is_paused: is_paused(Subject::Policy(policy.name.clone()))
            || policy.task.clone().is_some_and(|task| is_paused(Subject::Task(task))),
    };
    Ok(settings.policies.iter().map(overview).collect())
}
