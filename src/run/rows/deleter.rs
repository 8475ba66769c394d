//! A deletion under way: what it works with and what it remembers from one window to the next.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use super::deferred::Waiting;
use super::ended::RowsEnd;
use super::facts::Facts;
use super::pacing::Pacing;
use super::presence::Presence;
use super::purge_hold::Snapshot;
use crate::ledger::{Lease, Ledger};
use crate::outcome::{RunId, Tally};
use crate::policy::{Name, RowsPolicy};
use crate::run::account::Account;
use crate::run::progress::Reporter;
use crate::run::runner::Runner;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{ErrorKind, Session, SourceError, Window};
use crate::text::chain;

/// A policy's deletion under way.
pub(crate) struct Deleter<'a> {
    pub(crate) runner: &'a Runner,
    pub(crate) ledger: &'a Ledger,
    pub(crate) lease: &'a Lease,
    pub(crate) run_id: RunId,
    pub(crate) name: &'a Name,
    pub(crate) policy: &'a RowsPolicy,
    pub(crate) facts: &'a Facts,
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) stop: &'a Stop,
    pub(crate) reporter: &'a Reporter,
    pub(crate) account: Account,
    pub(crate) memory: Memory,
    pub(crate) pacing: Pacing,
    /// MySQL: what holds off the server's cleaning.
    pub(crate) snapshot: Option<Snapshot>,
}

/// Memory of a deletion from one window to the next.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) postponed: Vec<Window>,
    pub(crate) waiting: Waiting,
    pub(crate) failures_in_a_row: u32,
    /// Files that rows name, counted by whether they are there.
    pub(crate) presence: Presence,
    /// Files in a row that could not be removed.
    pub(crate) unremoved: u64,
    /// Rows that stay for their paths, of windows that are read again.
    pub(crate) unmapped: Told,
    pub(crate) vetoed: Vetoed,
    /// Rows that others of their table need so far, since this was last set to zero.
    pub(crate) deferred: u64,
    /// Windows come a second time.
    pub(crate) again: bool,
    pub(crate) unproven: Unproven,
    pub(crate) flushed_at: Option<Timestamp>,
}

impl Memory {
    /// Begins after a look at the first files.
    pub(crate) fn after(presence: Presence) -> Self {
        Self { presence, ..Self::default() }
    }
}

/// Batches that are committed and may not be durable yet.
#[derive(Default)]
pub(crate) struct Unproven {
    /// Their sums, which the ledger does not have either.
    pub(crate) sums: Tally,
    /// The session that committed them, and its mark of the last one.
    pub(crate) session: Option<u64>,
    pub(crate) mark: Option<String>,
    /// The login may not make them durable, so that each batch is.
    pub(crate) is_refused: bool,
}

/// Things that were counted and reported already: of the window that is under way, and of those that are tried again.
#[derive(Default)]
pub(crate) struct Told {
    all: HashSet<u64>,
    of_window: Vec<u64>,
}

impl Told {
    /// True if it is new.
    pub(crate) fn add(&mut self, what: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let is_new = self.all.insert(hasher.finish());
        if is_new {
            self.of_window.push(hasher.finish());
        }
        is_new
    }

    /// The window is over; one that comes again is remembered.
    pub(crate) fn end_window(&mut self, comes_again: bool) {
        let of_window = std::mem::take(&mut self.of_window);
        if !comes_again {
            of_window.iter().for_each(|what| {
                self.all.remove(what);
            });
        }
    }
}

/// The rows that stayed without a word.
#[derive(Default)]
pub(crate) struct Vetoed {
    pub(crate) rows: u64,
    pub(crate) first: Vec<String>,
    pub(crate) known: HashSet<Vec<String>>,
}

impl Vetoed {
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}

/// Rows of a window that are to be taken together.
pub(crate) struct Part<'w> {
    pub(crate) window: &'w Window,
    /// Only these, where each row was asked about.
    pub(crate) keys: Option<Vec<Vec<String>>>,
}

impl Deleter<'_> {
    /// Between batches: nobody asked to stop, and the policy is still ours.
    pub(crate) async fn may_go_on(&mut self) -> Result<(), RowsEnd> {
        match self.stop.is_set() {
            true => Err(RowsEnd::Stopped),
            false if !self.ledger.holds(self.lease).await? => Err(RowsEnd::LeaseLost),
            false => Ok(()),
        }
    }

    pub(crate) fn ended_by(&self, error: SourceError) -> RowsEnd {
        match error.kind {
            ErrorKind::Cancelled if self.stop.is_set() => RowsEnd::Stopped,
            _ => RowsEnd::Source(error),
        }
    }
}

/// Rolls back; where even that fails the connection is lost, and with it the transaction.
pub(crate) async fn roll_back(session: &mut Session) {
    if let Err(error) = session.rollback().await {
        tracing::debug!(source = %error.source_name, error = %chain(&error), "Rollback failed");
    }
}
