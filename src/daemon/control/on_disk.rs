//! The configuration as it is written on disk, looked at now and then.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::super::reload::{Loader, load};

/// Memory of the last look at the files.
pub(super) struct OnDisk {
    load: Loader,
    /// When it was looked at, and its digest; none where it cannot be used.
    seen: Mutex<Option<(Instant, Option<String>)>>,
}

impl OnDisk {
    /// Time for which a look holds.
    const FRESH: Duration = Duration::from_secs(5);

    pub(super) fn new(load: Loader) -> Self {
        Self { load, seen: Mutex::default() }
    }

    /// True if something else is written there than what has this digest, or something that cannot be used.
    pub(super) async fn differs_from(&self, digest: &str) -> bool {
        let mut seen = self.seen.lock().await;
        let fresh = seen.take().filter(|(at, _)| at.elapsed() < Self::FRESH);
        let (at, on_disk) = match fresh {
            Some(look) => look,
            None => {
                let loaded = load(&self.load).await;
                (Instant::now(), loaded.ok().map(|settings| settings.written.fingerprint()))
            }
        };
        let differs = on_disk.as_deref() != Some(digest);
        *seen = Some((at, on_disk));
        differs
    }
}
