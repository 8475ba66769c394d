//! When a run must end early, and how a statement in progress is ended without its future being dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};

use super::brake::Brake;
use crate::outcome::Cause;
use crate::policy::Name;
use crate::sources::Canceller;

/// Asks a run to stop between batches: cancelled from outside, or its time is up.
pub(super) struct Stop {
    token: CancellationToken,
    timed_out: Arc<AtomicBool>,
    /// Ends the timer when the run is over; that of a single policy has none.
    _timer: Option<DropGuard>,
}

impl Stop {
    /// Follows `outer`, and sets itself when `timeout` has passed.
    pub(super) fn new(outer: &CancellationToken, timeout: Option<Duration>) -> Self {
        let token = outer.child_token();
        let timed_out = Arc::new(AtomicBool::new(false));
        let over = CancellationToken::new();
        if let Some(timeout) = timeout {
            let (token, timed_out, over) = (token.clone(), timed_out.clone(), over.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = over.cancelled() => {}
                    () = tokio::time::sleep(timeout) => {
                        timed_out.store(true, Ordering::Relaxed);
                        token.cancel();
                    }
                }
            });
        }
        Self { token, timed_out, _timer: Some(over.drop_guard()) }
    }

    /// That of one policy: set with this one, or once the policy is held.
    pub(super) fn of_policy(&self, policy: &Name, brake: &Brake) -> Self {
        let token = self.token.child_token();
        brake.watch(policy, token.clone());
        Self { token, timed_out: self.timed_out.clone(), _timer: None }
    }

    pub(super) fn is_set(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Cancelled when it is set.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why, if it is set.
    pub(super) fn cause(&self) -> Option<Cause> {
        match (self.is_set(), self.timed_out.load(Ordering::Relaxed)) {
            (false, _) => None,
            (true, true) => Some(Cause::Timeout),
            (true, false) => Some(Cause::Signal),
        }
    }

    /// Runs one statement to its end; after a stop the server is asked to cancel it.
    pub(super) async fn watch<T>(&self, canceller: Canceller, statement: impl Future<Output = T>) -> T {
        canceller.watch(&self.token, statement).await
    }
}
