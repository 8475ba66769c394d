//! The line that `systemctl status` shows: composed from facts, without a look at the clock or the ledger.

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit, Zoned};

use crate::outcome::{Held, HoldKind, Status};
use crate::policy::Name;
use crate::run::Progress;
use crate::schedule::TaskStatus;
use crate::text::human::{count, counted};

/// Held policies that the line names.
const HELD_SHOWN: usize = 2;

/// Everything that the line may tell.
#[derive(Debug)]
pub struct Picture<'a> {
    pub now: Timestamp,
    pub zone: &'a TimeZone,
    /// Nothing is deleted, whatever a policy says.
    pub report_mode: bool,
    /// Errors of the last reload, if it failed.
    pub reload_errors: Option<usize>,
    pub sources_down: Vec<&'a Name>,
    /// Batches whose files are still pending.
    pub batches_kept: usize,
    /// Policies that wait for an approval.
    pub held: &'a [(Name, Held)],
    /// The ledger's file was removed or replaced.
    pub ledger_lost: bool,
    /// The ledger's disk is full.
    pub disk_full: bool,
    pub tasks: &'a [TaskStatus],
    pub running: Vec<Running>,
    pub last: Option<&'a EndedRun>,
}

/// A run under way.
#[derive(Debug)]
pub struct Running {
    /// The task that is run as a whole.
    pub task: Option<Name>,
    /// Its name, or those of the policies.
    pub subject: String,
    pub since: Timestamp,
    pub progress: Progress,
}

/// The run that ended last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    pub task: Option<Name>,
    pub status: Status,
    pub finished_at: Timestamp,
    /// Deleted or updated.
    pub rows: u64,
    pub files_deleted: u64,
}

/// Renders the line.
pub fn render(picture: &Picture<'_>) -> String {
    let mut parts = Vec::new();
    parts.extend(held(picture.held));
    if let Some(errors) = picture.reload_errors {
        parts.push(format!("reload failed ({}), the old configuration keeps running", counted(errors as u64, "error")));
    }
    if let Some(degraded) = degraded(picture) {
        parts.push(format!("degraded: {degraded}"));
    }
    parts.push(doing(picture));
    if let Some((task, next)) = next(picture.tasks) {
        parts.push(format!("next: {task} at {}", moment(next, picture)));
    }
    if let Some(last) = picture.last {
        parts.push(render_last(last, picture));
    }
    let mut line = parts.join("; ");
    if let Some(first) = line.get(..1).map(str::to_uppercase) {
        line.replace_range(..1, &first);
    }
    line
}

