//! Holds off InnoDB's cleaning while rows without files are deleted.
//!
//! Behind one large `DELETE` InnoDB's purge threads clean up when it is over; behind batches they do it at the same
//! time and contend for the same pages, which makes a run twice as slow. A snapshot, as any long reader has one, makes
//! them wait. It is renewed between batches, so that what waits never grows beyond a few seconds' work.

use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use crate::policy::Name;
use crate::run::sessions::Sessions;
use crate::sources::{Session, Target};
use crate::text::chain;

const HELD_AT_MOST: Duration = Duration::from_secs(10);

/// A snapshot that is held, over a connection of its own.
pub(crate) struct Snapshot {
    session: Session,
    taken_at: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Snapshot {
    /// Takes one on MySQL, where a connection is to spare. It only makes a run faster, so none is no failure.
    pub(crate) async fn take(sessions: &mut Sessions, source: &Name, target: &Target) -> Option<Self> {
        if !target.cleans_up_behind() {
            return None;
        }
        let (mut session, permit) = sessions.spare(source).await?;
        match session.begin_snapshot().await {
            Ok(()) => Some(Self { session, taken_at: Instant::now(), _permit: permit }),
            Err(error) => {
                tracing::debug!(%source, error = chain(&error), "No snapshot on source {source}");
                None
            }
        }
    }

    /// Lets go of what has waited long enough, and goes on with a new one.
    pub(crate) async fn renew(mut self) -> Option<Self> {
        if self.taken_at.elapsed() < HELD_AT_MOST {
            return Some(self);
        }
        self.session.rollback().await.ok()?;
        self.session.begin_snapshot().await.ok()?;
        self.taken_at = Instant::now();
        Some(self)
    }
}
