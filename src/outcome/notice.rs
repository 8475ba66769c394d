//! Notices: conditions that a person should know of, as destinations are told of them.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Facts, RunId};
use crate::policy::{Name, NoticeEvent};

/// A message about a condition: that it is so, or that it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Names the message: whoever gets it twice knows it by this.
    pub id: RunId,
    /// Kind of the condition.
    pub event: NoticeEvent,
    /// Standing of the condition.
    pub state: NoticeState,
    /// Thing that it is about.
    pub subject: NoticeSubject,
    /// Instant since which the condition is so.
    pub since: Timestamp,
    /// Instant of the message.
    pub at: Timestamp,
    /// Name of the machine.
    pub host: String,
    /// Sentence of a few words.
    pub title: String,
    /// Some lines for a person, the last with the command to look with.
    pub message: String,
    /// Command line to look with, or to go on with.
    pub command: String,
    /// Run that showed it, where one did.
    pub run_id: Option<RunId>,
    /// Policies that it concerns.
    pub policies: Vec<NoticePolicy>,
}

/// Standing of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is so.
    Firing,
    /// It is over.
    Resolved,
    /// Nothing is the matter: somebody tries whether messages arrive.
    Test,
}

/// Thing that a notice is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticeSubject {
    /// Kind of the thing.
    pub kind: SubjectKind,
    /// Its name.
    pub name: String,
}

/// Kind of a thing that a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Task,
    /// A policy that no task runs.
    Policy,
    Source,
    Daemon,
}

/// Policy that a notice concerns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoticePolicy {
    /// Name of the policy.
    pub policy: Name,
    /// Sentence of the configuration about it.
    pub description: Option<String>,
    /// Person or team that the configuration names.
    pub owner: Option<String>,
    /// Guard that blocked it, the hold or the first error, in words.
    pub reason: Option<String>,
    /// Word of the guard, which stays the same.
    pub blocked_code: Option<String>,
    /// Numbers and names of that sentence.
    #[serde(skip_serializing_if = "Facts::is_empty", default)]
    pub blocked_facts: Facts,
}

/// A condition that is so now.
#[derive(Debug, Clone, PartialEq)]
pub struct NoticeCondition {
    /// Two conditions of one event and subject with the same digest are the same: it is said once.
    pub digest: String,
    /// Message about it, whose id and instant are given when it is said.
    pub notice: Notice,
}

impl NoticeState {
    /// The word that JSON uses.
    pub fn word(self) -> &'static str {
        match self {
            NoticeState::Firing => "firing",
            NoticeState::Resolved => "resolved",
            NoticeState::Test => "test",
        }
    }
}

impl NoticeSubject {
    pub fn task(name: &Name) -> Self {
        Self { kind: SubjectKind::Task, name: name.to_string() }
    }

    pub fn policy(name: &Name) -> Self {
        Self { kind: SubjectKind::Policy, name: name.to_string() }
    }

    pub fn source(name: &Name) -> Self {
        Self { kind: SubjectKind::Source, name: name.to_string() }
    }

    pub fn daemon() -> Self {
        Self { kind: SubjectKind::Daemon, name: "retaind".to_owned() }
    }
}

impl fmt::Display for NoticeSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SubjectKind::Task => "task",
            SubjectKind::Policy => "policy",
            SubjectKind::Source => "source",
            SubjectKind::Daemon => return f.write_str("the daemon"),
        };
        write!(f, "{kind} {}", self.name)
    }
}

impl Notice {
    /// The message that a condition which was told is over.
    #[must_use]
    pub fn resolved(self, id: RunId, at: Timestamp) -> Self {
        let title = match self.event {
            NoticeEvent::Blocked => format!("{}: no longer blocked", self.subject),
            NoticeEvent::Failed => format!("{}: no longer failing", self.subject),
            NoticeEvent::Held => format!("{}: no longer held", self.subject),
            NoticeEvent::Overdue => format!("{}: no longer overdue", self.subject),
            NoticeEvent::SourceDown => format!("{}: no longer down", self.subject),
            NoticeEvent::StartFailed => format!("{} has started", self.subject),
        };
        let message = format!("{title}. Since {:.0}: {}", self.since, self.title);
        Self { id, state: NoticeState::Resolved, at, title, message, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_keeps_its_subject_and_since() {
        let since: Timestamp = "2026-07-10T03:00:00Z".parse().unwrap();
        let firing = Notice {
            id: RunId::nil(),
            event: NoticeEvent::Overdue,
            state: NoticeState::Firing,
            subject: NoticeSubject::task(&Name::parse("retention").unwrap()),
            since,
            at: since,
            host: "nas".to_owned(),
            title: "task retention is overdue".to_owned(),
            message: String::new(),
            command: "retaind status".to_owned(),
            run_id: None,
            policies: Vec::new(),
        };
        let id = RunId::now_v7();
        let over = firing.clone().resolved(id, "2026-07-11T03:00:00Z".parse().unwrap());
        assert_eq!(
            (over.id, over.state, over.title.as_str()),
            (id, NoticeState::Resolved, "task retention: no longer overdue")
        );
        assert_eq!((&over.subject, over.since), (&firing.subject, since));
    }
}
