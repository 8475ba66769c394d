//! One run per table in the world: policies of one process take turns, and whoever works on the same table with a ledger
//! of its own is waited for, for a while.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::deleter::Deleter;
use super::ended::RowsEnd;
use crate::policy::{RowsPolicy, Settings, Source, TableName};
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{ErrorKind, SourceError};

/// Pause between two tries at a table that another process has.
const PAUSE: Duration = Duration::from_millis(50);

type Turns = HashMap<String, Arc<tokio::sync::Mutex<()>>>;

/// The tables that runs of this process change, by database and name.
static TURNS: LazyLock<Mutex<Turns>> = LazyLock::new(Mutex::default);

/// Waits until no other run of this process changes the policy's table; nothing where a stop came first. Who waits holds
/// no connection, which the other may need.
pub(super) async fn take_turn(
    rows: &RowsPolicy,
    settings: &Settings,
    sessions: &mut Sessions,
    stop: &Stop,
) -> Option<OwnedMutexGuard<()>> {
    let identity = settings.source(&rows.source).map(|source| source.endpoint.identity()).unwrap_or_default();
    let key = format!("{identity}\0{}", rows.table);
    let turn = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(key).or_default())
    };
    if let Ok(guard) = Arc::clone(&turn).try_lock_owned() {
        return Some(guard);
    }
    sessions.close();
    stop.token().run_until_cancelled(turn.lock_owned()).await
}

/// Takes the table for this run alone; waits a little for another process that has it.
pub(super) async fn claim(
    source: &Source,
    table: &TableName,
    sessions: &mut Sessions,
    stop: &Stop,
) -> Result<(), SourceError> {
    let since = Instant::now();
    loop {
        match sessions.claim(&source.name, table).await {
            Err(error) if error.kind == ErrorKind::InUse && since.elapsed() < source.lock_timeout => {
                let waited = stop.token().run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                waited.ok_or(error)?;
            }
            done => return done,
        }
    }
}

impl Deleter<'_> {
    /// Waits a moment after a batch for which another process had the table; fails when that one has taken as long as a
    /// statement may.
    pub(super) async fn wait_for_table(
        &mut self,
        since: &mut Option<Instant>,
        error: SourceError,
    ) -> Result<(), RowsEnd> {
        let source = self.runner.settings.source(&self.facts.target.source);
        let patience = source.map(|source| source.statement_timeout.max(source.lock_timeout)).unwrap_or_default();
        if since.get_or_insert_with(Instant::now).elapsed() >= patience {
            return Err(RowsEnd::InUse(error));
        }
        let table = &self.facts.target.node.table;
        let note = format!("another retaind works on table {table} at the same time: batches took turns");
        if !self.account.notes.contains(&note) {
            self.account.notes.push(note);
        }
        // The may_go_on of the next try sees a stop.
        let _ = self.stop.token().run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        self.may_go_on().await
    }
}
