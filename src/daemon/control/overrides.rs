//! Overrides of one request: the keys that it may set, and the configuration that it runs by. One takes more than
//! the configuration in force lets it only by a plan that somebody has looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::reload::load;
use super::controller::Controller;
use crate::policy::{Policy, Settings, Widening, widened};
use crate::server::{Problem, ProblemCode};

/// Keys of a policy that a request may set to anything.
const FREE: [&str; 2] = ["keep", "grace"];
/// Guards, which a request may make stricter.
const GUARDS: [&str; 4] = ["max_rows", "max_files", "max_fraction", "max_growth"];

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
        let is_base = |written: &Settings| {
            let detail =
                "the configuration on disk is not the one in force, and overrides are laid over what is on disk";
            let differs = || Problem::new(ProblemCode::Changed, detail).hint("reload it, or put the former one back");
            (written.written.fingerprint() == base).then_some(()).ok_or_else(differs)
        };
        is_base(&*self.with_overrides(Vec::new()).await?)?;
        let all: Vec<(String, String)> = set.clone().into_iter().collect();
        let is_guard = |key: &str| key.rsplit('.').next().is_some_and(|last| GUARDS.contains(&last));
        let guards: Vec<(String, String)> = all.iter().filter(|(key, _)| is_guard(key)).cloned().collect();
        if !guards.is_empty()
            && let Some(wider) = widened(&in_force, &*self.with_overrides(guards).await?).into_iter().next()
        {
            let detail =
                format!("policy {}: {}: a request makes guards stricter", wider.policy, wider.reasons.join(", "));
            return Err(Problem::new(ProblemCode::InvalidParameter, detail).hint("change the configuration instead"));
        }
        let settings = self.with_overrides(all).await?;
        // Nobody has written between the first look and the last.
        is_base(&*self.with_overrides(Vec::new()).await?)?;
        Ok(Some(Temporary { settings, base }))
    }

    async fn with_overrides(&self, set: Vec<(String, String)>) -> Result<Arc<Settings>, Problem> {
        let settings = load(self.on_disk.loader(), set).await.map_err(|refusal| {
            let problem = Problem::new(ProblemCode::InvalidParameter, refusal.to_string());
            Problem { errors: refusal.errors, ..problem }
        })?;
        Ok(Arc::new(settings))
    }
}

impl Temporary {
    /// Refuses where another configuration is in force now than the one that the overrides lie on.
    pub(super) fn check_base(&self, in_force: &Settings) -> Result<(), Problem> {
        if in_force.written.fingerprint() == self.base {
            return Ok(());
        }
        Err(Problem::new(ProblemCode::Changed, "the configuration was reloaded meanwhile").hint("ask again"))
    }

    /// Refuses where one of these policies would take more than the configuration in force lets it.
    pub(super) fn check_not_wider(&self, in_force: &Settings, policies: &[Arc<Policy>]) -> Result<(), Problem> {
        let wider = widened(in_force, &self.settings);
        let mut of_run = wider.into_iter().filter(|wider| policies.iter().any(|policy| policy.name == wider.policy));
        let Some(Widening { policy, reasons }) = of_run.next() else { return Ok(()) };
        let reasons = reasons.join(", ");
        let detail = format!("policy {policy} would take more than the configuration in force lets it: {reasons}");
        let hint = "mode plan shows what would go; to have it go once, give its plan_digest along";
        Err(Problem::new(ProblemCode::Wider, detail).hint(hint))
    }
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
