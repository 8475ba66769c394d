//! What the operator declared, compiled: a value of these types is valid and is never checked again.

mod changes;
mod command;
pub mod compile;
mod endpoint;
mod file;
mod names;
mod param;
mod rows;
mod sql;
mod store;
mod task;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use changes::{Widening, changes, widened};
pub use command::{Argument, CommandLine, Hook};
pub use endpoint::{Endpoint, Engine, Host, Secret, Server, Tls, TlsMode};
pub use file::{FilePath, OwnedFile, PathTemplate, TemplatePart};
pub use names::{Ident, Name, TableName};
pub use param::{ParamDeclaration, ParamKind, Params};
pub use rows::{
    Action, AgeColumn, AgeFormat, Alive, Assignment, Child, Fraction, Keep, KeepByValue, OnDelete, Protection,
    RowsPolicy, SetValue,
};
pub use sql::{Condition, Param, Segment};
pub use store::{Mapped, Reference, Store, StorePath};
pub use task::{Task, Trigger};

/// A whole configuration, compiled.
#[derive(Debug)]
pub struct Settings {
    pub daemon: Daemon,
    pub sources: Vec<Arc<Source>>,
    pub stores: Vec<Arc<Store>>,
    /// The three shipped tasks are always there, then those that the operator declared, in declared order.
    pub tasks: Vec<Arc<Task>>,
    /// In declared order, which is the order in which a task runs them.
    pub policies: Vec<Arc<Policy>>,
}

/// `[daemon]` and `[ledger]`.
#[derive(Debug, Clone)]
pub struct Daemon {
    pub mode: Mode,
    pub state_dir: PathBuf,
    /// The SQLite file of the ledger.
    pub ledger_path: PathBuf,
    /// Zone in which cron schedules are read.
    pub timezone: jiff::tz::TimeZone,
    pub shutdown_grace: Duration,
}

/// Whether a decision is carried out or only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Enforce,
    Report,
}

/// A database whose rows are governed.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: Name,
    pub endpoint: Endpoint,
    pub lock_timeout: Duration,
    pub statement_timeout: Duration,
    pub connect_timeout: Duration,
    pub max_connections: std::num::NonZeroU32,
    /// Zone of columns that carry none; UTC unless the source says otherwise.
    pub timezone: jiff::tz::TimeZone,
}

/// What may go, and when.
#[derive(Debug, Clone)]
pub struct Policy {
    pub name: Name,
    /// The task that runs it; without one it runs on request only.
    pub task: Option<Name>,
    pub enabled: bool,
    pub mode: Mode,
    pub kind: PolicyKind,
}

/// The kinds of policy.
#[derive(Debug, Clone)]
pub enum PolicyKind {
    Rows(RowsPolicy),
}

impl PolicyKind {
    /// The word that configuration and JSON use for the kind.
    pub fn word(&self) -> &'static str {
        match self {
            PolicyKind::Rows(_) => "rows",
        }
    }
}

impl Settings {
    /// The source of that name; compilation made sure that every reference has one.
    pub fn source(&self, name: &Name) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.name == *name)
    }

    /// The store of that name.
    pub fn store(&self, name: &Name) -> Option<&Arc<Store>> {
        self.stores.iter().find(|store| store.name == *name)
    }

    /// The task of that name.
    pub fn task(&self, name: &Name) -> Option<&Arc<Task>> {
        self.tasks.iter().find(|task| task.name == *name)
    }

    /// What runs of a policy may do at most: `report` where the daemon or the policy says so.
    pub fn mode_of(&self, policy: &Policy) -> Mode {
        match (self.daemon.mode, policy.mode) {
            (Mode::Enforce, Mode::Enforce) => Mode::Enforce,
            (Mode::Report, _) | (_, Mode::Report) => Mode::Report,
        }
    }

    /// The policies assigned to a task, in declared order, switched-off ones included.
    pub fn policies_of<'a>(&'a self, task: &'a Name) -> impl Iterator<Item = &'a Arc<Policy>> {
        self.policies.iter().filter(move |policy| policy.task.as_ref() == Some(task))
    }
}
