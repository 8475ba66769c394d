//! Reasons that files which an earlier run left pending stay so for now: as data, by a word, and in English.

use std::fmt;
use std::path::PathBuf;

use super::store::StoreDoubt;
use crate::policy::{Mode, Name, Settings};

/// Reason that a batch of an earlier run stays pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StillPending {
    /// The daemon only reports, or the policy.
    DaemonReports,
    PolicyReports,
    PolicyGone,
    PolicyOff,
    TaskOff {
        task: Name,
    },
    /// An operator has set the policy aside, or its task.
    Paused {
        why: String,
    },
    /// Another process runs the policy.
    Running {
        pid: u32,
    },
    NoLedger,
    SourceGone {
        source: Name,
    },
    /// The source has the address of another one.
    OtherSource {
        source: Name,
        now: String,
        then: String,
    },
    InProgress {
        transaction: String,
        source: Name,
    },
    StoreGone {
        store: Name,
    },
    /// The store has another path than when the rows went.
    StoreMoved {
        store: Name,
        now: PathBuf,
        then: PathBuf,
    },
    Store(StoreDoubt),
    /// A store, or a column that names its files, cannot be had.
    StoreUnavailable {
        why: String,
    },
    NamesUnknown,
    /// Something that is needed to tell failed.
    Error {
        why: String,
    },
}

/// Reason for which nothing of a policy is removed by itself now, whatever is pending.
pub fn brake(settings: &Settings, name: &Name) -> Option<StillPending> {
    if settings.daemon.mode == Mode::Report {
        return Some(StillPending::DaemonReports);
    }
    let Some(policy) = settings.policy(name) else { return Some(StillPending::PolicyGone) };
    let task = policy.task.as_ref().and_then(|task| settings.task(task));
    match (policy.enabled, policy.mode) {
        (false, _) => Some(StillPending::PolicyOff),
        (true, Mode::Report) => Some(StillPending::PolicyReports),
        (true, Mode::Enforce) => {
            task.filter(|task| !task.enabled).map(|task| StillPending::TaskOff { task: task.name.clone() })
        }
    }
}

impl StillPending {
    /// The word that JSON has, which stays the same.
    pub fn code(&self) -> &'static str {
        match self {
            StillPending::DaemonReports | StillPending::PolicyReports => "report_mode",
            StillPending::PolicyGone => "policy_gone",
            StillPending::PolicyOff => "policy_off",
            StillPending::TaskOff { .. } => "task_off",
            StillPending::Paused { .. } => "paused",
            StillPending::Running { .. } => "already_running",
            StillPending::NoLedger => "no_ledger",
            StillPending::SourceGone { .. } => "source_gone",
            StillPending::OtherSource { .. } => "other_source",
            StillPending::InProgress { .. } => "in_progress",
            StillPending::StoreGone { .. } => "store_gone",
            StillPending::StoreMoved { .. } => "store_moved",
            StillPending::Store(doubt) => doubt.code(),
            StillPending::StoreUnavailable { .. } => "store_unavailable",
            StillPending::NamesUnknown => "names_unknown",
            StillPending::Error { .. } => "error",
        }
    }
}

impl fmt::Display for StillPending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StillPending::DaemonReports => {
                f.write_str("[daemon] mode = \"report\" deletes nothing, pending files included")
            }
            StillPending::PolicyReports => {
                f.write_str("its mode is \"report\", which deletes nothing, pending files included")
            }
            StillPending::PolicyGone => {
                f.write_str("the configuration has no such policy any more: put it back to have its files removed")
            }
            StillPending::PolicyOff => f.write_str("it is switched off (enabled = false)"),
            StillPending::TaskOff { task } => write!(f, "its task {task} is switched off (enabled = false)"),
            StillPending::Running { pid } => write!(f, "process {pid} is running it"),
            StillPending::NoLedger => f.write_str("there is no ledger"),
            StillPending::SourceGone { source } => write!(f, "the configuration has no source {source} any more"),
            StillPending::OtherSource { source, now, then } => write!(
                f,
                "source {source} is {now} now and was {then} when the rows went; set it back to resolve what is pending"
            ),
            StillPending::InProgress { transaction, source } => {
                write!(f, "its transaction {transaction} is still in progress in source {source}")
            }
            StillPending::StoreGone { store } => write!(f, "the configuration has no store {store} any more"),
            StillPending::StoreMoved { store, now, then } => write!(
                f,
                "store {store} is at {} now and was at {} when the rows went; set it back to resolve what is pending",
                now.display(),
                then.display()
            ),
            StillPending::Store(doubt) => doubt.fmt(f),
            StillPending::NamesUnknown => f.write_str("it could not be asked which files rows still name"),
            StillPending::Paused { why } | StillPending::StoreUnavailable { why } | StillPending::Error { why } => {
                f.write_str(why)
            }
        }
    }
}
