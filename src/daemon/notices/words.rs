//! Notices in words: what each says, by which it is known again, and the command to look with. Pure.

use jiff::Timestamp;

use crate::notify::host_name;
use crate::outcome::{Held, HoldKind, Notice, NoticeCondition, NoticePolicy, NoticeState, NoticeSubject, RunId};
use crate::policy::{Name, NoticeEvent};
use crate::report::{TaskOverview, short_id};
use crate::text::human::instant;
use crate::text::{cut_at, printable};

/// Bytes of a reason that are told.
const REASON_BYTES: usize = 300;
/// Policies that a message names, each with its reason.
const MOST_POLICIES: usize = 10;

/// Policies of one subject of which the same is to be said.
pub(super) struct Group {
    event: NoticeEvent,
    subject: NoticeSubject,
    policies: Vec<NoticePolicy>,
    /// Mark by which each policy is known again.
    marks: Vec<String>,
    since: Option<Timestamp>,
    run_id: Option<RunId>,
    commands: Vec<String>,
}

impl Group {
    pub(super) fn new(event: NoticeEvent, subject: NoticeSubject) -> Self {
        let (policies, marks, commands) = Default::default();
        Self { event, subject, policies, marks, since: None, run_id: None, commands }
    }

    /// Adds a policy that was blocked or failed. Numbers differ from run to run: it is known again by the guard alone.
    pub(super) fn add(&mut self, policy: NoticePolicy, since: Option<Timestamp>, run_id: Option<RunId>) {
        self.marks.push(format!("{}={}", policy.policy, policy.blocked_code.as_deref().unwrap_or_default()));
        self.since = [self.since, since].into_iter().flatten().min();
        self.run_id = self.run_id.max(run_id);
        self.policies.push(policy);
    }

    /// Adds a policy that is held. It is known again by what would change, or by the kind of the hold.
    pub(super) fn add_held(&mut self, policy: NoticePolicy, held: &Held) {
        let mark = match held.kind {
            HoldKind::Changed => format!("{:?} {:?}", held.reasons, held.new),
            HoldKind::Guard | HoldKind::Growth | HoldKind::NewLedger | HoldKind::Clock => format!("{:?}", held.kind),
        };
        self.marks.push(format!("{}={mark}", policy.policy));
        self.since = [self.since, Some(held.since)].into_iter().flatten().min();
        self.commands.push(held.command(&policy.policy));
        let reason = Some(short(held.reasons.join(", ")));
        self.policies.push(NoticePolicy { reason, blocked_facts: held.facts.clone(), ..policy });
    }

    /// "policy a is blocked", "3 policies of task nightly are blocked".
    fn title(&self) -> String {
        let (is, are) = match self.event {
            NoticeEvent::Failed => ("failed", "failed"),
            NoticeEvent::Held => ("is held", "are held"),
            _ => ("is blocked", "are blocked"),
        };
        match self.policies.as_slice() {
            [one] => format!("policy {} {is}", one.policy),
            many => format!("{} policies of {} {are}", many.len(), self.subject),
        }
    }

    fn command(&self) -> String {
        match (self.commands.as_slice(), &self.run_id) {
            ([one], _) => one.clone(),
            ([first, rest @ ..], _) if rest.iter().all(|other| other == first) => first.clone(),
            ([_, ..], _) => "retaind approve".to_owned(),
            ([], Some(run_id)) => format!("retaind runs {}", short_id(run_id)),
            ([], None) => "retaind status".to_owned(),
        }
    }
}

/// Condition of policies.
pub(super) fn of_group(mut group: Group, now: Timestamp) -> NoticeCondition {
    group.marks.sort_unstable();
    let (digest, title, command) = (group.marks.join("\n"), group.title(), group.command());
    let lines = lines(&group.policies);
    let Group { event, subject, policies, since, run_id, .. } = group;
    let notice = notice((event, subject), since.unwrap_or(now), (title, lines), command);
    NoticeCondition { digest, notice: Notice { run_id, policies, ..notice } }
}

/// Condition of a task whose last run failed as a whole.
pub(super) fn of_failed_run(task: &TaskOverview, cause: String, run_id: RunId, now: Timestamp) -> NoticeCondition {
    let title = format!("the last run of task {} failed", task.task);
    let since = task.last_run.as_ref().and_then(|run| run.finished_at).unwrap_or(now);
    let reason = if cause.is_empty() { "it did not come to its end".to_owned() } else { short(cause) };
    let command = format!("retaind runs {}", short_id(&run_id));
    let about = (NoticeEvent::Failed, NoticeSubject::task(&task.task));
    let notice = notice(about, since, (title, vec![reason]), command);
    NoticeCondition { digest: "run".to_owned(), notice: Notice { run_id: Some(run_id), ..notice } }
}

/// Condition of a task that is overdue.
pub(super) fn of_overdue(task: &Name, since: Timestamp, policies: Vec<NoticePolicy>) -> NoticeCondition {
    let title = format!("task {task} is overdue");
    let lines = vec![format!("It should have run at {} and did not", instant(since))];
    let about = (NoticeEvent::Overdue, NoticeSubject::task(task));
    let notice = notice(about, since, (title, lines), "retaind status".to_owned());
    NoticeCondition { digest: String::new(), notice: Notice { policies, ..notice } }
}

/// Notice that the daemon did not start, for these reasons.
pub(in crate::daemon) fn of_start_failure(reasons: Vec<String>, now: Timestamp) -> Notice {
    let title = "retaind did not start".to_owned();
    let about = (NoticeEvent::StartFailed, NoticeSubject::daemon());
    let lines = reasons.into_iter().map(short).collect();
    Notice { id: RunId::now_v7(), ..notice(about, now, (title, lines), "retaind check".to_owned()) }
}

/// Condition of a source that is down.
pub(super) fn of_source(source: &Name, why: &str, now: Timestamp, policies: Vec<NoticePolicy>) -> NoticeCondition {
    let title = format!("source {source} is down");
    let lines = vec![short(why.to_owned())];
    let about = (NoticeEvent::SourceDown, NoticeSubject::source(source));
    let notice = notice(about, now, (title, lines), "retaind check".to_owned());
    NoticeCondition { digest: String::new(), notice: Notice { policies, ..notice } }
}

fn notice(
    (event, subject): (NoticeEvent, NoticeSubject),
    since: Timestamp,
    (title, mut lines): (String, Vec<String>),
    command: String,
) -> Notice {
    lines.push(command.clone());
    Notice {
        id: RunId::nil(),
        event,
        state: NoticeState::Firing,
        subject,
        since,
        at: since,
        host: host_name(),
        title,
        message: lines.join("\n"),
        command,
        run_id: None,
        policies: Vec::new(),
    }
}

/// A line for each policy with its reason, and behind it what the configuration says of it.
fn lines(policies: &[NoticePolicy]) -> Vec<String> {
    let line = |policy: &NoticePolicy| {
        let mut line = policy.policy.to_string();
        let mut add = |between: &str, part: Option<String>| {
            line.extend(part.iter().flat_map(|part| [between, part]));
        };
        add(": ", policy.reason.clone());
        add("\n  ", policy.description.clone().map(short));
        add("\n  owner: ", policy.owner.clone().map(short));
        line
    };
    let mut lines: Vec<String> = policies.iter().take(MOST_POLICIES).map(line).collect();
    if let Some(more) = policies.len().checked_sub(MOST_POLICIES).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// Text of others, as a message has it.
pub(super) fn short(text: String) -> String {
    cut_at(printable(&text), REASON_BYTES)
}