/// Reasons that keep the daemon from doing all of its work; none where nothing does.
pub fn degraded(picture: &Picture<'_>) -> Option<String> {
    let mut parts: Vec<String> = picture.sources_down.iter().map(|name| format!("source {name} is down")).collect();
    if picture.batches_kept > 0 {
        parts.push(format!("files of {} still pending", counted(picture.batches_kept as u64, "batch")));
    }
    if picture.ledger_lost {
        parts.push("the ledger was removed or replaced, nothing is deleted until the daemon is restarted".to_owned());
    }
    if picture.disk_full {
        parts.push("the disk of the ledger is full".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Policies that wait for an approval, and the command by which they go on.
fn held(held: &[(Name, Held)]) -> Option<String> {
    let shown = |(policy, held): &(Name, Held)| format!("{policy} ({})", held.brief());
    let mut text = format!("held: {}", held.iter().take(HELD_SHOWN).map(shown).collect::<Vec<_>>().join(", "));
    if held.len() > HELD_SHOWN {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {} more", held.len() - HELD_SHOWN);
    }
    let clock = held.iter().filter(|(_, held)| held.kind == HoldKind::Clock).count();
    let command = match clock {
        0 => "'retaind approve'",
        all if all == held.len() => "'retaind approve --clock'",
        _ => "'retaind approve' and 'retaind approve --clock'",
    };
    (!held.is_empty()).then(|| format!("{text}, go on with {command}"))
}

fn doing(picture: &Picture<'_>) -> String {
    let render_run = |run: &Running| {
        let progress = render_progress(&run.progress);
        let overrun = picture.tasks.iter().any(|task| Some(&task.task) == run.task.as_ref() && task.overrun);
        let overrun = if overrun { ", well past its timeout" } else { "" };
        format!("running {} since {}{progress}{overrun}", run.subject, moment(run.since, picture))
    };
    match (picture.running.is_empty(), picture.report_mode) {
        (true, false) => "idle".to_owned(),
        (true, true) => "idle, in report mode".to_owned(),
        (false, _) => picture.running.iter().map(render_run).collect::<Vec<_>>().join("; "),
    }
}

fn render_progress(progress: &Progress) -> String {
    if let Some(hook) = progress.hook {
        return format!(" ({} hook)", hook.word());
    }
    let Some(policy) = &progress.policy else { return String::new() };
    let (position, of) = progress.position;
    let mut text = format!(" (policy {policy}, {position} of {of}: {}", counted(progress.rows_done, "row"));
    if let Some(total) = progress.rows_total {
        // Writing to a String cannot fail.
        let _ = write!(text, " of {}", count(total));
    }
    if progress.files_deleted > 0 {
        let _ = write!(text, ", {}", counted(progress.files_deleted, "file"));
    }
    if let Some(wait) = progress.waiting {
        let _ = write!(text, ", waits for {}", wait.thing());
    }
    text.push(')');
    text
}

fn render_last(last: &EndedRun, picture: &Picture<'_>) -> String {
    let what = last.task.as_ref().map_or("run", Name::as_str);
    let status = last.status.word().replace('_', " ");
    let (rows, files) = (counted(last.rows, "row"), counted(last.files_deleted, "file"));
    format!("last: {what} {status} at {}: {rows}, {files}", moment(last.finished_at, picture))
}

fn next(tasks: &[TaskStatus]) -> Option<(&Name, Timestamp)> {
    tasks.iter().filter_map(|task| Some((&task.task, task.next?))).min_by_key(|(_, next)| *next)
}

/// "03:00" within a day of now, else with the date: read in the zone of the schedules.
fn moment(instant: Timestamp, picture: &Picture<'_>) -> String {
    let local = rounded(instant.to_zoned(picture.zone.clone()));
    let hours = instant.duration_since(picture.now).abs().as_hours();
    let format = if hours < 20 { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    local.strftime(format).to_string()
}

/// Slots lie on whole minutes nearly always; a run that ended at 03:00:59 ended at 03:00.
fn rounded(zoned: Zoned) -> Zoned {
    let down = jiff::ZonedRound::new().smallest(Unit::Minute).mode(jiff::RoundMode::Trunc);
    zoned.round(down).unwrap_or(zoned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::HookPoint;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-07-{text}Z").parse().unwrap()
    }

    fn task(text: &str, next: &str) -> TaskStatus {
        TaskStatus { task: name(text), next: Some(at(next)), running_since: None, overrun: false }
    }

    fn last() -> EndedRun {
        EndedRun {
            task: Some(name("retention")),
            status: Status::CompletedWithErrors,
            finished_at: at("10T01:04:59"),
            rows: 123,
            files_deleted: 1,
        }
    }

    fn picture<'a>(zone: &'a TimeZone, tasks: &'a [TaskStatus], last: Option<&'a EndedRun>) -> Picture<'a> {
        Picture {
            now: at("10T12:00:00"),
            zone,
            report_mode: false,
            reload_errors: None,
            sources_down: Vec::new(),
            batches_kept: 0,
            held: &[],
            ledger_lost: false,
            disk_full: false,
            tasks,
            running: Vec::new(),
            last,
        }
    }

    #[test]
    fn next_and_last_run_are_in_schedule_time() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let tasks = [task("log-purge", "14T02:00:00"), task("retention", "11T01:00:00")];
        let last = last();
        assert_eq!(
            render(&picture(&zone, &tasks, Some(&last))),
            "Idle; next: retention at 03:00; last: retention completed with errors at 03:04: 123 rows, 1 file"
        );
        assert_eq!(render(&picture(&zone, &tasks[..1], None)), "Idle; next: log-purge at 2026-07-14 04:00");
        assert_eq!(render(&picture(&zone, &[], None)), "Idle");
    }

    #[test]
    fn trouble_comes_first() {
        let zone = TimeZone::UTC;
        let (nvr, drop) = (name("nvr"), name("drop"));
        let mut picture = picture(&zone, &[], None);
        picture.report_mode = true;
        picture.reload_errors = Some(1);
        picture.sources_down = vec![&nvr, &drop];
        picture.batches_kept = 2;
        assert_eq!(
            render(&picture),
            "Reload failed (1 error), the old configuration keeps running; degraded: source nvr is down, \
             source drop is down, files of 2 batches still pending; idle, in report mode"
        );
    }

    #[test]
    fn held_policies_come_first_with_the_approving_command() {
        let zone = TimeZone::UTC;
        let held = |policy: &str, kind, reasons: &[&str]| {
            let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            (
                name(policy),
                Held { since: at("10T03:00:00"), kind, reasons, old: None, new: None, facts: Default::default() },
            )
        };
        let mut picture = picture(&zone, &[], None);
        let slip = [held("items", HoldKind::Changed, &["keep 30d → 3d"])];
        picture.held = &slip;
        picture.reload_errors = Some(1);
        assert_eq!(
            render(&picture),
            "Held: items (keep 30d → 3d), go on with 'retaind approve'; reload failed (1 error), the old configuration \
             keeps running; idle"
        );
        picture.reload_errors = None;
        let clock = held("logs", HoldKind::Clock, &["the clock says 2040: long"]);
        let clocks = [clock.clone(), held("tmp", HoldKind::Clock, &[])];
        picture.held = &clocks;
        assert_eq!(
            render(&picture),
            "Held: logs (the clock cannot be trusted), tmp (the clock cannot be trusted), go on with 'retaind approve \
             --clock'; idle"
        );
        let growth =
            "26762 rows would go, and the largest of its recent runs took 3: more than 1000 wait for an approval";
        let several = [
            held("a", HoldKind::Changed, &["keep 30d → 3d", "where changed", "table t → u", "grace removed"]),
            held("b", HoldKind::Growth, &[growth]),
            clock,
            held("x", HoldKind::Guard, &["max_rows 1 → 2", "max_rows: 3"]),
        ];
        picture.held = &several;
        assert_eq!(
            render(&picture),
            "Held: a (keep 30d → 3d, where changed, table t → u and 1 more), b (26762 rows would go, and the largest of its \
             recent runs took 3) and 2 more, go on with 'retaind approve' and 'retaind approve --clock'; idle"
        );
    }

    #[test]
    fn a_run_tells_how_far_it_is() {
        let zone = TimeZone::UTC;
        let mut tasks = [task("retention", "11T01:00:00")];
        tasks[0].overrun = true;
        let running = |progress| {
            let (task, subject) = (Some(name("retention")), "retention".to_owned());
            Running { task, subject, since: at("10T11:59:00"), progress }
        };
        let mut picture = picture(&zone, &tasks, None);
        let progress = Progress {
            policy: Some(name("detections")),
            position: (1, 3),
            rows_done: 5000,
            rows_total: Some(20_000),
            files_deleted: 9,
            ..Progress::default()
        };
        picture.running = vec![running(progress)];
        assert_eq!(
            render(&picture),
            "Running retention since 11:59 (policy detections, 1 of 3: 5,000 rows of 20,000, 9 files), well past its \
             timeout; next: retention at 01:00"
        );
        let progress = Progress { hook: Some(HookPoint::Before), ..Progress::default() };
        picture.running = vec![running(progress)];
        assert!(render(&picture).starts_with("Running retention since 11:59 (before hook), "));
    }
}
