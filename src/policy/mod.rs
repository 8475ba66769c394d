//! The operator's configuration, compiled: a value of these types is valid and is never checked again.

mod changes;
mod command;
pub mod compile;
mod endpoint;
mod file;
mod files;
#[cfg(test)]
pub(crate) mod fixtures;
mod glob;
mod guards;
mod hours;
mod names;
mod notify;
mod orphans;
mod pace;
mod param;
mod publish;
mod reference;
mod references_of;
mod rows;
mod serving;
mod spelling;
mod sql;
mod store;
mod store_path;
mod task;
mod time;
mod wording;
mod words;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use changes::{
    Widening, Wider, changed_words, changes, changes_by_thing, more_careful, widened, wider_than, words_of,
};
pub use command::{Argument, CommandLine, Hook};
pub use endpoint::{Endpoint, Engine, Host, Secret, Server, Tls, TlsMode};
pub use file::{FilePath, OwnedFile, PathTemplate, TemplatePart};
pub use files::{ByteCount, FilesPolicy, Space};
pub use glob::{FileMatch, Globs};
pub use hours::Hours;
pub use names::{Ident, Name, TableName};
pub use notify::{Addressee, Destination, Email, NotifyWay, Ping, SmtpTls, WebUrl, Webhook};
pub use orphans::OrphansPolicy;
pub use pace::{Pace, TARGET};
pub use param::{ParamDeclaration, Params};
pub use publish::PublishRedis;
pub use reference::Reference;
pub use references_of::Namer;
pub use rows::{
    AGE_SECS, Action, AgeColumn, Alive, Assignment, Child, Detail, Fraction, KEEP_SECS, Keep, KeepByValue, Protection,
    RowsPolicy, SET_DETAIL, SetValue,
};
pub use serving::{Certificate, RateLimit, Serving, ServingTcp};
pub use spelling::{file_forms, name_forms, written_forms, written_name_forms};
pub use sql::{Condition, Param, Segment};
pub use store::{Mapped, Store};
pub use store_path::{LONGEST_BYTES, StorePath};
pub use task::{Task, Trigger};
pub use time::{EARLIEST, LATEST, TimeParam, TimePoint};
pub use wording::{Wording, Written};
pub use words::{
    AgeBy, AgeFormat, ClockTrust, LogFormat, LogLevel, Mode, NoticeEvent, OnDelete, OpenFiles, Outside, ParamKind, Per,
    ReferenceMatch, WebhookFormat,
};

/// A whole configuration, compiled.
#[derive(Debug, Clone)]
pub struct Settings {
    pub daemon: Daemon,
    pub serving: Serving,
    /// The Redis that has the state of each run.
    pub publish: Option<Arc<PublishRedis>>,
    /// Those who are notified, in declared order.
    pub notify: Vec<Arc<Destination>>,
    pub sources: Vec<Arc<Source>>,
    pub stores: Vec<Arc<Store>>,
    /// The three shipped tasks are always there, then those that the operator declared, in declared order.
    pub tasks: Vec<Arc<Task>>,
    /// In declared order, which is the order in which a task runs them.
    pub policies: Vec<Arc<Policy>>,
    /// The whole configuration as it was written.
    pub written: Written,
    /// Keys that were given for this process alone (`--set`); what may be secret is masked.
    pub overrides: BTreeMap<String, String>,
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
    /// True if a change that lets a policy take more than before is held until it was approved.
    pub approve_changes: bool,
    pub clock: ClockTrust,
    /// Form of log lines on standard error, where no journal takes them.
    pub log_format: LogFormat,
    pub log_level: LogLevel,
    /// Time for which the ledger remembers a run that has ended.
    pub keep_runs: Duration,
    /// Time for which it keeps entries of the audit.
    pub keep_audit: Duration,
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
    /// PostgreSQL: the schemas in which names are looked up, instead of the login's search path.
    pub search_path: Option<Vec<String>>,
    /// Speed at which runs take its rows.
    pub pace: Pace,
}

/// A rule: what may go, when, and from where.
#[derive(Debug, Clone)]
pub struct Policy {
    pub name: Name,
    /// The task that runs it; without one it runs on request only.
    pub task: Option<Name>,
    pub enabled: bool,
    pub mode: Mode,
    /// Multiple of the largest of its recent runs that a scheduled run may take.
    pub max_growth: NonZeroU64,
    /// For people: what it is for, and whom to ask.
    pub description: Option<String>,
    pub owner: Option<String>,
    pub kind: PolicyKind,
}

/// The kinds of policy.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there are few policies, each made once and shared")]
pub enum PolicyKind {
    Rows(RowsPolicy),
    Files(FilesPolicy),
    Orphans(OrphansPolicy),
}

