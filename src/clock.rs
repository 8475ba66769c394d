//! The only place that asks the machine what time it is; everything else is handed a [`Clock`].

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

/// Tells the time: the machine's, or one that a test sets by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<Mutex<Timestamp>>>,
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self { manual: None }
    }

    /// A clock that stands at `at` until [`Clock::advance`] moves it.
    pub fn manual(at: Timestamp) -> Self {
        Self { manual: Some(Arc::new(Mutex::new(at))) }
    }

    /// The current instant.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    pub fn now(&self) -> Timestamp {
        match &self.manual {
            None => Timestamp::now(),
            Some(at) => *at.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
        }
    }

    /// Moves a manual clock forward; does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        if let Some(at) = &self.manual {
            let mut at = at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *at = at.checked_add(by).unwrap_or(Timestamp::MAX);
        }
    }
}
