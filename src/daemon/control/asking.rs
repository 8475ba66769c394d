//! Places of requests that ask sources: many at once would take the connections of the application.

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::outcome::Role;

/// Requests at once that ask sources.
const AT_ONCE: usize = 4;
/// Those of them that viewers may make: whoever only looks keeps nobody from acting.
const OF_VIEWERS: usize = 3;

/// Places of requests that ask sources.
pub(super) struct Asking {
    all: Semaphore,
    of_viewers: Semaphore,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    _of_viewers: Option<SemaphorePermit<'a>>,
    _of_all: SemaphorePermit<'a>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Self { all: Semaphore::new(AT_ONCE), of_viewers: Semaphore::new(OF_VIEWERS) }
    }

    /// Waits for a place.
    pub(super) async fn place(&self, role: Role) -> Result<Place<'_>, AcquireError> {
        let of_viewers = match role {
            Role::Viewer => Some(self.of_viewers.acquire().await?),
            Role::Operator => None,
        };
        Ok(Place { _of_viewers: of_viewers, _of_all: self.all.acquire().await? })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn viewers_leave_a_place_to_operators() {
        let asking = Asking::new();
        let place = |role| asking.place(role).now_or_never().map(Result::unwrap);
        let viewers: Vec<Place> = (0..OF_VIEWERS).filter_map(|_| place(Role::Viewer)).collect();
        assert_eq!(viewers.len(), OF_VIEWERS);
        assert!(place(Role::Viewer).is_none());
        let operator = place(Role::Operator).unwrap();
        assert!(place(Role::Operator).is_none(), "four ask at once, whoever they are");
        drop((viewers, operator));
        let operators: Vec<Place> = (0..AT_ONCE).filter_map(|_| place(Role::Operator)).collect();
        assert_eq!(operators.len(), AT_ONCE);
    }
}
