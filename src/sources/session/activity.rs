//! Activity of a session, shared with whoever may cancel it: a cancellation reaches the statement that was meant and
//! never the one after it, and a call that was dropped in the middle is noticed.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

/// State of the session's statement: in progress or not, cancelled or not. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Activity {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    pub in_statement: bool,
    pub cancel_sent: bool,
}

impl Activity {
    /// Marks a statement as begun; `false` where the one before never ended, because its future was dropped.
    pub async fn begin(&self) -> bool {
        let mut state = self.state.lock().await;
        if state.in_statement {
            return false;
        }
        *state = State { in_statement: true, cancel_sent: false };
        true
    }

    /// Marks it as ended, once a cancellation that is under way has been delivered; whether there was one.
    pub async fn end(&self) -> bool {
        let mut state = self.state.lock().await;
        state.in_statement = false;
        state.cancel_sent
    }

    /// Holds the session at the end of its statement until the guard is dropped.
    pub async fn hold(&self) -> MutexGuard<'_, State> {
        self.state.lock().await
    }
}
