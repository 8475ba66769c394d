//! Border of the server: what can be asked of a daemon, and what it answers. `daemon` implements [`Control`].

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::problem::Problem;
use crate::outcome::{
    DaySums, HookPoint, PendingChoice, PendingPath, Remote, Role, RunId, RunMode, RunResult, RunTrigger, Status,
    Subject, Wait,
};
use crate::policy::{Mode, Name, Settings};
use crate::report::{
    AuditEntry, Forgotten, Overview, Paused, PendingFiles, PolicyOverview, Retried, RunEntry, Stats, StoreStats,
    TestedDestination, ToApprove,
};

/// An answer, or why there is none.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Problem>>;

/// Questions and orders that a daemon takes.
pub trait Control: Send + Sync + 'static {
    /// The configuration in force.
    fn settings(&self) -> Arc<Settings>;
    /// The token of a secret, and what it allows. How long that takes does not depend on the secret.
    fn token(&self, secret: &str) -> Option<(Name, Role)>;
    /// Answers where the daemon's main loop does.
    fn alive(&self) -> Answer<'_, ()>;
    /// State of everything, as it is in force.
    fn status(&self) -> Answer<'_, LiveStatus>;
    /// Numbers in the text format of Prometheus.
    fn metrics(&self) -> Answer<'_, String>;
    /// The policies in force.
    fn policies(&self) -> Answer<'_, Vec<PolicyOverview>>;
    /// Eligible rows of policies, without names of all of them.
    fn stats(&self, names: Vec<String>, caller: Caller) -> Answer<'_, Stats>;
    /// Past and present runs, the newest first.
    fn runs(&self, wanted: RunsWanted) -> Answer<'_, Vec<RunEntry>>;
    /// A run by its id, or by a beginning or end of it.
    fn run(&self, id: String) -> Answer<'_, RunDocument>;
    /// Follows a run to its end.
    fn follow(&self, id: String) -> Answer<'_, BoxStream<'static, RunUpdate>>;
    /// Begins a run.
    fn begin(&self, wanted: RunWanted, caller: Caller) -> Answer<'_, RunId>;
    /// Asks a run to stop between two batches.
    fn cancel(&self, id: String, caller: Caller) -> Answer<'_, RunId>;
    /// Pauses a task or policy.
    fn pause(&self, subject: Subject, reason: Option<String>, caller: Caller) -> Answer<'_, Paused>;
    /// Lets a task or policy go on; false where it was not paused.
    fn resume(&self, subject: Subject, caller: Caller) -> Answer<'_, bool>;
    /// Look at a policy before it is approved: everything that it would take.
    fn proposal(&self, policy: Name, caller: Caller) -> Answer<'_, ToApprove>;
    /// Approves a policy, if it is still the one that was shown.
    fn approve(&self, policy: Name, seen: SeenProposal, caller: Caller) -> Answer<'_, ToApprove>;
    /// Files whose rows are gone and that are still to be removed, at most `limit`.
    fn pending(&self, limit: u32) -> Answer<'_, PendingFiles>;
    /// Tries now to remove pending files, as the next run of their policies would.
    fn retry(&self, choice: PendingChoice, caller: Caller) -> Answer<'_, Retried>;
    /// Leaves a pending file alone for good.
    fn forget(&self, file: PendingPath, caller: Caller) -> Answer<'_, Forgotten>;
    /// Sums of the runs that began at an instant or later, by day and end.
    fn days(&self, since: Timestamp) -> Answer<'_, Vec<DaySums>>;
    /// Stores, as far as they are known without going through them.
    fn stores(&self) -> Answer<'_, Vec<StoreStats>>;
    /// The newest entries of the audit first, at most `limit`.
    fn audit(&self, limit: u32) -> Answer<'_, Vec<AuditEntry>>;
    /// Sends a test to somebody who is notified.
    fn test_destination(&self, name: Name, caller: Caller) -> Answer<'_, TestedDestination>;
    /// Loads the configuration anew.
    fn reload(&self, caller: Caller) -> Answer<'_, Reloaded>;
}

/// Whoever asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// User of the other end of the socket; none where the sandbox hides who that is.
    pub uid: Option<u32>,
    /// Person for whom a command says that it asks.
    pub on_behalf_of: Option<String>,
    /// It is a command of retaind, which asks for a person at a terminal.
    pub is_command: bool,
    /// Who it is over TCP, where all of the above is unknown.
    pub remote: Option<Remote>,
    /// Extent of what they may do; on the socket everything.
    pub role: Role,
    /// Cancelled when nobody waits for the answer any more.
    pub gone: CancellationToken,
}

/// Answer of `GET /api/v1/status`: the page of `retaind status`, and what only the daemon knows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LiveStatus {
    #[serde(flatten)]
    pub overview: Overview,
    /// Progress of the runs of this daemon that are under way.
    pub progress: Vec<RunProgress>,
    /// Sources of the configuration, and whether each answers.
    pub sources: Vec<SourceState>,
    /// Configuration that the daemon works by.
    pub configuration: ConfigInForce,
}

