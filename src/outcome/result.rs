//! The result of a run: what commands print with `--json` and what the ledger keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::held::Held;
use super::references::{AlikeFile, MissingFile, OutsidePaths};
use super::standing::Survey;
use super::tally::{Reported, Tally, Totals};
use super::wait::Wait;
use super::{Facts, Requested, RunId};
use crate::policy::Name;

/// Most errors and details that a result shows; the counts are not cut.
pub const SHOWN_AT_MOST: usize = 100;

/// Ending of a run or a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Completed,
    CompletedWithErrors,
    Failed,
    Cancelled,
    Blocked,
}

impl Status {
    /// True if a run that ended like this did not do what its slot was for, by no wish of a person.
    pub fn is_to_be_retried(self, cause: Option<Cause>, any_policy_failed: bool) -> bool {
        match self {
            Status::Failed => true,
            Status::Cancelled => cause != Some(Cause::Request),
            Status::Completed | Status::CompletedWithErrors | Status::Blocked => any_policy_failed,
        }
    }

    /// True if the work was done, be it with errors of single rows and files.
    pub fn is_success(self) -> bool {
        matches!(self, Status::Completed | Status::CompletedWithErrors)
    }

    /// True if it did not come to its end: it is not known what it would have been.
    pub fn is_cut_short(self) -> bool {
        matches!(self, Status::Failed | Status::Cancelled)
    }
}

/// Things that a run was allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunMode {
    Plan,
    Report,
    Enforce,
}

/// Who started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunTrigger {
    Cli,
    Schedule,
    /// The schedule, for a slot that was missed.
    CatchUp,
    /// The schedule, for a slot whose run did not succeed.
    Retry,
    Api,
}

impl RunMode {
    /// The word that JSON uses.
    pub fn word(self) -> &'static str {
        match self {
            RunMode::Plan => "plan",
            RunMode::Report => "report",
            RunMode::Enforce => "enforce",
        }
    }
}

impl RunTrigger {
    /// The word that JSON uses.
    pub fn word(self) -> &'static str {
        match self {
            RunTrigger::Cli => "cli",
            RunTrigger::Schedule => "schedule",
            RunTrigger::CatchUp => "catch_up",
            RunTrigger::Retry => "retry",
            RunTrigger::Api => "api",
        }
    }

    /// True if the schedule started it, and no person.
    pub fn is_schedule(self) -> bool {
        matches!(self, RunTrigger::Schedule | RunTrigger::CatchUp | RunTrigger::Retry)
    }
}

/// One execution of a task or of chosen policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// Names the run.
    pub run_id: RunId,
    /// Mode of the run.
    pub mode: RunMode,
    /// Reason that it began: a person, the schedule, a missed slot, a request.
    pub trigger: RunTrigger,
    /// Task that is run as a whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<Name>,
    /// `None` while it runs; JSON says "running".
    #[serde(with = "super::running")]
    #[schemars(with = "super::running::Word")]
    pub status: Option<Status>,
    /// Instant at which it began.
    pub started_at: Timestamp,
    /// Instant at which it ended; null while it runs.
    pub finished_at: Option<Timestamp>,
    /// Milliseconds from its begin to its end.
    pub duration_ms: u64,
    /// Results of the policies, in the order in which they ran.
    pub policies: Vec<PolicyResult>,
    /// Sums over the policies.
    pub totals: Totals,
    /// Hooks of the task that failed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub hook_errors: Vec<HookFailure>,
    /// Stores whose trash was emptied at the end of the run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub trash_emptied: Vec<EmptiedTrash>,
    /// Why the run ended early (cancelled by a signal, timeout), in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cause>,
    /// Who asked for it, and under what; none where the schedule did, and of a plan.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested: Option<Requested>,
    /// Of a plan of a request with `set`: what a request for the run that it shows gives as its `plan_digest`, within an hour,
    /// once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plan_digest: Option<String>,
}

/// A hook of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HookPoint {
    /// Before the first policy.
    Before,
    /// After the last one.
    After,
}

