//! Numbers for Prometheus: what runs and statistics left behind, and what the state of the daemon says. Showing them counts
//! nothing in a database and scans no store.

mod labels;
mod measured;
mod page;
mod text;
mod textfile;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use labels::{OfPolicy, OfPolicyAndKind, OfPolicyAndStatus, OfTask, OfTaskAndStatus};
use measured::Measured;

use crate::ledger::EndedRuns;
use crate::outcome::{PolicyResult, RunMode, RunResult, Status};
use crate::policy::{Name, Settings};
use crate::report::{PolicyStats, Stats};
use crate::run::Meter;

pub(super) use page::{Page, render};
pub(super) use textfile::keep_writing;

/// Upper bounds of durations of runs, in seconds: a quick one, a minute, a night.
const DURATIONS: [f64; 11] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0];

/// Numbers that runs and statistics left behind. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    runs: Family<OfTaskAndStatus, Counter>,
    durations: Family<OfTask, Histogram>,
    last_success: Family<OfTask, Gauge>,
    ends: Family<OfPolicyAndStatus, Counter>,
    errors: Family<OfPolicy, Counter>,
    error_kinds: Family<OfPolicyAndKind, Counter>,
    files_scanned: Family<OfPolicy, Counter>,
    blocked: Family<OfPolicy, Gauge>,
    backlog: Family<OfPolicy, Gauge>,
    overdue: Family<OfPolicy, Gauge>,
    falling_behind: Family<OfPolicy, Gauge>,
    measured: Arc<Measured>,
}

impl Metrics {
    /// Numbers that go on from what the ledger remembers of runs.
    pub fn new(past: &[EndedRuns]) -> Self {
        let inner = Inner::registered();
        for EndedRuns { task, status, runs, last } in past {
            let task = task.as_ref().map(Name::to_string).unwrap_or_default();
            let labels = OfTaskAndStatus { task: task.clone(), status: status.word() };
            inner.runs.get_or_create(&labels).inc_by(*runs);
            if status.is_success() && !task.is_empty() {
                inner.last_success.get_or_create(&OfTask { task }).set(last.as_second());
            }
        }
        Self(Arc::new(inner))
    }

    /// Collector of what runs take.
    pub fn meter(&self) -> Arc<dyn Meter> {
        self.0.measured.clone()
    }

    /// Shows as zero what has not happened yet: an increase is one only from something that was there.
    fn begin_at_zero(&self, settings: &Settings) {
        let inner = &self.0;
        for policy in settings.policies.iter().filter(|policy| policy.enabled) {
            drop(inner.errors.get_or_create(&OfPolicy::of(&policy.name)));
            inner.measured.begin_at_zero(&policy.name);
        }
        for task in settings.tasks.iter().filter(|task| task.enabled) {
            for status in [Status::Completed, Status::Failed] {
                let labels = OfTaskAndStatus { task: task.name.to_string(), status: status.word() };
                drop(inner.runs.get_or_create(&labels));
            }
        }
    }

    /// Takes down how a run ended. A plan is none.
    pub fn observe_run(&self, result: &RunResult) {
        let (Some(status), true) = (result.status, result.mode != RunMode::Plan) else { return };
        let inner = &self.0;
        let task = result.task.as_ref().map(Name::to_string).unwrap_or_default();
        inner.runs.get_or_create(&OfTaskAndStatus { task: task.clone(), status: status.word() }).inc();
        let of_task = OfTask { task };
        inner.durations.get_or_create(&of_task).observe(result.duration_ms as f64 / 1000.0);
        if let (Some(at), true, true) = (result.finished_at, status.is_success(), result.task.is_some()) {
            inner.last_success.get_or_create(&of_task).set(at.as_second());
        }
        result.policies.iter().for_each(|done| self.observe_policy(done));
    }

