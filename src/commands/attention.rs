//! Matters that a person should look at: gathered from an overview and the ledger, each with its code.

use crate::ledger::{Backlog, Ledger};
use crate::outcome::{HoldKind, RunId, Status, Subject};
use crate::policy::{Name, Settings};
use crate::report::{
    HeldPolicy, LastRun, Matter, MatterCode, Overview, Paused, Pending, TaskOverview, held_words, short_id,
    status_words,
};
use crate::text::human;

/// Newest run in which a policy ended, and how it did.
type Ending = (Name, RunId, Status);

/// Matters of an overview. `objection`: what is wrong with the configuration on disk.
pub(super) fn attention(
    overview: &Overview,
    objection: Option<String>,
    (settings, ledger): (&Settings, Option<&Ledger>),
    (endings, backlogs): (Vec<Ending>, Vec<Backlog>),
) -> Vec<Matter> {
    let mut matters: Vec<Matter> =
        objection.map(|objection| Matter::new(MatterCode::ConfigInvalid, objection)).into_iter().collect();
    let scheduled = || overview.tasks.iter().filter(|task| task.enabled && !task.policies.is_empty());
    if !overview.daemon.running && scheduled().next().is_some() {
        let down = "no daemon runs, so nothing is done on schedule: systemctl enable --now retaind";
        matters.push(Matter::new(MatterCode::DaemonDown, down));
    }
    if overview.daemon.ledger_lost {
        let lost = "the ledger was removed or replaced while the daemon had it open, so its runs fail and delete nothing: put \
                    it back, or systemctl restart retaind";
        matters.push(Matter::new(MatterCode::LedgerLost, lost));
    }
    matters.extend(overview.held.iter().map(of_held));
    matters.extend(overview.paused.iter().map(of_pause));
    matters.extend(scheduled().flat_map(of_task));
    matters.extend(of_policies(overview, settings, endings));
    matters.extend(overview.pending.iter().map(of_pending));
    matters.extend(ledger.and_then(of_disk));
    matters.extend(backlogs.iter().filter_map(|backlog| of_backlog(settings, backlog)));
    matters
}

fn of_held(HeldPolicy { policy, held, .. }: &HeldPolicy) -> Matter {
    let code = if held.kind == HoldKind::Clock { MatterCode::Clock } else { MatterCode::Held };
    Matter::of_policy(code, policy, format!("policy {policy} is {}", held_words(policy, held)))
}

fn of_pause(Paused { subject, error, .. }: &Paused) -> Matter {
    let name = subject.name();
    let message = match error {
        None => format!("{subject} is paused; it goes on with `retaind resume {name}`"),
        Some(error) => format!("{subject} is paused ({error}); it goes on with `retaind resume {name}`"),
    };
    match subject {
        Subject::Task(task) => Matter::of_task(MatterCode::Paused, task, message),
        Subject::Policy(policy) => Matter::of_policy(MatterCode::Paused, policy, message),
    }
}

fn of_task(overview: &TaskOverview) -> Vec<Matter> {
    let TaskOverview { task, last_run, overdue_since, .. } = overview;
    let mut matters = Vec::new();
    if let Some(since) = overdue_since {
        let code = if last_run.is_none() { MatterCode::NeverRan } else { MatterCode::Overdue };
        let message = format!("task {task} should have run at {} and did not", human::instant(*since));
        matters.push(Matter::of_task(code, task, message));
    }
    if let Some(LastRun { run_id, status: Some(status), .. }) = last_run
        && let Some(code) = MatterCode::of_status(*status)
    {
        let (words, id) = (status_words(Some(*status)), short_id(run_id));
        let message = format!("the last run of task {task}: {words}; see it by retaind runs {id}");
        matters.push(Matter::of_task(code, task, message));
    }
    matters
}

/// Policies whose own last run did not complete, where that is not the last run of their task: a later run of others hides
/// nothing.
fn of_policies(overview: &Overview, settings: &Settings, endings: Vec<Ending>) -> Vec<Matter> {
    let shown: Vec<RunId> =
        overview.tasks.iter().filter_map(|task| task.last_run.as_ref()).map(|run| run.run_id).collect();
    let is_held = |name: &Name| overview.held.iter().any(|held| held.policy == *name);
    let of_policy = |(policy, run_id, status): Ending| {
        let code = MatterCode::of_status(status)?;
        let is_enabled = settings.policy(&policy).is_some_and(|policy| policy.enabled);
        if !is_enabled || is_held(&policy) || shown.contains(&run_id) {
            return None;
        }
        let (words, id) = (status_words(Some(status)), short_id(&run_id));
        let message = format!("the last run of policy {policy}: {words}; see it by retaind runs {id}");
        Some(Matter::of_policy(code, &policy, message))
    };
    endings.into_iter().filter_map(of_policy).collect()
}

fn of_pending(Pending { policy, files, waits_for }: &Pending) -> Matter {
    let files = human::counted(*files, "file");
    let message = match waits_for {
        None => format!(
            "{files} of policy {policy} are still pending; `retaind pending` says why, and its next run tries to remove them again"
        ),
        Some(why) => format!("{files} of policy {policy} are still pending, and wait: {why}"),
    };
    Matter::of_policy(MatterCode::Pending, policy, message)
}

/// Messages that could not be delivered; those that wait for their first try are on their way.
fn of_backlog(settings: &Settings, backlog: &Backlog) -> Option<Matter> {
    let to = settings.addressees().into_iter().find(|addressee| addressee.key() == backlog.destination)?;
    let (error, messages) = (backlog.error.as_ref()?, human::counted(backlog.messages, "message"));
    let since = human::instant(backlog.since);
    let message = format!("{messages} to {to} could not be delivered since {since}: {error}");
    Some(Matter::new(MatterCode::Undelivered, message))
}

fn of_disk(ledger: &Ledger) -> Option<Matter> {
    ledger.is_reserve_spent().then(|| {
        let path = ledger.path().display();
        let full = format!("the disk of the ledger {path} is full, and its reserve is given up: free some space there");
        Matter::new(MatterCode::DiskFull, full)
    })
}
