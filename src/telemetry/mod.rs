//! What the daemon says: one event type per thing worth telling, to journald or stderr.

use std::time::Duration;

use jiff::Timestamp;

use crate::policy::Name;

/// What an operator is told, each with a fixed MESSAGE_ID and an entry in the journal catalog.
/// `emit` makes the log line; per-item lines are plain `tracing::debug!`.
#[derive(Debug)]
pub enum Event<'a> {
    Ready {
        duration: Duration,
        tasks: usize,
        policies: usize,
        degraded: &'a [String],
    },
    ReloadDone {
        changes: &'a str,
    },
    ReloadFailed {
        errors: usize,
        first: &'a str,
    },
    RunFinished(RunEvent<'a>),
    RunWithErrors(RunEvent<'a>),
    RunFailed(RunEvent<'a>),
    RunCancelled(RunEvent<'a>),
    GuardBlocked {
        policy: &'a Name,
        run_id: &'a str,
        guard: &'a str,
    },
    SourceDown {
        source: &'a Name,
        error: &'a dyn std::error::Error,
    },
    SourceUp {
        source: &'a Name,
        down_for: Duration,
    },
    /// What a crash or failure left owing was looked at.
    Recovered {
        batches: u64,
        files_deleted: u64,
        kept: u64,
    },
    SlotSkipped {
        task: &'a Name,
        due_at: Timestamp,
        why: &'a str,
    },
    ShutdownBegun {
        running: usize,
    },
    ShutdownDone {
        duration: Duration,
        forced: bool,
    },
}

/// The sums of a run, for its event.
#[derive(Debug, Clone, Copy)]
pub struct RunEvent<'a> {
    pub run_id: &'a str,
    pub task: Option<&'a Name>,
    pub status: &'a str,
    pub rows_deleted: u64,
    pub files_deleted: u64,
    pub size_bytes: u64,
    pub errors: u64,
    pub duration: Duration,
}

impl Event<'_> {
    /// Logs the event.
    pub fn emit(&self) {
        todo!()
    }
}

/// An error and its causes, as one line: "a: b: c".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}
