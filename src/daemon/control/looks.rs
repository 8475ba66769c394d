//! Plans that somebody has looked at: what a run may take by one of them, once. Just before that run everything is looked at
//! again, and it has to be the same.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::decide::guards::Looked;
use crate::outcome::{PolicyResult, RunMode, RunResult, Status};
use crate::policy::{Name, Policy};
use crate::random::unguessable;
use crate::run::{Listed, Request, RunError, Runner};
use crate::server::{Problem, ProblemCode, RunWanted};
use crate::text::hex;

/// Plans that are kept.
const KEPT: usize = 64;
/// Age at which a plan is no longer what somebody has just seen.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(1);
/// Lines of a listing that wait to be taken in.
const AHEAD: usize = 1024;

/// Everything that would go, without its order: a sum of hashes of each row's key and each file's path, and the counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sight {
    listed: [u64; 4],
    counts: BTreeMap<Name, (u64, u64, u64, BTreeMap<String, u64>)>,
}

/// A plan of a request.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// Names the plan; nothing can be told from it.
    pub(super) digest: String,
    /// The request without its mode.
    asked: String,
    /// Fingerprint of the configuration in force.
    base: String,
    pub(super) at: Timestamp,
    pub(super) sight: Sight,
}

impl Sight {
    fn add(&mut self, line: &Listed) {
        let words = serde_json::to_vec(line).unwrap_or_default();
        let hash = Sha256::digest(&words);
        for (sum, part) in self.listed.iter_mut().zip(hash.as_chunks().0) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*part));
        }
    }

    fn count(&mut self, done: &PolicyResult) {
        let tally = &done.tally;
        let counts = (tally.rows_deleted, tally.rows_updated, tally.files_deleted, tally.children.clone());
        self.counts.insert(done.policy.clone(), counts);
    }

    /// Plans, and takes in everything that would go. None where not all of it was seen.
    pub(super) async fn of(runner: &Runner, plan: Request) -> Result<(RunResult, Option<Self>), RunError> {
        let (sender, mut lines) = mpsc::channel(AHEAD);
        let listening = async {
            let mut sight = Self::default();
            while let Some(line) = lines.recv().await {
                sight.add(&line);
            }
            sight
        };
        let planning = Box::pin(runner.run(Request { list: Some(sender), ..plan }));
        let (result, mut sight) = tokio::join!(planning, listening);
        let result = result?;
        result.policies.iter().for_each(|done| sight.count(done));
        let is_whole = |status| matches!(status, Status::Completed | Status::CompletedWithErrors | Status::Blocked);
        let is_seen = result.status.is_some_and(is_whole) && result.policies.iter().all(|done| is_whole(done.status));
        Ok((result, is_seen.then_some(sight)))
    }
}

impl Look {
    /// A plan that was seen as a whole. None where there is no random number to be had.
    pub(super) fn of(wanted: &RunWanted, base: String, plan: &RunResult, sight: Sight) -> Option<Self> {
        let digest = hex(&unguessable().ok()?);
        Some(Self { digest, asked: digest_of_request(wanted), base, at: plan.started_at, sight })
    }

    /// Refuses where it is of another request, of another configuration, or of long ago.
    pub(super) fn check(&self, wanted: &RunWanted, base: &str, now: Timestamp) -> Result<(), Problem> {
        let why = if self.asked != digest_of_request(wanted) {
            "the plan was made for another request: names, params and set have to be the same"
        } else if self.base != base {
            "another configuration is in force than the one that was planned with"
        } else if now.duration_since(self.at).abs() > FRESH_FOR {
            "the plan is older than an hour"
        } else {
            return Ok(());
        };
        Err(unusable(why))
    }

    /// Looks again, as of then; refuses where something else would go than was shown.
    pub(super) async fn check_sight(&self, runner: &Runner, run: &Request) -> Result<(), Problem> {
        let plan = Request {
            params: run.params.clone(),
            timeout: run.timeout,
            cancel: run.cancel.clone(),
            is_temporary: true,
            looked: agreed(&run.policies, self.at),
            ..Request::new(RunMode::Plan, run.trigger, run.policies.clone())
        };
        match Sight::of(runner, plan).await {
            Ok((_, Some(sight))) if sight == self.sight => Ok(()),
            Ok((_, Some(_))) => Err(unusable("what would go now is not what the plan has shown: nothing was done")),
            Ok((_, None)) | Err(_) => {
                Err(unusable("it could not be seen whether the same would go as the plan has shown: nothing was done"))
            }
        }
    }
}

/// Policies as somebody agrees to them for one run, as of an instant.
pub(super) fn agreed(policies: &[Arc<Policy>], at: Timestamp) -> BTreeMap<Name, Looked> {
    let looked = Looked { amount: None, at, replaces_guards: false };
    policies.iter().map(|policy| (policy.name.clone(), looked)).collect()
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
    let hint = "POST /api/v1/run with mode plan and the same set shows anew what would go, and its plan_digest";
    Problem::new(ProblemCode::Changed, why).hint(hint)
}

/// SHA-256 of what a request is for; its parameters may be secret.
fn digest_of_request(wanted: &RunWanted) -> String {
    let RunWanted { names, mode: _, params, set, plan_digest: _, base: _ } = wanted;
    let words = serde_json::json!([names, params, set]);
    hex(&Sha256::digest(words.to_string()))
}
