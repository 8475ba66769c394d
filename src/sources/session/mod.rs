//! One open connection to a source, set up: time zone UTC, timeouts set, language of messages fixed.

mod activity;
mod bulk_reader;
mod cancel;
mod claimed_table;
mod connect;
mod connection;
mod durability;
mod interrupt;
pub(super) mod invalid_text;
mod judge;
mod others;
mod postgres;
mod read_only;
mod replicas;
mod returning;
mod search_path;
mod table_lock;
mod text_row;
pub(super) mod tls;
mod transaction;
mod transaction_state;
mod usage;
mod watch;

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use bulk_reader::Reader;
pub use cancel::Canceller;
pub(super) use read_only::is_writable;
pub use returning::Returning;
pub use search_path::PathSchema;
pub use text_row::TextRow;
pub use transaction_state::TransactionOutcome;
pub use usage::Usage;

use activity::Activity;
use connect::PostgresTerms;
use connection::{Connection, Statement};
use judge::Judge;
use table_lock::Claim;
use transaction_state::Transaction;
use watch::{Watched, watch, watch_and_heed};

use super::sql::dialect::{Traits, dialect};
use super::statement::Sql;
use super::{ErrorKind, SourceError};
use crate::policy::{Endpoint, Engine, Name, Source};

/// Number of sessions that were opened.
static OPENED: AtomicU64 = AtomicU64::new(0);
/// Number of different statements that a session keeps prepared.
const KEPT_STATEMENTS: usize = 64;
/// Time that a statement may take beyond its timeout until the session asks the server to end it.
const TIMEOUT_SLACK: Duration = Duration::from_secs(1);

/// An open connection. A call that is dropped before it ends makes the session unusable, because the server's answer
/// to it would be taken for the answer to the next: run calls in a task of their own and cancel by [`Canceller`].
pub struct Session {
    number: u64,
    connection: Connection,
    source_name: Name,
    engine: Engine,
    user: Option<String>,
    returning: Returning,
    judge: Judge,
    /// After so long without an answer the session cancels the statement itself.
    patience: Duration,
    activity: Activity,
    canceller: Canceller,
    /// The stop that ends statements that return rows, while it is heeded.
    stop: Option<CancellationToken>,
    transaction: Transaction,
    /// PostgreSQL: what transactions begin with.
    postgres: Option<PostgresTerms>,
    endpoint: Endpoint,
    claim: Option<Claim>,
    /// MySQL: the claim's lock is had, until the batch ends.
    holds_lock: bool,
    closed: bool,
    /// Statements since this was last taken.
    usage: Usage,
    /// Signs of other sessions at work, as they were last seen.
    others: Option<BTreeSet<String>>,
    /// PostgreSQL: marks of the transaction in progress and of the one that was committed last, where commits are relaxed.
    mark: Option<String>,
    last_mark: Option<String>,
    /// Hashes of the statements seen; the second time one is kept prepared.
    seen: HashSet<u64>,
}

/// A login whose password this process was not given.
#[derive(Debug, thiserror::Error)]
#[error("its password is a credential of the service, and this command has not been given it")]
pub struct LacksPassword;

