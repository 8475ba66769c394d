//! A look at a store for a policy: files that may go, and what the guards say.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::ended::TreeEnd;
use super::found_files::{SeenFile, Spool};
use super::missing::Alike;
use super::weighed::Weighed;
use crate::decide::blocked::Blocked;
use crate::decide::choose::Choice;
use crate::decide::guards::{Going, Judged};
use crate::outcome::{GuardReading, Survey};
use crate::run::account::{Account, FILE};
use crate::run::plan_state::GoneInStore;
use crate::run::policy_run::PolicyRun;
use crate::run::referenced_store::ReferencedStore;
use crate::run::request::Fate;
use crate::run::sessions::Sessions;
use crate::run::store_identity;
use crate::stores::{RawPath, Surveyed};
use crate::text::human::counted;

/// Files found in a store, and those of them that may go.
pub(super) struct Finding {
    pub(super) account: Account,
    pub(super) readings: Vec<GuardReading>,
    pub(super) blocked: Option<Blocked>,
    /// None where nothing is to be listed, because it cannot be trusted.
    pub(super) spool: Option<Spool>,
    /// For each file of the spool what becomes of it; without them all go.
    pub(super) choices: Option<Vec<Choice>>,
    /// Directories in which nothing is, of a policy that prunes them.
    pub(super) empty: Vec<RawPath>,
    /// Index that keeps files that rows may name in another spelling.
    pub(super) alike: Option<Arc<Alike>>,
    /// Instant of the decision: it was not made about what is changed later.
    pub(super) decided_at: Timestamp,
}

impl Finding {
    pub(super) fn new(decided_at: Timestamp) -> Self {
        let (account, readings, empty) = (Account::default(), Vec::new(), Vec::new());
        Self { account, readings, blocked: None, spool: None, choices: None, empty, alike: None, decided_at }
    }

    pub(super) fn blocked(self, by: Blocked) -> Self {
        Self { blocked: Some(by), ..self }
    }
}

/// Paths that the workers of a walk find, in the order in which they do.
#[derive(Clone)]
pub(super) struct Sink(Arc<Mutex<Result<Spool, std::io::Error>>>);

impl Sink {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Ok(Spool::new()))))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Result<Spool, std::io::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, path: &[u8], file: Option<SeenFile>) {
        let mut sink = self.lock();
        if let Ok(spool) = &mut *sink
            && let Err(error) = spool.push(path, file)
        {
            *sink = Err(error);
        }
    }

    /// All that was found, once the walk is over.
    pub(super) fn finish(&self) -> Result<Spool, TreeEnd> {
        std::mem::replace(&mut *self.lock(), Ok(Spool::new())).map_err(TreeEnd::Spool)
    }
}

/// A store that is looked at for a policy.
pub(super) struct Looking<'a> {
    pub(super) run: &'a PolicyRun<'a>,
    pub(super) referenced: &'a mut ReferencedStore,
    pub(super) sessions: &'a mut Sessions,
    /// When the look began.
    pub(super) began_at: Timestamp,
    /// Files that earlier policies of a plan would have taken: for this one they are not there.
    pub(super) gone: Option<Arc<GoneInStore>>,
}

impl PolicyRun<'_> {
    /// Adds to a finding what the guards say, and a hold where it is far more than usual.
    pub(super) async fn judged(&self, finding: Finding, judged: Judged, share: Going) -> Result<Finding, TreeEnd> {
        let Judged { readings, blocked } = judged;
        let held = match &blocked {
            Some(by) => self.held_by_guard(by),
            None => self.grown_files(share.going, share.of).await?,
        };
        Ok(Finding { readings, blocked: held.map(Blocked::Held).or(blocked), ..finding })
    }
}

impl Looking<'_> {
    /// The store as all workers of a walk saw it, with the room that it has.
    pub(super) fn survey(&self, workers: impl Iterator<Item = Weighed> + Clone, surveyed: &Surveyed) -> Survey {
        // Read from a handle that is open; where it fails, only the number is missing.
        let available_bytes = self.referenced.open.space().ok().map(|room| room.available_bytes);
        Survey { available_bytes, ..Weighed::survey(workers, surveyed, self.began_at) }
    }

    /// Reason that no files of the store may be taken. A report needs no marker: it takes nothing.
    pub(super) async fn identity_guard(&mut self) -> Result<Option<Blocked>, TreeEnd> {
        if self.run.fate(None) != Fate::Enforce {
            return Ok(None);
        }
        let (open, store, ledger) = (&self.referenced.open, &self.referenced.store, self.run.runner.ledger.as_ref());
        Ok(store_identity::guard(open, store, ledger, true).await?.map(Blocked::Store))
    }
}

/// Errors of a walk, as failures of the policy's account.
pub(super) fn tell_unseen(account: &mut Account, surveyed: &Surveyed) {
    let shown = surveyed.first_errors.len() as u64;
    for unseen in &surveyed.first_errors {
        account.fail(None, Some(unseen.path.clone()), format!("could not be looked at: {}", unseen.why));
    }
    account.count_failures(FILE, surveyed.errors.saturating_sub(shown));
    if surveyed.mounts > 0 {
        account.notes.push(format!("not entered in the store: {}", counted(surveyed.mounts, "mount point")));
    }
}
