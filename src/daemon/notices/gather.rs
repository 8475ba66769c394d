//! Gathers all that is the case: of policies by how each ended last, of tasks by their slots, of sources by their health.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::run_ends::causes;
use super::super::source_health::SourceStanding;
use super::words::{self, Group};
use crate::clock::Clock;
use crate::commands::status::{self, next_overdue};
use crate::ledger::{Conditions, Ledger, LedgerError};
use crate::outcome::{NoticeCondition, NoticePolicy, NoticeSubject, PolicyResult, RunId, RunResult, Status};
use crate::policy::{NoticeEvent, Policy, Settings};
use crate::report::{Overview, TaskOverview};

/// Events by which the ending of a policy or a run is told.
const ENDINGS: [NoticeEvent; 2] = [NoticeEvent::Blocked, NoticeEvent::Failed];
/// Code of a policy that somebody has set aside: whoever did knows.
const PAUSED: &str = "paused";

/// All that is the case.
pub(super) struct Gathered {
    pub standing: Conditions,
    /// The next instant after which a task is overdue.
    pub next_overdue: Option<Timestamp>,
}

/// Runs that policies ended in, each read once.
struct Endings {
    runs: BTreeMap<RunId, RunResult>,
    /// Of each policy.
    of: Vec<(crate::policy::Name, RunId, Status)>,
}

/// Looks at everything.
pub(super) async fn gather(
    settings: &Settings,
    ledger: &Ledger,
    clock: &Clock,
    sources: &SourceStanding,
) -> anyhow::Result<Gathered> {
    let overview = status::overview_by(settings, Some(ledger), None, clock).await?;
    let endings = Endings::read(settings, ledger, &overview).await?;
    let mut groups = of_policies(settings, &overview, &endings);
    groups.extend(of_held(settings, &overview));
    let mut conditions: Vec<NoticeCondition> =
        groups.into_values().map(|group| words::of_group(group, overview.at)).collect();
    let mut unsure: Vec<_> =
        sources.unknown.iter().map(|source| (NoticeEvent::SourceDown, NoticeSubject::source(source))).collect();
    unsure.extend(endings.cut_short(settings));
    for task in overview.tasks.iter().filter(|task| task.enabled && !task.policies.is_empty()) {
        let subject = NoticeSubject::task(&task.task);
        match task.last_run.as_ref().map(|run| (run.run_id, run.status)) {
            Some((run_id, Some(Status::Failed))) if endings.failed_as_a_whole(run_id) => {
                let is_its = |told: &NoticeCondition| is_about(told, NoticeEvent::Failed, &subject);
                if !conditions.iter().any(is_its) {
                    conditions.push(words::of_failed_run(task, endings.cause(run_id), run_id, overview.at));
                }
            }
            // A run under way may not have come to all policies.
            Some((_, None)) => {
                conditions.retain(|told| !ENDINGS.iter().any(|event| is_about(told, *event, &subject)));
                unsure.extend(not_known(&subject));
            }
            Some((_, Some(Status::Cancelled))) => unsure.extend(not_known(&subject)),
            _ => {}
        }
        conditions
            .extend(task.overdue_since.map(|since| words::of_overdue(&task.task, since, policies_of(settings, task))));
    }
    for (source, why) in &sources.down {
        let uses = |policy: &&Policy| policy.enabled && settings.sources_of(policy).contains(&source);
        let policies = settings.policies.iter().map(AsRef::as_ref).filter(uses).map(plain).collect();
        conditions.push(words::of_source(source, why, overview.at, policies));
    }
    // A configuration that has started is well.
    let next_overdue = next_overdue(settings, ledger, overview.at).await?;
    Ok(Gathered { standing: Conditions { conditions, unsure }, next_overdue })
}

impl Endings {
    async fn read(settings: &Settings, ledger: &Ledger, overview: &Overview) -> Result<Self, LedgerError> {
        let enabled = settings.policies.iter().filter(|policy| policy.enabled).map(|policy| policy.name.clone());
        let of = ledger.latest_endings(enabled.collect()).await?;
        let ended = of.iter().filter(|(_, _, status)| is_told(*status)).map(|(_, run_id, _)| *run_id);
        let failed = |task: &TaskOverview| {
            task.last_run.as_ref().filter(|run| run.status == Some(Status::Failed)).map(|run| run.run_id)
        };
        let mut runs = BTreeMap::new();
        for run_id in ended.chain(overview.tasks.iter().filter_map(failed)) {
            if !runs.contains_key(&run_id)
                && let Some(result) = ledger.run(&run_id.to_string()).await?
            {
                runs.insert(run_id, result);
            }
        }
        Ok(Self { runs, of })
    }