/// Files removed for good from a store's trash, because their time was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmptiedTrash {
    /// Name of the store.
    pub store: Name,
    /// Runs of whose trash nothing is left.
    pub runs: u64,
    /// Files that were removed for good.
    pub files: u64,
    /// Bytes that came free by it.
    pub bytes_reclaimed: u64,
}

/// A hook that failed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookFailure {
    /// The hook that failed.
    pub hook: HookPoint,
    /// Error, in words.
    pub error: String,
}

/// Result of a run for one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyResult {
    /// Name of the policy.
    pub policy: Name,
    /// Kind of the policy: rows, files or orphans.
    pub kind: String,
    /// The mode of this policy in this run.
    pub mode: RunMode,
    /// Ending of the policy.
    pub status: Status,
    /// Rows and files whose time is before it are eligible; null where the policy has no one cutoff.
    pub cutoff: Option<Timestamp>,
    /// Milliseconds that the policy took.
    pub duration_ms: u64,
    #[serde(flatten)]
    pub tally: Tally,
    /// Of the first hundred rows that went, each `details` of the policy by its name; of an update also `set`: `old` and `new`
    /// of each column that it sets.
    pub details: Vec<BTreeMap<String, serde_json::Value>>,
    /// Of an orphan scan: the first files that rows name and that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<MissingFile>,
    /// Of an orphan scan: how most of the paths begin that lead out of the store.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outside: Vec<OutsidePaths>,
    /// Of an orphan scan: the first files that stay because a row names them in another spelling.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub alike: Vec<AlikeFile>,
    /// Of a policy of files or orphans: the store as it was before anything went.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub survey: Option<Survey>,
    /// The guard that stopped it, with what it read, in words.
    pub blocked_by: Option<String>,
    /// Word of that guard, which stays the same.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub blocked_code: Option<String>,
    /// The numbers and names of that sentence.
    #[serde(skip_serializing_if = "Facts::is_empty", default)]
    pub blocked_facts: Facts,
    /// Hold that lasts until it is approved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<Held>,
    /// Readings of the guards, each with its limit.
    pub guards: Vec<GuardReading>,
    /// In a plan: the first few keys and paths.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sample: Vec<Sample>,
    /// Errors, the first hundred of them.
    pub errors: Vec<Failure>,
    /// Number of errors, of which only the first are listed.
    pub error_count: u64,
    /// Numbers of errors by kind: the word of the reason for which a row or a file was kept, otherwise `row`, `file` or `policy`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub error_kinds: BTreeMap<String, u64>,
    /// Milliseconds that it waited between its batches, by what it waited for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub waited_ms: BTreeMap<Wait, u64>,
    /// True if `at_most` left eligible rows to the next run.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub more_to_do: bool,
    /// Remarks that are no errors: what a person may want to know.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
}

/// A guard's reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardReading {
    /// `max_rows`, `max_fraction`, …
    pub guard: String,
    /// Reading of the guard in this run.
    pub value: f64,
    /// Largest reading that it lets go.
    pub limit: f64,
}

/// A row and file in a plan's sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// Key of the row; empty where the policy is about files.
    pub key: String,
    /// Paths of its files.
    pub files: Vec<String>,
}

/// Something that failed and did not stop the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Key of the row, where it is about one.
    pub key: Option<String>,
    /// Path of the file, where it is about one.
    pub path: Option<String>,
    /// Word of the reason that the row or the file was kept, where that was a decision.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Error, in words.
    pub error: String,
}

impl RunResult {
    /// The result of a run that has just begun.
    pub fn begun(
        (run_id, mode, trigger): (RunId, RunMode, RunTrigger),
        task: Option<Name>,
        requested: Option<Requested>,
        started_at: Timestamp,
    ) -> Self {
        Self {
            run_id,
            mode,
            trigger,
            task,
            status: None,
            started_at,
            finished_at: None,
            duration_ms: 0,
            policies: Vec::new(),
            totals: Totals::default(),
            hook_errors: Vec::new(),
            trash_emptied: Vec::new(),
            cause: None,
            requested: requested.filter(|_| mode != RunMode::Plan),
            plan_digest: None,
        }
    }

