//! Overrides of one request: the keys that it may set, the configuration that it runs by, and the plan that stands for whoever
//! wants more than the configuration in force allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::super::reload::load;
use super::controller::{Controller, internal, stopping, who_asks};
use crate::commands::approve::{self, Shown};
use crate::commands::planned::amount_of;
use crate::commands::selection::Selection;
use crate::outcome::{RunId, RunMode, RunResult, Status};
use crate::policy::{Params, Settings, widened};
use crate::server::{Caller, Problem, ProblemCode, RunWanted};

/// Keys of a policy that a request may set to anything.
const FREE: [&str; 2] = ["keep", "grace"];
/// Guards, which a request may make stricter.
const GUARDS: [&str; 4] = ["max_rows", "max_files", "max_fraction", "max_growth"];
/// Time for which a plan stands for its request.
const PLAN_HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// The configuration of one request.
pub(super) struct Temporary {
    pub(super) settings: Arc<Settings>,
    /// Fingerprint of the configuration that the overrides lie on.
    pub(super) base: String,
}

impl Controller {
    /// The configuration in force with the overrides of a request; none where it has none.
    pub(super) async fn temporary(&self, set: &BTreeMap<String, String>) -> Result<Option<Temporary>, Problem> {
        if set.is_empty() {
            return Ok(None);
        }
        set.iter().try_for_each(|(key, value)| check_key(key, value))?;
        let in_force = self.settings();
        let base = in_force.written.fingerprint();
        let written = self.with_overrides(Vec::new()).await?;
        if written.written.fingerprint() != base {
            let detail =
                "the configuration on disk is not the one in force, and overrides are laid over what is on disk";
            return Err(Problem::new(ProblemCode::Changed, detail).hint("reload it, or put the former one back"));
        }
        let all: Vec<(String, String)> = set.clone().into_iter().collect();
        let is_guard = |key: &str| key.rsplit('.').next().is_some_and(|last| GUARDS.contains(&last));
        let guards: Vec<(String, String)> = all.iter().filter(|(key, _)| is_guard(key)).cloned().collect();
        if let Some(wider) = widened(&in_force, &*self.with_overrides(guards).await?).into_iter().next() {
            let detail =
                format!("policy {}: {}: a request makes guards stricter", wider.policy, wider.reasons.join(", "));
            return Err(Problem::new(ProblemCode::InvalidParameter, detail).hint("change the configuration instead"));
        }
        Ok(Some(Temporary { settings: self.with_overrides(all).await?, base }))
    }

    async fn with_overrides(&self, set: Vec<(String, String)>) -> Result<Arc<Settings>, Problem> {
        let settings = load(self.on_disk.loader(), set).await.map_err(|refusal| {
            let problem = Problem::new(ProblemCode::InvalidParameter, refusal.to_string());
            Problem { errors: refusal.errors, ..problem }
        })?;
        Ok(Arc::new(settings))
    }

    /// Approves, for a run that takes more than the configuration in force allows, what a plan of the same request has shown.
    pub(super) async fn agreed_by_plan(
        &self,
        (wanted, temporary): (&RunWanted, &Temporary),
        (selection, params): (&Selection, &Params),
        caller: &Caller,
    ) -> Result<Vec<Shown>, Problem> {
        let settings = &temporary.settings;
        let wider: Vec<_> = widened(&self.settings(), settings)
            .into_iter()
            .filter(|wider| selection.policies.iter().any(|policy| policy.name == wider.policy))
            .collect();
        let Some(first) = wider.first() else { return Ok(Vec::new()) };
        let Some(plan) = wanted.plan else {
            let (policy, reasons) = (&first.policy, first.reasons.join(", "));
            let detail = format!("policy {policy} would take more than the configuration in force lets it: {reasons}");
            let hint = "ask for the same with mode plan, look at it, and send its run_id as plan";
            return Err(Problem::new(ProblemCode::Wider, detail).hint(hint));
        };
        let seen = self.plan_of(plan, wanted, temporary)?;
        self.check_ledger()?;
        let _place = self.asking.acquire().await.map_err(|_| stopping())?;
        let policies = selection.policies.iter().filter(|policy| wider.iter().any(|wider| wider.policy == policy.name));
        let selection = Selection { policies: policies.cloned().collect(), task: None };
        let shown = approve::look(settings, &selection, params).await.map_err(internal)?;
        let mut shown = shown.ok_or_else(stopping)?;
        for Shown { page, .. } in &shown {
            let planned = seen.policies.iter().find(|result| result.policy == page.policy).map_or(0, amount_of);
            if page.amount > planned {
                let detail =
                    format!("{} would go by policy {} now, and {planned} were planned", page.amount, page.policy);
                return Err(stale(detail));
            }
        }
        let by = who_asks(caller);
        let approved = approve::approve(settings, &mut shown, settings, &by).await.map_err(internal)?;
        approved.map_err(|error| stale(error.to_string()))?;
        Ok(shown)
    }

    /// The plan of that id, if it is one of the same request and not too old.
    fn plan_of(&self, id: RunId, wanted: &RunWanted, temporary: &Temporary) -> Result<RunResult, Problem> {
        let no_plan = || stale(format!("run {id} is no plan of the same names, params and set"));
        let (result, request) = self.requests.planned(id).ok_or_else(no_plan)?;
        let is_complete =
            matches!(result.status, Some(Status::Completed | Status::CompletedWithErrors | Status::Blocked));
        if result.mode != RunMode::Plan || !is_complete || request != request_words(wanted, &temporary.base) {
            return Err(no_plan());
        }
        let age = result.finished_at.map(|at| self.runs.clock().now().duration_since(at));
        if age.is_none_or(|age| age > PLAN_HOLDS || age.is_negative()) {
            return Err(stale(format!("plan {id} is older than an hour")));
        }
        Ok(result)
    }
}

/// Everything that two requests have to have in common for the plan of one to stand for the other, the configuration that they lie
/// on included.
pub(super) fn request_words(wanted: &RunWanted, base: &str) -> String {
    serde_json::json!([wanted.names, wanted.params, wanted.set, base]).to_string()
}

fn stale(detail: String) -> Problem {
    Problem::new(ProblemCode::Changed, detail)
        .hint("ask for the same with mode plan again, and send its run_id as plan")
}

fn check_key(key: &str, value: &str) -> Result<(), Problem> {
    let fits = match *key.split('.').collect::<Vec<_>>() {
        ["policies", _, last] if FREE.contains(&last) || GUARDS.contains(&last) => true,
        ["policies", _, "mode"] | ["daemon", "mode"] => value == "report",
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let detail = format!("a request does not set {key} to {value:?}");
    let hint = "it sets policies.NAME.keep and policies.NAME.grace, makes guards (max_rows, max_files, max_fraction, \
                max_growth) stricter, and mode report";
    Err(Problem::new(ProblemCode::InvalidParameter, detail).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_sets_few_keys() {
        for (key, value) in [("policies.items.keep", "1d"), ("policies.items.max_rows", "5"), ("daemon.mode", "report")]
        {
            assert!(check_key(key, value).is_ok(), "{key}");
        }
        for (key, value) in [
            ("daemon.mode", "enforce"),
            ("policies.items.mode", "enforce"),
            ("policies.items.where", "true"),
            ("policies.items.keep.default", "1d"),
            ("policies", "1"),
            ("policies.items.files", "[]"),
            ("sources.app.url", "sqlite:///x"),
            ("stores.thumbs.path", "/"),
            ("ledger.url", "x"),
            ("", ""),
        ] {
            assert!(check_key(key, value).is_err(), "{key}");
        }
    }
}
