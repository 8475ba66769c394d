//! Plans that somebody has looked at: what a run may take by one of them, once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::decide::guards::Looked;
use crate::outcome::{PolicyResult, RunResult, Status};
use crate::policy::Name;
use crate::server::{Problem, ProblemCode, RunWanted};
use crate::text::hex;

/// Plans that are kept.
const KEPT: usize = 64;
/// Age at which a plan is no longer what somebody has just seen.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);

/// A plan of a request.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Names the plan, and what it was about.
    pub(super) digest: String,
    /// The request without its mode.
    asked: String,
    /// Fingerprint of the configuration in force.
    base: String,
    at: Timestamp,
    amounts: BTreeMap<Name, Looked>,
}

impl Look {
    /// A plan that came to its end; none of one that did not see everything.
    pub(super) fn of(wanted: &RunWanted, base: String, plan: &RunResult) -> Option<Self> {
        let counted = |done: &PolicyResult| {
            let is_seen = match done.status {
                Status::Completed => true,
                Status::Blocked => done.held.is_some() || done.amount() > 0,
                Status::CompletedWithErrors | Status::Failed | Status::Cancelled => false,
            };
            let looked = Looked { amount: done.amount(), at: plan.started_at, replaces_guards: false };
            is_seen.then(|| (done.policy.clone(), looked))
        };
        let amounts: BTreeMap<Name, Looked> = plan.policies.iter().map(counted).collect::<Option<_>>()?;
        let asked = digest_of_request(wanted);
        let counts: Vec<String> = amounts.iter().map(|(name, looked)| format!("{name} {}", looked.amount)).collect();
        let words = format!("{asked} {base} {} {} {}", plan.run_id, plan.started_at, counts.join(" "));
        Some(Self { digest: hex(&Sha256::digest(words)), asked, base, at: plan.started_at, amounts })
    }

    /// Amounts that it lets a run take, if that is asked for what was planned, in time, under the same configuration.
    pub(super) fn check(
        &self,
        wanted: &RunWanted,
        base: &str,
        now: Timestamp,
    ) -> Result<BTreeMap<Name, Looked>, Problem> {
        let why = if self.asked != digest_of_request(wanted) {
            "the plan was made for another request: names, params and set have to be the same"
        } else if self.base != base {
            "another configuration is in force than the one that was planned with"
        } else if now.duration_since(self.at).abs() > FRESH_FOR {
            "the plan is older than an hour"
        } else {
            return Ok(self.amounts.clone());
        };
        Err(unusable(why))
    }
}

/// The plans that were looked at last. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Looks(Arc<Mutex<VecDeque<Look>>>);

impl Looks {
    pub(super) fn keep(&self, look: Look) {
        let mut all = self.lock();
        all.truncate(KEPT - 1);
        all.push_front(look);
    }

    pub(super) fn find(&self, digest: &str) -> Result<Look, Problem> {
        self.lock().iter().find(|look| look.digest == digest).cloned().ok_or_else(unknown)
    }

    /// Takes a plan for a run: no other goes by it.
    pub(super) fn take(&self, digest: &str) -> Result<(), Problem> {
        let mut all = self.lock();
        let place = all.iter().position(|look| look.digest == digest).ok_or_else(unknown)?;
        all.remove(place);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown() -> Problem {
    unusable("no plan of this daemon has this digest, or a run went by it")
}

fn unusable(why: &str) -> Problem {
    Problem::new(ProblemCode::Changed, why)
        .hint("POST /api/v1/run with mode plan shows anew what would go, and its plan_digest")
}

/// SHA-256 of what a request is for; its parameters may be secret.
fn digest_of_request(wanted: &RunWanted) -> String {
    let RunWanted { names, mode: _, params, set, plan_digest: _ } = wanted;
    let words = serde_json::json!([names, params, set]);
    hex(&Sha256::digest(words.to_string()))
}
