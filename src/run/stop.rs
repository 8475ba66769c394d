//! When a run must end early, and how a statement in progress is ended without its future being dropped.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::brake::Brake;
use crate::clock::Clock;
use crate::outcome::Cause;
use crate::policy::Name;
use crate::sources::Canceller;

/// The clock is looked at this often: it may be set, and the machine may sleep.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Asks a run to stop between batches: cancelled from outside, its time is up, or its window closes.
pub(super) struct Stop {
    token: CancellationToken,
    /// Why it set itself.
    by_itself: Arc<OnceLock<Cause>>,
    /// Ends the timers when the run is over.
    over: CancellationToken,
    /// That of a single policy has none.
    _guard: Option<DropGuard>,
}

impl Stop {
    /// Follows `outer`, and sets itself when `timeout` has passed.
    pub(super) fn new(outer: &CancellationToken, timeout: Option<Duration>) -> Self {
        let over = CancellationToken::new();
        let guard = over.clone().drop_guard();
        let stop = Self { token: outer.child_token(), by_itself: Arc::default(), over, _guard: Some(guard) };
        if let Some(timeout) = timeout {
            stop.set_after(tokio::time::sleep(timeout), Cause::Timeout);
        }
        stop
    }

    /// Sets itself as well when the clock comes to an instant, if there is one.
    pub(super) fn closing(self, clock: &Clock, at: Option<Timestamp>) -> Self {
        if let Some(at) = at {
            let clock = clock.clone();
            let closed = async move {
                while let Some(left) =
                    Duration::try_from(at.duration_since(clock.now())).ok().filter(|left| !left.is_zero())
                {
                    tokio::time::sleep(left.min(LOOK_EVERY)).await;
                }
            };
            self.set_after(closed, Cause::Window);
        }
        self
    }

    fn set_after(&self, passed: impl Future<Output = ()> + Send + 'static, why: Cause) {
        let (token, by_itself, over) = (self.token.clone(), self.by_itself.clone(), self.over.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = over.cancelled() => {}
                () = passed => {
                    // Where it is set already, the first reason stands.
                    if !token.is_cancelled() {
                        let _ = by_itself.set(why);
                    }
                    token.cancel();
                }
            }
        });
    }

    /// That of one policy: set with this one, or once the policy is held.
    pub(super) fn of_policy(&self, policy: &Name, brake: &Brake) -> Self {
        let token = self.token.child_token();
        brake.watch(policy, token.clone());
        Self { token, by_itself: self.by_itself.clone(), over: self.over.clone(), _guard: None }
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
        self.is_set().then(|| self.by_itself.get().copied().unwrap_or(Cause::Signal))
    }

    /// Runs one statement to its end; after a stop the server is asked to cancel it.
    pub(super) async fn watch<T>(&self, canceller: Canceller, statement: impl Future<Output = T>) -> T {
        canceller.watch(&self.token, statement).await
    }
}
