//! Gathers what is in force of each policy. Changes nothing.

use super::held::held_now;
use super::stats::last_run;
use crate::ledger::{Ledger, Pauses};
use crate::outcome::Subject;
use crate::policy::{Settings, Wording, words_of};
use crate::report::PolicyOverview;

/// The policies of a configuration, in declared order.
pub async fn policies(settings: &Settings, ledger: &Ledger) -> anyhow::Result<Vec<PolicyOverview>> {
    let held = held_now(settings, ledger).await?;
    let paused = Pauses::of(&settings.daemon.state_dir).all()?;
    let is_paused = |subject: Subject| paused.iter().any(|pause| pause.subject == subject);
    let ended = ledger.latest_ended(settings.policies.iter().map(|policy| policy.name.clone()).collect()).await?;
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
        last_run: ended.iter().find(|(name, _)| *name == policy.name).map(|(_, run)| last_run(run)),
    };
    Ok(settings.policies.iter().map(overview).collect())
}
