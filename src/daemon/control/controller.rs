//! The one who answers for the daemon, and its orders to the main loop.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::super::reload::{Loader, Refusal};
use super::super::runs::Runs;
use super::asking::Asking;
use super::looks::Looks;
use super::on_disk::OnDisk;
use super::requests::Requests;
use crate::commands::operator::operator_of;
use crate::commands::params::ParamError;
use crate::commands::selection::SelectError;
use crate::ledger::{AuditAction, AuditNote, Tokens};
use crate::outcome::{Operator, Role};
use crate::policy::{Name, Settings};
use crate::server::{Caller, Problem, ProblemCode, SourceState};
use crate::text::chain;

/// Something that the main loop is asked to do.
pub enum Order {
    /// Answer, to show that it lives.
    Answer(oneshot::Sender<()>),
    /// Load the configuration anew; the answer says what changed.
    Reload(oneshot::Sender<Result<String, Refusal>>),
    /// Look at what is held, because something was approved.
    LookAtHolds,
}

/// State of the main loop that others may read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub sources: Vec<SourceState>,
    pub reload_errors: Option<usize>,
}

/// Answers for the daemon. Cheap to clone.
#[derive(Clone)]
pub struct Controller {
    pub(super) runs: Runs,
    pub(super) requests: Requests,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) snapshot: watch::Receiver<Snapshot>,
    pub(super) on_disk: Arc<OnDisk>,
    pub(super) looks: Looks,
    pub(super) asking: Arc<Asking>,
}

impl Controller {
    pub(in crate::daemon) fn new(
        (runs, requests): (Runs, Requests),
        load: Loader,
        orders: mpsc::Sender<Order>,
        snapshot: watch::Receiver<Snapshot>,
    ) -> Self {
        Self {
            runs,
            requests,
            orders,
            snapshot,
            on_disk: Arc::new(OnDisk::new(load)),
            looks: Looks::default(),
            asking: Arc::new(Asking::new()),
        }
    }

    /// Refuses what would open the ledger by its path, where another file may be there.
    pub(super) fn check_ledger(&self) -> Result<(), Problem> {
        let lost =
            || Problem::new(ProblemCode::Internal, "the ledger was removed or replaced while the daemon had it open");
        self.runs.ledger().is_in_place().then_some(()).ok_or_else(|| lost().hint("put it back, or restart the daemon"))
    }

    /// The configuration in force.
    pub(in crate::daemon) fn settings(&self) -> Arc<Settings> {
        self.runs.live().settings()
    }

    /// The token of a secret, as the files have it now: one that was added or removed counts at once.
    pub(super) fn find_token(&self, secret: &str) -> Option<(Name, Role)> {
        Tokens::of(&self.settings().daemon.state_dir).find(secret).unwrap_or_else(|error| {
            let error = chain(&error);
            tracing::error!(error, "Nobody is let in over TCP: {error}");
            None
        })
    }

    /// Records that somebody asks for something, before it is done: what cannot be recorded is not done.
    pub(super) async fn note(
        &self,
        caller: &Caller,
        (action, subject): (AuditAction, String),
        detail: serde_json::Value,
    ) -> Result<Operator, Problem> {
        let by = who_asks(caller);
        let note = AuditNote { at: self.runs.clock().now(), by: Some(by.clone()), action, subject, detail };
        self.runs.ledger().note(&note).await.map_err(internal)?;
        Ok(by)
    }

    /// Records that somebody stops something, which is done whether it can be recorded or not.
    pub(super) async fn note_stop(
        &self,
        caller: &Caller,
        what: (AuditAction, String),
        detail: serde_json::Value,
    ) -> Operator {
        match self.note(caller, what, detail).await {
            Ok(by) => by,
            Err(problem) => {
                let by = who_asks(caller);
                let error = problem.detail;
                tracing::error!(error, by = %by, "What {by} asks for could not be recorded in the audit: {error}");
                by
            }
        }
    }
}

/// Person or program that asks.
pub(super) fn who_asks(caller: &Caller) -> Operator {
    Operator { remote: caller.remote.clone(), ..operator_of(caller.uid, caller.on_behalf_of.clone()) }
}

/// Problem of an answer that failed in the daemon itself.
pub(super) fn internal(error: impl Into<anyhow::Error>) -> Problem {
    Problem::internal(&error.into())
}

/// Problem of an answer for which nobody waits any more.
pub(super) fn unwanted() -> Problem {
    Problem::new(ProblemCode::Internal, "nobody waits for the answer any more")
}

pub(super) fn stopping() -> Problem {
    Problem::new(ProblemCode::Stopping, "the daemon is stopping")
}

pub(super) fn invalid_parameter(error: ParamError) -> Problem {
    Problem::new(ProblemCode::InvalidParameter, error.to_string()).hint(error.hint())
}

pub(super) fn unknown_name(error: SelectError) -> Problem {
    Problem::new(ProblemCode::UnknownName, error.to_string()).hint(error.hint())
}