    fn observe_policy(&self, done: &PolicyResult) {
        let inner = &self.0;
        let of_policy = OfPolicy::of(&done.policy);
        let ended = OfPolicyAndStatus { policy: done.policy.to_string(), status: done.status.word() };
        inner.ends.get_or_create(&ended).inc();
        inner.errors.get_or_create(&of_policy).inc_by(done.error_count);
        for (kind, count) in &done.error_kinds {
            let labels = OfPolicyAndKind { policy: done.policy.to_string(), kind: kind.clone() };
            inner.error_kinds.get_or_create(&labels).inc_by(*count);
        }
        inner.files_scanned.get_or_create(&of_policy).inc_by(done.tally.files_scanned);
        let is_blocked = done.status == Status::Blocked && done.held.is_none();
        inner.blocked.get_or_create(&of_policy).set(i64::from(is_blocked));
        let left = match (done.status, done.mode) {
            // Whatever was eligible went.
            (Status::Completed, RunMode::Enforce) => 0,
            (Status::Completed | Status::CompletedWithErrors, _) => done.amount(),
            (Status::Blocked | Status::Failed | Status::Cancelled, _) => return,
        };
        inner.backlog.get_or_create(&of_policy).set(gauge(left));
        // Of rows, statistics know.
        if let Some((oldest, cutoff)) = done.survey.as_ref().and_then(|seen| seen.oldest_eligible_at).zip(done.cutoff) {
            inner.overdue.get_or_create(&of_policy).set(cutoff.duration_since(oldest).as_secs().max(0));
        }
        if left == 0 {
            inner.overdue.get_or_create(&of_policy).set(0);
            inner.falling_behind.get_or_create(&of_policy).set(0);
        }
    }

    /// Takes down what statistics found.
    pub fn observe_stats(&self, stats: &Stats) {
        for PolicyStats { policy, rows_eligible, overdue_secs, falling_behind, error, .. } in &stats.policies {
            let (Some(eligible), None) = (rows_eligible, error) else { continue };
            let of_policy = OfPolicy::of(policy);
            self.0.backlog.get_or_create(&of_policy).set(gauge(*eligible));
            self.0.overdue.get_or_create(&of_policy).set(gauge(overdue_secs.unwrap_or(0)));
            self.0.falling_behind.get_or_create(&of_policy).set(i64::from(*falling_behind));
        }
    }
}

impl Inner {
    fn registered() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATIONS);
        let durations = Family::new_with_constructor(histogram);
        let mut registry = Registry::with_prefix("retaind");
        let measured = Measured::registered(&mut registry);
        let mut inner = Self {
            registry,
            runs: Family::default(),
            durations,
            last_success: Family::default(),
            ends: Family::default(),
            errors: Family::default(),
            error_kinds: Family::default(),
            files_scanned: Family::default(),
            blocked: Family::default(),
            backlog: Family::default(),
            overdue: Family::default(),
            falling_behind: Family::default(),
            measured: Arc::new(measured),
        };
        let registry = &mut inner.registry;
        registry.register("runs", "Runs that ended, by how they did", inner.runs.clone());
        registry.register("run_duration_seconds", "Time from begin to end of a run", inner.durations.clone());
        let about = "When a run of the task completed last, in seconds since 1970";
        registry.register("task_last_success_timestamp_seconds", about, inner.last_success.clone());
        registry.register("policy_results", "Ends of a policy in runs of this daemon, by how", inner.ends.clone());
        let about = "Errors of rows and files in runs of this daemon";
        registry.register("policy_errors", about, inner.errors.clone());
        registry.register("policy_errors_by_kind", "These errors by kind", inner.error_kinds.clone());
        registry.register("files_scanned", "Files that runs of this daemon looked at", inner.files_scanned.clone());
        let about = "1 if a guard blocked the policy in its last run";
        registry.register("policy_blocked", about, inner.blocked.clone());
        let about = "Eligible rows or files that were there when a run or statistics last looked";
        registry.register("policy_backlog_items", about, inner.backlog.clone());
        let about = "For how long the oldest eligible row had been eligible when statistics last looked";
        registry.register("policy_oldest_eligible_age_seconds", about, inner.overdue.clone());
        let about = "1 if that was more than two periods of the schedule";
        registry.register("policy_falling_behind", about, inner.falling_behind.clone());
        inner
    }
}

/// A number as a gauge shows it.
fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
