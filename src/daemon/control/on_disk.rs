//! The configuration as it is written on disk, looked at now and then.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::super::reload::{Loader, load};

/// Memory of the last look at the files.
pub(super) struct OnDisk {
    load: Loader,
    seen: Mutex<Option<(Instant, Look)>>,
}

/// Result of a look.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// None where it cannot be used.
    pub(super) digest: Option<String>,
    /// The first error, where it cannot be used.
    pub(super) error: Option<String>,
}

impl OnDisk {
    /// Time for which a look holds.
    const FRESH: Duration = Duration::from_secs(5);

    pub(super) fn new(load: Loader) -> Self {
        Self { load, seen: Mutex::default() }
    }

    /// Loads the files.
    pub(super) fn loader(&self) -> &Loader {
        &self.load
    }

    /// State of the files now, or a moment ago.
    pub(super) async fn look(&self) -> Look {
        let mut seen = self.seen.lock().await;
        if let Some((at, look)) = seen.as_ref()
            && at.elapsed() < Self::FRESH
        {
            return look.clone();
        }
        let look = match load(&self.load, Vec::new()).await {
            Ok(settings) => Look { digest: Some(settings.written.fingerprint()), error: None },
            Err(refusal) => Look { digest: None, error: Some(refusal.first().to_owned()) },
        };
        *seen = Some((Instant::now(), look.clone()));
        look
    }

    /// Forgets what was seen: it has just changed, as far as is known.
    pub(super) async fn forget(&self) {
        *self.seen.lock().await = None;
    }
}