impl PolicyKind {
    /// The word that configuration and JSON use for the kind.
    pub fn word(&self) -> &'static str {
        match self {
            PolicyKind::Rows(_) => "rows",
            PolicyKind::Files(_) => "files",
            PolicyKind::Orphans(_) => "orphans",
        }
    }

    /// The rules of rows, where it is of that kind.
    pub fn rows(&self) -> Option<&RowsPolicy> {
        match self {
            PolicyKind::Rows(rows) => Some(rows),
            PolicyKind::Files(_) | PolicyKind::Orphans(_) => None,
        }
    }

    /// The store whose files it goes through; none where it goes by rows.
    pub fn store(&self) -> Option<&Name> {
        match self {
            PolicyKind::Rows(_) => None,
            PolicyKind::Files(files) => Some(&files.store),
            PolicyKind::Orphans(orphans) => Some(&orphans.store),
        }
    }

    /// The instant before which a thing is eligible, for a run that begins at `now`; none without a time to keep.
    pub fn cutoff(&self, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
        match self {
            PolicyKind::Rows(rows) => rows.cutoff(now),
            PolicyKind::Files(files) => files.cutoff(now),
            PolicyKind::Orphans(orphans) => Some(orphans.cutoff(now)),
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

    /// The policy of that name.
    pub fn policy(&self, name: &Name) -> Option<&Arc<Policy>> {
        self.policies.iter().find(|policy| policy.name == *name)
    }

    /// The tasks whose hooks do not run although these policies of theirs do: hooks belong to a task that is run as a whole.
    pub fn hooks_left_out(&self, policies: &[&Name], whole: Option<&Name>) -> Vec<&Name> {
        let has_hooks = |task: &&Arc<Task>| task.before.is_some() || task.after.is_some();
        let is_concerned = |task: &Task| {
            let mut concerned = policies.iter().filter_map(|name| self.policy(name));
            concerned.any(|policy| policy.task.as_ref() == Some(&task.name))
        };
        let tasks = self.tasks.iter().filter(has_hooks);
        tasks.filter(|task| whole != Some(&task.name) && is_concerned(task)).map(|task| &task.name).collect()
    }

    /// Those whom the outbox has messages for.
    pub fn addressees(&self) -> Vec<Addressee> {
        let destinations = self.notify.iter().map(|destination| Addressee::Destination(Arc::clone(destination)));
        let ping = |task: &Arc<Task>| Some(Addressee::Ping(task.name.clone(), Arc::clone(task.ping.as_ref()?)));
        destinations.chain(self.tasks.iter().filter_map(ping)).collect()
    }

    /// Policies of files and orphans that go through a store.
    pub fn policies_in<'a>(&'a self, store: &'a Name) -> impl Iterator<Item = &'a Arc<Policy>> {
        self.policies.iter().filter(move |policy| policy.kind.store() == Some(store))
    }

    /// The sources that a run of a policy asks: that of its rows, or those whose rows name files of its store.
    pub fn sources_of<'a>(&'a self, policy: &'a Policy) -> Vec<&'a Name> {
        let mut sources = match &policy.kind {
            PolicyKind::Rows(rows) => vec![&rows.source],
            PolicyKind::Files(_) => Vec::new(),
            PolicyKind::Orphans(orphans) => {
                let store = self.store(&orphans.store);
                store.map(|store| store.references.iter().map(|each| &each.source).collect()).unwrap_or_default()
            }
        };
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// Mode of runs of a policy: `report` where the daemon or the policy says so.
    pub fn mode_of(&self, policy: &Policy) -> Mode {
        match (self.daemon.mode, policy.mode) {
            (Mode::Enforce, Mode::Enforce) => Mode::Enforce,
            (Mode::Report, _) | (_, Mode::Report) => Mode::Report,
        }
    }

    /// True if a policy may delete anything: it is switched on, and nothing says that it only reports.
    pub fn may_take(&self, policy: &Policy) -> bool {
        policy.enabled && self.mode_of(policy) == Mode::Enforce
    }

    /// The files of a store that rows own, by each policy that says so, with the table of the row.
    pub fn owned_in<'a>(
        &'a self,
        store: &'a Name,
    ) -> impl Iterator<Item = (&'a Policy, &'a RowsPolicy, &'a TableName, &'a OwnedFile)> {
        let policies = self.policies.iter().filter_map(|policy| Some((policy.as_ref(), policy.kind.rows()?)));
        let files = policies.flat_map(|(policy, rows)| {
            rows.owned_files().into_iter().map(move |(table, file)| (policy, rows, table, file))
        });
        files.filter(move |(_, _, _, file)| file.store == *store)
    }

    /// The policies assigned to a task, in declared order, switched-off ones included.
    pub fn policies_of<'a>(&'a self, task: &'a Name) -> impl Iterator<Item = &'a Arc<Policy>> {
        self.policies.iter().filter(move |policy| policy.task.as_ref() == Some(task))
    }
}
