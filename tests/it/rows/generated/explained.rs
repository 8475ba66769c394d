//! What a plan lists and what `why` says of the same rows, in generated worlds: a row goes by both, or both keep it.

use retaind::commands::explain::{Question, why};
use retaind::outcome::{RunResult, Status};
use retaind::run::{Fate, Listed};

use super::build::policy_name;
use super::spec::{Key, Spec};
use crate::world::World;

/// Asks about every row of the first policy's table; what later ones would do depends on what earlier ones took.
pub async fn compare(spec: &Spec, world: &World, plan: &RunResult, listed: &[Listed]) {
    let (policy, result) = (&spec.policies[0], &plan.policies[0]);
    let table = spec.table(policy.on);
    if result.status != Status::Completed || table.key != Key::Integer {
        return;
    }
    let (settings, name) = (world.settings(), policy_name(0, policy));
    let table_name = format!("app.{}", policy.on.name());
    for num in 0..table.rows.len() {
        let key = num.to_string();
        let question = Question { table: &table_name, key: &key, params: &[] };
        let answer =
            why(&settings, question, &world.clock).await.expect("why is answered").expect("it is asked rightly");
        let Some(answer) = answer else { continue };
        let said = answer.policies.iter().find(|said| said.policy.as_str() == name && said.parent.is_none());
        let Some(said) = said else { continue };
        let is_listed = listed.iter().any(|line| {
            matches!(line, Listed::Row { mode: Fate::Enforce | Fate::Report, policy, table, key: listed, .. }
                if policy.as_str() == name && *table == spec.policies[0].on.name() && *listed == key)
        });
        let words: Vec<_> = said.reasons.iter().map(|reason| serde_json::to_value(reason.reason).unwrap()).collect();
        // That its policy or its task takes nothing at present is no matter of the row.
        let kept_by =
            words.iter().filter(|word| !["report_mode", "task_off", "policy_off"].contains(&word.as_str().unwrap()));
        let kept_by: Vec<_> = kept_by.collect();
        assert_eq!(is_listed, kept_by.is_empty(), "row {key}: {said:#?}\nthe plan: {result:#?}\n{listed:#?}");
        assert!(!is_listed || said.eligible, "row {key}: {said:#?}");
    }
}