    fn result(&self, policy: &Policy, run_id: RunId) -> Option<(&RunResult, &PolicyResult)> {
        let run = self.runs.get(&run_id)?;
        Some((run, run.policies.iter().find(|result| result.policy == policy.name)?))
    }

    /// True if a run failed though no policy of it did.
    fn failed_as_a_whole(&self, run_id: RunId) -> bool {
        let has_failed = |result: &PolicyResult| result.status == Status::Failed;
        !self.runs.get(&run_id).is_some_and(|run| run.policies.iter().any(has_failed))
    }

    /// Conditions that are not known, because the last run of a policy was cut short.
    fn cut_short(&self, settings: &Settings) -> Vec<(NoticeEvent, NoticeSubject)> {
        let cancelled = self.of.iter().filter(|(_, _, status)| *status == Status::Cancelled);
        let subjects = cancelled.filter_map(|(name, ..)| settings.policy(name)).map(|policy| subject_of(policy));
        subjects.flat_map(|subject| not_known(&subject)).collect()
    }

    fn cause(&self, run_id: RunId) -> String {
        self.runs.get(&run_id).map(causes).unwrap_or_default()
    }
}

fn is_told(status: Status) -> bool {
    matches!(status, Status::Blocked | Status::Failed)
}

/// Policies that were blocked or failed the last time, by event and subject.
fn of_policies(settings: &Settings, overview: &Overview, endings: &Endings) -> BTreeMap<(NoticeEvent, String), Group> {
    let mut groups: BTreeMap<(NoticeEvent, String), Group> = BTreeMap::new();
    for (name, run_id, _) in endings.of.iter().filter(|(_, _, status)| is_told(*status)) {
        let Some(policy) = settings.policy(name) else { continue };
        let Some((run, result)) = endings.result(policy, *run_id) else { continue };
        let is_held = result.held.is_some() || overview.held.iter().any(|held| held.policy == *name);
        let event = match result.status {
            Status::Failed => NoticeEvent::Failed,
            Status::Blocked if is_held || result.blocked_code.as_deref() == Some(PAUSED) => continue,
            Status::Blocked => NoticeEvent::Blocked,
            Status::Completed | Status::CompletedWithErrors | Status::Cancelled => continue,
        };
        let subject = subject_of(policy);
        let group = groups.entry((event, subject.to_string())).or_insert_with(|| Group::new(event, subject));
        group.add(policy_of(policy, result), run.finished_at, Some(*run_id));
    }
    groups
}

fn of_held(settings: &Settings, overview: &Overview) -> BTreeMap<(NoticeEvent, String), Group> {
    let mut groups: BTreeMap<(NoticeEvent, String), Group> = BTreeMap::new();
    for held in &overview.held {
        let Some(policy) = settings.policy(&held.policy) else { continue };
        let (event, subject) = (NoticeEvent::Held, subject_of(policy));
        let group = groups.entry((event, subject.to_string())).or_insert_with(|| Group::new(event, subject));
        group.add_held(plain(policy), &held.held);
    }
    groups
}

/// Conditions of a subject of which it is not known how it ended.
fn not_known(subject: &NoticeSubject) -> [(NoticeEvent, NoticeSubject); 2] {
    ENDINGS.map(|event| (event, subject.clone()))
}

fn is_about(told: &NoticeCondition, event: NoticeEvent, subject: &NoticeSubject) -> bool {
    told.notice.event == event && told.notice.subject == *subject
}

/// The task that runs a policy, or the policy itself.
fn subject_of(policy: &Policy) -> NoticeSubject {
    policy.task.as_ref().map_or_else(|| NoticeSubject::policy(&policy.name), NoticeSubject::task)
}

fn policies_of(settings: &Settings, task: &TaskOverview) -> Vec<NoticePolicy> {
    task.policies.iter().filter_map(|name| settings.policy(name)).map(|policy| plain(policy)).collect()
}

/// A policy by its name, description and owner.
fn plain(policy: &Policy) -> NoticePolicy {
    NoticePolicy {
        policy: policy.name.clone(),
        description: policy.description.clone(),
        owner: policy.owner.clone(),
        reason: None,
        blocked_code: None,
        blocked_facts: Default::default(),
    }
}

fn policy_of(policy: &Policy, result: &PolicyResult) -> NoticePolicy {
    // That of a row is not why the policy failed.
    let of_policy = || result.errors.iter().find(|failure| failure.key.is_none() && failure.path.is_none());
    let first_error = || of_policy().or(result.errors.first()).map(|failure| failure.error.clone());
    NoticePolicy {
        reason: result.blocked_by.clone().or_else(first_error).map(words::short),
        blocked_code: result.blocked_code.clone(),
        blocked_facts: result.blocked_facts.clone(),
        ..plain(policy)
    }
}
