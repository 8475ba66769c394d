//! State of each policy in a word, and of everything in a line: by what the status says, and nothing else.

use super::super::control::LiveStatus;
use super::words::Tone;
use crate::outcome::Status;
use crate::policy::{Mode, Name, Settings};
use crate::report::{Matter, MatterCode, PolicyOverview, Severity, TaskOverview};
use crate::text::human::{between, counted};

/// State of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Off,
    Held,
    Paused,
    SourceDown,
    Ended(Status),
    Behind,
    Pending,
    /// It runs on request, and never has.
    OnRequest,
    /// Its first slot is still to come.
    NotYet,
    OnlyReports,
    KeepsUp,
}

impl Health {
    /// State of a policy by a status.
    pub(super) fn of(policy: &PolicyOverview, live: &LiveStatus, settings: &Settings) -> Self {
        let overview = &live.overview;
        let task = policy.task.as_ref().and_then(|name| overview.tasks.iter().find(|task| task.task == *name));
        let source = settings.policy(&policy.policy).and_then(|policy| policy.kind.rows()).map(|rows| &rows.source);
        let is_down = |name: &Name| live.sources.iter().any(|source| source.source == *name && !source.is_up);
        let unwell = policy.last_run.as_ref().and_then(|run| run.status).filter(|status| *status != Status::Completed);
        if !policy.enabled || task.is_some_and(|task| !task.enabled) {
            Self::Off
        } else if policy.held.is_some() {
            Self::Held
        } else if policy.is_paused {
            Self::Paused
        } else if source.is_some_and(is_down) {
            Self::SourceDown
        } else if let Some(status) = unwell {
            Self::Ended(status)
        } else if task.is_some_and(|task| task.overdue_since.is_some()) {
            Self::Behind
        } else if overview.pending.iter().any(|pending| pending.policy == policy.policy) {
            Self::Pending
        } else {
            Self::well(policy)
        }
    }

    fn well(policy: &PolicyOverview) -> Self {
        match (&policy.last_run, &policy.task, policy.mode) {
            (None, None, _) => Self::OnRequest,
            (None, Some(_), _) => Self::NotYet,
            (Some(_), _, Mode::Report) => Self::OnlyReports,
            (Some(_), _, Mode::Enforce) => Self::KeepsUp,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Health::Off => "off",
            Health::Held => "held",
            Health::Paused => "paused",
            Health::SourceDown => "source down",
            Health::Ended(Status::Blocked) => "blocked",
            Health::Ended(Status::Failed) => "failed",
            Health::Ended(Status::Cancelled) => "cut short",
            Health::Ended(Status::CompletedWithErrors) => "with errors",
            Health::Ended(Status::Completed) | Health::KeepsUp => "keeps up",
            Health::Behind => "behind",
            Health::Pending => "files pending",
            Health::OnRequest => "on request",
            Health::NotYet => "not run yet",
            Health::OnlyReports => "only reports",
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Health::Off | Health::OnRequest | Health::NotYet => Tone::Calm,
            Health::KeepsUp | Health::OnlyReports => Tone::Good,
            Health::Held | Health::Paused | Health::Pending => Tone::Care,
            Health::SourceDown | Health::Behind => Tone::Bad,
            Health::Ended(status) => Tone::of(Some(status)),
        }
    }
}

/// State of everything in a line, and a second one that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headline {
    pub(super) tone: Tone,
    pub(super) words: String,
    pub(super) more: String,
}

impl Headline {
    pub(super) fn of(live: &LiveStatus) -> Self {
        let overview = &live.overview;
        let attention = overview.attention.as_slice();
        let things = counted(attention.len() as u64, "thing");
        match attention.iter().map(|matter| matter.level).max() {
            None => Self { tone: Tone::Good, words: "All is well".to_owned(), more: next_words(live) },
            Some(level) => {
                let (tone, words) = match (level, attention.len()) {
                    (Severity::Critical, 1) => (Tone::Bad, format!("{things} needs you")),
                    (Severity::Critical, _) => (Tone::Bad, format!("{things} need you")),
                    (Severity::Warning, _) => (Tone::Care, format!("{things} to look at")),
                };
                Self { tone, words, more: subjects(attention) }
            }
        }
    }
}

/// Number of tasks, and which is next.
fn next_words(live: &LiveStatus) -> String {
    let overview = &live.overview;
    let scheduled = overview.tasks.iter().filter(|task| task.enabled && !task.policies.is_empty()).count();
    let running = match live.progress.len() {
        0 => String::new(),
        running => format!(", and {} under way", counted(running as u64, "run")),
    };
    let due = |task: &TaskOverview| Some((task.retry_at.or(task.next_due_at)?, task.task.clone()));
    let next = overview.tasks.iter().filter_map(due).min();
    let next = next.map(|(at, task)| format!(" Next is {task}, in {}.", between(overview.at, at)));
    format!("The daemon runs {}{running}.{}", counted(scheduled as u64, "task"), next.unwrap_or_default())
}

/// Things that matters are about, each once, the worst first.
fn subjects(attention: &[Matter]) -> String {
    let mut matters: Vec<&Matter> = attention.iter().collect();
    matters.sort_by_key(|matter| std::cmp::Reverse(matter.level));
    let mut names: Vec<String> = Vec::new();
    for matter in matters {
        let name = match (&matter.policy, &matter.task) {
            (Some(policy), _) => format!("policy {policy}"),
            (None, Some(task)) => format!("task {task}"),
            (None, None) => of_the_daemon(matter.code).to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// Thing that a matter of no policy and no task is about.
fn of_the_daemon(code: MatterCode) -> &'static str {
    use MatterCode::*;
    match code {
        ConfigInvalid | ReloadFailed | ConfigDiffers => "the configuration",
        Undelivered => "notifications",
        LedgerLost => "the ledger",
        DiskFull => "the disk of the ledger",
        SourceDown => "a source",
        Clock => "the clock",
        DaemonDown | Held | Overdue | NeverRan | Failed | Blocked | Cancelled | CompletedWithErrors | Pending
        | Paused => "the daemon",
    }
}