/// State of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceState {
    /// Name of the source.
    pub source: Name,
    /// False while it cannot be reached, or refuses the login.
    pub is_up: bool,
}

/// The configuration that the daemon works by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigInForce {
    /// SHA-256 of what is written in it, in hexadecimal.
    pub digest: String,
    /// The mode of the daemon; with `report` nothing is ever deleted.
    pub mode: Mode,
    /// True if what is written on disk is something else, or wrong.
    pub differs_from_disk: bool,
    /// Errors of the last reload, where it failed.
    pub reload_errors: Option<usize>,
}

/// Progress of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunProgress {
    /// Names the run.
    pub run_id: RunId,
    /// Task that is run as a whole.
    pub task: Option<Name>,
    /// Policies of the run, in the order in which they run.
    pub policies: Vec<Name>,
    /// Mode of the run.
    pub mode: RunMode,
    /// Reason that it began.
    pub trigger: RunTrigger,
    /// Instant at which it began.
    pub since: Timestamp,
    /// Work done of the work planned, in hundredths. Never falls; 100 only at the end.
    pub progress: u8,
    /// The stage that it is in, in words.
    pub message: String,
    /// The policy that is run now.
    pub policy: Option<Name>,
    /// The hook that is run instead.
    pub hook: Option<HookPoint>,
    /// Position of the policy in the run, from 1.
    pub position: usize,
    /// Rows of this policy that are done.
    pub rows_done: u64,
    /// None where it was not counted.
    pub rows_total: Option<u64>,
    /// Files that were removed so far.
    pub files_deleted: u64,
    /// Bytes that came free so far.
    pub bytes_reclaimed: u64,
    /// Reason for which it waits between two batches just now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waiting: Option<Wait>,
}

/// Answer of `GET /api/v1/runs/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunDocument {
    #[serde(flatten)]
    pub result: RunResult,
    /// While this daemon runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<RunProgress>,
}

/// News of a run that is followed.
#[derive(Debug, Clone)]
pub enum RunUpdate {
    Progress(Box<RunProgress>),
    /// The last one.
    End(Box<RunResult>),
    /// The last one, where there is no result.
    Failed(Problem),
}

/// End of a run; none while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RunState(#[serde(deserialize_with = "running_or_ended")] pub Option<Status>);

fn running_or_ended<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Status>, D::Error> {
    let word = String::deserialize(deserializer)?;
    if word == "running" {
        return Ok(None);
    }
    Status::deserialize(serde::de::value::StringDeserializer::new(word)).map(Some)
}

/// Choice of runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunsWanted {
    /// The task that they run.
    pub task: Option<Name>,
    /// A policy that they run.
    pub policy: Option<Name>,
    /// Ending of the runs, or `running`.
    pub status: Option<RunState>,
    /// Instant of the earliest start.
    pub since: Option<Timestamp>,
    /// Only runs that began before this one: the last of a page leads to the next.
    pub before: Option<RunId>,
    /// At most so many; 100 if left out, 1000 at most.
    #[schemars(range(max = 4_294_967_295_u32))]
    pub limit: Option<u32>,
}

/// Proposal that somebody has looked at before approving it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenProposal {
    /// Of the policy's configuration.
    pub fingerprint: String,
    /// Rows or files that would have gone.
    #[serde(deserialize_with = "whole_number")]
    #[schemars(range(max = LARGEST_WHOLE))]
    pub amount: u64,
}

/// Largest whole number that every reader of JSON keeps exactly: 2^53 - 1.
const LARGEST_WHOLE: u64 = (1 << 53) - 1;

/// Reads a whole number also where it is written as `3.0`: JSON has only one kind of numbers.
fn whole_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let is_whole = |float: &f64| float.fract() == 0.0 && (0.0..=LARGEST_WHOLE as f64).contains(float);
    let whole = number.as_f64().filter(is_whole).map(|float| float as u64);
    whole.ok_or_else(|| serde::de::Error::custom(format!("{number} is no whole number up to {LARGEST_WHOLE}")))
}

impl RunsWanted {
    /// Runs of a page, unless another number is asked for, and at most.
    const USUAL: u32 = 100;
    const MOST: u32 = 1000;

    /// Number of runs of a page.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(Self::USUAL).clamp(1, Self::MOST)
    }
}

/// Request for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunWanted {
    /// Tasks and policies; an empty list means all that are scheduled, and has to be written.
    pub names: Vec<String>,
    /// `plan` and `report` delete nothing. Without it: what the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<RunMode>,
    /// Values of the parameters that the policies declare.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Keys of the configuration that count for this run alone: `policies.NAME.keep` and `.grace`, stricter guards, and `mode`
    /// towards `report`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// The `plan_digest` of a plan of the same request: the run begins only where what would go is still what that plan has shown.
    /// A `set` that lets a policy take more than the configuration in force needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<String>,
    /// Digest of the configuration that it is for: under another one it does not begin. Never given from outside.
    #[serde(skip)]
    #[schemars(skip)]
    pub base: Option<String>,
}

/// A reload that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Differences, in words; empty where nothing did.
    pub changes: String,
    /// Of the configuration in force now.
    pub digest: String,
}
