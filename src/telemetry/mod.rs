//! Events of the daemon, one type per thing worth reporting, to journald or stderr.

mod emit;
mod init;
mod journal;
pub mod message_id;
mod stderr;

use std::time::Duration;

use jiff::Timestamp;

use crate::outcome::{Cause, Operator, Reported, RunId, RunMode, RunTrigger, Status, Totals};
use crate::policy::Name;
pub use init::{Guard, Voice, configure, init};

/// Event that an operator reads, with a fixed MESSAGE_ID and an entry in the journal catalog.
/// `emit` makes the log line; per-item lines are plain `tracing::debug!`.
#[derive(Debug)]
pub enum Event<'a> {
    Ready {
        duration: Duration,
        tasks: usize,
        policies: usize,
        degraded: &'a [String],
    },
    /// The daemon ends before it was ever ready.
    StartFailed {
        error: &'a dyn std::error::Error,
    },
    ReloadDone {
        changes: &'a str,
    },
    ReloadFailed {
        errors: usize,
        first: &'a str,
    },
    RunBegun(BegunRun<'a>),
    /// A run goes on for another minute.
    RunGoesOn {
        run_id: RunId,
        task: Option<&'a Name>,
        /// None while a hook runs.
        policy: Option<&'a Name>,
        /// Place of the policy, and how many there are.
        position: (usize, usize),
        rows_done: u64,
        /// Rows in all, where they were counted.
        rows_total: Option<u64>,
        files_deleted: u64,
    },
    /// A run has ended, or could not begin.
    RunEnded(RunEvent<'a>),
    GuardBlocked {
        policy: &'a Name,
        run_id: &'a str,
        guard: &'a str,
    },
    /// A policy waits from now on until somebody has looked.
    PolicyHeld {
        policy: &'a Name,
        /// In words.
        reasons: &'a str,
        /// Command line by which it goes on.
        command: &'a str,
    },
    /// A hook of a task failed: `before` blocks the run, `after` leaves an error in its result.
    HookFailed {
        task: &'a Name,
        run_id: &'a str,
        hook: &'a str,
        error: &'a str,
    },
    SourceDown {
        source: &'a Name,
        error: &'a dyn std::error::Error,
    },
    SourceUp {
        source: &'a Name,
        down_for: Duration,
    },
    /// Files that a crash or failure left pending were examined.
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

/// A run that begins, for its event.
#[derive(Debug, Clone, Copy)]
pub struct BegunRun<'a> {
    pub run_id: RunId,
    pub task: Option<&'a Name>,
    /// Names of its policies, joined.
    pub policies: &'a str,
    pub mode: RunMode,
    pub trigger: RunTrigger,
    /// None where the schedule asked for it.
    pub by: Option<&'a Operator>,
}

/// A run that has ended, for its event.
#[derive(Debug, Clone, Copy)]
pub struct RunEvent<'a> {
    pub run_id: RunId,
    pub task: Option<&'a Name>,
    /// Names of its policies, joined.
    pub policies: &'a str,
    pub mode: RunMode,
    pub status: Status,
    /// Reason that it was cut short.
    pub cause: Option<Cause>,
    pub totals: &'a Totals,
    /// Amounts that would have gone; none where every policy was to delete.
    pub reported: Option<&'a Reported>,
    /// Names of the policies that were blocked or held, joined.
    pub blocked: &'a str,
    /// The first error of each policy and hook that had one.
    pub error: Option<&'a str>,
    pub duration_ms: u64,
}
