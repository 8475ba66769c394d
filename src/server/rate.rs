//! Count of destructive calls over TCP, by token. Kept as long as the daemon runs: no reload begins it anew.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::control::Caller;
use super::problem::{Problem, ProblemCode};
use crate::policy::{Name, RateLimit, Serving};

/// Destructive calls of each token, the oldest first. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Calls(Arc<Mutex<HashMap<Name, VecDeque<Instant>>>>);

/// Call that was counted; none where it need not be.
pub(super) type Counted = Option<(Name, Instant)>;

impl Calls {
    /// Counts a call, if the caller may make one more.
    pub(super) fn count(&self, caller: &Caller, serving: &Serving) -> Result<Counted, Problem> {
        let limit = serving.tcp.as_ref().and_then(|tcp| tcp.rate_limit);
        let (Some(remote), Some(limit)) = (&caller.remote, limit) else { return Ok(None) };
        let now = Instant::now();
        self.take(&remote.token, limit, now).map_err(|wait| refuse(&remote.token, limit, wait))?;
        Ok(Some((remote.token.clone(), now)))
    }

    /// Forgets a call that was refused and did nothing.
    pub(super) fn give_back(&self, counted: Option<Counted>) {
        let Some(Some((token, at))) = counted else { return };
        if let Some(calls) = self.lock().get_mut(&token)
            && let Some(place) = calls.iter().position(|call| *call == at)
        {
            calls.remove(place);
        }
    }

    /// Counts a call; otherwise the time until there may be another.
    fn take(&self, token: &Name, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        let mut all = self.lock();
        let calls = all.entry(token.clone()).or_default();
        while calls.front().is_some_and(|call| now.duration_since(*call) >= limit.per) {
            calls.pop_front();
        }
        // The one that has to be over before there is room for another.
        let most = usize::try_from(limit.most).unwrap_or(usize::MAX);
        if let Some(call) = calls.len().checked_sub(most).and_then(|place| calls.get(place)) {
            return Err(limit.per.saturating_sub(now.duration_since(*call)));
        }
        calls.push_back(now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Name, VecDeque<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refuse(token: &Name, limit: RateLimit, wait: Duration) -> Problem {
    let secs = wait.as_secs() + 1;
    let detail = format!(
        "token {token} may make {} destructive requests in {} s, and has made them: the next one in {secs} s",
        limit.most,
        limit.per.as_secs()
    );
    let problem = Problem::new(ProblemCode::RateLimited, detail);
    Problem { retry_after: Some(secs), ..problem }
        .hint("[server] rate_limit says how many; the socket, and \"mode\": \"plan\" or \"report\", are not counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_of_time_has_more_calls() {
        let (calls, ada, bob) = (Calls::default(), Name::parse("ada").unwrap(), Name::parse("bob").unwrap());
        let limit = RateLimit { most: 2, per: Duration::from_secs(60) };
        let (began, secs) = (Instant::now(), Duration::from_secs);
        let at = |token: &Name, after: u64| calls.take(token, limit, began + secs(after));
        assert_eq!((at(&ada, 0), at(&ada, 50)), (Ok(()), Ok(())));
        assert_eq!((at(&ada, 55), at(&bob, 55)), (Err(secs(5)), Ok(())), "each token has its own");
        assert_eq!((at(&ada, 60), at(&ada, 61)), (Ok(()), Err(secs(49))));
        let narrower = RateLimit { most: 1, ..limit };
        assert_eq!(calls.take(&ada, narrower, began + secs(61)), Err(secs(59)), "what was is counted by a new limit");
        calls.give_back(Some(Some((ada.clone(), began + secs(60)))));
        calls.give_back(None);
        assert_eq!(at(&ada, 62), Ok(()));
    }
}