    /// Sums up the results of the policies and the errors of the hooks anew.
    pub fn add_up(&mut self) {
        self.totals = Totals::of(&self.policies);
        self.totals.errors += self.hook_errors.len() as u64;
        self.totals.add_emptied(&self.trash_emptied);
    }
}

impl PolicyResult {
    /// The result of a policy that did nothing.
    pub fn new(policy: Name, kind: impl Into<String>, mode: RunMode, status: Status) -> Self {
        Self {
            policy,
            kind: kind.into(),
            mode,
            status,
            cutoff: None,
            duration_ms: 0,
            tally: Tally::default(),
            details: Vec::new(),
            missing: Vec::new(),
            outside: Vec::new(),
            alike: Vec::new(),
            survey: None,
            blocked_by: None,
            blocked_code: None,
            blocked_facts: Facts::new(),
            held: None,
            guards: Vec::new(),
            sample: Vec::new(),
            errors: Vec::new(),
            error_count: 0,
            error_kinds: BTreeMap::new(),
            waited_ms: BTreeMap::new(),
            more_to_do: false,
            notes: Vec::new(),
        }
    }

    /// True if the policy is about rows, and not about what is in a store.
    pub fn is_about_rows(&self) -> bool {
        self.kind == "rows"
    }

    /// Number of what guards on how much may go count: rows, or files of a store.
    pub fn amount(&self) -> u64 {
        let counted = self.guards.iter().find(|reading| matches!(reading.guard.as_str(), "max_rows" | "max_files"));
        let matched = if self.is_about_rows() { self.tally.rows_matched } else { self.tally.files_matched };
        // A reading counts things, so that it is a whole number far below what a float cannot hold.
        counted.map_or(matched, |reading| reading.value as u64)
    }
}

impl HookPoint {
    /// The word that configuration and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            HookPoint::Before => "before",
            HookPoint::After => "after",
        }
    }
}

impl Reported {
    /// Sums over those policies of a run that only reported; none where all enforced.
    pub fn of(policies: &[PolicyResult]) -> Option<Self> {
        let mut sums = None;
        for policy in policies.iter().filter(|policy| policy.mode == RunMode::Report) {
            sums.get_or_insert_with(Self::default).add(&policy.tally);
        }
        sums
    }
}

impl Totals {
    /// Sums up the results of a run's policies.
    pub fn of(policies: &[PolicyResult]) -> Self {
        let mut totals = Self::default();
        for policy in policies {
            totals.add(&policy.tally, policy.error_count);
        }
        totals
    }

    /// Adds what came free of the trash; its files were counted when they went there.
    pub fn add_emptied(&mut self, emptied: &[EmptiedTrash]) {
        self.bytes_reclaimed += emptied.iter().map(|store| store.bytes_reclaimed).sum::<u64>();
    }

    /// Adds one policy's sums.
    pub fn add(&mut self, tally: &Tally, errors: u64) {
        self.rows_deleted += tally.rows_deleted;
        self.rows_updated += tally.rows_updated;
        self.files_deleted += tally.files_deleted;
        self.bytes_reclaimed += tally.bytes_reclaimed;
        self.errors += errors;
    }
}

impl Status {
    /// The status of a run from those of its policies.
    pub fn of_run(policies: &[PolicyResult], cancelled: bool) -> Self {
        let any = |status: Status| policies.iter().any(|policy| policy.status == status);
        let all = |status: Status| !policies.is_empty() && policies.iter().all(|policy| policy.status == status);
        if cancelled || any(Status::Cancelled) {
            Status::Cancelled
        } else if all(Status::Failed) {
            Status::Failed
        } else if any(Status::Blocked) {
            Status::Blocked
        } else if any(Status::Failed) || any(Status::CompletedWithErrors) {
            Status::CompletedWithErrors
        } else {
            Status::Completed
        }
    }

    /// The word that JSON and the tables use.
    pub fn word(self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::CompletedWithErrors => "completed_with_errors",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
            Status::Blocked => "blocked",
        }
    }
}
