//! Pending files by requests: listed, tried again, forgotten.

use super::super::recovery::recover_in_force;
use super::controller::{Controller, internal, stopping, who_asks};
use crate::commands::pending::{self, PendingError};
use crate::ledger::AuditAction;
use crate::outcome::{PendingChoice, PendingPath, Role};
use crate::report::{Forgotten, PendingFiles, Retried};
use crate::server::{Caller, Problem, ProblemCode};

/// Files that are named in the answer to another attempt.
const NAMED_AT_MOST: u32 = 100;

impl Controller {
    pub(super) async fn list_pending(&self, limit: u32) -> Result<PendingFiles, Problem> {
        // Stores are opened to say why files wait: nobody takes all places for it.
        let _place = self.asking.place(Role::Viewer).await.map_err(|_| stopping())?;
        let settings = self.settings();
        let choice = PendingChoice::All;
        pending::listed(Some(&settings), self.runs.ledger(), (&choice, &[]), limit).await.map_err(internal)
    }

    pub(super) async fn retry_pending(&self, choice: PendingChoice, caller: Caller) -> Result<Retried, Problem> {
        if self.requests.cancel.is_cancelled() {
            return Err(stopping());
        }
        self.requests.check_room()?;
        let (settings, ledger) = (self.settings(), self.runs.ledger());
        pending::check_pending(&settings, ledger, &choice).await.map_err(internal)?.map_err(refused)?;
        let what = (AuditAction::Retry, choice.to_string());
        let by = self.note(&caller, what, serde_json::json!({})).await?;
        tracing::info!(by = %by, "Removal of what is pending ({choice}) is tried again, by {by}");
        let (runs, cancel) = (self.runs.clone(), self.requests.cancel.clone());
        let work = self.requests.work(async move {
            let recovery = recover_in_force(runs.live(), &choice, &cancel).await?;
            runs.look_at_pending().await;
            pending::retried(&runs.live().settings(), runs.ledger(), (&choice, recovery), NAMED_AT_MOST).await
        });
        work.await.map_err(internal)?.map_err(internal)
    }

    pub(super) async fn forget_pending(&self, file: PendingPath, caller: Caller) -> Result<Forgotten, Problem> {
        let (runs, by) = (self.runs.clone(), who_asks(&caller));
        let work = self.requests.work(async move {
            let forgotten = pending::forget(runs.ledger(), &file, &by, runs.clock()).await;
            if let Ok(Ok(_)) = &forgotten {
                tracing::info!(by = %by, "File {file} is pending no more and stays, by {by}");
                runs.look_at_pending().await;
            }
            forgotten
        });
        work.await.map_err(internal)?.map_err(internal)?.map_err(refused)
    }
}

fn refused(error: PendingError) -> Problem {
    let (code, run_id) = match &error {
        PendingError::NotPending { .. } => (ProblemCode::NotPending, None),
        PendingError::Busy { run_id, .. } => (ProblemCode::Busy, Some(*run_id)),
    };
    Problem { run_id, ..Problem::new(code, error.to_string()).hint(error.hint()) }
}