impl Session {
    /// Connects, checks TLS as asked, and sets the session up.
    pub async fn open(source: &Source) -> Result<Self, SourceError> {
        let place = match source.endpoint.server() {
            Some(server) => format!("{} (database {}, user {})", server.host, server.database, server.user),
            None => source.endpoint.path().unwrap_or(Path::new("")).display().to_string(),
        };
        let failed =
            |kind, cause: connect::Cause| SourceError::new(&source.name, format!("connecting to {place}"), kind, cause);
        if source.endpoint.server().is_some_and(|server| server.lacks_password) {
            return Err(failed(ErrorKind::Permission, Box::new(LacksPassword)));
        }
        let engine = source.endpoint.engine();
        let mut judge = Judge {
            engine,
            foreign_language: false,
            lock_timeout: source.lock_timeout,
            statement_timeout: source.statement_timeout,
        };
        let opened = match timeout(source.connect_timeout, connect::open(source)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(cause)) => return Err(failed(kind_of_refusal(&judge, cause.as_ref()), cause)),
            Err(_) => {
                let cause = format!("no answer within {:?}", source.connect_timeout).into();
                return Err(failed(ErrorKind::Connect, cause));
            }
        };
        judge.foreign_language = opened.foreign_language;
        let activity = Activity::default();
        let slack = if opened.server_times_statements { TIMEOUT_SLACK } else { Duration::ZERO };
        Ok(Self {
            number: OPENED.fetch_add(1, Ordering::Relaxed),
            connection: opened.connection,
            source_name: source.name.clone(),
            engine,
            user: opened.user,
            returning: opened.returning,
            judge,
            patience: source.statement_timeout + slack,
            canceller: Canceller::new(activity.clone(), opened.target),
            activity,
            stop: None,
            transaction: Transaction::None,
            postgres: opened.postgres,
            endpoint: source.endpoint.clone(),
            claim: None,
            holds_lock: false,
            closed: false,
            usage: Usage::default(),
            others: None,
            mark: None,
            last_mark: None,
            seen: HashSet::new(),
        })
    }

    /// Number of the session: no other of this process has it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The source that it is connected to.
    pub fn source_name(&self) -> &Name {
        &self.source_name
    }

    /// The engine that answers.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The traits of its engine.
    pub(super) fn traits(&self) -> &'static Traits {
        dialect(self.engine).traits()
    }

    /// An empty statement for this engine.
    pub fn sql(&self) -> Sql {
        Sql::new(self.engine)
    }

    /// Whom privileges are granted to: a role on PostgreSQL, `name@host` on MySQL; `None` on SQLite.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// True if whoever locks rows needs UPDATE for it.
    pub fn locking_needs_update(&self) -> bool {
        self.traits().locking_needs_update
    }

    /// Support for DELETE … RETURNING.
    pub fn returning(&self) -> Returning {
        self.returning
    }

    /// True if the connection may still be used: not after it was lost, nor after a call on it was dropped.
    pub fn is_open(&self) -> bool {
        !self.closed
    }

    /// A handle that cancels this session's statements from another task.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Statements since this was last asked.
    pub fn take_usage(&mut self) -> Usage {
        std::mem::take(&mut self.usage)
    }

    /// Ends, at a stop, whatever statement that returns rows the session is in then, and all after it; with none, lets them
    /// run to their ends. What changes something is never ended by it.
    pub fn heed(&mut self, stop: Option<CancellationToken>) {
        self.stop = stop;
    }

    /// Runs a statement that returns rows. `operation` goes into the error.
    pub async fn query(&mut self, operation: &str, sql: &Sql) -> Result<Vec<TextRow>, SourceError> {
        let began = self.begin_call(operation).await?;
        let statement = Statement { sql, keep: self.is_repeated(sql) };
        let loading = self.connection.load(statement);
        let result = watch_and_heed(self.patience, &self.canceller, self.stop.as_ref(), loading).await;
        self.end_call(operation, began, result).await
    }

    /// Runs a statement; how many rows it touched (for MySQL: found). Outside of a transaction it is one by itself.
    pub async fn execute(&mut self, operation: &str, sql: &Sql) -> Result<u64, SourceError> {
        match self.transaction {
            Transaction::None => self.execute_alone(operation, sql).await,
            Transaction::Open | Transaction::Failed => self.execute_within(operation, sql).await,
        }
    }

    async fn execute_within(&mut self, operation: &str, sql: &Sql) -> Result<u64, SourceError> {
        let began = self.begin_call(operation).await?;
        let statement = Statement { sql, keep: self.is_repeated(sql) };
        let result = watch(self.patience, &self.canceller, self.connection.execute(statement)).await;
        self.end_call(operation, began, result).await
    }

    async fn execute_alone(&mut self, operation: &str, sql: &Sql) -> Result<u64, SourceError> {
        if !self.traits().commits_at_once {
            self.take_lock().await?;
            let done = self.execute_within(operation, sql).await;
            self.give_lock_back().await;
            return done;
        }
        self.begin().await?;
        let began = self.begin_call(operation).await?;
        let result = watch(self.patience, &self.canceller, self.connection.execute_and_commit(sql)).await;
        // Committed, or rolled back by the same COMMIT.
        self.transaction = Transaction::None;
        let touched = self.end_call(operation, began, result).await?;
        self.note_commit();
        Ok(touched)
    }

    /// PostgreSQL: the schemas in which a table without one is looked for, in order.
    pub fn path_schemas(&self) -> &[PathSchema] {
        self.postgres.as_ref().map_or(&[], |terms| terms.path.schemas())
    }

    /// PostgreSQL: the schemas of the search path in which the operator's SQL finds nothing, because others may create
    /// objects there.
    pub fn schemas_left_out(&self) -> Vec<&PathSchema> {
        self.postgres.as_ref().map(|terms| terms.path.left_out()).unwrap_or_default()
    }

    /// PostgreSQL: lets the owner of a table that the configuration names define names in his schemas.
    pub(super) fn trust_owner(&mut self, owner: &str) {
        if let Some(terms) = &mut self.postgres
            && terms.path.trust(owner)
        {
            self.connection.set_settings(terms.text());
        }
    }

    /// Runs fixed text of our own.
    async fn batch(&mut self, operation: &str, text: &str) -> Result<(), SourceError> {
        let began = self.begin_call(operation).await?;
        let result = watch(self.patience, &self.canceller, self.connection.batch(text)).await;
        self.end_call(operation, began, result).await
    }

    async fn begin_call(&mut self, operation: &str) -> Result<Instant, SourceError> {
        if !self.closed && self.activity.begin().await {
            return Ok(Instant::now());
        }
        self.closed = true;
        let cause = "the connection was lost, or abandoned in the middle of a statement; open another".into();
        Err(self.error(operation, ErrorKind::Lost, cause))
    }

    async fn end_call<T>(&mut self, operation: &str, began: Instant, result: Watched<T>) -> Result<T, SourceError> {
        let ended = self.judge_call(operation, began, result).await;
        self.usage.add(&Usage::of(began.elapsed(), ended.as_ref().err().map(|error| error.kind)));
        ended
    }

    async fn judge_call<T>(&mut self, operation: &str, began: Instant, result: Watched<T>) -> Result<T, SourceError> {
        let Watched::Answered { result, overdue } = result else {
            self.closed = true;
            return Err(self.error(operation, ErrorKind::Lost, "the server stopped answering".into()));
        };
        let cancel_sent = self.activity.end().await;
        self.canceller.reset();
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let kind = match self.judge.kind(&error, began.elapsed(), cancel_sent) {
            ErrorKind::Cancelled if overdue => ErrorKind::Timeout,
            // Somebody else's doing, an administrator's perhaps.
            ErrorKind::Cancelled if !cancel_sent => ErrorKind::Other,
            kind => kind,
        };
        self.closed |= kind == ErrorKind::Lost;
        self.transaction.fail();
        let cause = self.explained(error);
        Err(self.error(operation, kind, cause))
    }

    /// An unknown name may be one of a schema that was left out of the search path.
    fn explained(&self, error: diesel::result::Error) -> connect::Cause {
        let text = error.to_string();
        let left_out = self.schemas_left_out();
        if left_out.is_empty() || !text.contains("does not exist") {
            return Box::new(error);
        }
        let names: Vec<_> = left_out.iter().map(|schema| schema.name.as_str()).collect();
        format!(
            "{text} (schema {} is left out of the search path, because others may create objects in it: write names with \
             their schema, or see `retaind check`)",
            names.join(", ")
        )
        .into()
    }

    fn error(&self, operation: &str, kind: ErrorKind, cause: connect::Cause) -> SourceError {
        SourceError::new(&self.source_name, operation, kind, cause)
    }

    /// True if the statement comes at least for the second time, and is worth keeping prepared.
    fn is_repeated(&mut self, sql: &Sql) -> bool {
        let mut hasher = DefaultHasher::new();
        sql.text().hash(&mut hasher);
        let hash = hasher.finish();
        if self.seen.contains(&hash) {
            return true;
        }
        if self.seen.len() < KEPT_STATEMENTS {
            self.seen.insert(hash);
        }
        false
    }
}

/// A locked SQLite file is busy; everything else that stands in the way of a connection is `Connect`.
fn kind_of_refusal(judge: &Judge, cause: &(dyn std::error::Error + Send + Sync + 'static)) -> ErrorKind {
    match cause.downcast_ref().map(|error| judge.kind(error, Duration::ZERO, false)) {
        Some(ErrorKind::Busy) => ErrorKind::Busy,
        _ => ErrorKind::Connect,
    }
}
